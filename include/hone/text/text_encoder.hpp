#pragma once

#include "hone/core/config.hpp"
#include "hone/text/added_tokens.hpp"
#include "hone/text/normalizer.hpp"
#include "hone/text/tokenizer_options.hpp"
#include "hone/text/wordpiece.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if HONE_BODIES
#include "hone/text/unicode.hpp"
#include "hone/text/word_table.hpp"
#endif

namespace hone::detail {

/// The tokens of a text alone, without special ones around it.
struct EncodedBody {
  std::vector<std::int32_t> ids{};
  std::vector<TokenOffset> offsets{};

  void truncate(std::int64_t length);
};

/// Memory that is used again from text to text.
struct EncoderScratch {
  NormalizerScratch normalizer{};
  NormalizedText normalized{};
  std::vector<TextPiece> pieces{}, normalized_pieces{};
  std::string word{};                     // UTF-8 of the word at hand
  std::vector<TokenOffset> byte_spans{};  // per byte of `word`: the span of its character
  std::vector<std::size_t> ends{};
};

/// Text to token ids: added tokens, normalizer, split at white space and punctuation, WordPiece.
///
/// Plain ASCII words are cut where they stand, without a copy. One of less than 16 letters and digits is first looked up
/// whole: its end, its lower case and its key are found eight bytes at a time. A run with anything else in it, up to the
/// next ASCII blank or punctuation mark, goes through the normalizer: such a run can be normalised alone, because an ASCII
/// character never changes with its neighbours and never lets marks move across it.
class TextEncoder {
 public:
  TextEncoder() = default;

  TextEncoder(TokenizerOptions const& options, std::vector<AddedToken> const& added);

  /// Appends the tokens of `text` (well-formed UTF-8), at most `allowed` of them if that is not negative.
  void encode(WordPiece const& wordpiece, std::string_view text, std::int64_t allowed, std::vector<std::int32_t>& ids,
              std::vector<TokenOffset>* offsets, EncoderScratch& scratch) const;

 private:
  enum class Kind : unsigned char { word, blank, punctuation, other };

  struct Output {
    WordPiece const& wordpiece;
    std::vector<std::int32_t>& ids;
    std::vector<TokenOffset>* offsets;
    EncoderScratch& scratch;
    std::size_t before;
    std::size_t allowed;

    bool is_full() const { return ids.size() - before >= allowed; }
    void put(std::int32_t id, std::int64_t begin, std::int64_t end) {
      ids.push_back(id);
      if (offsets != nullptr) offsets->push_back({begin, end});
    }
  };

  /// Text without plain added tokens; its first byte is byte `base` of the whole.
  void between(std::string_view text, std::int64_t base, Output& out) const;

  void ascii_word(std::string_view word, std::int64_t base, Output& out) const;

  /// A whole normalised piece in which added tokens may stand in their normal form.
  void normalized_text(Output& out) const;

  /// Splits characters [begin, end) at white space (dropped) and punctuation (a word each), and the words into pieces.
  void words(NormalizedText const& text, std::size_t begin, std::size_t end, Output& out) const;

  void word(NormalizedText const& text, std::size_t begin, std::size_t end, Output& out) const;

