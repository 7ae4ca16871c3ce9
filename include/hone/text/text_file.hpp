#pragma once

#include "hone/core/error.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace hone::detail {

/// A file descriptor that closes itself.
class TextFileDescriptor {
 public:
  explicit TextFileDescriptor(int descriptor) : descriptor_(descriptor) {}
  TextFileDescriptor(TextFileDescriptor const&) = delete;
  TextFileDescriptor& operator=(TextFileDescriptor const&) = delete;
  ~TextFileDescriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  int get() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

/// The whole of a regular file. E302 when it cannot be read, E303 when it is larger than `limit` bytes.
/// What is not a regular file (a folder, a pipe) is refused before anything is read, so nothing hangs.
inline std::string read_text_file(std::filesystem::path const& path, std::uint64_t limit = std::uint64_t{1} << 26) {
  auto const fail = [&path](std::string const& why) -> Error {
    return {302, "cannot read this tokenizer file: " + why, {.file = path.string()}, "check the path and its permissions"};
  };
  auto const reason = [](int code) { return std::error_code(code, std::generic_category()).message(); };
  TextFileDescriptor const file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (file.get() < 0) throw fail(reason(errno));
  struct stat about {};
  if (::fstat(file.get(), &about) != 0) throw fail(reason(errno));
  if (!S_ISREG(about.st_mode)) throw fail("it is not a regular file");
  auto const size = static_cast<std::uint64_t>(about.st_size);
  if (size > limit) {
    throw Error(303, "this file is too large for a tokenizer file",
                {.file = path.string(), .value = std::to_string(size) + " bytes", .allowed = std::to_string(limit)},
                "check that the path names a vocab.txt or tokenizer.json");
  }
  std::string text(static_cast<std::size_t>(size), '\0');
  std::size_t filled = 0;
  while (filled < text.size()) {
    ::ssize_t const got = ::read(file.get(), text.data() + filled, text.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw fail(reason(errno));
    if (got == 0) throw fail("it became shorter while it was read");
    filled += static_cast<std::size_t>(got);
  }
  return text;
}

/// Writes `text` so that `path` holds either what it held before or all of `text`: temporary file, fsync, rename.
/// E701 when the disk is full, E313 otherwise. (io/atomic_file.hpp does more; text/ stands on core/ alone.)
inline void write_text_file(std::filesystem::path const& path, std::string_view text) {
  std::filesystem::path const temporary = path.string() + ".tmp-" + std::to_string(::getpid());
  auto const fail = [&](char const* doing, int code) -> Error {
    ::unlink(temporary.c_str());
    std::string const why = std::string(doing) + " failed: " + std::error_code(code, std::generic_category()).message();
    if (code == ENOSPC || code == EDQUOT) {
      return {701,
              "the disk is full while saving the tokenizer",
              {.file = path.string()},
              "make room or choose another folder; a file that was there before is unchanged"};
    }
    return {313,
            "cannot save the tokenizer: " + why,
            {.file = path.string()},
            "check that the folder exists and may be written to; a file that was there before is unchanged"};
  };
  TextFileDescriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (file.get() < 0) throw fail("creating the file", errno);
  while (!text.empty()) {
    ::ssize_t const put = ::write(file.get(), text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) throw fail("writing", put < 0 ? errno : ENOSPC);
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  if (::fsync(file.get()) != 0) throw fail("writing to the disk", errno);
  if (::close(file.release()) != 0) throw fail("closing", errno);
  if (::rename(temporary.c_str(), path.c_str()) != 0) throw fail("renaming", errno);
}

}  // namespace hone::detail
