// The file format of the token cache: what was read and tokenised, checked from its first byte to its last.
//
//   64 bytes  "HONETOK\n", version, byte order, key (SHA-256), size of the payload, checksum of the 56 bytes before
//   payload   problems, then the sets: examples, columns of labels, lengths, sources, texts, ids of 2 or 4 bytes
//   8 bytes   checksum (XXH64) of everything before
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <type_traits>

#include "hone/core/config.hpp"
#include "hone/data/imdb_shape.hpp"

#if HONE_BODIES
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "hone/core/atomic_file.hpp"
#include "hone/core/error.hpp"
#include "hone/core/input_file.hpp"
#include "hone/core/xxh64.hpp"
#endif

namespace hone::detail {

/// What a cache holds, and what it was made from.
using TokenCacheKey = std::array<unsigned char, 32>;

/// The first bytes of a cache.
struct TokenCacheHeader {
  char magic[8] = {'H', 'O', 'N', 'E', 'T', 'O', 'K', '\n'};
  std::uint32_t version = 1;
  std::uint32_t byte_order = 0x01020304;  // of the machine that wrote it
  TokenCacheKey key{};
  std::uint64_t payload = 0;
  std::uint64_t checksum = 0;

  std::uint64_t sum() const;  // of the bytes before `checksum`
};
static_assert(sizeof(TokenCacheHeader) == 64 && std::is_trivially_copyable_v<TokenCacheHeader>);

/// Writes a cache: whole or not at all; gives the size of its payload. Errors: those of AtomicFile.
std::uint64_t write_token_cache(std::filesystem::path const& path, TokenCacheKey const& key, data::Imdb const& all);

/// Reads a cache. Errors: E440, E441, and those of InputFile.
data::Imdb read_token_cache(std::filesystem::path const& path, TokenCacheKey const& key, std::int32_t vocabulary_size);

#if HONE_BODIES

HONE_INLINE std::uint64_t TokenCacheHeader::sum() const {
  Xxh64 sum;
  sum.add(this, offsetof(TokenCacheHeader, checksum));
  return sum.value();
}

/// Reads the payload from front to end. Nothing is believed: sizes are checked against what is left of the file before
/// anything is allocated, and the checksum at the end covers every byte. The file is read, not mapped: a mapped file that
/// another program cuts short, or a bad disk, would kill the process.
class TokenCacheReader {
 public:
  /// Errors: E440 damaged, E441 of another version or other data, and those of InputFile.
  TokenCacheReader(std::filesystem::path const& path, TokenCacheKey const& key) : file_(path) {
    TokenCacheHeader const right;
    TokenCacheHeader header;
    if (file_.size() < sizeof header + sizeof(std::uint64_t)) throw damaged("it is too short");
    file_.read(0, &header, sizeof header);
    if (std::memcmp(header.magic, right.magic, sizeof header.magic) != 0) throw damaged("it does not begin as one");
    if (header.version != right.version || header.byte_order != right.byte_order)
      throw other("it was written by another version of hone, or by another kind of machine");
    if (header.checksum != header.sum()) throw damaged("its first bytes are not as written");
    if (header.key != key) throw other("data, tokenizer, length or version of hone have changed since");
    std::uint64_t const room = file_.size() - sizeof header - sizeof(std::uint64_t);
    if (header.payload != room)
      throw damaged(std::to_string(room) + " bytes of " + std::to_string(header.payload) + " are there");
    at_ = sizeof header;
    left_ = room;
    sum_.add(&header, sizeof header);
  }

