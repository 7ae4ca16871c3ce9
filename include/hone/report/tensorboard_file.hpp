// The event files that TensorBoard reads: framed records, each with checksums. A torn end is found and cut off.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/crc32c.hpp"
#include "hone/core/error.hpp"
#include "hone/core/growing_file.hpp"
#include "hone/core/input_file.hpp"

namespace hone {
namespace detail::tensorboard {

// record := length (uint64), masked CRC-32C of the length (uint32), bytes, masked CRC-32C of the bytes (uint32);
// little-endian.
inline constexpr std::uint64_t record_header = 12, record_footer = 4;

inline void append_little_endian(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = 0; shift < 8 * bytes; shift += 8) out += static_cast<char>(value >> shift);
}
inline std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) value |= std::uint64_t{static_cast<std::uint8_t>(bytes[i])} << 8 * i;
  return value;
}

/// Appends one record to `out`.
void frame_record(std::string& out, std::string_view payload);

/// What a scan found.
struct ScannedFile {
  std::uint64_t size = 0;  ///< of the file
  std::uint64_t end = 0;   ///< of the last whole record; less than size: the rest is torn
  std::int64_t records = 0;
};

/// Reads records from the start of a file.
class FileScanner {
 public:
  explicit FileScanner(InputFile const& file) : file_(file) {}

  /// Calls body(payload) for each whole record, in order. Errors: E741 damage that is followed by a whole record (so that it
  /// is no torn end), those of InputFile.
  template <class Body>
  ScannedFile scan(Body&& body) {
    ScannedFile found;
    found.size = file_.size();
    std::string payload;
    while (read_record(found.end, payload)) {
      body(std::string_view(payload));
      found.end += record_header + payload.size() + record_footer;
      ++found.records;
    }
    for (std::uint64_t at = found.end + 1; at + record_header + record_footer <= found.size; ++at)
      if (has_header(at) && read_record(at, payload))
        throw Error(741, "an event file is damaged inside, not at its end",
                    {.file = file_.path().string(),
                     .offset = static_cast<std::int64_t>(found.end),
                     .value = "a whole record follows at byte " + std::to_string(at)},
                    "fetch the file again if it is a copy, or move it away; TensorBoard shows what is before the damage");
    return found;
  }

 private:
  /// A piece of the file, read in blocks: damage is searched byte by byte.
  std::string_view bytes(std::uint64_t at, std::size_t count) {
    if (at < block_begin_ || at + count > block_begin_ + block_.size()) {
      block_.resize(std::max<std::size_t>(count, 1 << 16));
      block_.resize(file_.read_some(at, block_.data(), block_.size()));
      block_begin_ = at;
    }
    return std::string_view(block_).substr(static_cast<std::size_t>(at - block_begin_), count);
  }
  bool has_header(std::uint64_t at) {
    auto const header = bytes(at, record_header);
    return header.size() == record_header && masked_crc32c(header.substr(0, 8)) == little_endian(header.substr(8));
  }
  /// Whether a whole record is there. A length is believed only as far as the file reaches.
  bool read_record(std::uint64_t at, std::string& payload) {
    if (!has_header(at)) return false;
    std::uint64_t const length = little_endian(bytes(at, 8)), rest = file_.size() - at - record_header;
    if (rest < record_footer || length > rest - record_footer) return false;
    payload.resize(static_cast<std::size_t>(length));
    char footer[record_footer];
    if (file_.read_some(at + record_header, payload.data(), payload.size()) != payload.size()) return false;
    if (file_.read_some(at + record_header + length, footer, sizeof footer) != sizeof footer) return false;
    return masked_crc32c(payload) == little_endian({footer, sizeof footer});
  }

  InputFile const& file_;
  std::string block_{};
  std::uint64_t block_begin_ = 0;
};

/// A file that grows by records. Records are held back until `flush`; they go to the system whole, or not at all.
///
/// Errors: E701 disk full, E702 permission denied, E703 no such folder, E705 any other failure of the system, E708 another
/// process writes to it; `append`: also E741.
class EventFile {
 public:
  enum class Open { fresh, append };

  /// fresh: what was there is gone. append: a torn end is cut off.
  explicit EventFile(std::filesystem::path path, Open how = Open::fresh) : file_(std::move(path)) {
    if (how == Open::fresh) {
      file_.cut(0);
      return;
    }
    InputFile const file(file_.path());
    auto const found = FileScanner(file).scan([](std::string_view) {});
    torn_ = found.size - found.end;
    file_.cut(found.end);
  }
  EventFile(EventFile const&) = delete;
  EventFile& operator=(EventFile const&) = delete;
  ~EventFile() {
    try {
      flush();
    } catch (...) {  // nobody is left who could be told
    }
  }

  void add(std::string_view payload) {
    frame_record(held_back_, payload);
    if (held_back_.size() >= (1 << 18)) flush();
  }
  /// All records are with the system when it returns. Where they do not fit, those of this flush are lost.
  void flush() { file_.add(std::exchange(held_back_, {}), "adding records"); }

  std::filesystem::path const& path() const noexcept { return file_.path(); }
  std::uint64_t torn() const noexcept { return torn_; }  ///< bytes of a torn end that were cut off

 private:
  GrowingFile file_;
  std::uint64_t torn_ = 0;
  std::string held_back_{};
};

bool is_event_file(std::filesystem::path const& path);

#if HONE_BODIES

HONE_INLINE void frame_record(std::string& out, std::string_view payload) {
  std::string length;
  append_little_endian(length, payload.size(), 8);
  out += length;
  append_little_endian(out, masked_crc32c(length), 4);
  out += payload;
  append_little_endian(out, masked_crc32c(payload), 4);
}

HONE_INLINE bool is_event_file(std::filesystem::path const& path) {
  return path.filename().string().rfind("events.out.tfevents.", 0) == 0;
}

#endif

}  // namespace detail::tensorboard

/// A file that was looked at after its run was killed.
struct EventFileRepair {
  std::filesystem::path file{};
  std::uint64_t bytes_cut = 0;
};

/// Cuts the torn ends off the event files in a folder (that of a run, or its tensorboard/), sorted by name. Files that
/// another process is writing are left alone and not listed. Errors: E741 a file is damaged inside (it is left as it is),
/// E70x.
std::vector<EventFileRepair> repair_event_files(std::filesystem::path const& folder);

#if HONE_BODIES

HONE_INLINE std::vector<EventFileRepair> repair_event_files(std::filesystem::path const& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code ignored;
  for (auto const& inside : {folder, folder / "tensorboard"})
    for (auto const& entry : std::filesystem::directory_iterator(inside, ignored))
      if (detail::tensorboard::is_event_file(entry.path()) && entry.is_regular_file(ignored)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<EventFileRepair> repairs;
  for (auto const& file : files) {
    try {
      detail::tensorboard::EventFile const opened(file, detail::tensorboard::EventFile::Open::append);
      repairs.push_back({file, opened.torn()});
    } catch (Error const& error) {
      if (error.number() != 708) throw;
    }
  }
  return repairs;
}

#endif

}  // namespace hone
