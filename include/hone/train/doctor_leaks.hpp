// Can the label be read from the text, without understanding it?
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/data/dataset.hpp"
#include "hone/text/tokenizer.hpp"
#include "hone/train/doctor_options.hpp"
#include "hone/train/doctor_text.hpp"
#include "hone/train/finding.hpp"

#if HONE_BODIES
#include <nlohmann/json.hpp>
#endif

namespace hone {

/// How well something simple predicts a label: 0 not better than always saying the same, 1 without error.
struct Giveaway {
  double share = 0;         ///< of the errors (classes) or of the variance (numbers) of always saying the same
  std::int32_t token = -1;  ///< whose presence it is, or -1
  int place = 0;            ///< of the token that it is: 1, 2, .. after [CLS], -1, -2, .. before [SEP]; 0: any place
  Index of_class = -1;      ///< the class that the presence tells from the others
};

namespace detail {

/// A rating that a text states of itself: "8/10", "8 out of 10", "4 stars"; the first of them.
std::optional<double> stated_rating(std::string_view text);

}  // namespace detail

/// The best of what one token's presence, or the token at one of the first or last four places, tells of a label.
Giveaway best_giveaway(data::Dataset const& data, HeadLabels const& labels, std::size_t most_texts = 20000);

/// D13 whether one token gives a label away, D14 whether texts state the rating that is to be predicted.
std::vector<Finding> examine_leaks(data::Dataset const& train, std::span<HeadLabels const> labels,
                                   Tokenizer const* tokenizer, DoctorOptions const& options);

#if HONE_BODIES

namespace detail {

/// The texts that leaks are searched in: all, or every k-th.
inline std::vector<std::size_t> rows_for_leaks(std::size_t examples, std::size_t most) {
  std::vector<std::size_t> rows;
  std::size_t const stride = std::max<std::size_t>(1, (examples + most - 1) / std::max<std::size_t>(most, 1));
  for (std::size_t row = 0; row < examples; row += stride) rows.push_back(row);
  return rows;
}

/// What the presence of one token tells. For classes: one class against the others, errors of "present means this class" (or
/// not this class) over those of the more frequent answer. For numbers: squared correlation with the presence.
inline Giveaway presence_giveaway(data::Dataset const& data, HeadLabels const& labels, std::span<std::size_t const> rows) {
  auto const& tokens = data.tokens.tokens;
  // Ids beyond any vocabulary (2^24, as in config.json) are left out: they must not decide how much memory is taken.
  std::int32_t most = 0;
  for (std::int32_t const id : tokens) most = std::max(most, id < (1 << 24) ? id : 0);
  auto const vocabulary = static_cast<std::size_t>(most) + 1;
  auto const classes = static_cast<std::size_t>(std::max<Index>(labels.classes, 1));
  std::vector<std::uint32_t> count(vocabulary * classes), last(vocabulary, 0);
  std::vector<double> sum(labels.classes == 0 ? vocabulary : 0), totals(classes);
  double mean = 0, variance = 0, const_count = static_cast<double>(rows.size());
  for (std::size_t const row : rows) mean += labels.values[row] / const_count;
  for (std::size_t const row : rows) variance += (labels.values[row] - mean) * (labels.values[row] - mean) / const_count;
  std::uint32_t stamp = 0;
  for (std::size_t const row : rows) {
    std::size_t const k = labels.classes > 0 ? static_cast<std::size_t>(labels.values[row]) : 0;
    totals[k] += 1;
    ++stamp;
    for (std::int32_t const id : data.tokens[row]) {
      auto const t = static_cast<std::size_t>(id);
      if (id < 0 || id > most || last[t] == stamp) continue;
      last[t] = stamp;
      count[t * classes + k] += 1;
      if (labels.classes == 0) sum[t] += labels.values[row] - mean;
    }
  }
  Giveaway best;
  for (std::size_t t = 0; t < vocabulary; ++t) {
    double present = 0;
    for (std::size_t k = 0; k < classes; ++k) present += count[t * classes + k];
    if (present == 0 || present == const_count) continue;
    if (labels.classes == 0) {  // r^2 = cov^2 / (var(presence) var(label))
      double const p = present / const_count, covariance = sum[t] / const_count;
      double const share = variance > 0 ? covariance * covariance / (p * (1 - p) * variance) : 0;
      if (share > best.share) best = {share, static_cast<std::int32_t>(t), 0, -1};
      continue;
    }
    for (std::size_t k = 0; k < classes; ++k) {
      double const baseline = std::min(totals[k], const_count - totals[k]);
      if (baseline == 0) continue;
      double const hit = count[t * classes + k];
      double const wrong = (present - hit) + (totals[k] - hit), errors = std::min(wrong, const_count - wrong);
      double const share = 1 - errors / baseline;
      if (share > best.share) best = {share, static_cast<std::int32_t>(t), 0, static_cast<Index>(k)};
    }
  }
  return best;
}

/// What the token at one place tells: each text is judged by the others that have the same token there (leave one out), or
/// by all others where it is alone.
inline Giveaway place_giveaway(data::Dataset const& data, HeadLabels const& labels, std::span<std::size_t const> rows,
                               int place) {
  std::vector<std::pair<std::int32_t, double>> seen;
  for (std::size_t const row : rows) {
    auto const ids = data.tokens[row];
    auto const at = static_cast<std::size_t>(place > 0 ? place : -place);  // [CLS] and [SEP] are at 0
    std::int32_t const id = at < ids.size() ? ids[place > 0 ? at : ids.size() - 1 - at] : -1;
    seen.emplace_back(id, labels.values[row]);
  }
  std::stable_sort(seen.begin(), seen.end(), [](auto const& a, auto const& b) { return a.first < b.first; });
  double const n = static_cast<double>(seen.size());
  double mean = 0, baseline = 0, errors = 0;
  std::vector<double> totals(static_cast<std::size_t>(std::max<Index>(labels.classes, 0)));
  for (auto const& [id, label] : seen) {
    mean += label / n;
    if (labels.classes > 0) totals[static_cast<std::size_t>(label)] += 1;
  }
  std::size_t const usual = static_cast<std::size_t>(std::max_element(totals.begin(), totals.end()) - totals.begin());
  if (labels.classes > 0) baseline = n - totals[usual];
  for (std::size_t begin = 0, end = 0; begin < seen.size(); begin = end) {
    double sum = 0;
    std::vector<double> counts(totals.size());
    for (end = begin; end < seen.size() && seen[end].first == seen[begin].first; ++end) {
      sum += seen[end].second;
      if (labels.classes > 0) counts[static_cast<std::size_t>(seen[end].second)] += 1;
    }
    double const group = static_cast<double>(end - begin);
    for (std::size_t i = begin; i < end; ++i) {
      double const label = seen[i].second;
      if (labels.classes == 0) {
        double const others = group > 1 ? (sum - label) / (group - 1) : mean;
        errors += (others - label) * (others - label);
        baseline += (mean - label) * (mean - label);
        continue;
      }
      auto const k = static_cast<std::size_t>(label);
      bool right = group > 1;
      for (std::size_t j = 0; j < counts.size(); ++j) right = right && (j == k || counts[k] - 1 > counts[j]);
      if (group == 1) right = k == usual;
      errors += right ? 0 : 1;
    }
  }
  return {baseline > 0 ? std::max(0.0, 1 - errors / baseline) : 0, -1, place, -1};
}

HONE_INLINE std::optional<double> stated_rating(std::string_view text) {
  auto const digit = [&](std::size_t i) { return i < text.size() && text[i] >= '0' && text[i] <= '9'; };
  auto const word = [&](std::size_t i, std::string_view wanted) {
    if (i + wanted.size() > text.size()) return false;
    for (std::size_t j = 0; j < wanted.size(); ++j)
      if ((static_cast<unsigned char>(text[i + j]) | 0x20) != static_cast<unsigned char>(wanted[j])) return false;
    return true;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!digit(i) || (i > 0 && (digit(i - 1) || text[i - 1] == '/' || text[i - 1] == '.'))) continue;
    std::size_t end = i;
    double value = 0;
    while (digit(end) && end - i < 4) value = value * 10 + (text[end++] - '0');
    std::size_t next = end;
    while (next < text.size() && text[next] == ' ') ++next;
    bool const slash = next < text.size() && text[next] == '/';
    if (slash) {
      std::size_t scale = next + 1;
      while (scale < text.size() && text[scale] == ' ') ++scale;
      bool const known =
          (text.substr(scale, 2) == "10" && !digit(scale + 2)) || (text.substr(scale, 1) == "5" && !digit(scale + 1));
      // "9/10/2001" is a date.
      std::size_t const behind = scale + (text.substr(scale, 1) == "5" ? 1 : 2);
      if (known && (behind >= text.size() || text[behind] != '/')) return value;
    } else if (word(next, "out of ") || word(next, "star")) {
      return value;
    }
    i = end - 1;
  }
  return {};
}

inline std::string giveaway_text(Giveaway const& found, HeadLabels const& labels, Tokenizer const* tokenizer) {
  std::string what;
  if (found.place != 0) {
    int const at = std::abs(found.place);
    what = at == 1 ? "the token " : "the token at place " + std::to_string(at) + " ";
    what += found.place > 0 ? "after [CLS]" : "before [SEP]";
  } else {
    bool const named = tokenizer && found.token >= 0 && found.token < tokenizer->vocabulary_size();
    what = "whether \"" + (named ? tokenizer->token(found.token) : "token " + std::to_string(found.token)) + "\" occurs";
  }
  return what + " explains " + percent_text(found.share) + (labels.classes > 0 ? " of the errors" : " of the variance") +
         (labels.classes > 2 && found.of_class >= 0 ? " for class " + std::to_string(found.of_class) : "");
}

}  // namespace detail

