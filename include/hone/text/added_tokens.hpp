#pragma once

#include "hone/core/config.hpp"
#include "hone/text/tokenizer_options.hpp"
#include "hone/text/trie.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if HONE_BODIES
#include <algorithm>

#include "hone/text/unicode.hpp"
#endif

namespace hone::detail {

/// A piece of a text: an added token, or what lies between two of them.
struct TextPiece {
  std::optional<std::int32_t> id{};
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// Finds added tokens in a text: from the left, at each place the longest, as Hugging Face does.
class AddedTokenMatcher {
 public:
  AddedTokenMatcher() = default;

  /// @param patterns  what to look for, in order of precedence where two are equal, and the token that it stands for
  explicit AddedTokenMatcher(std::vector<std::pair<std::string, AddedToken>> patterns);

  bool empty() const { return tokens_.empty(); }

  /// The first place from `from` on at which a token may start, or the end.
  std::size_t next_candidate(std::string_view text, std::size_t from) const {
    while (from < text.size() && !begins_[static_cast<unsigned char>(text[from])]) ++from;
    return from;
  }

  /// Cuts `text` at its added tokens; the pieces cover it in order, empty ones are left out.
  void cut(std::string_view text, std::vector<TextPiece>& pieces) const;

 private:
  static bool is_word_before(std::string_view text, std::size_t position);
  static bool is_word_at(std::string_view text, std::size_t position);

  ByteTrie trie_{};
  std::vector<AddedToken> tokens_{};
  std::array<bool, 256> begins_{};
};

#if HONE_BODIES

HONE_INLINE AddedTokenMatcher::AddedTokenMatcher(std::vector<std::pair<std::string, AddedToken>> patterns) {
  std::reverse(patterns.begin(), patterns.end());  // of equal strings the trie keeps the last
  std::vector<std::pair<std::string_view, std::int32_t>> entries;
  for (auto const& [pattern, token] : patterns) {
    if (pattern.empty()) continue;
    entries.emplace_back(pattern, static_cast<std::int32_t>(tokens_.size()));
    tokens_.push_back(token);
    begins_[static_cast<unsigned char>(pattern.front())] = true;
  }
  trie_ = ByteTrie(std::move(entries));
}

HONE_INLINE bool AddedTokenMatcher::is_word_before(std::string_view text, std::size_t position) {
  return position > 0 && (character_table()[previous_code_point(text, position)] & char_word) != 0;
}

HONE_INLINE bool AddedTokenMatcher::is_word_at(std::string_view text, std::size_t position) {
  return position < text.size() && (character_table()[next_code_point(text, position)] & char_word) != 0;
}

HONE_INLINE void AddedTokenMatcher::cut(std::string_view text, std::vector<TextPiece>& pieces) const {
  pieces.clear();
  std::size_t done = 0, at = 0;
  while (!empty() && (at = next_candidate(text, at)) < text.size()) {
    auto const match = trie_.longest_prefix(text.substr(at));
    if (!match) {
      ++at;
      continue;
    }
    AddedToken const& token = tokens_[static_cast<std::size_t>(match->first)];
    std::size_t begin = at, end = at + match->second;
    at = end;
    if (token.single_word && (is_word_before(text, begin) || is_word_at(text, end))) continue;
    if (token.lstrip) {
      for (std::size_t i = begin; i > 0;) {
        if ((character_table()[previous_code_point(text, i)] & char_white_space) == 0) break;
        begin = i;
      }
      begin = std::max(begin, done);
    }
    if (token.rstrip) {
      for (std::size_t i = end; i < text.size();) {
        if ((character_table()[next_code_point(text, i)] & char_white_space) == 0) break;
        end = i;
      }
    }
    if (done < begin) pieces.push_back({std::nullopt, done, begin});
    pieces.push_back({token.id, begin, end});
    done = end;
  }
  if (done < text.size()) pieces.push_back({std::nullopt, done, text.size()});
}

#endif

}  // namespace hone::detail
