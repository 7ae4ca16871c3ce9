#pragma once

#include "hone/core/config.hpp"
#include "hone/text/trie.hpp"
#include "hone/text/word_table.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if HONE_BODIES
#include "hone/core/error.hpp"
#endif

namespace hone {

/// WordPiece: cuts a word into the longest pieces of a vocabulary, from the left; pieces after the first carry a prefix.
///
///     vocabulary un ##want ##ed:  "unwanted" -> un ##want ##ed,  "unwantedly" -> [UNK]
///
/// If a word has more than `max_input_chars_per_word` code points, or if some rest of it has no piece, the whole word
/// becomes the unknown token. Reference: Schuster and Nakajima 2012; Devlin et al. 2018, arXiv:1810.04805, sec. 3.
class WordPiece {
 public:
  WordPiece() = default;

  /// @param tokens  the vocabulary: the number of a token is its place; of equal ones the last counts
  /// Errors: E309 the unknown token is not in the vocabulary.
  WordPiece(std::span<std::string const> tokens, std::string const& continuing_prefix, std::string const& unknown_token,
            int max_input_chars_per_word);

  /// The number of the unknown token.
  std::int32_t unknown() const { return unknown_; }

  /// The number of a token, or -1.
  std::int32_t find(std::string_view token) const { return trie_.find(token); }

  /// Words of at most so many bytes can be looked up whole; they must be ASCII, a byte a character.
  std::size_t longest_whole() const {
    return std::min(detail::WordTable::longest, static_cast<std::size_t>(std::max<std::int64_t>(max_chars_, 0)));
  }

  /// The number of the token that a word of one ASCII character is.
  std::int32_t of_byte(unsigned char c) const { return of_byte_[c]; }

  /// The number of the token that a word of at most `longest_whole()` bytes is, or -1: then it has to be split.
  std::int32_t find_whole(detail::WordKey const& word) const { return words_.find(word); }

  /// Appends the pieces of `word` to `ids` and, if `ends` is given, the byte at which each of them ends.
  ///
  /// @param characters  the code points of the word
  /// @param fold        256 bytes: a byte b of the word counts as fold[b] (ASCII lower case without a copy)
  void split(std::string_view word, std::int64_t characters, unsigned char const* fold, std::vector<std::int32_t>& ids,
             std::vector<std::size_t>* ends = nullptr) const;

 private:
  static std::vector<std::pair<std::string_view, std::int32_t>> entries(std::span<std::string const> tokens);

  detail::ByteTrie trie_;
  detail::WordTable words_;
  std::int32_t continuation_ = detail::ByteTrie::none;
  std::int32_t unknown_ = 0;
  std::int64_t max_chars_ = 100;
  std::array<std::int32_t, 128> of_byte_{};
};

#if HONE_BODIES

HONE_INLINE WordPiece::WordPiece(std::span<std::string const> tokens, std::string const& continuing_prefix,
                                 std::string const& unknown_token, int max_input_chars_per_word)
    : trie_(entries(tokens)),
      words_(entries(tokens)),
      continuation_(trie_.walk(continuing_prefix)),
      unknown_(trie_.find(unknown_token)),
      max_chars_(max_input_chars_per_word) {
  if (unknown_ < 0) {
    throw Error(309, "the vocabulary has no unknown token", {.value = "no " + unknown_token},
                "use the vocabulary of the model, or name its unknown token in the options");
  }
  for (std::size_t byte = 0; byte < of_byte_.size(); ++byte) {
    char const c = static_cast<char>(byte);
    std::int32_t const id = max_chars_ > 0 ? trie_.find({&c, 1}) : detail::ByteTrie::none;
    of_byte_[byte] = id >= 0 ? id : unknown_;
  }
}

HONE_INLINE void WordPiece::split(std::string_view word, std::int64_t characters, unsigned char const* fold,
                                  std::vector<std::int32_t>& ids, std::vector<std::size_t>* ends) const {
  std::size_t const before = ids.size();
  auto const* bytes = reinterpret_cast<unsigned char const*>(word.data());
  detail::ByteTrie::Node const* nodes = trie_.nodes();
  std::int32_t node = characters <= max_chars_ ? detail::ByteTrie::root() : detail::ByteTrie::none;
  std::size_t start = 0;
  while (node != detail::ByteTrie::none) {
    std::int32_t longest = detail::ByteTrie::none;
    std::size_t end = start;
    for (std::size_t i = start; i < word.size(); ++i) {
      std::int32_t const next = nodes[node].base + fold[bytes[i]];
      if (nodes[next].parent != node) break;
      node = next;
      if (nodes[node].value != detail::ByteTrie::none) {
        longest = nodes[node].value;
        end = i + 1;
      }
    }
    if (longest == detail::ByteTrie::none) break;
    ids.push_back(longest);
    if (ends != nullptr) ends->push_back(end);
    if (end == word.size()) return;
    start = end;
    node = continuation_;
  }
  if (ends != nullptr) {
    ends->resize(ends->size() - (ids.size() - before));
    ends->push_back(word.size());
  }
  ids.resize(before);
  ids.push_back(unknown_);
}

HONE_INLINE std::vector<std::pair<std::string_view, std::int32_t>> WordPiece::entries(std::span<std::string const> tokens) {
  std::vector<std::pair<std::string_view, std::int32_t>> out;
  out.reserve(tokens.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) out.emplace_back(tokens[i], static_cast<std::int32_t>(i));
  return out;
}

#endif

}  // namespace hone