HONE_INLINE Giveaway best_giveaway(data::Dataset const& data, HeadLabels const& labels, std::size_t most_texts) {
  auto const rows = detail::rows_for_leaks(data.tokens.size(), most_texts);
  Giveaway best = detail::presence_giveaway(data, labels, rows);
  for (int const place : {1, 2, 3, 4, -1, -2, -3, -4}) {
    auto const found = detail::place_giveaway(data, labels, rows, place);
    if (found.share > best.share + 1e-9) best = found;
  }
  return best;
}

HONE_INLINE std::vector<Finding> examine_leaks(data::Dataset const& train, std::span<HeadLabels const> labels,
                                               Tokenizer const* tokenizer, DoctorOptions const& options) {
  std::vector<Finding> findings;
  if (train.tokens.size() < 50) return findings;  // so few texts differ in many ways
  Finding leak{"D13", Severity::ok, "no single token gives a label away", "", "", nlohmann::ordered_json::array()};
  for (auto const& head : labels) {
    Giveaway const best = best_giveaway(train, head, options.most_texts);
    std::string const text = detail::giveaway_text(best, head, tokenizer);
    leak.data->push_back({{"head", head.head}, {"share", best.share}, {"what", text}});
    if (best.share < 0.7) continue;
    leak.severity = best.share >= 0.9 || leak.severity == Severity::error ? Severity::error : Severity::warning;
    leak.title = "a label can be read from the text without understanding it";
    leak.detail += (leak.detail.empty() ? "" : "\n") + head.head + ": " + text;
    leak.next = "look at the texts: take out what was added with the label, or the model learns nothing else";
  }
  findings.push_back(std::move(leak));

  for (auto const& head : labels) {
    auto const whole = [](double v) { return v >= 0 && v <= 100 && v == std::floor(v); };
    bool const rating = head.classes != 2 && std::all_of(head.values.begin(), head.values.end(), whole);
    if (!rating) continue;
    auto const rows = detail::rows_for_leaks(train.size(), options.most_texts);
    std::size_t stated = 0, right = 0;
    for (std::size_t const row : rows) {
      auto const rating_in_text = detail::stated_rating(train.texts[row]);
      stated += rating_in_text ? 1 : 0;
      right += rating_in_text && *rating_in_text == head.values[row] ? 1 : 0;
    }
    double const share = static_cast<double>(right) / static_cast<double>(rows.size());
    Finding finding{"D14", Severity::ok, "", "", "", {}};
    *finding.data = {{"head", head.head}, {"texts", rows.size()}, {"stated", stated}, {"right", right}};
    finding.title = detail::percent_text(share) + " of the texts state their " + head.head + " themselves";
    if (share >= 0.01) {
      finding.severity = share >= 0.3 ? Severity::warning : Severity::note;
      finding.detail = "as \"8/10\", \"8 out of 10\" or \"4 stars\": " + std::to_string(stated) + " of " +
                       std::to_string(rows.size()) + " texts state a rating, " + std::to_string(right) +
                       " of them the label";
      finding.next = share >= 0.3 ? "take the rating out of the texts, or the model learns to find it"
                                  : "this is how people write; look at both kinds of texts when judging errors";
    }
    findings.push_back(std::move(finding));
  }
  return findings;
}

#endif

}  // namespace hone
