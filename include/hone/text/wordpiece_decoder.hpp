#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "hone/core/config.hpp"

namespace hone::detail {

/// Takes back the blanks that splitting at punctuation puts in: Hugging Face's `cleanup`, its replacements in its order.
void clean_up_tokenization(std::string& text);

/// Appends one token to decoded text: WordPiece's decoder (each token is cleaned up alone), or joined by blanks without one.
void append_decoded(std::string& out, std::string const& token, bool is_first, std::optional<std::string> const& prefix,
                    bool cleanup);

#if HONE_BODIES

HONE_INLINE void clean_up_tokenization(std::string& text) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 11> replacements{{
      {" .", "."},
      {" ?", "?"},
      {" !", "!"},
      {" ,", ","},
      {" ' ", "'"},
      {" n't", "n't"},
      {" 'm", "'m"},
      {" do not", " don't"},
      {" 's", "'s"},
      {" 've", "'ve"},
      {" 're", "'re"},
  }};
  if (text.find_first_of(".?!,'") == std::string::npos && text.find(" do not") == std::string::npos) return;
  for (auto const& [from, to] : replacements) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
      text.replace(at, from.size(), to);
  }
}

HONE_INLINE void append_decoded(std::string& out, std::string const& token, bool is_first,
                                std::optional<std::string> const& prefix, bool cleanup) {
  if (!prefix) {
    if (!is_first) out += ' ';
    out += token;
    return;
  }
  std::string piece;
  if (is_first) {
    piece = token;
  } else if (token.compare(0, prefix->size(), *prefix) == 0) {
    piece = token.substr(prefix->size());
  } else {
    piece = ' ' + token;
  }
  if (cleanup) clean_up_tokenization(piece);
  out += piece;
}

#endif

}  // namespace hone::detail
