// The only header that needs libarchive (link with -larchive); imdb.hpp includes it.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
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

/// What a file that is no archive looks like it is: the usual accidents of downloads.
inline std::string what_it_is_instead(std::filesystem::path const& path) {
  std::ifstream in(path, std::ios::binary);
  std::string start(64, '\0');
  in.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<std::size_t>(in.gcount()));
  auto begins = [&](std::string_view text) { return start.compare(0, text.size(), text) == 0; };
  if (start.empty()) return "an empty file";
  if (begins("version https://git-lfs")) return "a Git LFS pointer, not the file itself";
  if (begins("<!DOCTYPE") || begins("<!doctype") || begins("<html") || begins("<HTML")) return "a web page";
  return "neither tar (plain, gzip, bzip2, xz, zstd) nor zip";
}

struct ArchiveCloser {
  void operator()(::archive* a) const noexcept { archive_read_free(a); }
};

/// One path without "./" and doubled or leading slashes. A leading slash is harmless: nothing is ever written to disk.
inline std::string plain_name(std::string_view name) {
  std::string plain;
  while (!name.empty()) {
    std::size_t const slash = std::min(name.find('/'), name.size());
    std::string_view const part = name.substr(0, slash);
    if (!part.empty() && part != ".") plain += (plain.empty() ? "" : "/") + std::string(part);
    name.remove_prefix(std::min(slash + 1, name.size()));
  }
  return plain;
}

inline bool has_parent_step(std::string_view name) {
  return name == ".." || name.substr(0, 3) == "../" || name.find("/../") != name.npos ||
         (name.size() >= 3 && name.substr(name.size() - 3) == "/..");
}

template <class Filter, class Visitor>
void for_each_file_of_archive(std::filesystem::path const& path, Filter const& wanted, Visitor& visit,
                              data::FileLimits const& limits, KeptBytes& kept, ProblemList& problems, std::size_t& files) {
  std::unique_ptr<::archive, ArchiveCloser> const reader(archive_read_new());
  ::archive* const a = reader.get();
  auto reason = [a] {
    char const* text = a ? archive_error_string(a) : nullptr;
    return std::string(text ? text : "unknown reason");
  };
  auto damaged = [&](std::string const& inside) {
    std::string const why = reason();
    if (why.find("Unrecognized archive format") != why.npos)
      throw Error(282, "this file is no archive", {.file = path.string(), .value = what_it_is_instead(path)},
                  "give a folder, or a .tar.gz, .tar or .zip archive; download it again if it should be one");
    throw Error(283, "the archive is damaged or cut off: " + why,
                {.file = path.string(), .offset = a ? archive_filter_bytes(a, -1) : -1, .value = inside},
                "compare its size and checksum with the source's, and download it again");
  };
  if (!a) throw Error(283, "no memory to read an archive", {.file = path.string()}, "free some memory");
  archive_read_support_filter_gzip(a);
  archive_read_support_filter_bzip2(a);
  archive_read_support_filter_xz(a);
  archive_read_support_filter_zstd(a);
  archive_read_support_format_tar(a);
  archive_read_support_format_zip(a);
  if (archive_read_open_filename(a, path.c_str(), 1 << 16) != ARCHIVE_OK) {
    if (reason().find("Unrecognized") != std::string::npos) damaged("");
    throw Error(281, "cannot open this file: " + reason(), {.file = path.string()}, "check the path and its permissions");
  }
  for (;;) {
    ::archive_entry* entry = nullptr;
    int const status = archive_read_next_header(a, &entry);
    if (status == ARCHIVE_EOF) break;
    if (status == ARCHIVE_RETRY) continue;
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) damaged("");
    if (archive_filter_bytes(a, 0) > limits.unpacked)
      throw Error(285, "the archive unpacks to more than the limit",
                  {.file = path.string(), .allowed = std::to_string(limits.unpacked) + " bytes"},
                  "check that this is the data you meant, or raise FileLimits");
    char const* given = archive_entry_pathname_utf8(entry);
    if (!given) given = archive_entry_pathname(entry);
    if (!given) {
      problems.add("", "an entry whose name cannot be decoded, left out");
      continue;
    }
    std::string const name = plain_name(given);
    bool const regular = archive_entry_filetype(entry) == AE_IFREG && !archive_entry_hardlink(entry);
    files += regular ? 1 : 0;
    if (archive_entry_filetype(entry) == AE_IFDIR || !wanted(std::string_view(name))) continue;
    if (has_parent_step(name)) {
      problems.add(name, "its name steps out of the archive (..), left out");
      continue;
    }
    if (!regular) {
      problems.add(name, "a link or a special file inside an archive, left out");
      continue;
    }
    if (archive_entry_size_is_set(entry) && archive_entry_size(entry) > limits.file) {
      problems.add(name, too_large_reason(limits.file));
      continue;
    }
    std::string content;
    std::array<char, 1 << 16> buffer;
    la_ssize_t got = 0;
    while (static_cast<std::int64_t>(content.size()) <= limits.file &&
           (got = archive_read_data(a, buffer.data(), buffer.size())) > 0)
      content.append(buffer.data(), static_cast<std::size_t>(got));
    if (static_cast<std::int64_t>(content.size()) > limits.file) {
      problems.add(name, too_large_reason(limits.file));
    } else if (got == ARCHIVE_FATAL) {
      damaged(name);
    } else if (got < 0) {
      problems.add(name, "cannot be unpacked, left out: " + reason());
    } else {
      kept.add(content.size());
      visit(name, std::move(content));
    }
  }
}

}  // namespace hone::detail

namespace hone::data {

/// Calls `visit(name, content)` for each regular file of a folder, or of a tar (plain, gzip, bzip2, xz, zstd) or zip
/// archive, whose name passes `wanted(name)`.
///
/// Names are relative, with '/' between folders, without "./" or a leading '/'. Nothing is written to disk: names are
/// names only. In a folder the files come in the order of their names, in an archive in the archive's.
/// @param wanted  bool(std::string_view name); what it refuses is not read
/// @param visit   void(std::string const& name, std::string content)
/// @return what was wanted and had to be left out, with the reason: too large, a link or special file inside an archive,
///         a name with "..", an unreadable file, a link that points nowhere. At most 1,000 of them and a count.
/// Memory: one file at a time, never more than `limits.file`, whatever sizes the archive claims.
/// Errors: E281 missing or unreadable, E282 no archive, E283 damaged or cut off, E284 no files, E285 over the limits.
template <class Filter, class Visitor>
std::vector<Problem> for_each_file(std::filesystem::path const& path, Filter const& wanted, Visitor&& visit,
                                   FileLimits const& limits = {}) {
  namespace fs = std::filesystem;
  detail::ProblemList problems;
  detail::KeptBytes kept(path, limits);
  std::size_t files = 0;
  std::error_code failure;
  fs::file_status const status = fs::status(path, failure);
  if (status.type() == fs::file_type::not_found)
    throw Error(281, "no such file or folder", {.file = path.string()}, "check the path");
  if (fs::is_directory(status)) {
    std::vector<fs::path> seen;
    detail::for_each_file_of_folder(path, "", wanted, visit, limits, kept, problems, seen, files);
  } else if (fs::is_regular_file(status)) {
    detail::for_each_file_of_archive(path, wanted, visit, limits, kept, problems, files);
  } else {
    throw Error(281, "neither a folder nor a regular file", {.file = path.string()}, "name a folder or an archive");
  }
  auto found = problems.take();
  if (files == 0 && found.empty())
    throw Error(284, "there are no files in it", {.file = path.string()}, "check that this is the data you meant");
  return found;
}

}  // namespace hone::data
