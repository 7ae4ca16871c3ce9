// Bars: how far a piece of work is, in as many columns as there are.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/report/terminal.hpp"

namespace hone {

/// A bar of exactly `columns` columns: "[#####-----]", with Unicode's blocks in steps of an eighth of a column. Empty where
/// there is no room for one, below 5 columns.
///
/// @param share    done, 0 to 1; what is outside, or not a number, is taken for the nearest end (not a number: 0)
/// @param unicode  the terminal shows UTF-8
std::string progress_bar(double share, int columns, bool unicode);

/// One piece of a line, and how long it stays when the line gets narrow.
struct LinePart {
  std::string text{};
  int importance = 0;   ///< the larger the later it is left out
  bool is_bar = false;  ///< filled with a bar; its text is not shown
};

/// The parts that fit into so many columns, two spaces between them: the least important are left out first. A bar gets
/// what the others leave, 12 to 42 columns. When not even the most important part fits, it is cut.
///
/// @param share  done, 0 to 1, for the bar
std::string fitted_line(std::vector<LinePart> const& parts, int columns, double share, bool unicode);

#if HONE_BODIES

HONE_INLINE std::string progress_bar(double share, int columns, bool unicode) {
  if (columns < 5) return "";
  if (!(share > 0)) share = 0;
  if (share > 1) share = 1;
  int const inside = columns - 2;
  int const eighths = static_cast<int>(std::floor(share * inside * 8 + 1e-9));
  int const full = eighths / 8;
  if (!unicode) return "[" + std::string(std::size_t(full), '#') + std::string(std::size_t(inside - full), '-') + "]";
  static constexpr char const* parts[8] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  std::string bar = "▕";
  for (int i = 0; i < full; ++i) bar += "█";
  int const rest = full < inside ? eighths % 8 : 0;
  bar += parts[rest];
  bar.append(std::size_t(inside - full - (rest > 0 ? 1 : 0)), ' ');
  return bar + "▏";
}

HONE_INLINE std::string fitted_line(std::vector<LinePart> const& parts, int columns, double share, bool unicode) {
  constexpr int narrowest = 12, widest = 42;
  int highest = 0;
  for (auto const& part : parts) highest = std::max(highest, part.importance);
  for (int least = 0; least <= highest; ++least) {
    int taken = -2, bars = 0;
    for (auto const& part : parts) {
      if (part.importance < least) continue;
      taken += 2 + (part.is_bar ? 0 : display_width(part.text));
      bars += part.is_bar ? 1 : 0;
    }
    if (taken + bars * narrowest > columns) continue;
    std::string line;
    for (auto const& part : parts) {
      if (part.importance < least) continue;
      line += line.empty() ? "" : "  ";
      line += part.is_bar ? progress_bar(share, std::min(widest, (columns - taken) / bars), unicode) : part.text;
    }
    return line;
  }
  for (auto const& part : parts)
    if (part.importance == highest) return cut_to_width(part.text, columns);
  return "";
}

#endif

}  // namespace hone
