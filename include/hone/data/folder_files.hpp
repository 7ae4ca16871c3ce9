// The files below a folder, and the limits that folders and archives share. Used through archive.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/data/dataset.hpp"

#if HONE_BODIES
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>
#include <utility>

#include "hone/core/error.hpp"
#endif

namespace hone::data {

/// How much `for_each_file` reads before it refuses, whatever the archive promises. Units: bytes.
struct FileLimits {
  std::int64_t file = std::int64_t{4} << 20;       ///< larger files are left out and reported
  std::int64_t kept = std::int64_t{4} << 30;       ///< all files given to the visitor together; more is E285
  std::int64_t unpacked = std::int64_t{64} << 30;  ///< everything that is unpacked, skipped files included; more is E285
};

}  // namespace hone::data

namespace hone::detail {

/// Whether a file of this name is wanted, and what is done with its name and content.
using FileFilter = std::function<bool(std::string_view)>;
using FileVisitor = std::function<void(std::string const&, std::string)>;

/// A list of problems that a hostile archive cannot grow without end: what is over the limit is counted only.
class ProblemList {
 public:
  void add(std::string file, std::string reason);

  std::vector<data::Problem> take();

 private:
  static constexpr std::size_t limit = 1000;
  std::vector<data::Problem> problems_;
  std::size_t more_ = 0;
};

/// Counts the bytes given to the visitor against the limit.
class KeptBytes {
 public:
  KeptBytes(std::filesystem::path const& path, data::FileLimits const& limits) : path_(path), limits_(limits) {}

  void add(std::size_t bytes);

 private:
  std::filesystem::path const& path_;
  data::FileLimits const& limits_;
  std::int64_t total_ = 0;
};

std::string too_large_reason(std::int64_t limit);

/// What a folder is in truth and, sorted, what lies in it. Throws E281 when it cannot be read.
struct FolderContent {
  std::filesystem::path real{};
  std::vector<std::filesystem::path> entries{};
  bool is_seen = false;  ///< it is one of `seen`, and was not read again
};
FolderContent read_folder(std::filesystem::path const& folder, std::vector<std::filesystem::path> const& seen);

/// Reads a regular file. False when it is left out, which `problems` then has, by its name.
bool read_kept_file(std::filesystem::path const& path, std::string const& name, std::int64_t limit, std::string& content,
                    ProblemList& problems);

/// The regular files below a folder, in the order of their names. Links are followed, each
/// folder once, so never in a circle. What is no regular file (a FIFO, a socket, a device) is never opened, so that
/// nothing hangs.
void for_each_file_of_folder(std::filesystem::path const& folder, std::string const& prefix, FileFilter const& wanted,
                             FileVisitor const& visit, data::FileLimits const& limits, KeptBytes& kept,
                             ProblemList& problems, std::vector<std::filesystem::path>& seen, std::size_t& files);

#if HONE_BODIES

HONE_INLINE void for_each_file_of_folder(std::filesystem::path const& folder, std::string const& prefix,
                                         FileFilter const& wanted, FileVisitor const& visit,
                                         data::FileLimits const& limits, KeptBytes& kept, ProblemList& problems,
                                         std::vector<std::filesystem::path>& seen, std::size_t& files) {
  namespace fs = std::filesystem;
  FolderContent const content = read_folder(folder, seen);
  if (content.is_seen) {
    problems.add(prefix, "a link to a folder that is read already under another name, not followed");
    return;
  }
  seen.push_back(content.real);
  for (auto const& entry : content.entries) {
    std::string const name = prefix + entry.filename().string();
    std::error_code failure;
    fs::file_status const status = fs::status(entry, failure);
    if (fs::is_directory(status)) {
      for_each_file_of_folder(entry, name + "/", wanted, visit, limits, kept, problems, seen, files);
      continue;
    }
    if (!fs::is_regular_file(status)) {
      if (wanted(std::string_view(name))) problems.add(name, "not a regular file, or a link to nothing; left out");
      continue;
    }
    ++files;
    if (!wanted(std::string_view(name))) continue;
    std::string text;
    if (!read_kept_file(entry, name, limits.file, text, problems)) continue;
    kept.add(text.size());
    visit(name, std::move(text));
  }
}

HONE_INLINE FolderContent read_folder(std::filesystem::path const& folder, std::vector<std::filesystem::path> const& seen) {
  namespace fs = std::filesystem;
  std::error_code failure;
  FolderContent content;
  content.real = fs::canonical(folder, failure);
  content.is_seen = !failure && std::find(seen.begin(), seen.end(), content.real) != seen.end();
  if (content.is_seen) return content;
  if (!failure) {
    fs::directory_iterator walk(folder, failure);
    for (; !failure && walk != fs::directory_iterator(); walk.increment(failure)) content.entries.push_back(walk->path());
  }
  if (failure)
    throw Error(281, "cannot read this folder: " + failure.message(), {.file = folder.string()},
                "make the folder readable, or name another");
  std::sort(content.entries.begin(), content.entries.end());
  return content;
}

HONE_INLINE bool read_kept_file(std::filesystem::path const& path, std::string const& name, std::int64_t limit,
                                std::string& content, ProblemList& problems) {
  std::ifstream in(path, std::ios::binary);
  std::array<char, 1 << 16> buffer;
  while (in && static_cast<std::int64_t>(content.size()) <= limit) {
    in.read(buffer.data(), buffer.size());
    content.append(buffer.data(), static_cast<std::size_t>(in.gcount()));
  }
  bool const is_large = static_cast<std::int64_t>(content.size()) > limit;
  if (is_large)
    problems.add(name, too_large_reason(limit));
  else if (!in.eof())
    problems.add(name, std::string("cannot be read, left out: ") + std::strerror(errno));
  return !is_large && in.eof();
}

HONE_INLINE void ProblemList::add(std::string file, std::string reason) {
  if (problems_.size() < limit)
    problems_.push_back({std::move(file), std::move(reason)});
  else
    ++more_;
}

HONE_INLINE std::vector<data::Problem> ProblemList::take() {
  if (more_ > 0) problems_.push_back({"", "and " + std::to_string(more_) + " more problems of this kind"});
  return std::move(problems_);
}

HONE_INLINE void KeptBytes::add(std::size_t bytes) {
  total_ += static_cast<std::int64_t>(bytes);
  if (total_ > limits_.kept)
    throw Error(285, "the files read are larger together than the limit",
                {.file = path_.string(), .allowed = std::to_string(limits_.kept) + " bytes"},
                "check that this is the data you meant, or raise FileLimits");
}

HONE_INLINE std::string too_large_reason(std::int64_t limit) {
  return "larger than " + std::to_string(limit) + " bytes, left out";
}

#endif

}  // namespace hone::detail
