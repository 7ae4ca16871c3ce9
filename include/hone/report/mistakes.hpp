// The worst mistakes and the measures of a test, for people.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/data/dataset.hpp"
#include "hone/report/console.hpp"
#include "hone/report/terminal.hpp"
#include "hone/text/tokenizer.hpp"
#include "hone/train/evaluate.hpp"

namespace hone {

namespace detail {

std::string measures_text(std::span<HeadEvaluation const> heads, int columns);

std::string mistakes_text(std::vector<HeadMistakes> const& mistakes, std::span<HeadInfo const> heads,
                          std::span<HostMatrix const> outputs, data::Dataset const& data, Tokenizer const& tokenizer,
                          int columns, std::size_t lines);

#if HONE_BODIES

/// The name of a class for people: yes and no for two classes of a head called is_..., else its number.
inline std::string class_name(std::string_view head, Index classes, Index k) {
  if (classes == 2 && head.substr(0, 3) == "is_") return k == 1 ? "yes" : "no";
  return std::to_string(k);
}

/// "is_positive yes (98 %), truth no" for a classifying head, "star_rating 8.9, truth 2" for another.
inline std::string shown_prediction(HeadInfo const& head, HostMatrix const& output, std::size_t example, double truth) {
  std::string text(head.name);
  if (head.classifies) {
    auto const shares = softmax(std::span<double const>(output.row(Index(example)), std::size_t(output.cols)));
    Index const best = output.argmax(Index(example));
    double const percent = 100 * shares[std::size_t(best)];
    text +=
        " " + class_name(head.name, head.width, best) + formatted(percent >= 99.95 ? " (%.3f %%)" : " (%.1f %%)", percent);
    if (!std::isnan(truth)) text += ", truth " + class_name(head.name, head.width, static_cast<Index>(truth));
  } else {
    text += formatted(" %.1f", output(Index(example), 0));
    if (!std::isnan(truth)) text += formatted(", truth %g", truth);
  }
  return text;
}

/// Names and numbers in columns, as many side by side as fit: "  F1                0.8712  MCC               0.7401".
inline std::string measures_grid(std::vector<std::pair<std::string, double>> const& measures, int columns) {
  std::string text;
  int const side_by_side = std::max(1, columns / 26);
  int at = 0;
  for (auto const& [name, value] : measures) {
    if (std::isnan(value)) continue;
    text += (at % side_by_side == 0 ? (at > 0 ? "\n  " : "  ") : "  ") + formatted("%-16s%8.4f", name.c_str(), value);
    ++at;
  }
  return text.empty() ? text : text + "\n";
}

/// Truth by row, prediction by column; nothing when it is wider than the terminal.
inline std::string confusion_text(std::string_view head, ConfusionTable const& table, int columns) {
  auto const classes = static_cast<int>(std::min(table.classes, Index{1000}));
  int const each = classes > 0 ? std::min(12, (columns - 14) / classes - 1) : 0;
  if (each < 5) return "";
  std::string text = formatted("  %-12s", "truth");
  for (Index k = 0; k < classes; ++k)
    text += formatted(" %*s", each, ((each >= 8 ? "said " : "") + class_name(head, classes, k)).c_str());
  for (Index truth = 0; truth < classes; ++truth) {
    text += formatted("\n  %-12s", class_name(head, classes, truth).c_str());
    for (Index k = 0; k < classes; ++k) text += formatted(" %*lld", each, static_cast<long long>(table(truth, k)));
  }
  return text + "\n";
}

HONE_INLINE std::string measures_text(std::span<HeadEvaluation const> heads, int columns) {
  std::string text;
  char const* const gap = columns < 60 ? "\n  " : "  ";
  for (auto const& head : heads) {
    text += head.head + "\n";
    if (head.classifies) {
      text += formatted("  %-16s%6.2f %%%s95 %% interval %.2f to %.2f %%\n", "accuracy", 100 * head.accuracy, gap,
                        100 * head.accuracy_interval.low, 100 * head.accuracy_interval.high);
      bool const two = head.confusion.classes == 2;
      text += measures_grid({{two ? "F1" : "mean F1", head.measures.f1},
                             {"MCC", head.mcc},
                             {"cross entropy", head.cross_entropy},
                             {two ? "ROC AUC" : "mean ROC AUC", head.roc_auc},
                             {"ECE", head.expected_calibration_error},
                             {"Brier score", head.brier_score}},
                            columns);
      text += confusion_text(head.head, head.confusion, columns);
    } else if (!std::isnan(head.mean_absolute_error)) {
      text += formatted("  %-16s%8.3f", "mean abs. error", head.mean_absolute_error) +
              formatted("%s95 %% interval %.3f to %.3f\n", gap, head.mean_absolute_error_interval.low,
                        head.mean_absolute_error_interval.high);
      std::vector<std::pair<std::string, double>> const more{{"root mean square", head.root_mean_square_error},
                                                             {"Spearman", head.spearman},
                                                             {"quadratic kappa", head.quadratic_kappa}};
      text += measures_grid(more, columns);
    } else {
      text += formatted("  %-16s%8.4f\n", head.loss_name.c_str(), head.loss);
    }
  }
  return text;
}

HONE_INLINE std::string mistakes_text(std::vector<HeadMistakes> const& mistakes, std::span<HeadInfo const> heads,
                                      std::span<HostMatrix const> outputs, data::Dataset const& data,
                                      Tokenizer const& tokenizer, int columns, std::size_t lines) {
  std::string text;
  for (auto const& head : mistakes) {
    text += (text.empty() ? "" : "\n") + head.head +
            (head.classifies ? ": wrong with the most confidence" : ": largest errors") + "\n";
    if (head.worst.empty()) text += "  none\n";
    int number = 0;
    for (auto const& mistake : head.worst) {
      std::string line = "  " + std::to_string(++number) + ". ";
      bool begun = false;
      auto const append = [&](std::string const& part) {
        line += (begun ? "; " : "") + part;
        begun = true;
      };
      for (bool const own : {true, false})  // the head that is wrong comes first
        for (std::size_t h = 0; h < heads.size(); ++h)
          if ((heads[h].name == head.head) == own && (heads[h].classifies || heads[h].width == 1))
            append(
                shown_prediction(heads[h], outputs[h], mistake.example, data.label(heads[h].name).values[mistake.example]));
      append(printable_text(data.sources[mistake.example]));
      for (auto const& piece : wrap_text(line, columns - 2)) text += "  " + piece + "\n";
      std::string const decoded = printable_text(tokenizer.decode(data.tokens[mistake.example]));
      for (auto const& piece : wrap_text(decoded, columns - 5, lines)) text += "     " + piece + "\n";
    }
  }
  return text;
}

#endif

}  // namespace detail

/// The measures of an evaluation in a few lines: accuracy and mean absolute error with their 95 % intervals, the other
/// measures in columns, the confusion table. What is NaN is left out.
///
/// @param columns  width of the lines
template <class HeadList>
std::string measures_text(Evaluation<HeadList> const& evaluation, int columns = 80) {
  return detail::measures_text(evaluation.heads, columns);
}

/// The worst mistakes of every head: what every head said, the truth, the file, and the text as the model read it (decoded
/// tokens: without what was cut off), made safe for a terminal, wrapped, its middle left out.
///
/// @param columns  width of the lines
/// @param lines    at most so many lines of text for each
template <class HeadList>
std::string mistakes_text(std::vector<HeadMistakes> const& mistakes, Outputs<HeadList> const& outputs,
                          data::Dataset const& data, Tokenizer const& tokenizer, int columns, std::size_t lines = 6) {
  return detail::mistakes_text(mistakes, head_infos<HeadList>(), outputs.heads, data, tokenizer, columns, lines);
}

}  // namespace hone
