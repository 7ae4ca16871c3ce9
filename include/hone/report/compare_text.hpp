// A comparison of runs as text for a terminal: tables side by side, tests in words, curves.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/report/compare.hpp"
#include "hone/report/console.hpp"
#include "hone/report/line_plot.hpp"
#include "hone/report/terminal.hpp"

namespace hone {

/// A row of a table of runs: its cells are empty where a run has nothing to say. Rows without cells are headings.
struct CompareRow {
  std::string label{};
  std::vector<std::string> cells{};
};

/// The rows of the table: settings that differ, measures by head, what the training took. Shapes: cells (runs).
std::vector<CompareRow> compare_rows(Comparison const& comparison);

/// A test in one sentence: "accuracy +0.42 points (-0.36 to 1.20), 190 texts only A right, 211 only B: p = 0.32".
std::string test_text(Comparison const& comparison, PairedTest const& test);

/// A curve of every run that has it, smoothed: each point is the mean of a twelfth of its steps (at the ends of half of
/// that).
std::vector<PlotLine> compare_curves(Comparison const& comparison, std::string const& key);

/// The names of the losses that any run's metrics.jsonl has.
std::vector<std::string> loss_curves(Comparison const& comparison);

/// The whole comparison for a terminal: what the letters stand for, notes, the table, the tests, the loss curves. No line is
/// wider than `terminal.width` - 1; colours and braille only where the terminal has them.
std::string compare_text(Comparison const& comparison, Terminal const& terminal);

#if HONE_BODIES

namespace detail {

inline std::string shown_number(char const* format, double value) {
  return std::isnan(value) ? std::string("-") : formatted(format, value);
}
inline std::string shown_interval(char const* format, Interval const& interval, double scale = 1) {
  if (std::isnan(interval.low) || std::isnan(interval.high)) return "-";
  return formatted(format, scale * interval.low) + " to " + formatted(format, scale * interval.high);
}

/// A p-value for people.
inline std::string shown_p(double p) {
  if (std::isnan(p)) return "p = ?";
  return p < 0.001 ? std::string("p < 0.001") : formatted(p < 0.1 ? "p = %.3f" : "p = %.2f", p);
}

inline HeadEvaluation const* find_head(ComparedRun const& run, std::string const& name) {
  for (auto const& head : run.heads)
    if (head.head == name) return &head;
  return nullptr;
}

/// A note as a sentence: its first letter large.
inline std::string sentence(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

/// A text of at most so many columns: a longer one keeps its end, where paths differ.
inline std::string shortened(std::string const& text, int columns) {
  if (display_width(text) <= columns) return text;
  std::size_t from = 0;
  while (from < text.size() && display_width(std::string_view(text).substr(from)) > columns - 2) {
    ++from;
    while (from < text.size() && (text[from] & 0xC0) == 0x80) ++from;
  }
  return ".." + text.substr(from);
}

inline std::string padded(std::string const& text, int columns, bool right) {
  std::string const space(static_cast<std::size_t>(std::max(0, columns - display_width(text))), ' ');
  return right ? space + text : text + space;
}

}  // namespace detail

HONE_INLINE std::vector<CompareRow> compare_rows(Comparison const& comparison) {
  std::vector<CompareRow> rows;
  auto const row = [&](std::string label, auto const& cell) {
    CompareRow made{std::move(label), {}};
    bool any = false;
    for (auto const& run : comparison.runs) {
      made.cells.push_back(cell(run));
      any = any || made.cells.back() != "-";
    }
    if (any) rows.push_back(std::move(made));
  };
  if (!comparison.settings.empty()) {
    rows.push_back({"settings that differ", {}});
    for (auto const& setting : comparison.settings) rows.push_back({setting.name, setting.values});
  }
  std::vector<std::pair<std::string, bool>> heads;
  for (auto const& run : comparison.runs)
    for (auto const& head : run.heads) {
      std::pair<std::string, bool> const entry{head.head, head.classifies};
      if (std::find(heads.begin(), heads.end(), entry) == heads.end()) heads.push_back(entry);
    }
  for (auto const& [name, classifies] : heads) {
    auto const add = [&, &name = name](char const* label, auto const& shown) {
      row(label, [&](ComparedRun const& run) {
        auto const* const head = detail::find_head(run, name);
        return head ? shown(*head) : std::string("-");
      });
    };
    auto const number = [&](char const* label, char const* format, double HeadEvaluation::*member) {
      add(label, [&](HeadEvaluation const& head) { return detail::shown_number(format, head.*member); });
    };
    rows.push_back({printable_text(name), {}});
    if (classifies) {
      add("accuracy %", [](HeadEvaluation const& head) { return detail::shown_number("%.2f", 100 * head.accuracy); });
      add("  95 % interval", [](HeadEvaluation const& head) {
        return detail::shown_interval("%.2f",
                                      std::isnan(head.accuracy) ? Interval{head.accuracy, 0} : head.accuracy_interval, 100);
      });
      number("cross entropy", "%.4f", &HeadEvaluation::cross_entropy);
      add("F1", [](HeadEvaluation const& head) { return detail::shown_number("%.4f", head.measures.f1); });
      number("MCC", "%.4f", &HeadEvaluation::mcc);
      number("ROC AUC", "%.4f", &HeadEvaluation::roc_auc);
      number("ECE", "%.4f", &HeadEvaluation::expected_calibration_error);
      number("Brier score", "%.4f", &HeadEvaluation::brier_score);
    } else {
      number("mean abs. error", "%.4f", &HeadEvaluation::mean_absolute_error);
      add("  95 % interval",
          [](HeadEvaluation const& head) { return detail::shown_interval("%.3f", head.mean_absolute_error_interval); });
      number("root mean square", "%.4f", &HeadEvaluation::root_mean_square_error);
      number("Spearman", "%.4f", &HeadEvaluation::spearman);
      number("quadratic kappa", "%.4f", &HeadEvaluation::quadratic_kappa);
    }
  }
  rows.push_back({"test and training", {}});
  row("texts measured", [](ComparedRun const& run) {
    return run.texts > 0 ? std::to_string(run.texts) : detail::shown_number("%.0f", run.record.number({"test_examples"}));
  });
  auto const stored = [&](char const* label, char const* format, char const* key) {
    row(label, [&](ComparedRun const& run) { return detail::shown_number(format, run.record.number({key})); });
  };
  row("training steps", [](ComparedRun const& run) {
    double const steps = run.record.number({"steps"});
    if (!std::isnan(steps)) return detail::shown_number("%.0f", steps);
    return run.record.steps.empty() ? std::string("-") : formatted("%.0f so far", run.record.steps.back());
  });
  stored("training texts", "%.0f", "train_examples_seen");
  row("training time", [](ComparedRun const& run) {
    double const seconds = run.record.number({"train_seconds"});
    return std::isnan(seconds) ? std::string("-") : shown_duration(seconds);
  });
  stored("tokens/s", "%.0f", "train_tokens_per_second");
  return rows;
}

HONE_INLINE std::string test_text(Comparison const& comparison, PairedTest const& test) {
  auto const& a = comparison.runs[test.first].letter;
  auto const& b = comparison.runs[test.second].letter;
  std::string text;
  auto const& d = test.difference;
  if (std::isnan(d.difference)) return "cannot be compared: a prediction is not a number";
  if (test.classifies) {
    text =
        formatted("accuracy %+.2f points (95 %% interval %+.2f to %+.2f); only %s is right on %lld texts, only %s on %lld: ",
                  100 * d.difference, 100 * d.interval.low, 100 * d.interval.high, a.c_str(),
                  static_cast<long long>(test.mcnemar.only_first), b.c_str(),
                  static_cast<long long>(test.mcnemar.only_second)) +
        detail::shown_p(test.p_value) + (test.mcnemar.exact ? " (McNemar, exact)" : " (McNemar)");
  } else {
    text = formatted("mean absolute error %+.4f (95 %% interval %+.4f to %+.4f): ", d.difference, d.interval.low,
                     d.interval.high) +
           detail::shown_p(test.p_value) + " (paired bootstrap)";
  }
  if (std::abs(test.adjusted_p_value - test.p_value) > 1e-12)
    text += ", " + detail::shown_p(test.adjusted_p_value) + " for all tests together (Holm)";
  int const better = test.better();
  text += better == 0 ? ". No difference beyond chance" : better > 0 ? ". " + b + " is better" : ". " + a + " is better";
  return text + formatted(" (%lld texts)", static_cast<long long>(test.texts));
}

HONE_INLINE std::vector<PlotLine> compare_curves(Comparison const& comparison, std::string const& key) {
  std::vector<PlotLine> lines;
  for (auto const& run : comparison.runs)
    for (auto const& curve : run.record.curves) {
      if (curve.key != key) continue;
      PlotLine line{run.letter, {}, {}};
      std::size_t const half = curve.values.size() / 25;
      for (std::size_t i = 0; i < curve.values.size(); ++i) {
        double sum = 0, count = 0;
        for (std::size_t j = i > half ? i - half : 0; j < std::min(i + half + 1, curve.values.size()); ++j)
          if (std::isfinite(curve.values[j])) sum += curve.values[j], count += 1;
        line.x.push_back(run.record.steps[i]);
        line.y.push_back(count > 0 ? sum / count : std::nan(""));
      }
      lines.push_back(std::move(line));
    }
  return lines;
}

HONE_INLINE std::vector<std::string> loss_curves(Comparison const& comparison) {
  std::vector<std::string> keys;
  for (auto const& run : comparison.runs)
    for (auto const& curve : run.record.curves)
      if (curve.key.ends_with("_loss") && std::find(keys.begin(), keys.end(), curve.key) == keys.end())
        keys.push_back(curve.key);
  return keys;
}

namespace detail {

inline std::string heading(std::string const& text, Terminal const& terminal) {
  return terminal.colors ? "\x1b[1m" + text + "\x1b[0m" : text;
}

inline std::string wrapped(std::string const& text, int columns, std::string const& first, std::string const& next) {
  std::string out;
  for (auto const& line : wrap_text(text, columns - static_cast<int>(std::max(first.size(), next.size()))))
    out += (out.empty() ? first : next) + line + "\n";
  return out;
}

/// The table, in as many parts below each other as the width asks for.
inline std::string table_text(Comparison const& comparison, std::vector<CompareRow> const& rows, Terminal const& terminal) {
  int const columns = std::max(terminal.width - 1, 20);
  int label = 0, cell = 6;
  for (auto const& row : rows) label = std::max(label, display_width(row.label));
  label = std::min(label + 2, std::max(12, columns / 2 - 2));
  auto const runs = comparison.runs.size();
  for (auto const& row : rows)
    for (auto const& text : row.cells) cell = std::max(cell, display_width(text));
  int const fair = (columns - label) / static_cast<int>(runs) - 2;  // when all runs stand side by side
  cell = std::min({cell, std::max(fair, 16), columns - label - 2});
  auto const side_by_side = static_cast<std::size_t>(std::max(1, (columns - label) / (cell + 2)));
  std::string text;
  for (std::size_t begin = 0; begin < runs; begin += side_by_side) {
    std::size_t const end = std::min(runs, begin + side_by_side);
    text += (begin > 0 ? "\n" : "") + padded("", label, false);
    for (std::size_t r = begin; r < end; ++r)
      text += "  " + padded("", cell - 1, true) + heading(comparison.runs[r].letter, terminal);
    text += "\n";
    for (auto const& row : rows) {
      if (row.cells.empty()) {
        text += heading(cut_to_width(row.label, columns), terminal) + "\n";
        continue;
      }
      text += padded("  " + cut_to_width(row.label, label - 2), label, false);
      for (std::size_t r = begin; r < end; ++r) text += "  " + padded(shortened(row.cells[r], cell), cell, true);
      text += "\n";
    }
  }
  return text;
}

}  // namespace detail

HONE_INLINE std::string compare_text(Comparison const& comparison, Terminal const& terminal) {
  int const columns = std::max(terminal.width - 1, 20);
  std::string text;
  for (auto const& run : comparison.runs)
    text += detail::heading(run.letter, terminal) + "  " +
            detail::shortened(printable_text(run.record.folder.string()), columns - 3) + "\n";
  for (auto const& note : comparison.notes) text += detail::wrapped("Note: " + note + ".", columns, "", "      ");
  text += "\n" + detail::table_text(comparison, compare_rows(comparison), terminal);
  for (std::size_t i = 0; i < comparison.tests.size(); ++i) {
    auto const& test = comparison.tests[i];
    bool const is_new =
        i == 0 || comparison.tests[i - 1].first != test.first || comparison.tests[i - 1].second != test.second;
    if (is_new)
      text +=
          "\n" +
          detail::heading(comparison.runs[test.second].letter + " against " + comparison.runs[test.first].letter, terminal) +
          "\n";
    text += detail::wrapped(printable_text(test.head) + ": " + test_text(comparison, test) + ".", columns, "  ", "    ");
  }
  for (auto const& key : loss_curves(comparison)) {
    std::string const drawing = line_plot(compare_curves(comparison, key), terminal, "step");
    if (!drawing.empty())
      text +=
          "\n" + detail::heading(cut_to_width(printable_text(key) + " (running means)", columns), terminal) + "\n" + drawing;
  }
  return text;
}

#endif

}  // namespace hone