  /// Copies `size` bytes.
  void take(void* out, std::uint64_t size) {
    if (size > left_) throw damaged("it ends too early");
    left_ -= size;
    auto* bytes = static_cast<char*>(out);
    while (size > 0) {
      if (next_ == buffer_.size()) {
        if (size >= piece) {  // large pieces go where they belong at once
          std::size_t const some = static_cast<std::size_t>(std::min<std::uint64_t>(size, largest_transfer));
          fill(bytes, some);
          bytes += some, size -= some;
          continue;
        }
        buffer_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(piece, left_ + size)));
        fill(buffer_.data(), buffer_.size());
        next_ = 0;
      }
      std::size_t const some = static_cast<std::size_t>(std::min<std::uint64_t>(size, buffer_.size() - next_));
      std::memcpy(bytes, buffer_.data() + next_, some);
      bytes += some, size -= some, next_ += some;
    }
  }

  /// A number that counts things of which each takes at least `bytes_each` bytes of what is left.
  std::size_t count(std::uint64_t bytes_each) {
    std::uint64_t number = 0;
    take(&number, sizeof number);
    if (bytes_each > 0 && number > left_ / bytes_each) throw damaged("a size in it is larger than the file");
    return static_cast<std::size_t>(number);
  }

  std::string text(std::uint64_t size) {
    if (size > left_) throw damaged("a text in it is longer than the file");
    std::string text(static_cast<std::size_t>(size), '\0');
    take(text.data(), size);
    return text;
  }

  /// `count` numbers; the caller has checked the count.
  template <class T>
  std::vector<T> numbers(std::size_t count) {
    if (count > left_ / sizeof(T)) throw damaged("a list in it is longer than the file");
    std::vector<T> all(count);
    take(all.data(), count * sizeof(T));
    return all;
  }

  /// After the last piece: everything was used, and is as it was written.
  void finish() {
    if (left_ != 0) throw damaged("it has bytes that belong to nothing");
    std::uint64_t stored = 0;
    file_.read(file_.size() - sizeof stored, &stored, sizeof stored);
    if (stored != sum_.value()) throw damaged("its checksum is wrong");
  }

  Error damaged(std::string const& why) const {
    return {440, "the token cache is damaged: " + why, {.file = file_.path().string()}, "nothing: it is made anew"};
  }

 private:
  static constexpr std::size_t piece = std::size_t{1} << 18;

  Error other(std::string const& why) const {
    return {441, "the token cache is out of date: " + why, {.file = file_.path().string()}, "nothing: it is made anew"};
  }
  void fill(char* out, std::size_t size) {
    file_.read(at_, out, size);
    sum_.add(out, size);
    at_ += size;
  }

  InputFile file_;
  Xxh64 sum_;
  std::uint64_t at_ = 0, left_ = 0;
  std::vector<char> buffer_{};
  std::size_t next_ = 0;  // in the buffer
};

/// Puts a payload into a file, and its checksum behind it.
class TokenCacheWriter {
 public:
  TokenCacheWriter(std::filesystem::path const& path, TokenCacheKey const& key, std::uint64_t payload)
      : file_(path, sizeof(TokenCacheHeader) + payload + sizeof(std::uint64_t)) {
    TokenCacheHeader header;
    header.key = key;
    header.payload = payload;
    header.checksum = header.sum();
    put(&header, sizeof header);
  }

  void put(void const* data, std::size_t size) {
    sum_.add(data, size);
    if (buffer_.size() + size > piece) flush();
    if (size > piece) return file_.write(data, size);
    auto const* const bytes = static_cast<char const*>(data);
    buffer_.insert(buffer_.end(), bytes, bytes + size);
  }

  void commit() {
    std::uint64_t const sum = sum_.value();
    put(&sum, sizeof sum);
    flush();
    file_.commit();
  }

 private:
  static constexpr std::size_t piece = std::size_t{1} << 20;

  void flush() {
    if (!buffer_.empty()) file_.write(buffer_.data(), buffer_.size());
    buffer_.clear();
  }

  AtomicFile file_;
  Xxh64 sum_;
  std::vector<char> buffer_{};
};

/// Only counts: the size of a payload.
struct TokenCacheSize {
  std::uint64_t bytes = 0;
  void put(void const*, std::size_t size) { bytes += size; }
};

