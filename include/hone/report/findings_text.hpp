// Findings for a terminal.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/report/terminal.hpp"
#include "hone/train/finding.hpp"

namespace hone {

/// Findings, one below the other: severity and number, what was found, its details, what to do. Lines are at most
/// `terminal.width` columns long, colours are used where the terminal shows them, and what comes from data cannot move the
/// cursor.
///
///      ok  D10  is_positive: 1000 of class 0, 1000 of class 1
///    note  D12  the data lies in the order of is_positive
///               the order of training shuffles it, so nothing is lost
///               -> take parts of it at random, never the first so many
std::string findings_text(std::span<Finding const> findings, Terminal const& terminal);

/// The same without colours, for so many columns.
std::string findings_text(std::span<Finding const> findings, int width);

/// "15 checks: 12 ok, 2 notes, 1 warning".
std::string findings_summary(std::span<Finding const> findings);

#if HONE_BODIES

namespace detail {

inline std::string_view severity_color(Severity severity) {
  constexpr std::array<std::string_view, 4> colors{"\x1b[32m", "\x1b[36m", "\x1b[33m", "\x1b[1;31m"};
  return colors[static_cast<std::size_t>(severity)];
}

/// A paragraph, each of its lines wrapped and put behind a margin.
inline void add_paragraph(std::string& text, std::string_view paragraph, std::string const& margin,
                          std::string_view first_mark, int columns, std::size_t most_lines) {
  std::string_view mark = first_mark;
  std::size_t begin = 0;
  while (begin <= paragraph.size()) {
    std::size_t const end = std::min(paragraph.find('\n', begin), paragraph.size());
    std::string const line = printable_text(paragraph.substr(begin, end - begin));
    for (auto const& part : wrap_text(line, columns - static_cast<int>(margin.size() + first_mark.size()), most_lines)) {
      text += margin + std::string(mark) + part + "\n";
      mark = first_mark.empty() ? "" : std::string_view("   ").substr(0, first_mark.size());
    }
    begin = end + 1;
  }
}

}  // namespace detail

HONE_INLINE std::string findings_text(std::span<Finding const> findings, Terminal const& terminal) {
  std::string text;
  std::string const margin(14, ' ');
  int const columns = terminal.width > 40 ? terminal.width - 1 : 39;
  for (auto const& finding : findings) {
    std::string word = name(finding.severity);
    word.insert(0, 7 - word.size(), ' ');
    std::string const number = printable_text(finding.number);
    std::string head = word + "  " + number;
    head.resize(std::max<std::size_t>(head.size() + 1, margin.size()), ' ');
    std::string body;
    detail::add_paragraph(body, finding.title, margin, "", columns, 6);
    body.replace(0, std::min(margin.size(), body.size()), head);
    if (terminal.colors) {
      body.insert(word.size(), "\x1b[0m");
      body.insert(0, detail::severity_color(finding.severity));
    }
    text += body;
    if (!finding.detail.empty()) detail::add_paragraph(text, finding.detail, margin, "", columns, 3);
    if (!finding.next.empty()) detail::add_paragraph(text, finding.next, margin, "-> ", columns, 6);
  }
  return text;
}

HONE_INLINE std::string findings_text(std::span<Finding const> findings, int width) {
  return findings_text(findings, Terminal{false, false, width});
}

HONE_INLINE std::string findings_summary(std::span<Finding const> findings) {
  std::array<std::size_t, 4> counts{};
  for (auto const& finding : findings) counts[static_cast<std::size_t>(finding.severity)] += 1;
  std::string text = std::to_string(findings.size()) + (findings.size() == 1 ? " check: " : " checks: ");
  constexpr std::array<std::string_view, 4> words{" ok", " note", " warning", " error"};
  bool any = false;
  for (std::size_t s = 0; s < counts.size(); ++s) {
    if (counts[s] == 0) continue;
    text += (any ? ", " : "") + std::to_string(counts[s]) + std::string(words[s]) + (s > 0 && counts[s] > 1 ? "s" : "");
    any = true;
  }
  return text;
}

#endif

}  // namespace hone