  NormalizerSettings settings_{};
  std::array<unsigned char, 256> fold_{}, identity_{};
  std::array<Kind, 256> kinds_{};
  AddedTokenMatcher plain_{}, normalized_{};
};

#if HONE_BODIES

HONE_INLINE TextEncoder::TextEncoder(TokenizerOptions const& options, std::vector<AddedToken> const& added)
    : settings_(options) {
  CharacterTable const& table = character_table();
  for (std::size_t byte = 0; byte < 256; ++byte) {
    identity_[byte] = static_cast<unsigned char>(byte);
    fold_[byte] = static_cast<unsigned char>(settings_.lowercase && byte >= 'A' && byte <= 'Z' ? byte + 32 : byte);
    std::uint16_t const bits = table[static_cast<char32_t>(byte)];
    bool const is_dropped = settings_.clean_text && (bits & char_removed) != 0;
    kinds_[byte] = byte >= 128 || is_dropped        ? Kind::other
                   : (bits & char_white_space) != 0 ? Kind::blank
                   : (bits & char_punctuation) != 0 ? Kind::punctuation
                                                    : Kind::word;
  }
  std::vector<std::pair<std::string, AddedToken>> plain, normalized;
  for (bool const special : {true, false}) {
    for (AddedToken const& token : added) {
      if (token.special != special) continue;
      if (token.normalized) {
        normalized.emplace_back(normal_form(token.content, settings_), token);
      } else {
        plain.emplace_back(token.content, token);
      }
    }
  }
  plain_ = AddedTokenMatcher(std::move(plain));
  normalized_ = AddedTokenMatcher(std::move(normalized));
}

HONE_INLINE void EncodedBody::truncate(std::int64_t length) {
  if (static_cast<std::int64_t>(ids.size()) <= length) return;
  ids.resize(static_cast<std::size_t>(length));
  offsets.resize(static_cast<std::size_t>(length));
}

HONE_INLINE void TextEncoder::encode(WordPiece const& wordpiece, std::string_view text, std::int64_t allowed,
                                     std::vector<std::int32_t>& ids, std::vector<TokenOffset>* offsets,
                                     EncoderScratch& scratch) const {
  std::size_t const most = allowed < 0 ? text.max_size() : static_cast<std::size_t>(allowed);
  Output out{wordpiece, ids, offsets, scratch, ids.size(), most};
  if (plain_.next_candidate(text, 0) == text.size()) {
    between(text, 0, out);
  } else {
    plain_.cut(text, scratch.pieces);
    for (TextPiece const& piece : scratch.pieces) {
      if (piece.id) {
        out.put(*piece.id, static_cast<std::int64_t>(piece.begin), static_cast<std::int64_t>(piece.end));
      } else {
        between(text.substr(piece.begin, piece.end - piece.begin), static_cast<std::int64_t>(piece.begin), out);
      }
      if (out.is_full()) break;
    }
  }
  if (ids.size() - out.before > out.allowed) {
    ids.resize(out.before + out.allowed);
    if (offsets != nullptr) offsets->resize(ids.size());
  }
}

HONE_INLINE void TextEncoder::between(std::string_view text, std::int64_t base, Output& out) const {
  if (!normalized_.empty()) {
    normalize(text, base, settings_, out.scratch.normalized, out.scratch.normalizer);
    return normalized_text(out);
  }
  auto const kind = [&](std::size_t i) { return kinds_[static_cast<unsigned char>(text[i])]; };
  std::size_t const whole = out.wordpiece.longest_whole();
  for (std::size_t i = 0; i < text.size() && !out.is_full();) {
    std::size_t const left = text.size() - i;
    SixteenBytes const bytes = left >= 16 ? SixteenBytes(text.data() + i) : SixteenBytes(text.data() + i, left);
    std::size_t const size = bytes.letters_and_digits();
    if (size > 0 && size < 16 && size <= whole &&
        (size == left || kind(i + size) == Kind::blank || kind(i + size) == Kind::punctuation)) {
      std::int32_t const id = out.wordpiece.find_whole(bytes.key(size, settings_.lowercase));
      if (id >= 0) {
        auto const begin = base + static_cast<std::int64_t>(i);
        out.put(id, begin, begin + static_cast<std::int64_t>(size));
        i += size;
        if (i < text.size() && text[i] == ' ') ++i;
        continue;
      }
    }
    switch (kind(i)) {
      case Kind::blank:
        ++i;
        continue;
      case Kind::punctuation:
        out.put(out.wordpiece.of_byte(static_cast<unsigned char>(text[i])), base + static_cast<std::int64_t>(i),
                base + static_cast<std::int64_t>(i) + 1);
        ++i;
        continue;
      default:
        break;
    }
    std::size_t end = i;
    while (end < text.size() && kind(end) == Kind::word) ++end;
    if (end == text.size() || kind(end) != Kind::other) {
      ascii_word(text.substr(i, end - i), base + static_cast<std::int64_t>(i), out);
    } else {
      while (end < text.size() && kind(end) != Kind::blank && kind(end) != Kind::punctuation) ++end;
      normalize(text.substr(i, end - i), base + static_cast<std::int64_t>(i), settings_, out.scratch.normalized,
                out.scratch.normalizer);
      words(out.scratch.normalized, 0, out.scratch.normalized.chars.size(), out);
    }
    i = end;
  }
}

HONE_INLINE void TextEncoder::ascii_word(std::string_view word, std::int64_t base, Output& out) const {
  if (out.offsets == nullptr) {
    out.wordpiece.split(word, static_cast<std::int64_t>(word.size()), fold_.data(), out.ids);
    return;
  }
  auto& ends = out.scratch.ends;
  ends.clear();
  out.wordpiece.split(word, static_cast<std::int64_t>(word.size()), fold_.data(), out.ids, &ends);
  std::int64_t begin = base;
  for (std::size_t const end : ends) {
    out.offsets->push_back({begin, base + static_cast<std::int64_t>(end)});
    begin = base + static_cast<std::int64_t>(end);
  }
}

HONE_INLINE void TextEncoder::words(NormalizedText const& text, std::size_t begin, std::size_t end, Output& out) const {
  CharacterTable const& table = character_table();
  std::size_t start = begin;
  for (std::size_t i = begin; i < end && !out.is_full(); ++i) {
    std::uint16_t const bits = table[text.chars[i]];
    if ((bits & (char_white_space | char_punctuation)) == 0) continue;
    word(text, start, i, out);
    if ((bits & char_white_space) == 0) word(text, i, i + 1, out);
    start = i + 1;
  }
  word(text, start, end, out);
}

HONE_INLINE void TextEncoder::word(NormalizedText const& text, std::size_t begin, std::size_t end, Output& out) const {
  if (begin >= end) return;
  auto& bytes = out.scratch.word;
  auto& spans = out.scratch.byte_spans;
  auto& ends = out.scratch.ends;
  bytes.clear();
  for (std::size_t i = begin; i < end; ++i) append_utf8(bytes, text.chars[i]);
  auto const chars = static_cast<std::int64_t>(end - begin);
  if (out.offsets == nullptr) {
    out.wordpiece.split(bytes, chars, identity_.data(), out.ids);
    return;
  }
  spans.clear();
  std::string one;
  for (std::size_t i = begin; i < end; ++i) {
    one.clear();
    append_utf8(one, text.chars[i]);
    spans.insert(spans.end(), one.size(), text.spans[i]);
  }
  ends.clear();
  out.wordpiece.split(bytes, chars, identity_.data(), out.ids, &ends);
  std::size_t first = 0;
  for (std::size_t const last : ends) {
    out.offsets->push_back({spans[first].begin, spans[last - 1].end});
    first = last;
  }
}

HONE_INLINE void TextEncoder::normalized_text(Output& out) const {
  NormalizedText const& text = out.scratch.normalized;
  std::string bytes;
  std::vector<std::size_t> char_of_byte;
  for (std::size_t i = 0; i < text.chars.size(); ++i) {
    append_utf8(bytes, text.chars[i]);
    char_of_byte.resize(bytes.size(), i);
  }
  char_of_byte.push_back(text.chars.size());
  normalized_.cut(bytes, out.scratch.normalized_pieces);
  for (TextPiece const& piece : out.scratch.normalized_pieces) {
    std::size_t const begin = char_of_byte[piece.begin], end = char_of_byte[piece.end];
    if (piece.id) {
      out.put(*piece.id, text.spans[begin].begin, text.spans[end - 1].end);
    } else {
      words(text, begin, end, out);
    }
    if (out.is_full()) return;
  }
}

#endif

}  // namespace hone::detail