/// Gives the payload to `sink.put(data, size)`, piece by piece.
template <class Sink>
void put_token_cache(Sink& sink, data::Imdb const& all, bool small_ids) {
  auto const number = [&sink](std::uint64_t value) { sink.put(&value, sizeof value); };
  auto const list = [&sink](auto const& values) { sink.put(values.data(), values.size() * sizeof(values[0])); };
  auto const text = [&](std::string const& value) {
    number(value.size());
    sink.put(value.data(), value.size());
  };
  number(all.problems.size());
  for (data::Problem const& problem : all.problems) text(problem.file), text(problem.reason);
  for (data::Dataset const* set : {&all.train, &all.test}) {
    number(set->size());
    number(set->labels.size());
    for (data::LabelColumn const& column : set->labels) {
      text(column.name);
      list(column.values);
    }
    for (std::vector<std::string> const* strings : {&set->sources, &set->texts}) {
      for (std::string const& value : *strings) number(value.size());
      for (std::string const& value : *strings) sink.put(value.data(), value.size());
    }
    list(set->tokens.offsets);
    number(small_ids ? 2 : 4);
    if (!small_ids) {
      list(set->tokens.tokens);
      continue;
    }
    std::vector<std::uint16_t> ids(std::min<std::size_t>(set->tokens.tokens.size(), 1 << 16));
    for (std::size_t begin = 0; begin < set->tokens.tokens.size(); begin += ids.size()) {
      auto const some = std::span(set->tokens.tokens).subspan(begin);
      ids.resize(std::min(ids.size(), some.size()));
      for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::uint16_t>(some[i]);
      list(ids);
    }
  }
}

HONE_INLINE std::uint64_t write_token_cache(std::filesystem::path const& path, TokenCacheKey const& key,
                                            data::Imdb const& all) {
  bool small_ids = true;
  for (data::Dataset const* set : {&all.train, &all.test})
    for (std::int32_t const id : set->tokens.tokens) small_ids = small_ids && id >= 0 && id <= 0xffff;
  TokenCacheSize size;
  put_token_cache(size, all, small_ids);
  TokenCacheWriter file(path, key, size.bytes);
  put_token_cache(file, all, small_ids);
  file.commit();
  return size.bytes;
}

inline data::Dataset read_cached_set(TokenCacheReader& file, std::int32_t vocabulary_size) {
  data::Dataset set;
  // An example takes three numbers of 8 bytes at least: two lengths and an offset.
  std::size_t const examples = file.count(24), columns = file.count(8 + 8 * std::uint64_t{examples});
  for (std::size_t k = 0; k < columns; ++k) {
    set.labels.emplace_back();
    set.labels.back().name = file.text(file.count(1));
    set.labels.back().values = file.numbers<double>(examples);
  }
  for (std::vector<std::string>* strings : {&set.sources, &set.texts}) {
    auto const lengths = file.numbers<std::uint64_t>(examples);
    strings->reserve(examples);
    for (std::uint64_t const length : lengths) strings->push_back(file.text(length));
  }
  set.tokens.offsets = file.numbers<std::int64_t>(examples + 1);
  auto const& offsets = set.tokens.offsets;
  if (offsets.front() != 0 || !std::is_sorted(offsets.begin(), offsets.end())) throw file.damaged("its offsets are none");
  std::size_t const width = file.count(0);
  auto const tokens = static_cast<std::size_t>(offsets.back());
  auto& ids = set.tokens.tokens;
  if (width == 4) {
    ids = file.numbers<std::int32_t>(tokens);
  } else if (width == 2) {
    auto const small = file.numbers<std::uint16_t>(tokens);
    ids.assign(small.begin(), small.end());
  } else {
    throw file.damaged("its ids have no known width");
  }
  for (std::int32_t const id : ids)
    if (id < 0 || id >= vocabulary_size) throw file.damaged("it has an id that the tokenizer does not have");
  return set;
}

HONE_INLINE data::Imdb read_token_cache(std::filesystem::path const& path, TokenCacheKey const& key,
                                        std::int32_t vocabulary_size) {
  TokenCacheReader file(path, key);
  data::Imdb all;
  std::size_t const problems = file.count(16);
  for (std::size_t i = 0; i < problems; ++i) {
    all.problems.emplace_back();
    all.problems.back().file = file.text(file.count(1));
    all.problems.back().reason = file.text(file.count(1));
  }
  all.train = read_cached_set(file, vocabulary_size);
  all.test = read_cached_set(file, vocabulary_size);
  file.finish();
  return all;
}

#endif

}  // namespace hone::detail
