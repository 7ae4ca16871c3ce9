// Writing files so that at every instant the path holds either the old content or the new one, whole.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/core/input_file.hpp"

namespace hone {

namespace detail {

/// The system calls that writing needs. Tests put in others that fail, cut writes short or end the process.
struct PosixCalls {
  static int open(char const* path, int flags, mode_t mode) { return ::open(path, flags, mode); }
  static ::ssize_t write(int descriptor, void const* data, std::size_t count) { return ::write(descriptor, data, count); }
  static int fsync(int descriptor) { return ::fsync(descriptor); }
  static int close(int descriptor) { return ::close(descriptor); }
  static int rename(char const* from, char const* to) { return ::rename(from, to); }
  static int unlink(char const* path) { return ::unlink(path); }
  /// Reserves blocks without changing the size. Systems without it say EOPNOTSUPP.
  static int reserve([[maybe_unused]] int descriptor, [[maybe_unused]] off_t bytes) {
#if defined(__linux__)
    return ::fallocate(descriptor, FALLOC_FL_KEEP_SIZE, 0, bytes);
#else
    errno = EOPNOTSUPP;
    return -1;
#endif
  }
};

/// The error for a failed system call while `path` is written. `bytes`: how many more the disk would have to hold.
Error write_error(int code, char const* doing, std::filesystem::path const& path, std::uint64_t bytes);

#if HONE_BODIES

HONE_INLINE Error write_error(int code, char const* doing, std::filesystem::path const& path, std::uint64_t bytes) {
  std::string const file = path.string();
  std::string const kept = "; a file that was there before is unchanged";
  if (code == ENOSPC || code == EDQUOT || code == EFBIG) {
    struct statvfs disk {};
    std::filesystem::path const folder = path.has_parent_path() ? path.parent_path() : ".";
    std::string free_bytes;
    if (code == ENOSPC && ::statvfs(folder.c_str(), &disk) == 0)
      free_bytes = std::to_string(static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize) + " bytes free";
    char const* const what = code == ENOSPC   ? "the disk is full"
                             : code == EDQUOT ? "the disk quota is used up"
                                              : "the file would be larger than the limit (ulimit -f, or the file system)";
    return Error(701, std::string(what) + " while " + doing,
                 {.file = file, .value = free_bytes, .allowed = std::to_string(bytes) + " bytes needed"},
                 "make room or choose another output folder" + kept);
  }
  if (code == EACCES || code == EPERM || code == EROFS)
    return Error(702, std::string(code == EROFS ? "the file system is read-only" : "permission denied") + " while " + doing,
                 {.file = file}, "give yourself write permission in that folder, or choose another" + kept);
  if (code == ENOENT || code == ENOTDIR)
    return Error(703, std::string("the folder does not exist while ") + doing, {.file = file},
                 "create the folder first, or correct the path");
  return Error(705, std::string(doing) + " failed: " + errno_text(code), {.file = file},
               "check the disk or the network file system, then try again" + kept);
}

#endif

}  // namespace detail

/// A file that appears under its name whole or not at all.
///
/// The bytes go to a temporary file in the same folder (`.NAME.tmp-PID-N`). `commit()` writes them to the disk, renames the
/// temporary file over the name and writes the folder to the disk. A writer that is destroyed before `commit()` removes its
/// temporary file; one that is killed leaves it, and the next writer of the same name removes it (a lock tells the dead
/// from the living). An existing file keeps its permissions. A symbolic link is replaced, not followed: what it points to
/// may be shared, as in download caches.
///
/// Errors: E701 disk full, E702 permission denied, E703 no such folder, E704 the path is not that of a regular file,
/// E705 any other failure of the system, E706 use after the end.
///
/// Writes are not buffered: give large pieces. `Calls` is for tests.
template <class Calls>
class BasicAtomicFile {
 public:
  /// @param final_path      the name that the file gets
  /// @param expected_bytes  its size, if known: a disk that is too full is then reported before anything is written
  explicit BasicAtomicFile(std::filesystem::path final_path, std::uint64_t expected_bytes = 0)
      : path_(std::move(final_path)), expected_bytes_(expected_bytes) {
    folder_ = path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
    mode_t const mode = check_target();
    remove_leftovers();
    create_temporary();
    try {
      if (mode != 0) ::fchmod(descriptor_, mode);  // best effort: the content matters more
      if (expected_bytes_ > 0 && Calls::reserve(descriptor_, static_cast<off_t>(expected_bytes_)) != 0) {
        int const code = errno;  // everything but a full disk: not every file system can reserve
        if (code == ENOSPC || code == EDQUOT || code == EFBIG)
          throw detail::write_error(code, "reserving space", path_, expected_bytes_);
      }
    } catch (...) {
      abandon();
      throw;
    }
  }

  BasicAtomicFile(BasicAtomicFile const&) = delete;
  BasicAtomicFile& operator=(BasicAtomicFile const&) = delete;
  ~BasicAtomicFile() { abandon(); }

  /// Appends `count` bytes. After an error the writer is of no further use.
  void write(void const* data, std::size_t count) {
    require_open();
    auto const* bytes = static_cast<char const*>(data);
    while (count > 0) {
      ::ssize_t const put = Calls::write(descriptor_, bytes, std::min(count, detail::largest_transfer));
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) {
        int const code = put < 0 ? errno : ENOSPC;  // a write of nothing: the device takes no more
        std::uint64_t const rest =
            std::max<std::uint64_t>(count, expected_bytes_ > written_ ? expected_bytes_ - written_ : 0);
        abandon();
        throw detail::write_error(code, "writing", path_, rest);
      }
      bytes += put;
      count -= static_cast<std::size_t>(put);
      written_ += static_cast<std::uint64_t>(put);
    }
  }
  void write(std::string_view text) { write(text.data(), text.size()); }

