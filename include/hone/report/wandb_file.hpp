// The log of a Weights & Biases run: a file of framed records, each with a checksum. A torn end is found and cut off.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "hone/core/config.hpp"
#include "hone/core/crc32.hpp"
#include "hone/core/error.hpp"
#include "hone/core/growing_file.hpp"
#include "hone/core/input_file.hpp"

namespace hone::detail::wandb {

// file := header block*, blocks of 32 KiB counted from the start of the file; a block is a sequence of
// chunk := checksum (uint32: CRC-32 of type and bytes), length (uint16), type (uint8), bytes; all little-endian.
// A record is one chunk (full) or several (first, middle..., last). What is too small for a chunk's seven bytes is zeros.
inline constexpr std::uint64_t block_size = 32768, chunk_header = 7;
inline constexpr std::string_view file_header{":W&B\xe1\xbe\x00", 7};
enum ChunkType : std::uint8_t { full = 1, first = 2, middle = 3, last = 4 };

/// What a scan found.
struct ScannedFile {
  std::uint64_t size = 0;  ///< of the file
  std::uint64_t end = 0;   ///< of the last whole record; less than size: the rest is torn. 0: not even the header is whole
  std::int64_t records = 0;
};

/// Reads a log chunk by chunk.
class FileScanner {
 public:
  explicit FileScanner(InputFile const& file) : file_(file) {}

  /// Calls body(begin, payload) for each whole record, in order; `begin` is where the record starts in the file.
  ///
  /// Errors: E746 not the log of a run, E747 damage that is followed by whole chunks (it is no torn end), those of
  /// InputFile.
  template <class Body>
  ScannedFile scan(Body&& body) {
    ScannedFile found;
    found.size = file_.size();
    if (!read_header()) return found;
    found.end = chunk_header;
    std::string record;
    std::uint64_t begin = 0;
    bool open = false;  // a record of several chunks is being read
    for (std::uint64_t position = found.end;;) {
      std::uint64_t const left = block_size - position % block_size;
      if (left < chunk_header) position += left;
      if (position >= found.size) return found;
      auto const chunk = read_chunk(position);
      bool const starts = chunk.type == full || chunk.type == first;
      if (chunk.type == 0 || starts == open) {
        refuse_damage_inside(position, chunk.type == 0 ? position + 1 : position);
        return found;
      }
      if (starts) record.clear(), begin = position;
      record += chunk.bytes;
      position += chunk_header + chunk.bytes.size();
      open = chunk.type == first || chunk.type == middle;
      if (open) continue;
      body(begin, std::string_view(record));
      found.end = position;
      ++found.records;
    }
  }

 private:
  struct Chunk {
    std::uint8_t type = 0;  ///< 0: no whole chunk is here
    std::string_view bytes{};
  };

  bool read_header() {
    std::string start(file_header.size(), '\0');
    start.resize(file_.read_some(0, start.data(), start.size()));
    if (start == file_header) return true;
    if (file_header.substr(0, start.size()) == start) return false;  // torn while it was made
    throw Error(746, "not the log of a Weights & Biases run",
                {.file = file_.path().string(),
                 .offset = 0,
                 .value = "begins with " + printable(start),
                 .allowed = ":W&B and version 0"},
                "give the run-ID.wandb of a run");
  }

  Chunk read_chunk(std::uint64_t position) {
    std::uint64_t const block = position / block_size, at = position % block_size;
    if (block != block_) {
      bytes_.resize(block_size);
      bytes_.resize(file_.read_some(block * block_size, bytes_.data(), bytes_.size()));
      block_ = block;
    }
    if (at + chunk_header > bytes_.size()) return {};
    auto byte = [&](std::uint64_t i) { return static_cast<std::uint8_t>(bytes_[static_cast<std::size_t>(at + i)]); };
    std::uint64_t const length = byte(4) | std::uint64_t{byte(5)} << 8;
    std::uint8_t const type = byte(6);
    if (type < full || type > last || at + chunk_header + length > bytes_.size()) return {};
    std::string_view const typed = std::string_view(bytes_).substr(static_cast<std::size_t>(at + 6), 1 + length);
    Crc32 crc;
    crc.add(typed);
    if (crc.value() != (byte(0) | std::uint32_t{byte(1)} << 8 | std::uint32_t{byte(2)} << 16 | std::uint32_t{byte(3)} << 24))
      return {};
    return {type, typed.substr(1)};
  }

