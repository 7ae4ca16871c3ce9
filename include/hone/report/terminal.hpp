// What is known of the terminal, and text that is safe and short enough for it.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "hone/core/config.hpp"

#if HONE_BODIES
#include <sys/ioctl.h>
#include <unistd.h>
#include <utf8proc.h>

#include <cstdlib>
#endif

namespace hone {

/// How to write to a stream.
struct Terminal {
  bool interactive = false;  ///< lines can be overwritten: a terminal, and TERM is not "dumb"
  bool colors = false;       ///< interactive, and NO_COLOR is not set (https://no-color.org)
  int width = 80;            ///< columns
  bool unicode = false;      ///< the locale is UTF-8, so that blocks and lines can be drawn

  /// Asks the system. The width is COLUMNS, else what the terminal says, else 80. The locale is that of LC_ALL, else of
  /// LC_CTYPE, else of LANG.
  static Terminal of(std::FILE* stream);
};

namespace detail {

/// The next code point of a text from byte `at`, which is moved behind it; -1 for a byte that is not UTF-8.
std::int32_t code_point_at(std::string_view text, std::size_t& at);

/// Columns of a code point: 0, 1 or 2.
int columns_of(std::int32_t code);

#if HONE_BODIES

HONE_INLINE std::int32_t code_point_at(std::string_view text, std::size_t& at) {
  utf8proc_int32_t code = -1;
  auto const length = utf8proc_iterate(reinterpret_cast<utf8proc_uint8_t const*>(text.data()) + at,
                                       static_cast<utf8proc_ssize_t>(text.size() - at), &code);
  at += length > 0 ? static_cast<std::size_t>(length) : 1;
  return length > 0 ? code : -1;
}

HONE_INLINE int columns_of(std::int32_t code) { return code < 0x7F ? 1 : utf8proc_charwidth(code); }

#endif

}  // namespace detail

/// A text without what a terminal would obey: control characters (also line breaks) become spaces, characters that turn the
/// direction of writing or are not seen are left out, bytes that are not UTF-8 become '?'. Runs of spaces become one.
std::string printable_text(std::string_view text);

/// Columns that a printable text takes on a terminal; wide characters take two.
int display_width(std::string_view text);

/// The longest beginning of a printable text that fits into so many columns.
std::string cut_to_width(std::string_view text, int columns);

/// A printable text as lines of at most `columns` columns, broken at spaces; words that are too long are broken inside.
std::vector<std::string> wrap_text(std::string_view text, int columns);

/// The same, at most `most` lines: a longer text keeps its beginning and, in its last third, its end, where reviews judge.
std::vector<std::string> wrap_text(std::string_view text, int columns, std::size_t most);

#if HONE_BODIES

HONE_INLINE Terminal Terminal::of(std::FILE* stream) {
  Terminal terminal;
  auto const variable = [](char const* name) {
    char const* const value = std::getenv(name);
    return std::string_view(value ? value : "");
  };
  int const descriptor = ::fileno(stream);
  terminal.interactive = descriptor >= 0 && ::isatty(descriptor) == 1 && variable("TERM") != "dumb";
  terminal.colors = terminal.interactive && variable("NO_COLOR").empty();
  std::string_view locale;
  for (char const* name : {"LC_ALL", "LC_CTYPE", "LANG"})
    if (locale.empty()) locale = variable(name);
  std::string charset;
  for (char const c : locale)
    if (c != '-') charset += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  terminal.unicode = charset.find("utf8") != std::string::npos;
  winsize size{};
  if (long const columns = std::strtol(std::string(variable("COLUMNS")).c_str(), nullptr, 10);
      columns > 0 && columns < 10000)
    terminal.width = static_cast<int>(columns);
  else if (descriptor >= 0 && ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    terminal.width = size.ws_col;
  return terminal;
}

HONE_INLINE std::string printable_text(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t const begin = at;
    std::int32_t const code = detail::code_point_at(text, at);
    if (code < 0) {
      out += '?';
      continue;
    }
    auto const category = utf8proc_category(code);
    if (category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP ||
        category == UTF8PROC_CATEGORY_ZS) {
      if (!out.empty() && out.back() != ' ') out += ' ';
    } else if (category != UTF8PROC_CATEGORY_CF) {
      out.append(text.substr(begin, at - begin));
    }
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

HONE_INLINE int display_width(std::string_view text) {
  int width = 0;
  for (std::size_t at = 0; at < text.size();) width += detail::columns_of(detail::code_point_at(text, at));
  return width;
}

HONE_INLINE std::string cut_to_width(std::string_view text, int columns) {
  int width = 0;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t const begin = at;
    width += detail::columns_of(detail::code_point_at(text, at));
    if (width > columns) return std::string(text.substr(0, begin));
  }
  return std::string(text);
}

HONE_INLINE std::vector<std::string> wrap_text(std::string_view text, int columns) {
  if (columns < 2) columns = 2;  // a wide character must fit
  std::vector<std::string> lines;
  std::string line;
  int width = 0;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t const end = std::min(text.find(' ', at), text.size());
    std::string_view word = text.substr(at, end - at);
    at = end + 1;
    if (word.empty()) continue;
    if (!line.empty() && width + 1 + display_width(word) > columns) {
      lines.push_back(std::move(line));
      line.clear();
      width = 0;
    }
    if (!line.empty()) {
      line += ' ';
      ++width;
    }
    while (display_width(word) > columns) {
      std::string const part = cut_to_width(word, columns);
      lines.push_back(part);
      word.remove_prefix(part.size());
    }
    line += word;
    width += display_width(word);
  }
  if (!line.empty()) lines.push_back(std::move(line));
  return lines;
}

HONE_INLINE std::vector<std::string> wrap_text(std::string_view text, int columns, std::size_t most) {
  std::vector<std::string> lines = wrap_text(text, columns);
  if (lines.size() <= most || most == 0) return lines;
  std::size_t const tail = most / 3, head = most - tail;
  std::vector<std::string> kept(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(head));
  kept.back() = cut_to_width(kept.back(), columns > 6 ? columns - 6 : 0) + " [...]";
  kept.insert(kept.end(), lines.end() - static_cast<std::ptrdiff_t>(tail), lines.end());
  return kept;
}

#endif

}  // namespace hone
