// A comparison of runs as one self-contained HTML page, drawn without a script.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/core/atomic_file.hpp"
#include "hone/core/config.hpp"
#include "hone/metrics/roc.hpp"
#include "hone/report/compare.hpp"
#include "hone/report/compare_text.hpp"
#include "hone/report/html_style.hpp"

namespace hone {

namespace detail {

/// Round numbers within a range, about four.
std::vector<double> ticks(PlotRange const& range);

}  // namespace detail

/// The page: which runs, notes, the table, the tests in words, accuracy and error with intervals, ROC and loss curves. It
/// has no script, asks for nothing over the network, follows the system's light or dark, and works on a phone.
std::string compare_html(Comparison const& comparison);

/// Writes the page, whole or not at all. Errors: E70x of the disk.
void write_compare_html(std::filesystem::path const& path, Comparison const& comparison);

#if HONE_BODIES

namespace detail {

/// A text from anywhere as HTML text or attribute.
inline std::string html_text(std::string_view text) {
  std::string out;
  for (char const c : printable_text(text)) switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  return out;
}

/// The class of a run's colour, "sa" to "sh" for lines (prefix s) and "fa" to "fh" for areas; its dashes.
inline std::string run_class(std::size_t run, char prefix) {
  return {prefix, static_cast<char>('a' + static_cast<int>(run % 8))};
}
inline std::string dash_class(std::size_t run) { return run < 8 ? "" : " dash" + std::to_string((run / 8 - 1) % 3 + 1); }

HONE_INLINE std::vector<double> ticks(PlotRange const& range) {
  double const rough = (range.high - range.low) / 4, power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (double const round : {5.0, 2.0, 1.0})
    if (round * power >= 0.8 * rough) step = round * power;
  std::vector<double> all;
  for (double k = std::ceil(range.low / step - 1e-9); k * step <= range.high + 1e-9 * step && all.size() < 20; ++k)
    all.push_back(k == 0 ? 0 : k * step);
  return all;
}

/// A drawing of 440 x 260 with axes; what is drawn is added in the coordinates of the data.
class SvgPlot {
 public:
  SvgPlot(std::string title, std::string description, PlotRange x, PlotRange y, std::string x_label)
      : title_(std::move(title)), description_(std::move(description)), x_label_(std::move(x_label)), x_(x), y_(y) {
    if (!(x_.high > x_.low)) x_.high = x_.low + 1;
    if (!(y_.high - y_.low > 1e-9 * (std::abs(y_.low) + std::abs(y_.high)))) y_ = {y_.low - 0.5, y_.low + 0.5};
  }
  double at_x(double x) const { return left + (x - x_.low) / (x_.high - x_.low) * (right - left); }
  double at_y(double y) const { return bottom - (y - y_.low) / (y_.high - y_.low) * (bottom - top); }

