// Numbers, shares and lists as the doctor's findings spell them.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>

namespace hone::detail {

/// A number with so many digits that count: 0.693, 1e-05.
inline std::string number_text(double value, int digits = 3) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*g", digits, value);
  return text;
}
/// A share as a percentage: "12.5 %", and "under 0.1 %" where that would read as nothing.
inline std::string percent_text(double share) {
  if (share > 0 && share < 0.001) return "under 0.1 %";
  if (share < 1 && share > 0.999) return "over 99.9 %";
  char text[48];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * share);
  return text;
}
inline std::string percent_text(std::size_t part, std::size_t whole) {
  return percent_text(whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0.0);
}
/// "1 text", "7 texts".
inline std::string counted(std::size_t count, std::string const& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}
/// "a, b, c and 4 more".
inline std::string list_text(std::span<std::string const> names, std::size_t most = 5) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < most; ++i) text += (i == 0 ? "" : ", ") + names[i];
  return names.size() > most ? text + " and " + std::to_string(names.size() - most) + " more" : text;
}
/// A time span for people: "40 ms", "3.2 s", "12 min", "2.5 h".
inline std::string seconds_text(double seconds) {
  char text[48];
  if (!std::isfinite(seconds)) return "unknown";
  if (seconds < 1)
    std::snprintf(text, sizeof text, "%.0f ms", 1000 * seconds);
  else if (seconds < 100)
    std::snprintf(text, sizeof text, "%.2g s", seconds);
  else if (seconds < 5400)
    std::snprintf(text, sizeof text, "%.0f min", seconds / 60);
  else
    std::snprintf(text, sizeof text, "%.1f h", seconds / 3600);
  return text;
}

/// Whether a name ends so.
inline bool ends_with(std::string_view name, std::string_view end) {
  return name.size() >= end.size() && name.substr(name.size() - end.size()) == end;
}

}  // namespace hone::detail