  /// Bytes written so far.
  std::uint64_t written() const noexcept { return written_; }

  /// Makes the content permanent under the final name. Only after this does anybody see it.
  void commit() {
    require_open();
    int code = 0;
    char const* doing = "writing to the disk";
    if (retry([&] { return Calls::fsync(descriptor_); }) != 0) code = errno;
    if (code == 0) {
      doing = "closing the file";
      // The lock must outlive the rename, and closing must be checked before it: hence two descriptors.
      lock_ = ::fcntl(descriptor_, F_DUPFD_CLOEXEC, 0);
      if (Calls::close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) code = errno;
    }
    if (code == 0) {
      doing = "renaming the finished file";
      if (Calls::rename(temporary_.c_str(), path_.c_str()) != 0) code = errno;
    }
    if (code != 0) {
      std::uint64_t const bytes = written_;
      abandon();
      throw detail::write_error(code, doing, path_, bytes);
    }
    temporary_.clear();  // from here on the new file is in place
    release_lock();
    sync_folder();
  }

 private:
  /// Permissions of the file to be replaced, 0 if there is none.
  mode_t check_target() const {
    struct stat about {};
    bool const named = path_.has_filename() && path_.filename() != "." && path_.filename() != "..";
    bool const exists = ::stat(path_.c_str(), &about) == 0;  // follows links: /dev/stdout is a link to a device
    if (!named || (exists && !S_ISREG(about.st_mode)))
      throw Error(704, "cannot write here: not the name of a regular file", {.file = path_.string()},
                  "give the path of a file, not of a folder, pipe or device");
    return exists ? (about.st_mode & 07777) : 0;
  }

  std::string temporary_prefix() const {
    std::string prefix(1, '.');
    prefix.append(path_.filename().string(), 0, 128);  // names end at 255 bytes
    return prefix.append(".tmp-");
  }

  void create_temporary() {
    static std::atomic<unsigned long> counter{0};
    for (int attempt = 0;; ++attempt) {
      temporary_ = folder_ / (temporary_prefix() + std::to_string(::getpid()) + "-" + std::to_string(counter++));
      int const flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
      if (retry([&] { return descriptor_ = Calls::open(temporary_.c_str(), flags, 0666); }) < 0) {
        if (errno == EEXIST && attempt < 1000) continue;
        int const code = errno;
        temporary_.clear();
        throw detail::write_error(code, "creating a file", path_, std::max<std::uint64_t>(expected_bytes_, 1));
      }
      // Another writer may have taken this file for a leftover between open and flock: then take the next name.
      struct stat about {};
      bool const locked = ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
      if (locked && ::fstat(descriptor_, &about) == 0 && about.st_nlink > 0) return;
      Calls::close(std::exchange(descriptor_, -1));
    }
  }

  /// Removes temporary files of writers of this name that no longer live. What cannot be removed is left in peace.
  void remove_leftovers() const {
    std::string const prefix = temporary_prefix();
    std::error_code ignored;
    for (std::filesystem::directory_iterator entry(folder_, ignored), end; !ignored && entry != end;
         entry.increment(ignored)) {
      std::string const name = entry->path().filename().string();
      if (name.compare(0, prefix.size(), prefix) != 0) continue;
      if (name.find_first_not_of("0123456789-", prefix.size()) != std::string::npos) continue;
      int const leftover = ::open(entry->path().c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
      if (leftover < 0) continue;
      struct stat about {};
      if (::fstat(leftover, &about) == 0 && S_ISREG(about.st_mode) && ::flock(leftover, LOCK_EX | LOCK_NB) == 0)
        ::unlink(entry->path().c_str());
      ::close(leftover);
    }
  }

  void sync_folder() {
    int const folder = retry([&] { return Calls::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0); });
    if (folder < 0) {
      if (errno == EACCES) return;  // a folder that may be written but not read
      throw detail::write_error(errno, "opening the folder (the new file is in place)", path_, 0);
    }
    int code = retry([&] { return Calls::fsync(folder); }) != 0 ? errno : 0;
    if (code == EINVAL || code == ENOTSUP) code = 0;  // file systems that cannot sync a folder
    Calls::close(folder);
    if (code != 0) throw detail::write_error(code, "writing the folder to the disk (the new file is in place)", path_, 0);
  }

  template <class Call>
  static int retry(Call call) {
    int result;
    do result = call();
    while (result < 0 && errno == EINTR);
    return result;
  }

  void require_open() const {
    if (descriptor_ < 0)
      throw Error(706, "the file is already committed or has failed", {.file = path_.string()}, "open a new AtomicFile");
  }

  void release_lock() noexcept {
    if (lock_ >= 0) ::close(std::exchange(lock_, -1));
  }

  void abandon() noexcept {
    if (!temporary_.empty()) Calls::unlink(temporary_.c_str());
    temporary_.clear();
    if (descriptor_ >= 0) Calls::close(std::exchange(descriptor_, -1));
    release_lock();
  }

  std::filesystem::path path_, folder_, temporary_;
  std::uint64_t expected_bytes_ = 0, written_ = 0;
  int descriptor_ = -1;
  int lock_ = -1;
};

/// The writer to use: see BasicAtomicFile.
using AtomicFile = BasicAtomicFile<detail::PosixCalls>;

/// Replaces the file at `path` by `content`, whole or not at all. Errors: those of BasicAtomicFile.
void write_file_atomically(std::filesystem::path const& path, std::string_view content);

#if HONE_BODIES

HONE_INLINE void write_file_atomically(std::filesystem::path const& path, std::string_view content) {
  AtomicFile file(path, content.size());
  file.write(content);
  file.commit();
}

#endif

}  // namespace hone
