#pragma once

#include "hone/core/config.hpp"
#include "hone/text/tokenizer_options.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if HONE_BODIES
#include <algorithm>
#include <map>
#include <queue>
#include <unordered_map>

#include "hone/core/error.hpp"
#include "hone/text/normalizer.hpp"
#include "hone/text/unicode.hpp"
#endif

namespace hone {

/// How a WordPiece vocabulary is learned.
struct WordPieceTrainerOptions {
  std::int32_t vocabulary_size = 2000;  ///< tokens at most, the special ones among them
  bool lowercase = true;                ///< as in the tokenizer that will use the vocabulary; also strips accents
  std::int64_t min_frequency = 2;       ///< pieces that would occur less often are not made
  std::int32_t alphabet_size = 1000;    ///< characters at most; the rarest are left out and become unknown
  std::vector<std::string> special_tokens{"[PAD]", "[UNK]", "[CLS]", "[SEP]",
                                          "[MASK]"};  ///< the first tokens, in this order
};

/// Learns a WordPiece vocabulary: starts from the characters and joins, again and again, the two neighbouring pieces that
/// occur together most often. The result is the same for the same texts in any order.
///
///     auto vocabulary = hone::train_wordpiece(texts, {.vocabulary_size = 2000});
///     auto tokenizer = hone::Tokenizer::from_tokens(vocabulary, {.lowercase = true});
///
/// Returns the special tokens, the characters (alone and with "##"), then the joined pieces, most frequent first.
/// Reference: Sennrich et al. 2016, arXiv:1508.07909, sec. 3.2, with WordPiece's "##".
/// Errors: E301 a text is not UTF-8, E315 no words, or no room for more than special tokens.
std::vector<std::string> train_wordpiece(std::span<std::string const> texts, WordPieceTrainerOptions const& options = {});

#if HONE_BODIES

namespace detail {

/// Calls `on_word(std::string const&)` for the words that a BERT tokenizer cuts `text` into.
template <class OnWord>
void for_each_word(std::string_view text, NormalizerSettings const& settings, NormalizedText& form,
                   NormalizerScratch& scratch, OnWord const& on_word) {
  normalize(text, 0, settings, form, scratch);
  CharacterTable const& table = character_table();
  std::string word;
  auto const finish = [&] {
    if (!word.empty()) on_word(word);
    word.clear();
  };
  for (char32_t const c : form.chars) {
    std::uint16_t const bits = table[c];
    if ((bits & (char_white_space | char_punctuation)) != 0) finish();
    if ((bits & char_white_space) != 0) continue;
    append_utf8(word, c);
    if ((bits & char_punctuation) != 0) finish();
  }
  finish();
}

/// Pair merging over the distinct words of a corpus, each with its frequency.
class PairMerger {
 public:
  /// @param words    distinct words and how often they occur
  /// @param allowed  characters that pieces may have, as UTF-8; a word with any other is left out
  PairMerger(std::map<std::string, std::int64_t> const& words, std::map<std::string, std::int64_t> const& allowed) {
    std::map<std::string, std::int64_t> pieces;  // single characters: first in a word, or "##" and later in one
    std::vector<std::vector<std::string>> spelled;
    for (auto const& [word, frequency] : words) {
      std::vector<std::string> letters;
      bool is_known = true;
      for (std::size_t i = 0; i < word.size();) {
        std::size_t const begin = i;
        next_code_point(word, i);
        std::string letter = word.substr(begin, i - begin);
        is_known = is_known && allowed.count(letter) > 0;
        letters.push_back(begin == 0 ? std::move(letter) : "##" + letter);
      }
      if (!is_known) continue;
      for (std::string const& letter : letters) pieces[letter] += frequency;
      spelled.push_back(std::move(letters));
      frequencies_.push_back(frequency);
    }
    for (auto const& [piece, frequency] : pieces) number(piece);
    for (auto const& letters : spelled) {
      words_.emplace_back();
      for (std::string const& letter : letters) words_.back().push_back(number(letter));
      count_pairs(words_.size() - 1, +1);
    }
    for (auto const& [pair, uses] : pairs_) queue_.push({uses.frequency, pair});
  }

  /// All pieces so far: the characters in the order of their bytes, then the merged ones as they came.
  std::vector<std::string> const& pieces() const { return pieces_; }

  /// Joins the most frequent pair of neighbours; of equal ones that with the lower numbers. False when none is frequent
  /// enough.
  bool merge(std::int64_t min_frequency) {
    while (!queue_.empty()) {
      auto const [frequency, pair] = queue_.top();
      queue_.pop();
      auto const found = pairs_.find(pair);
      if (found == pairs_.end() || found->second.frequency != frequency) continue;  // an old entry: a newer one is queued
      if (frequency < min_frequency) return false;
      join(pair, std::move(found->second.words));
      return true;
    }
    return false;
  }

 private:
  using Pair = std::pair<std::int32_t, std::int32_t>;
  struct Uses {
    std::int64_t frequency = 0;
    std::vector<std::size_t> words{};  // may name a word twice, or one that has lost the pair
  };
  struct Entry {
    std::int64_t frequency;
    Pair pair;
    bool operator<(Entry const& other) const {
      return frequency != other.frequency ? frequency < other.frequency : pair > other.pair;
    }
  };

