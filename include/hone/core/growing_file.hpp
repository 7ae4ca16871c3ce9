// Logs that grow piece by piece: each piece whole or not at all, one process at a time.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <utility>

#include "hone/core/atomic_file.hpp"
#include "hone/core/config.hpp"
#include "hone/core/error.hpp"

namespace hone {

/// A log on the disk: a file that one process adds to, piece by piece. A piece is with the system when `add` returns, or it
/// is not in the file at all.
///
/// Errors: E701 disk full, E702 permission denied, E703 no such folder, E705 any other failure of the system, E708 another
/// process writes to it.
class GrowingFile {
 public:
  /// Opens or makes the file; what is in it stays.
  explicit GrowingFile(std::filesystem::path path);
  GrowingFile(GrowingFile const&) = delete;
  GrowingFile& operator=(GrowingFile const&) = delete;
  ~GrowingFile() { ::close(descriptor_); }

  std::filesystem::path const& path() const noexcept { return path_; }
  /// Bytes in the file.
  std::uint64_t size() const;
  /// Adds a piece at the end. Where it does not fit, the file ends as before.
  /// @param doing  for the message of an error: "adding a line"
  void add(std::string_view piece, char const* doing);
  /// Cuts off everything from byte `end` on.
  void cut(std::uint64_t end);

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

#if HONE_BODIES

HONE_INLINE GrowingFile::GrowingFile(std::filesystem::path path) : path_(std::move(path)) {
  do descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  while (descriptor_ < 0 && errno == EINTR);
  if (descriptor_ < 0) throw detail::write_error(errno, "creating a file", path_, 1);
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(descriptor_);
    throw Error(708, "another process is writing to this file", {.file = path_.string()},
                "wait until it has ended, or choose another output folder");
  }
}

HONE_INLINE std::uint64_t GrowingFile::size() const {
  struct stat about {};
  if (::fstat(descriptor_, &about) != 0) throw detail::write_error(errno, "measuring a file", path_, 1);
  return static_cast<std::uint64_t>(about.st_size);
}

HONE_INLINE void GrowingFile::add(std::string_view piece, char const* doing) {
  std::uint64_t const before = size();
  for (std::string_view rest = piece; !rest.empty();) {
    auto const put = ::write(descriptor_, rest.data(), rest.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) {
      int const code = put < 0 ? errno : ENOSPC;
      [[maybe_unused]] int const taken_back = ::ftruncate(descriptor_, static_cast<off_t>(before));
      throw detail::write_error(code, doing, path_, piece.size());
    }
    rest.remove_prefix(static_cast<std::size_t>(put));
  }
}

HONE_INLINE void GrowingFile::cut(std::uint64_t end) {
  if (::ftruncate(descriptor_, static_cast<off_t>(end)) != 0) throw detail::write_error(errno, "cutting a file", path_, 1);
}

#endif

}  // namespace hone
