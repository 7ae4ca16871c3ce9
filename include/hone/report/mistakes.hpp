// The worst mistakes and the measures of a test, for people.
#pragma once

#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/data/dataset.hpp"
#include "hone/report/console.hpp"
#include "hone/report/terminal.hpp"
#include "hone/text/tokenizer.hpp"
#include "hone/train/evaluate.hpp"

namespace hone {

namespace detail {

/// The name of a class for people: yes and no for two classes of a head called is_..., else its number.
inline std::string class_name(std::string_view head, Index classes, Index k) {
  if (classes == 2 && head.substr(0, 3) == "is_") return k == 1 ? "yes" : "no";
  return std::to_string(k);
}

/// "is_positive yes (98 %), truth no" for a classifying head, "star_rating 8.9, truth 2" for another.
template <class H>
std::string shown_prediction(HostMatrix const& output, std::size_t example, double truth) {
  std::string text(H::name());
  if constexpr (classifying_head<H>) {
    auto const shares = softmax(std::span<double const>(output.row(Index(example)), std::size_t(output.cols)));
    Index const best = output.argmax(Index(example));
    double const percent = 100 * shares[std::size_t(best)];
    text += " " + class_name(H::name(), H::width, best) + formatted(percent >= 99.95 ? " (%.3f %%)" : " (%.1f %%)", percent);
    if (!std::isnan(truth)) text += ", truth " + class_name(H::name(), H::width, static_cast<Index>(truth));
  } else {
    text += formatted(" %.1f", output(Index(example), 0));
    if (!std::isnan(truth)) text += formatted(", truth %g", truth);
  }
  return text;
}

}  // namespace detail

/// The measures of an evaluation in a few lines: accuracy with its 95 % interval, confusion table, cross entropy, errors.
template <class HeadList>
std::string measures_text(Evaluation<HeadList> const& evaluation) {
  std::string text;
  for (auto const& head : evaluation.heads) {
    if (head.classifies) {
      text += head.head + formatted(": accuracy %.2f %% (95 %% interval %.2f to %.2f %%), cross entropy %.4f\n",
                                    100 * head.accuracy, 100 * head.accuracy_interval.low, 100 * head.accuracy_interval.high,
                                    head.cross_entropy);
      Index const classes = head.confusion.classes;
      if (classes > 20) continue;
      text += formatted("  %-12s", "truth");
      for (Index k = 0; k < classes; ++k)
        text += formatted(" %12s", ("said " + detail::class_name(head.head, classes, k)).c_str());
      text += "\n";
      for (Index truth = 0; truth < classes; ++truth) {
        text += formatted("  %-12s", detail::class_name(head.head, classes, truth).c_str());
        for (Index k = 0; k < classes; ++k) text += formatted(" %12lld", static_cast<long long>(head.confusion(truth, k)));
        text += "\n";
      }
    } else if (!std::isnan(head.mean_absolute_error)) {
      text += head.head + formatted(": mean absolute error %.3f\n", head.mean_absolute_error);
    } else {
      text += head.head + ": " + head.loss_name + formatted(" %.4f\n", head.loss);
    }
  }
  return text;
}

/// The worst mistakes of every head: what every head said, the truth, the file, and the text as the model read it (decoded
/// tokens: without what was cut off), made safe for a terminal, wrapped, its middle left out.
///
/// @param columns  width of the lines
/// @param lines    at most so many lines of text for each
template <class HeadList>
std::string mistakes_text(std::vector<HeadMistakes> const& mistakes, Outputs<HeadList> const& outputs,
                          data::Dataset const& data, Tokenizer const& tokenizer, int columns, std::size_t lines = 6) {
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
        for_each_index<HeadList::count>([&](auto i) {
          using H = typename HeadList::template At<i>;
          if ((H::name() == head.head) == own && (detail::classifying_head<H> || H::width == 1))
            append(detail::shown_prediction<H>(outputs.heads[i], mistake.example,
                                               data.label(H::name()).values[mistake.example]));
        });
      append(printable_text(data.sources[mistake.example]));
      for (auto const& piece : wrap_text(line, columns - 2)) text += "  " + piece + "\n";
      std::string const decoded = printable_text(tokenizer.decode(data.tokens[mistake.example]));
      for (auto const& piece : wrap_text(decoded, columns - 5, lines)) text += "     " + piece + "\n";
    }
  }
  return text;
}

}  // namespace hone
