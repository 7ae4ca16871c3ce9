// Reading files: only regular files, never more than asked for, no memory mapping (a file cut short while it is mapped
// would kill the process).
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"

namespace hone {

namespace detail {

static_assert(sizeof(off_t) == 8, "files above 2 GiB: compile with -D_FILE_OFFSET_BITS=64");

/// A text from a file made safe for a terminal and short: bytes that are not printable ASCII become \xNN.
std::string printable(std::string_view text, std::size_t limit = 100);

std::string errno_text(int code);

/// No single read or write asks for more: Linux stops at 2 GiB, other systems fail.
inline constexpr std::size_t largest_transfer = std::size_t{1} << 30;

#if HONE_BODIES

HONE_INLINE std::string printable(std::string_view text, std::size_t limit) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == limit) return out + "...";
    auto const c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c < 0x7f) {
      out += text[i];
    } else {
      out += "\\x";
      out += digits[c >> 4];
      out += digits[c & 15];
    }
  }
  return out;
}

HONE_INLINE std::string errno_text(int code) {
  return std::string(std::strerror(code)) + " (errno " + std::to_string(code) + ")";
}

#endif

}  // namespace detail

/// A regular file that is open for reading at any position. A directory, pipe or device is an error, not a hang.
///
/// Errors: E201 no such file, E202 permission denied, E203 not a regular file, E205 any other failure of the system,
/// E206 the file ends before the bytes that were asked for.
class InputFile {
 public:
  explicit InputFile(std::filesystem::path path);

  InputFile(InputFile&& other) noexcept
      : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_) {}
  InputFile& operator=(InputFile&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(descriptor_, other.descriptor_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~InputFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  /// Bytes in the file when it was opened.
  std::uint64_t size() const noexcept { return size_; }
  std::filesystem::path const& path() const noexcept { return path_; }

  /// Reads exactly `count` bytes from `offset` on. Safe to call from several threads.
  void read(std::uint64_t offset, void* out, std::size_t count) const;

  /// Reads up to `count` bytes from `offset` on and returns how many there were before the end of the file.
  std::size_t read_some(std::uint64_t offset, void* out, std::size_t count) const;

 private:
  static std::string kind(mode_t mode);

  Error open_error(int code) const;
  Error system_error(int code) const;

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

/// The whole content of a regular file of at most `max_bytes` bytes.
///
/// Errors: those of InputFile, E204 the file is larger than `max_bytes` (nothing is allocated then).
std::string read_file(std::filesystem::path const& path, std::uint64_t max_bytes);

#if HONE_BODIES

HONE_INLINE InputFile::InputFile(std::filesystem::path path) : path_(std::move(path)) {
  do {  // O_NONBLOCK: opening a pipe must not wait for a writer
    descriptor_ = ::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  } while (descriptor_ < 0 && errno == EINTR);
  if (descriptor_ < 0) throw open_error(errno);
  struct stat about {};
  int const failed = ::fstat(descriptor_, &about) != 0 ? errno : 0;
  if (failed != 0 || !S_ISREG(about.st_mode)) {
    ::close(descriptor_);
    if (failed != 0) throw system_error(failed);
    throw Error(203, "not a regular file",
                {.file = path_.string(), .value = kind(about.st_mode), .allowed = "a regular file"},
                "give the path of a file, not of a folder, pipe or device");
  }
  size_ = static_cast<std::uint64_t>(about.st_size);
}

HONE_INLINE void InputFile::read(std::uint64_t offset, void* out, std::size_t count) const {
  std::size_t const got = read_some(offset, out, count);
  if (got == count) return;
  throw Error(206, "the file ends too early",
              {.file = path_.string(),
               .offset = static_cast<std::int64_t>(offset + got),
               .value = std::to_string(got) + " bytes",
               .allowed = std::to_string(count) + " bytes"},
              "check that the file is complete and that nothing else is writing it, then try again");
}

HONE_INLINE std::size_t InputFile::read_some(std::uint64_t offset, void* out, std::size_t count) const {
  auto* const bytes = static_cast<char*>(out);
  std::size_t done = 0;
  while (done < count) {
    std::size_t const want = std::min(count - done, detail::largest_transfer);
    ::ssize_t const got = ::pread(descriptor_, bytes + done, want, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw system_error(errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

HONE_INLINE std::string InputFile::kind(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

HONE_INLINE Error InputFile::open_error(int code) const {
  if (code == ENOENT || code == ENOTDIR)
    return Error(201, "there is no such file", {.file = path_.string()}, "check the path");
  if (code == EACCES || code == EPERM)
    return Error(202, "the file may not be read: permission denied", {.file = path_.string()},
                 "give yourself read permission, or choose another file");
  if (code == ENXIO)  // a socket, or a device without a driver
    return Error(203, "not a regular file", {.file = path_.string(), .allowed = "a regular file"},
                 "give the path of a file, not of a folder, pipe or device");
  return system_error(code);
}

HONE_INLINE Error InputFile::system_error(int code) const {
  return Error(205, "reading failed: " + detail::errno_text(code), {.file = path_.string()},
               "check the disk or the network file system, then try again");
}

HONE_INLINE std::string read_file(std::filesystem::path const& path, std::uint64_t max_bytes) {
  InputFile const file(path);
  auto refuse = [&](std::uint64_t size) {
    throw Error(204, "the file is larger than this kind of file may be",
                {.file = path.string(),
                 .value = std::to_string(size) + " bytes",
                 .allowed = "at most " + std::to_string(max_bytes) + " bytes"},
                "check that this is the file you meant");
  };
  if (file.size() > max_bytes) refuse(file.size());
  std::string content(static_cast<std::size_t>(file.size()), '\0');
  content.resize(file.read_some(0, content.data(), content.size()));
  // Files that report no size (in /proc) or that grow meanwhile: go on in small pieces, still bounded.
  char piece[4096];
  while (std::size_t const more = file.read_some(content.size(), piece, sizeof piece)) {
    if (content.size() + more > max_bytes) refuse(content.size() + more);
    content.append(piece, more);
  }
  return content;
}

#endif

}  // namespace hone
