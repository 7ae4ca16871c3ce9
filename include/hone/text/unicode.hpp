#pragma once

#include "hone/core/config.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#if HONE_BODIES
#include <utf8proc.h>

#include <cstring>
#include <iterator>

#include "hone/text/unicode_tables.hpp"
#endif

namespace hone {

/// The position of the first byte that is not part of well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing
/// above U+10FFFF), or nothing. Texts are checked before they are tokenised; nothing is replaced silently.
std::optional<std::size_t> find_invalid_utf8(std::string_view text);

/// The text with U+FFFD for every byte that is not part of well-formed UTF-8.
std::string valid_utf8(std::string_view text);

/// The number of code points of well-formed UTF-8.
inline std::int64_t count_code_points(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

namespace detail {

/// The code point at `position` of well-formed UTF-8; moves `position` behind it.
inline char32_t next_code_point(std::string_view text, std::size_t& position) {
  auto const byte = [&](std::size_t k) { return static_cast<char32_t>(static_cast<unsigned char>(text[position + k])); };
  char32_t const lead = byte(0);
  char32_t c = lead;
  std::size_t length = 1;
  if (lead >= 0xf0) {
    c = (lead & 0x07) << 18 | (byte(1) & 0x3f) << 12 | (byte(2) & 0x3f) << 6 | (byte(3) & 0x3f);
    length = 4;
  } else if (lead >= 0xe0) {
    c = (lead & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f);
    length = 3;
  } else if (lead >= 0x80) {
    c = (lead & 0x1f) << 6 | (byte(1) & 0x3f);
    length = 2;
  }
  position += length;
  return c;
}

/// The code point that ends before `position` (> 0) of well-formed UTF-8; moves `position` to its start.
inline char32_t previous_code_point(std::string_view text, std::size_t& position) {
  do {
    --position;
  } while ((static_cast<unsigned char>(text[position]) & 0xc0) == 0x80);
  std::size_t start = position;
  return next_code_point(text, start);
}

inline void append_utf8(std::string& out, char32_t c) {
  auto const put = [&out](char32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | c >> 6), put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12), put(0x80 | (c >> 6 & 0x3f)), put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | c >> 18), put(0x80 | (c >> 12 & 0x3f)), put(0x80 | (c >> 6 & 0x3f)), put(0x80 | (c & 0x3f));
  }
}

/// What a code point is to BERT's normalizer and pre-tokenizer: bits, several may be set (see unicode_tables.hpp).
enum CharacterBits : std::uint16_t {
  char_removed = 1,
  char_white_space = 2,
  char_punctuation = 4,
  char_chinese = 8,
  char_nonspacing_mark = 16,
  char_decomposed = 32,
  char_combining = 64,
  char_word = 128,
  char_lowered = 256,
};

/// The bits of all code points: 4,352 blocks of 256, equal blocks stored once. Built on first use, about a millisecond.
class CharacterTable {
 public:
  CharacterTable();

  std::uint16_t operator[](char32_t c) const { return bits_[std::size_t{block_of_[c >> 8]} * 256 + (c & 255)]; }

 private:
  std::array<std::uint16_t, 0x1100> block_of_{};
  std::vector<std::uint16_t> bits_;
};

inline CharacterTable const& character_table() {
  static CharacterTable const table;
  return table;
}

/// The lower-case form of c, for every c but U+0130, whose form is two code points (the caller's business).
char32_t lower_case(char32_t c);

/// Appends the full canonical decomposition of c to `out`, in canonical order. Only for code points with char_decomposed:
/// which ones decompose is decided by our table, so that a newer utf8proc does not decompose more; what they decompose to
/// never changes between versions of Unicode (its stability policy).
void decompose(char32_t c, std::vector<char32_t>& out);

/// The canonical combining class of a code point with char_combining, by the same reasoning.
int combining_class(char32_t c);

#if HONE_BODIES

HONE_INLINE char32_t lower_case(char32_t c) {
  using unicode_tables::lower;
  auto const found =
      std::upper_bound(std::begin(lower), std::end(lower), c,
                       [](char32_t value, unicode_tables::LowerRange const& range) { return value < range.first; });
  if (found == std::begin(lower)) return c;
  auto const& range = *std::prev(found);
  if (c > range.last || (c - range.first) % static_cast<char32_t>(range.step) != 0) return c;
  return static_cast<char32_t>(static_cast<std::int32_t>(c) + range.difference);
}