  std::int32_t number(std::string const& piece) {
    auto const [entry, is_new] = numbers_.emplace(piece, static_cast<std::int32_t>(pieces_.size()));
    if (is_new) pieces_.push_back(piece);
    return entry->second;
  }

  void count_pairs(std::size_t word, int sign) {
    auto const& pieces = words_[word];
    for (std::size_t i = 0; i + 1 < pieces.size(); ++i) {
      Pair const pair{pieces[i], pieces[i + 1]};
      Uses& uses = pairs_[pair];
      uses.frequency += sign * frequencies_[word];
      if (sign > 0) uses.words.push_back(word);
      changed_.push_back(pair);
    }
  }

  void join(Pair pair, std::vector<std::size_t> words) {
    std::string const right = pieces_[static_cast<std::size_t>(pair.second)];
    std::int32_t const joined = number(pieces_[static_cast<std::size_t>(pair.first)] + right.substr(2));
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    changed_.clear();
    for (std::size_t const word : words) {
      auto& pieces = words_[word];
      count_pairs(word, -1);
      std::size_t kept = 0;
      for (std::size_t i = 0; i < pieces.size(); ++i) {
        bool const is_here = i + 1 < pieces.size() && Pair{pieces[i], pieces[i + 1]} == pair;
        pieces[kept++] = is_here ? joined : pieces[i];
        if (is_here) ++i;
      }
      pieces.resize(kept);
      count_pairs(word, +1);
    }
    std::sort(changed_.begin(), changed_.end());
    changed_.erase(std::unique(changed_.begin(), changed_.end()), changed_.end());
    for (Pair const& other : changed_) {
      auto const found = pairs_.find(other);
      if (found->second.frequency <= 0) {
        pairs_.erase(found);
      } else {
        queue_.push({found->second.frequency, other});
      }
    }
  }

  std::vector<std::string> pieces_;
  std::unordered_map<std::string, std::int32_t> numbers_;
  std::vector<std::vector<std::int32_t>> words_;
  std::vector<std::int64_t> frequencies_;
  std::map<Pair, Uses> pairs_;
  std::priority_queue<Entry> queue_;
  std::vector<Pair> changed_;
};

}  // namespace detail

HONE_INLINE std::vector<std::string> train_wordpiece(std::span<std::string const> texts,
                                                     WordPieceTrainerOptions const& options) {
  std::vector<std::string> vocabulary = options.special_tokens;
  auto const size = static_cast<std::size_t>(std::max<std::int32_t>(options.vocabulary_size, 0));
  if (size <= vocabulary.size()) {
    throw Error(
        315, "vocabulary_size has no room for words",
        {.value = std::to_string(options.vocabulary_size), .allowed = "more than " + std::to_string(vocabulary.size())},
        "ask for a larger vocabulary");
  }
  TokenizerOptions tokenizer;
  tokenizer.lowercase = options.lowercase;
  detail::NormalizerSettings const settings(tokenizer);
  detail::NormalizedText form;
  detail::NormalizerScratch scratch;
  std::unordered_map<std::string, std::int64_t> counted;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (auto const at = find_invalid_utf8(texts[i])) {
      throw Error(301, "text " + std::to_string(i) + " of the corpus is not UTF-8",
                  {.offset = static_cast<std::int64_t>(*at)}, "convert the text to UTF-8 first, for example with iconv");
    }
    detail::for_each_word(texts[i], settings, form, scratch, [&](std::string const& word) { ++counted[word]; });
  }
  std::map<std::string, std::int64_t> const words(counted.begin(), counted.end());
  if (words.empty()) {
    throw Error(315, "there are no words to learn a vocabulary from", {.value = std::to_string(texts.size()) + " texts"},
                "give texts that are not empty");
  }

  std::map<std::string, std::int64_t> letters;
  for (auto const& [word, frequency] : words) {
    for (std::size_t i = 0; i < word.size();) {
      std::size_t const begin = i;
      detail::next_code_point(word, i);
      letters[word.substr(begin, i - begin)] += frequency;
    }
  }
  // Each letter may take two places: alone and with "##".
  std::size_t const room = std::max<std::size_t>((size - vocabulary.size()) / 2, 1);
  std::size_t const most = std::min(room, static_cast<std::size_t>(std::max<std::int32_t>(options.alphabet_size, 1)));
  while (letters.size() > most) {
    auto const rarest = std::min_element(letters.begin(), letters.end(), [](auto const& a, auto const& b) {
      return a.second != b.second ? a.second < b.second : a.first > b.first;
    });
    letters.erase(rarest);
  }

  detail::PairMerger merger(words, letters);
  while (vocabulary.size() + merger.pieces().size() < size && merger.merge(options.min_frequency)) {}
  for (std::string const& piece : merger.pieces()) {
    bool const is_new =
        std::find(options.special_tokens.begin(), options.special_tokens.end(), piece) == options.special_tokens.end();
    if (is_new && vocabulary.size() < size) vocabulary.push_back(piece);
  }
  return vocabulary;
}

#endif

}  // namespace hone