  /// A torn end is followed by nothing. Where a whole chunk follows, something else happened, and cutting would lose it.
  void refuse_damage_inside(std::uint64_t damaged, std::uint64_t from) {
    auto const rest_of_block = (damaged / block_size + 1) * block_size;
    for (std::uint64_t position = from; position < file_.size();) {
      if (read_chunk(position).type != 0)
        throw Error(747, "the log of a Weights & Biases run is damaged inside, not at its end",
                    {.file = file_.path().string(),
                     .offset = static_cast<std::int64_t>(damaged),
                     .value = "a whole record follows at byte " + std::to_string(position)},
                    "fetch the file again if it is a copy; wandb sync uploads what is before the damage");
      // Later blocks have a chunk at their start at least.
      position = position + 1 < rest_of_block ? position + 1 : (position / block_size + 1) * block_size;
    }
  }

  InputFile const& file_;
  std::uint64_t block_ = ~std::uint64_t{0};
  std::string bytes_{};
};

/// Appends the chunks of one record to `out`, as they lie in a file whose size is `position` before them.
void frame_record(std::string& out, std::uint64_t position, std::string_view payload);

/// The log of a run, open for writing. A record is with the system when `add` returns; one that does not fit is taken back.
///
/// Errors: E701 disk full, E702 permission denied, E703 no such folder, E705 any other failure of the system,
/// E708 another process writes to it; `append`: also E746 and E747.
class LogFile {
 public:
  enum class Open { fresh, append };

  /// fresh: what was there is gone. append: a torn end is cut off; the file is made where there is none.
  explicit LogFile(std::filesystem::path path, Open how = Open::fresh) : file_(std::move(path)) {
    if (how == Open::append) {
      InputFile const file(file_.path());
      auto const found = FileScanner(file).scan([](std::uint64_t, std::string_view) {});
      records_ = found.records;
      torn_ = found.size - found.end;
      cut(found.end);
    } else {
      cut(0);
    }
    if (size_ == 0) write(file_header);
  }

  /// Adds one record. (An empty one is sound in the file, but `wandb sync` ends at it.)
  void add(std::string_view payload) {
    buffer_.clear();
    frame_record(buffer_, size_, payload);
    write(buffer_);
    ++records_;
  }

  /// Cuts off everything from byte `end` on, which has to be the end of a record (or 0).
  void cut(std::uint64_t end) {
    file_.cut(end);
    size_ = end;
  }

  std::uint64_t size() const noexcept { return size_; }
  std::int64_t records() const noexcept { return records_; }  ///< whole ones that were found, and those added
  std::uint64_t torn() const noexcept { return torn_; }       ///< bytes of a torn end that were cut off
  std::filesystem::path const& path() const noexcept { return file_.path(); }

 private:
  void write(std::string_view bytes) {
    file_.add(bytes, "adding a record");
    size_ += bytes.size();
  }

  GrowingFile file_;
  std::uint64_t size_ = 0, torn_ = 0;  // what a record looks like depends on where it begins
  std::int64_t records_ = 0;
  std::string buffer_{};
};

#if HONE_BODIES

HONE_INLINE void frame_record(std::string& out, std::uint64_t position, std::string_view payload) {
  bool begun = false;
  for (;;) {
    std::uint64_t left = block_size - position % block_size;
    if (left < chunk_header) {
      out.append(static_cast<std::size_t>(left), '\0');
      position += left;
      left = block_size;
    }
    auto const bytes = payload.substr(0, static_cast<std::size_t>(left - chunk_header));
    bool const ends = bytes.size() == payload.size();
    std::uint8_t const type = begun ? (ends ? last : middle) : (ends ? full : first);
    std::string const type_byte(1, static_cast<char>(type));
    Crc32 crc;
    crc.add(type_byte);
    crc.add(bytes);
    for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(crc.value() >> shift);
    for (int shift = 0; shift < 16; shift += 8) out += static_cast<char>(bytes.size() >> shift);
    out += type_byte;
    out += bytes;
    position += chunk_header + bytes.size();
    payload.remove_prefix(bytes.size());
    begun = true;
    if (ends) return;
  }
}

#endif

}  // namespace hone::detail::wandb