  /// A curve as straight lines between its points, with the run's letter at its end; with `means`, as the means of the
  /// points in each column.
  void curve(PlotLine const& line, std::size_t run, bool means) {
    std::string points;
    double sum_x = 0, sum_y = 0, count = 0, end_x = -1e9, end_y = 0;
    long column = -1;
    auto const put = [&] {
      if (count == 0) return;
      double const x = sum_x / count, y = sum_y / count;
      if (std::abs(x - end_x) + std::abs(y - end_y) > 0.3) points += formatted("%.1f,%.1f ", end_x = x, end_y = y);
      sum_x = sum_y = count = 0;
    };
    for (std::size_t i = 0; i < line.x.size() && i < line.y.size(); ++i) {
      if (!std::isfinite(line.x[i]) || !std::isfinite(line.y[i])) continue;
      double const x = at_x(line.x[i]);
      if (long const here = std::lround(x); here != column || !means) {
        put();
        column = here;
      }
      sum_x += x;
      sum_y += at_y(line.y[i]);
      count += 1;
    }
    put();
    if (points.empty()) return;
    points.pop_back();
    body_ += "<polyline class=\"line " + run_class(run, 's') + dash_class(run) + "\" points=\"" + points + "\"/>\n";
    labels_.push_back({end_x, end_y, html_text(line.letter)});
  }
  void segment(double x0, double y0, double x1, double y1, std::string const& kind) {
    body_ +=
        formatted("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"", at_x(x0), at_y(y0), at_x(x1), at_y(y1)) +
        kind + "\"/>\n";
  }

  std::string text() {
    std::string out = "<figure><figcaption>" + html_text(title_) + "</figcaption><p>" + html_text(description_) +
                      "</p><svg viewBox=\"0 0 440 260\" role=\"img\" aria-label=\"" +
                      html_text(title_ + ". " + description_) + "\">\n";
    for (double const y : ticks(y_))
      out += formatted("<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", left, right, at_y(y),
                       at_y(y)) +
             formatted("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%.4g</text>\n", left - 6, at_y(y) + 4, y);
    for (double const x : ticks(x_))
      out += formatted("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.5g</text>\n", at_x(x), bottom + 18, x);
    out += formatted("<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", left, right, bottom, bottom) +
           formatted("<text x=\"%.1f\" y=\"256\" text-anchor=\"middle\">", (left + right) / 2) + html_text(x_label_) +
           "</text>\n" + body_;
    // Letters that would cover each other move down.
    std::sort(labels_.begin(), labels_.end(), [](Label const& a, Label const& b) { return a.y < b.y; });
    std::vector<std::pair<double, double>> taken;
    for (auto& label : labels_) {
      for (auto const& [x, y] : taken)
        if (std::abs(x - label.x) < 14 && label.y < y + 13) label.y = y + 13;
      taken.emplace_back(label.x, label.y);
      out +=
          formatted("<text class=\"value\" x=\"%.1f\" y=\"%.1f\">", label.x + 5, label.y + 4) + label.letter + "</text>\n";
    }
    return out + "</svg></figure>\n";
  }

 private:
  static constexpr double left = 50, right = 418, top = 10, bottom = 220;
  struct Label {
    double x, y;
    std::string letter;
  };
  std::string title_, description_, x_label_, body_{};
  PlotRange x_, y_;
  std::vector<Label> labels_{};
};

inline std::string loss_figure(Comparison const& comparison, std::string const& key) {
  auto const lines = compare_curves(comparison, key);
  PlotRange x, y;
  for (auto const& line : lines)
    for (std::size_t i = 0; i < line.x.size(); ++i)
      if (std::isfinite(line.y[i])) x.add(line.x[i]), y.add(line.y[i]);
  if (!(x.high >= x.low)) return "";
  SvgPlot plot(key, "Training loss by step, as running means.", x, y, "step");
  for (auto const& line : lines) plot.curve(line, static_cast<std::size_t>(line.letter[0] - 'A'), true);
  return plot.text();
}

/// The ROC curves of a head of two classes.
inline std::string roc_figure(Comparison const& comparison, std::string const& name) {
  SvgPlot plot(name + ": ROC", "Share of class 1 that is found, for a share of class 0 taken for it.", {0, 1}, {0, 1},
               "false positive rate");
  plot.segment(0, 0, 1, 1, "guide");
  bool any = false;
  for (std::size_t r = 0; r < comparison.runs.size(); ++r)
    for (auto const& head : comparison.runs[r].record.heads) {
      if (head.head != name || head.classes != 2) continue;
      std::vector<double> truth, score;
      for (std::size_t const row : comparison.runs[r].rows)
        if (!std::isnan(head.truth[row])) truth.push_back(head.truth[row]), score.push_back(head.probabilities[2 * row + 1]);
      auto const roc = roc_curve(truth, score);
      PlotLine const line{comparison.runs[r].letter, roc.false_positive_rate, roc.true_positive_rate};
      any = any || !line.x.empty();
      plot.curve(line, r, false);
    }
  return any ? plot.text() : "";
}

/// A measure of every run with its interval, as marks under each other.
inline std::string interval_figure(Comparison const& comparison, std::string const& name, bool classifies) {
  struct Mark {
    std::size_t run;
    double value;
    Interval interval;
  };
  std::vector<Mark> marks;
  PlotRange range;
  for (std::size_t r = 0; r < comparison.runs.size(); ++r) {
    auto const* const head = find_head(comparison.runs[r], name);
    if (!head || head->classifies != classifies) continue;
    double const value = classifies ? 100 * head->accuracy : head->mean_absolute_error;
    Interval interval = classifies ? head->accuracy_interval : head->mean_absolute_error_interval;
    if (classifies) interval = {100 * interval.low, 100 * interval.high};
    if (std::isnan(value) || std::isnan(interval.low) || std::isnan(interval.high)) continue;
    marks.push_back({r, value, interval});
    range.add(interval.low);
    range.add(interval.high);
  }
  if (marks.empty()) return "";
  double const room = std::max(0.05 * (range.high - range.low), 1e-3);
  range = {range.low - room, range.high + room};
  double const left = 34, right = 424, step = 28, height = step * static_cast<double>(marks.size()) + 40;
  auto const at = [&](double value) { return left + (value - range.low) / (range.high - range.low) * (right - left); };
  std::string const title = name + (classifies ? ": accuracy in %" : ": mean absolute error");
  std::string out = "<figure><figcaption>" + html_text(title) +
                    "</figcaption><p>With 95 % intervals: they know of the chance in the choice of test texts alone.</p>" +
                    formatted("<svg viewBox=\"0 0 440 %.0f\" role=\"img\" aria-label=\"", height) + html_text(title) +
                    " with intervals; the table has the numbers\">\n";
  for (double const value : ticks(range))
    out +=
        formatted("<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"4\" y2=\"%.1f\"/>", at(value), at(value), height - 28) +
        formatted("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.5g</text>\n", at(value), height - 10, value);
  for (std::size_t i = 0; i < marks.size(); ++i) {
    double const y = 20 + step * static_cast<double>(i);
    auto const& mark = marks[i];
    out += formatted("<text class=\"value\" x=\"12\" y=\"%.1f\">", y + 4) + comparison.runs[mark.run].letter + "</text>" +
           formatted("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" class=\"line ", at(mark.interval.low),
                     at(mark.interval.high), y, y) +
           run_class(mark.run, 's') + "\"/>" +
           formatted("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5\" class=\"", at(mark.value), y) + run_class(mark.run, 'f') +
           "\"/>\n";
  }
  return out + "</svg></figure>\n";
}

}  // namespace detail

HONE_INLINE std::string compare_html(Comparison const& comparison) {
  using detail::html_text;
  std::string text =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
      "base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>hone: runs compared</title>\n"
      "<link rel=\"icon\" href=\"data:,\">\n<style>" +
      page_style() +
      "td:first-child, th:first-child { position: sticky; left: 0; background: var(--card); "
      "}\n</style>\n</head>\n<body>\n<header class=\"wrap\"><h1>Runs compared</h1>\n<ul class=\"legend\">\n";
  for (std::size_t r = 0; r < comparison.runs.size(); ++r)
    text += "<li><svg viewBox=\"0 0 26 12\" aria-hidden=\"true\"><line x1=\"0\" x2=\"26\" y1=\"6\" y2=\"6\" class=\"line " +
            detail::run_class(r, 's') + detail::dash_class(r) + "\"/></svg><b>" + comparison.runs[r].letter + "</b> " +
            html_text(comparison.runs[r].record.folder.string()) + "</li>\n";
  text += "</ul></header>\n<main class=\"wrap\">\n";
  for (auto const& note : comparison.notes) text += "<p class=\"note\">" + html_text(detail::sentence(note)) + ".</p>\n";
  text +=
      "<h2>Side by side</h2>\n<div class=\"card scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table of runs\">"
      "<table><thead><tr><td></td>";
  for (auto const& run : comparison.runs) text += "<th scope=\"col\" class=\"n\">" + run.letter + "</th>";
  text += "</tr></thead>\n";
  bool open = false;
  for (auto const& row : compare_rows(comparison)) {
    if (row.cells.empty()) {
      text += std::string(open ? "</tbody>\n" : "") + "<tbody><tr><th scope=\"rowgroup\" colspan=\"" +
              std::to_string(comparison.runs.size() + 1) + "\">" + html_text(row.label) + "</th></tr>\n";
      open = true;
      continue;
    }
    text += "<tr><td>" + html_text(row.label) + "</td>";
    for (auto const& cell : row.cells)
      text += "<td class=\"n\" title=\"" + html_text(cell) + "\">" + html_text(detail::shortened(cell, 24)) + "</td>";
    text += "</tr>\n";
  }
  text += std::string(open ? "</tbody>" : "") + "</table></div>\n";
  if (!comparison.tests.empty()) text += "<h2>Is the difference more than chance?</h2>\n";
  for (std::size_t i = 0; i < comparison.tests.size(); ++i) {
    auto const& test = comparison.tests[i];
    bool const is_new =
        i == 0 || comparison.tests[i - 1].first != test.first || comparison.tests[i - 1].second != test.second;
    if (is_new)
      text += std::string(i > 0 ? "</ul>\n" : "") + "<h3>" + comparison.runs[test.second].letter + " against " +
              comparison.runs[test.first].letter + "</h3>\n<ul>";
    text += "<li><b>" + html_text(test.head) + "</b>: " + html_text(test_text(comparison, test)) + ".</li>\n";
    if (i + 1 == comparison.tests.size()) text += "</ul>\n";
  }
  std::string figures, roc;
  std::vector<std::pair<std::string, bool>> heads;
  for (auto const& run : comparison.runs)
    for (auto const& head : run.heads) {
      std::pair<std::string, bool> const entry{head.head, head.classifies};
      if (std::find(heads.begin(), heads.end(), entry) != heads.end()) continue;
      heads.push_back(entry);
      figures += detail::interval_figure(comparison, head.head, head.classifies);
      if (head.classifies) roc += detail::roc_figure(comparison, head.head);
    }
  figures += roc;
  for (auto const& key : loss_curves(comparison)) figures += detail::loss_figure(comparison, key);
  if (!figures.empty()) text += "<h2>Drawings</h2>\n<div class=\"figures\">\n" + figures + "</div>\n";
  return text + "</main>\n<footer class=\"wrap\">Made by hone.</footer>\n</body>\n</html>\n";
}

HONE_INLINE void write_compare_html(std::filesystem::path const& path, Comparison const& comparison) {
  write_file_atomically(path, compare_html(comparison));
}

#endif

}  // namespace hone
