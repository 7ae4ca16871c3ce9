#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"

namespace hone::detail {

/// A word of at most 16 bytes, zeros behind it.
struct WordKey {
  std::uint64_t low = 0, high = 0;
  friend bool operator==(WordKey const&, WordKey const&) = default;
};

/// Vocabulary entries of at most 16 bytes with their numbers: an open-addressing hash table, one look for most words.
///
/// Nine words of ten in English text are whole entries; walking a trie to them costs one dependent look per byte.
class WordTable {
 public:
  static constexpr std::size_t longest = 16;
  static constexpr std::int32_t none = -1;

  WordTable() = default;

  /// Of equal words the last counts. Only words of ASCII letters and digits are kept: no other is ever looked for. The first
  /// ones, in a vocabulary the most frequent, are found at the first look.
  explicit WordTable(std::vector<std::pair<std::string_view, std::int32_t>> const& words);

  /// The key of a word of at most 16 bytes.
  static WordKey key_of(std::string_view word) {
    char bytes[longest] = {};
    std::memcpy(bytes, word.data(), word.size());
    WordKey key;
    std::memcpy(&key.low, bytes, 8);
    std::memcpy(&key.high, bytes + 8, 8);
    return key;
  }

  /// The number of a word, or none. Ends because at least half of the slots are empty.
  std::int32_t find(WordKey const& key) const {
    for (std::size_t slot = first_slot(key);; slot = (slot + 1) & (keys_.size() - 1)) {
      WordKey const& at = keys_[slot];
      if (at == key || at.low == 0) return values_[slot];
    }
  }

 private:
  static bool is_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  }

  std::size_t first_slot(WordKey const& key) const {
    std::uint64_t const mixed = (key.low ^ std::rotl(key.high, 23) * 0x9e3779b97f4a7c15u) * 0xd6e8feb86659fd93u;
    return static_cast<std::size_t>((mixed ^ (mixed >> 32)) * 0x9e3779b97f4a7c15u >> shift_);
  }

  std::vector<WordKey> keys_ = std::vector<WordKey>(2);  // no word: zeros
  std::vector<std::int32_t> values_ = std::vector<std::int32_t>(2, none);
  int shift_ = 63;
};

/// Sixteen bytes of text at once, as two numbers of eight: plain arithmetic, the same for every compiler and processor.
class SixteenBytes {
 public:
  /// The 16 bytes from `bytes` on.
  explicit SixteenBytes(char const* bytes) {
    std::memcpy(&v_.low, bytes, 8);
    std::memcpy(&v_.high, bytes + 8, 8);
  }

  /// The first `size` (< 16) bytes, zeros behind them.
  SixteenBytes(char const* bytes, std::size_t size) : v_(WordTable::key_of({bytes, size})) {}

  /// How many ASCII letters and digits the bytes begin with.
  std::size_t letters_and_digits() const {
    std::uint64_t const other = ~is_letter_or_digit(v_.low) & high_bits;
    return other != 0 ? first_byte(other) : 8 + first_byte(~is_letter_or_digit(v_.high) & high_bits);
  }

  /// The first `size` (1 to 16) bytes as a word. With `is_folded` A to Z become a to z.
  WordKey key(std::size_t size, bool is_folded) const {
    WordKey key{size < 8 ? v_.low & first_bytes(size) : v_.low,
                size < 8 ? 0 : size < 16 ? v_.high & first_bytes(size - 8) : v_.high};
    if (is_folded) key = {folded(key.low), folded(key.high)};
    return key;
  }

 private:
  static constexpr std::uint64_t ones = 0x0101010101010101u, high_bits = 0x80 * ones;

  /// The high bit of every byte that is from `first` to `last`, both ASCII.
  static std::uint64_t between(std::uint64_t bytes, unsigned char first, unsigned char last) {
    std::uint64_t const low_bits = bytes & ~high_bits;
    return (low_bits + (0x80u - first) * ones) & ~(low_bits + (0x7fu - last) * ones) & ~bytes & high_bits;
  }
  static std::uint64_t is_letter_or_digit(std::uint64_t bytes) {
    return between(bytes | 0x20 * ones, 'a', 'z') | between(bytes, '0', '9');
  }
  static std::uint64_t folded(std::uint64_t bytes) { return bytes | between(bytes, 'A', 'Z') >> 2; }

  /// The number, in memory, of the first byte that is not zero; 8: there is none.
  static std::size_t first_byte(std::uint64_t bytes) {
    int const bits = std::endian::native == std::endian::little ? std::countr_zero(bytes) : std::countl_zero(bytes);
    return static_cast<std::size_t>(bits) / 8;
  }
  /// Ones in the first `size` (< 8) bytes in memory.
  static std::uint64_t first_bytes(std::size_t size) {
    std::uint64_t const all = ~std::uint64_t{0};
    return std::endian::native == std::endian::little ? ~(all << (8 * size)) : ~(all >> (8 * size));
  }

  WordKey v_;
};

#if HONE_BODIES

HONE_INLINE WordTable::WordTable(std::vector<std::pair<std::string_view, std::int32_t>> const& words) {
  auto const is_kept = [](std::string_view word) {
    return !word.empty() && word.size() <= longest && std::all_of(word.begin(), word.end(), is_letter_or_digit);
  };
  auto const count = std::count_if(words.begin(), words.end(), [&](auto const& entry) { return is_kept(entry.first); });
  std::size_t const slots = std::bit_ceil(2 * static_cast<std::size_t>(count) + 2);
  keys_.assign(slots, {});
  values_.assign(slots, none);
  shift_ = 64 - std::countr_zero(slots);
  for (auto const& [word, value] : words) {
    if (!is_kept(word)) continue;
    WordKey const key = key_of(word);
    std::size_t slot = first_slot(key);
    while (values_[slot] != none && !(keys_[slot] == key)) slot = (slot + 1) & (slots - 1);
    keys_[slot] = key;
    values_[slot] = value;
  }
}

#endif

}  // namespace hone::detail
