#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

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
  explicit WordTable(std::vector<std::pair<std::string_view, std::int32_t>> const& words) {
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

/// Sixteen bytes of text at once. With the compilers' generic vectors: one instruction each on every processor of 64 bits.
class SixteenBytes {
 public:
  /// The 16 bytes from `bytes` on.
  explicit SixteenBytes(char const* bytes) { std::memcpy(&v_, bytes, sizeof v_); }

  /// The first `size` (< 16) bytes, zeros behind them.
  SixteenBytes(char const* bytes, std::size_t size) {
    char padded[16] = {};
    std::memcpy(padded, bytes, size);
    std::memcpy(&v_, padded, sizeof v_);
  }

  /// How many ASCII letters and digits the bytes begin with.
  std::size_t letters_and_digits() const {
    Vector const lower = v_ | splat(0x20);
    auto const is_letter = static_cast<Vector>(lower - splat('a')) < splat(26);
    auto const is_one = is_letter | (static_cast<Vector>(v_ - splat('0')) < splat(10));
    WordKey mask;
    std::memcpy(&mask.low, &is_one, 8);
    std::memcpy(&mask.high, reinterpret_cast<char const*>(&is_one) + 8, 8);
    if (~mask.low != 0) return first_byte(~mask.low);
    return ~mask.high != 0 ? 8 + first_byte(~mask.high) : 16;
  }

  /// A to Z become a to z.
  void fold() {
    auto const is_upper = static_cast<Vector>(v_ - splat('A')) < splat(26);
    v_ |= reinterpret_cast<Vector const&>(is_upper) & splat(0x20);
  }

  /// The first `size` bytes as a word.
  WordKey key(std::size_t size) const {
    static constexpr unsigned char ones_and_zeros[32] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                         255, 255, 255, 255, 255, 255, 255, 255};
    Vector mask;
    std::memcpy(&mask, ones_and_zeros + 16 - size, sizeof mask);
    mask &= v_;
    WordKey key;
    std::memcpy(&key.low, &mask, 8);
    std::memcpy(&key.high, reinterpret_cast<char const*>(&mask) + 8, 8);
    return key;
  }

 private:
  typedef unsigned char Vector __attribute__((vector_size(16)));

  static Vector splat(unsigned char value) { return Vector{} + value; }
  /// The number, in memory, of the first byte that is not zero.
  static std::size_t first_byte(std::uint64_t word) {
    int const bits = std::endian::native == std::endian::little ? std::countr_zero(word) : std::countl_zero(word);
    return static_cast<std::size_t>(bits) / 8;
  }

  Vector v_;
};

}  // namespace hone::detail
