#pragma once

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
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
std::string read_text_file(std::filesystem::path const& path, std::uint64_t limit = std::uint64_t{1} << 26);

#if HONE_BODIES

HONE_INLINE std::string read_text_file(std::filesystem::path const& path, std::uint64_t limit) {
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

#endif

}  // namespace hone::detail
