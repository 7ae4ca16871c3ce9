// What a person should see before training begins: the data, its problems, the lengths of its texts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/data/dataset.hpp"
#include "hone/report/console.hpp"
#include "hone/report/terminal.hpp"
#include "hone/train/step_report.hpp"

namespace hone {

/// "25000 texts; is_positive 0: 12500, 1: 12500; star_rating 1: 5100, 2: 2284, ...": how often each label occurs. A label
/// with more than 20 different values is shown as its range.
std::string data_summary(data::Dataset const& data);

/// "mean 280.7 tokens, median 239, longest 512; 15.7 % are cut at 512": the last part only if some reach max_length.
std::string length_summary(RaggedTokens const& tokens, Index max_length);

/// The first problems of a data set, one a line, and how many more there are.
std::string problems_text(std::vector<data::Problem> const& problems, std::size_t most = 10);

/// "1250 steps, 20000 texts, 5631000 tokens in 12:31 (7498 tokens/s)", and whether training was ended early.
std::string training_text(FitReport const& report);

#if HONE_BODIES

HONE_INLINE std::string data_summary(data::Dataset const& data) {
  std::string text = std::to_string(data.size()) + " texts";
  for (auto const& column : data.labels) {
    std::map<double, std::size_t> counts;
    for (double const value : column.values) ++counts[value];
    text += "; " + printable_text(column.name) + " ";
    if (counts.empty()) {
      text += "-";
    } else if (counts.size() > 20) {
      text += formatted("%g to %g", counts.begin()->first, counts.rbegin()->first);
    } else {
      bool is_first = true;
      for (auto const& [value, count] : counts) {
        text += formatted("%s%g: %zu", is_first ? "" : ", ", value, count);
        is_first = false;
      }
    }
  }
  return text;
}

HONE_INLINE std::string length_summary(RaggedTokens const& tokens, Index max_length) {
  if (tokens.size() == 0) return "no texts";
  std::vector<std::int64_t> lengths;
  for (std::size_t b = 0; b < tokens.size(); ++b) lengths.push_back(tokens.offsets[b + 1] - tokens.offsets[b]);
  std::sort(lengths.begin(), lengths.end());
  double const count = static_cast<double>(lengths.size());
  auto const full = lengths.end() - std::lower_bound(lengths.begin(), lengths.end(), max_length);
  std::string text =
      formatted("mean %.1f tokens, median %lld, longest %lld", static_cast<double>(tokens.tokens.size()) / count,
                static_cast<long long>(lengths[lengths.size() / 2]), static_cast<long long>(lengths.back()));
  if (max_length > 0 && full > 0)
    text += formatted("; %.1f %% reach the limit of %lld", 100 * static_cast<double>(full) / count,
                      static_cast<long long>(max_length));
  return text;
}

HONE_INLINE std::string problems_text(std::vector<data::Problem> const& problems, std::size_t most) {
  std::string text;
  for (std::size_t i = 0; i < problems.size() && i < most; ++i)
    text += "  " + printable_text(problems[i].file) + (problems[i].file.empty() ? "" : ": ") +
            printable_text(problems[i].reason) + "\n";
  if (problems.size() > most) text += "  and " + std::to_string(problems.size() - most) + " more\n";
  return text;
}

HONE_INLINE std::string training_text(FitReport const& report) {
  double const speed = report.train_seconds > 0 ? static_cast<double>(report.tokens) / report.train_seconds : 0;
  return formatted("%lld steps, %lld texts, %lld tokens in %s (%.0f tokens/s)%s", static_cast<long long>(report.steps),
                   static_cast<long long>(report.examples), static_cast<long long>(report.tokens),
                   shown_duration(report.train_seconds).c_str(), speed, report.interrupted ? ", ended early" : "");
}

#endif

}  // namespace hone
