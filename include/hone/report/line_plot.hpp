// Curves drawn with characters: braille dots where the locale is UTF-8, letters elsewhere; right in any width.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/report/console.hpp"
#include "hone/report/terminal.hpp"

namespace hone {

/// A curve to draw. Shapes: x (N) rising, y (N); points that are not finite are left out.
struct PlotLine {
  std::string letter{};  ///< one column wide: names the curve
  std::vector<double> x{}, y{};
};

namespace detail {

struct PlotRange {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

/// Dots in cells of 2 x 4 (braille) or 1 x 1 (letters), each cell with the line that drew there last.
class PlotCanvas {
 public:
  PlotCanvas(int columns, int rows, bool braille)
      : columns_(columns),
        rows_(rows),
        braille_(braille),
        dots_(static_cast<std::size_t>(columns * rows), 0),
        owners_(static_cast<std::size_t>(columns * rows), -1) {}

  int width() const { return columns_ * (braille_ ? 2 : 1); }
  int height() const { return rows_ * (braille_ ? 4 : 1); }

  /// A dot; (0, 0) is the lowest on the left.
  void dot(int x, int y, int owner) {
    if (x < 0 || x >= width() || y < 0 || y >= height()) return;
    int const down = height() - 1 - y;
    int const across = braille_ ? 2 : 1, deep = braille_ ? 4 : 1;
    auto const cell = static_cast<std::size_t>(down / deep * columns_ + x / across);
    static constexpr std::array<int, 8> bits{0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80};  // Unicode 2800, by row
    dots_[cell] |= bits[static_cast<std::size_t>(braille_ ? down % 4 * 2 + x % 2 : 0)];
    owners_[cell] = owner;
  }
  void line(int x0, int y0, int x1, int y1, int owner) {
    int const steps = std::max({std::abs(x1 - x0), std::abs(y1 - y0), 1});
    for (int i = 0; i <= steps; ++i)
      dot(x0 + static_cast<int>(std::lround(double(i) * (x1 - x0) / steps)),
          y0 + static_cast<int>(std::lround(double(i) * (y1 - y0) / steps)), owner);
  }
  int owner(int row, int column) const { return owners_[static_cast<std::size_t>(row * columns_ + column)]; }
  /// The character of a cell, UTF-8.
  std::string cell(int row, int column, std::vector<PlotLine> const& lines) const {
    auto const at = static_cast<std::size_t>(row * columns_ + column);
    if (dots_[at] == 0) return " ";
    if (!braille_) return lines[static_cast<std::size_t>(owners_[at])].letter;
    return {'\xe2', static_cast<char>(0xA0 | (dots_[at] >> 6)), static_cast<char>(0x80 | (dots_[at] & 0x3F))};
  }