HONE_INLINE void decompose(char32_t c, std::vector<char32_t>& out) {
  std::array<utf8proc_int32_t, 16> buffer{};
  int boundary = 0;
  auto const count =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), buffer.data(), buffer.size(), UTF8PROC_DECOMPOSE, &boundary);
  if (count <= 0 || count > static_cast<utf8proc_ssize_t>(buffer.size())) {
    out.push_back(c);
    return;
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) out.push_back(static_cast<char32_t>(buffer[i]));
}

HONE_INLINE int combining_class(char32_t c) {
  return utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class;
}

HONE_INLINE CharacterTable::CharacterTable() {
  using namespace unicode_tables;
  std::vector<std::uint16_t> all(0x110000);
  auto const mark = [&all](auto const& ranges, std::uint16_t bit) {
    for (Range const& range : ranges) {
      for (char32_t c = range.first; c <= range.last; ++c) all[c] |= bit;
    }
  };
  mark(removed, char_removed);
  mark(white_space, char_white_space);
  mark(punctuation, char_punctuation);
  mark(chinese, char_chinese);
  mark(nonspacing_mark, char_nonspacing_mark);
  mark(decomposed, char_decomposed);
  mark(combining, char_combining);
  mark(word, char_word);
  Range const hangul[] = {{0xac00, 0xd7a3}}, dotted_i[] = {{0x130, 0x130}};
  mark(hangul, char_decomposed);
  mark(dotted_i, char_lowered);
  for (LowerRange const& range : lower) {
    for (char32_t c = range.first; c <= range.last; c += static_cast<char32_t>(range.step)) all[c] |= char_lowered;
  }
  for (std::size_t block = 0; block < block_of_.size(); ++block) {
    std::uint16_t const* const begin = all.data() + block * 256;
    std::size_t same = bits_.size();  // where the same bits are already, looked for from the last block back
    while (same > 0 && std::memcmp(bits_.data() + same - 256, begin, 256 * sizeof *begin) != 0) same -= 256;
    if (same == 0) {
      for (std::size_t i = 0; i < 256; ++i) bits_.push_back(begin[i]);
      same = bits_.size();
    }
    block_of_[block] = static_cast<std::uint16_t>(same / 256 - 1);
  }
}

#endif

}  // namespace detail

#if HONE_BODIES

HONE_INLINE std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
  auto const* bytes = reinterpret_cast<unsigned char const*>(text.data());
  std::size_t const size = text.size();
  std::size_t i = 0;
  while (i < size) {
    if (i + 8 <= size) {  // eight ASCII bytes at a time
      std::uint64_t eight;
      std::memcpy(&eight, bytes + i, 8);
      if ((eight & 0x8080808080808080u) == 0) {
        i += 8;
        continue;
      }
    }
    unsigned char const lead = bytes[i];
    if (lead < 0x80) {
      ++i;
      continue;
    }
    std::size_t length = 0;
    unsigned char low = 0x80, high = 0xbf;  // what the second byte may be
    if (lead >= 0xc2 && lead <= 0xdf) {
      length = 2;
    } else if (lead >= 0xe0 && lead <= 0xef) {
      length = 3;
      if (lead == 0xe0) low = 0xa0;
      if (lead == 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      length = 4;
      if (lead == 0xf0) low = 0x90;
      if (lead == 0xf4) high = 0x8f;
    }
    if (length == 0 || i + length > size || bytes[i + 1] < low || bytes[i + 1] > high) return i;
    for (std::size_t k = 2; k < length; ++k) {
      if ((bytes[i + k] & 0xc0) != 0x80) return i;
    }
    i += length;
  }
  return std::nullopt;
}

HONE_INLINE std::string valid_utf8(std::string_view text) {
  std::string valid;
  while (auto const invalid = find_invalid_utf8(text)) {
    valid.append(text.substr(0, *invalid)).append("\xef\xbf\xbd");
    text.remove_prefix(*invalid + 1);
  }
  return valid.append(text);
}

#endif

}  // namespace hone
