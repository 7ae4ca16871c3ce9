// The files below a folder, and the limits that folders and archives share. Used through archive.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "hone/core/error.hpp"
#include "hone/data/dataset.hpp"

namespace hone::data {

/// How much `for_each_file` reads before it refuses, whatever the archive promises. Units: bytes.
struct FileLimits {
  std::int64_t file = std::int64_t{4} << 20;       ///< larger files are left out and reported
  std::int64_t kept = std::int64_t{4} << 30;       ///< all files given to the visitor together; more is E285
  std::int64_t unpacked = std::int64_t{64} << 30;  ///< everything that is unpacked, skipped files included; more is E285
};

}  // namespace hone::data

namespace hone::detail {

/// A list of problems that a hostile archive cannot grow without end: what is over the limit is counted only.
class ProblemList {
 public:
  void add(std::string file, std::string reason) {
    if (problems_.size() < limit)
      problems_.push_back({std::move(file), std::move(reason)});
    else
      ++more_;
  }

  std::vector<data::Problem> take() {
    if (more_ > 0) problems_.push_back({"", "and " + std::to_string(more_) + " more problems of this kind"});
    return std::move(problems_);
  }

 private:
  static constexpr std::size_t limit = 1000;
  std::vector<data::Problem> problems_;
  std::size_t more_ = 0;
};

/// Counts the bytes given to the visitor against the limit.
class KeptBytes {
 public:
  KeptBytes(std::filesystem::path const& path, data::FileLimits const& limits) : path_(path), limits_(limits) {}

  void add(std::size_t bytes) {
    total_ += static_cast<std::int64_t>(bytes);
    if (total_ > limits_.kept)
      throw Error(285, "the files read are larger together than the limit",
                  {.file = path_.string(), .allowed = std::to_string(limits_.kept) + " bytes"},
                  "check that this is the data you meant, or raise FileLimits");
  }

 private:
  std::filesystem::path const& path_;
  data::FileLimits const& limits_;
  std::int64_t total_ = 0;
};

inline std::string too_large_reason(std::int64_t limit) {
  return "larger than " + std::to_string(limit) + " bytes, left out";
}

/// The regular files below a folder, in the order of their names. Links are followed, each
/// folder once, so never in a circle. What is no regular file (a FIFO, a socket, a device) is never opened, so that
/// nothing hangs.
template <class Filter, class Visitor>
void for_each_file_of_folder(std::filesystem::path const& folder, std::string const& prefix, Filter const& wanted,
                             Visitor& visit, data::FileLimits const& limits, KeptBytes& kept, ProblemList& problems,
                             std::vector<std::filesystem::path>& seen, std::size_t& files) {
  namespace fs = std::filesystem;
  std::error_code failure;
  fs::path const real = fs::canonical(folder, failure);
  if (!failure && std::find(seen.begin(), seen.end(), real) != seen.end()) {
    problems.add(prefix, "a link to a folder that is read already under another name, not followed");
    return;
  }
  std::vector<fs::path> entries;
  if (!failure) {
    fs::directory_iterator walk(folder, failure);
    for (; !failure && walk != fs::directory_iterator(); walk.increment(failure)) entries.push_back(walk->path());
  }
  if (failure)
    throw Error(281, "cannot read this folder: " + failure.message(), {.file = folder.string()},
                "make the folder readable, or name another");
  std::sort(entries.begin(), entries.end());
  seen.push_back(real);
  for (auto const& entry : entries) {
    std::string const name = prefix + entry.filename().string();
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
    std::ifstream in(entry, std::ios::binary);
    std::string content;
    std::array<char, 1 << 16> buffer;
    while (in && static_cast<std::int64_t>(content.size()) <= limits.file) {
      in.read(buffer.data(), buffer.size());
      content.append(buffer.data(), static_cast<std::size_t>(in.gcount()));
    }
    if (!in.eof() && static_cast<std::int64_t>(content.size()) <= limits.file) {
      problems.add(name, std::string("cannot be read, left out: ") + std::strerror(errno));
      continue;
    }
    if (static_cast<std::int64_t>(content.size()) > limits.file) {
      problems.add(name, too_large_reason(limits.file));
      continue;
    }
    kept.add(content.size());
    visit(name, std::move(content));
  }
}

}  // namespace hone::detail