 private:
  int columns_, rows_;
  bool braille_;
  std::vector<int> dots_, owners_;
};

std::string colored(std::string const& text, int line, bool colors);

/// Draws the means of the points that fall into each column of dots, joined by lines. Returns the height of the last one.
int draw_line(PlotCanvas& canvas, PlotLine const& line, int owner, PlotRange const& x, PlotRange const& y);

/// One drawing of some of the lines, with axes (x when it has a label).
std::string plot_panel(std::vector<PlotLine> const& lines, std::vector<int> const& chosen, PlotRange const& x,
                       PlotRange const& y, Terminal const& terminal, int rows, std::string const* x_label);

#if HONE_BODIES

HONE_INLINE std::string colored(std::string const& text, int line, bool colors) {
  static constexpr std::array<int, 6> codes{36, 33, 35, 32, 31, 34};
  return colors && line >= 0 ? formatted("\x1b[%dm", codes[static_cast<std::size_t>(line) % codes.size()]) + text + "\x1b[0m"
                             : text;
}

HONE_INLINE int draw_line(PlotCanvas& canvas, PlotLine const& line, int owner, PlotRange const& x, PlotRange const& y) {
  std::vector<double> sums(static_cast<std::size_t>(canvas.width()), 0), counts(sums.size(), 0);
  for (std::size_t i = 0; i < line.x.size() && i < line.y.size(); ++i) {
    if (!std::isfinite(line.x[i]) || !std::isfinite(line.y[i])) continue;
    double const share = x.high > x.low ? (line.x[i] - x.low) / (x.high - x.low) : 0;
    auto const column = static_cast<std::size_t>(std::lround(share * (canvas.width() - 1)));
    sums[column] += line.y[i];
    counts[column] += 1;
  }
  int before_x = -1, before_y = -1;
  for (int column = 0; column < canvas.width(); ++column) {
    auto const at = static_cast<std::size_t>(column);
    if (counts[at] == 0) continue;
    double const share = (sums[at] / counts[at] - y.low) / (y.high - y.low);
    int const height = static_cast<int>(std::lround(share * (canvas.height() - 1)));
    if (before_x < 0)
      canvas.dot(column, height, owner);
    else
      canvas.line(before_x, before_y, column, height, owner);
    before_x = column;
    before_y = height;
  }
  return before_y;
}

HONE_INLINE std::string plot_panel(std::vector<PlotLine> const& lines, std::vector<int> const& chosen, PlotRange const& x,
                                   PlotRange const& y, Terminal const& terminal, int rows, std::string const* x_label) {
  std::vector<std::string> labels(static_cast<std::size_t>(rows));
  labels.front() = formatted("%.3g", y.high);
  labels.back() = formatted("%.3g", y.low);
  if (rows >= 7 && rows % 2 == 1) labels[labels.size() / 2] = formatted("%.3g", (y.low + y.high) / 2);
  int margin = 0;
  for (auto const& label : labels) margin = std::max(margin, static_cast<int>(label.size()));
  int const columns = terminal.width - 1 - margin - 4;  // the last column stays free; label, axis, space, letter
  if (columns < 8) return "";
  PlotCanvas canvas(columns, rows, terminal.unicode);
  std::vector<int> letters(static_cast<std::size_t>(rows), -1);  // the line that ends in each row
  for (int const line : chosen) {
    int const last = draw_line(canvas, lines[static_cast<std::size_t>(line)], line, x, y);
    if (last < 0) continue;
    int const row = (canvas.height() - 1 - last) * rows / canvas.height();
    for (int away = 0; away < 2 * rows; ++away) {  // the nearest free row
      int const place = row + (away % 2 == 0 ? -away / 2 : (away + 1) / 2);
      if (place < 0 || place >= rows || letters[static_cast<std::size_t>(place)] >= 0) continue;
      letters[static_cast<std::size_t>(place)] = line;
      break;
    }
  }
  std::string text;
  char const* const side = terminal.unicode ? "\xe2\x94\x82" : "|";    // │
  char const* const mark = terminal.unicode ? "\xe2\x94\xa4" : "+";    // ┤
  char const* const corner = terminal.unicode ? "\xe2\x94\x94" : "+";  // └
  char const* const floor = terminal.unicode ? "\xe2\x94\x80" : "-";   // ─
  for (int row = 0; row < rows; ++row) {
    auto const& label = labels[static_cast<std::size_t>(row)];
    std::string line = formatted("%*s ", margin, label.c_str()) + (label.empty() ? side : mark);
    int blanks = 0;
    for (int column = 0; column < columns; ++column) {
      std::string const cell = canvas.cell(row, column, lines);
      if (cell == " ") {
        ++blanks;
        continue;
      }
      line += std::string(static_cast<std::size_t>(blanks), ' ') + colored(cell, canvas.owner(row, column), terminal.colors);
      blanks = 0;
    }
    if (int const letter = letters[static_cast<std::size_t>(row)]; letter >= 0)
      line += std::string(static_cast<std::size_t>(blanks + 1), ' ') +
              colored(lines[static_cast<std::size_t>(letter)].letter, letter, terminal.colors);
    text += line + "\n";
  }
  if (!x_label) return text;
  text += std::string(static_cast<std::size_t>(margin + 1), ' ') + corner;
  for (int column = 0; column < columns; ++column) text += floor;
  std::string const left = formatted("%g", x.low), right = *x_label + formatted(" %g", x.high);
  int const gap = columns - static_cast<int>(left.size() + right.size());
  text += "\n" + std::string(static_cast<std::size_t>(margin + 2), ' ') +
          (gap > 0 ? left + std::string(static_cast<std::size_t>(gap), ' ') + right : cut_to_width(right, columns)) + "\n";
  return text;
}

#endif

}  // namespace detail

/// Curves over common axes, as lines of at most `terminal.width` - 1 columns.
///
/// With colours, or one curve, or without Unicode, all in one drawing, each with its letter at its right end; else one
/// drawing for each curve, one above the other, since dots of one colour cannot be told apart. Empty when nothing can be
/// drawn or the terminal has less than 20 columns or so.
///
/// @param x_label  what x is: "step"
/// @param rows     height of a drawing of all curves
std::string line_plot(std::vector<PlotLine> const& lines, Terminal const& terminal, std::string const& x_label,
                      int rows = 11);

#if HONE_BODIES

HONE_INLINE std::string line_plot(std::vector<PlotLine> const& lines, Terminal const& terminal, std::string const& x_label,
                                  int rows) {
  detail::PlotRange x, y;
  std::vector<int> drawn;
  for (std::size_t line = 0; line < lines.size(); ++line) {
    bool any = false;
    for (std::size_t i = 0; i < lines[line].x.size() && i < lines[line].y.size(); ++i) {
      if (!std::isfinite(lines[line].x[i]) || !std::isfinite(lines[line].y[i])) continue;
      x.add(lines[line].x[i]);
      y.add(lines[line].y[i]);
      any = true;
    }
    if (any) drawn.push_back(static_cast<int>(line));
  }
  if (drawn.empty()) return "";
  if (!(y.high - y.low > 1e-9 * (std::abs(y.low) + std::abs(y.high)))) {
    double const room = y.low != 0 ? std::abs(y.low) * 0.1 : 1;
    y.low -= room;
    y.high += room;
  }
  rows = std::clamp(rows, 3, 100);
  if (terminal.colors || drawn.size() == 1 || !terminal.unicode)
    return detail::plot_panel(lines, drawn, x, y, terminal, rows, &x_label);
  std::string text;
  for (int const line : drawn)
    text += detail::plot_panel(lines, {line}, x, y, terminal, std::min(rows, 5), line == drawn.back() ? &x_label : nullptr);
  return text;
}

#endif

}  // namespace hone
