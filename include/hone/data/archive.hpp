// The only header that needs libarchive (link with -larchive); imdb.hpp includes it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/data/folder_files.hpp"

#if HONE_BODIES
#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <memory>
#include <system_error>

#include "hone/core/crc32.hpp"
#include "hone/core/error.hpp"
#endif

namespace hone::detail {

/// `data::for_each_file`, whatever the types of what it calls.
std::vector<data::Problem> for_each_file(std::filesystem::path const& path, FileFilter const& wanted,
                                         FileVisitor const& visit, data::FileLimits const& limits);

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
  return detail::for_each_file(
      path, [&](std::string_view name) -> bool { return wanted(name); },
      [&](std::string const& name, std::string content) { visit(name, std::move(content)); }, limits);
}

}  // namespace hone::data

#if HONE_BODIES

namespace hone::detail {

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
using ArchiveReader = std::unique_ptr<::archive, ArchiveCloser>;

inline std::string archive_reason(::archive* a) {
  char const* const text = archive_error_string(a);
  return text ? text : "unknown reason";
}

/// Unpacks a gzip file for the tar reader and keeps the checksum that libarchive does not look at: a flipped bit is
/// often still a valid stream, of other text.
class GzipStream {
 public:
  GzipStream() : reader_(archive_read_new()) {
    archive_read_support_filter_gzip(reader_.get());
    archive_read_support_format_raw(reader_.get());
  }

  int open(std::filesystem::path const& path) {
    std::ifstream file(path, std::ios::binary);
    std::array<unsigned char, 8> trailer{};  // checksum and length modulo 2^32, little-endian
    file.seekg(-8, std::ios::end);
    file.read(reinterpret_cast<char*>(trailer.data()), trailer.size());
    auto word = [&](std::size_t i) {
      return trailer[i] | std::uint32_t{trailer[i + 1]} << 8 | std::uint32_t{trailer[i + 2]} << 16 |
             std::uint32_t{trailer[i + 3]} << 24;
    };
    stored_checksum_ = word(0);
    stored_size_ = word(4);
    ::archive_entry* entry = nullptr;
    int const status = archive_read_open_filename(reader_.get(), path.c_str(), 1 << 16);
    return status != ARCHIVE_OK ? status : archive_read_next_header(reader_.get(), &entry);
  }

  /// The next unpacked bytes, none at the end; negative after an error.
  la_ssize_t next() {
    la_ssize_t const got = archive_read_data(reader_.get(), buffer_.data(), buffer_.size());
    if (got > 0) {
      checksum_.add(buffer_.data(), static_cast<std::size_t>(got));
      size_ += got;
    }
    return got;
  }

  static la_ssize_t read(::archive* a, void* self, void const** bytes) {
    auto* const stream = static_cast<GzipStream*>(self);
    *bytes = stream->buffer_.data();
    la_ssize_t const got = stream->next();
    if (got < 0) archive_set_error(a, EIO, "%s", archive_reason(stream->reader_.get()).c_str());
    return got < 0 ? ARCHIVE_FATAL : got;
  }

  ::archive* reader() const { return reader_.get(); }
  std::int64_t size() const { return size_; }
  bool right_size() const { return static_cast<std::uint32_t>(size_) == stored_size_; }
  bool right_checksum() const { return checksum_.value() == stored_checksum_; }

 private:
  ArchiveReader reader_;
  std::array<char, 1 << 16> buffer_{};
  Crc32 checksum_;
  std::uint32_t stored_checksum_ = 0, stored_size_ = 0;
  std::int64_t size_ = 0;
};

/// One path without "./" and doubled or leading slashes. A leading slash is harmless: nothing is ever written to disk.
inline std::string plain_name(std::string_view name) {
  std::string plain;
  while (!name.empty()) {
    std::size_t const slash = std::min(name.find('/'), name.size());
    std::string_view const part = name.substr(0, slash);
    if (!part.empty() && part != ".") {
      if (!plain.empty()) plain += '/';
      plain += part;
    }
    name.remove_prefix(std::min(slash + 1, name.size()));
  }
  return plain;
}

inline bool has_parent_step(std::string_view name) {
  return name == ".." || name.substr(0, 3) == "../" || name.find("/../") != name.npos ||
         (name.size() >= 3 && name.substr(name.size() - 3) == "/..");
}

inline void for_each_file_of_archive(std::filesystem::path const& path, FileFilter const& wanted, FileVisitor const& visit,
                                     data::FileLimits const& limits, KeptBytes& kept, ProblemList& problems,
                                     std::size_t& files) {
  std::array<char, 2> magic{};
  if (std::ifstream file(path, std::ios::binary); !file.read(magic.data(), magic.size()) && !file.eof())
    throw Error(281, "cannot open or read this file", {.file = path.string()}, "check its permissions");
  std::unique_ptr<GzipStream> gzip;  // before the reader that reads from it
  if (magic[0] == '\x1f' && magic[1] == '\x8b') gzip = std::make_unique<GzipStream>();
  ArchiveReader const reader(archive_read_new());
  ::archive* const a = reader.get();
  auto damaged = [&](std::string const& why, std::string const& inside) {
    if (why.find("Unrecognized archive format") != why.npos)
      throw Error(282, "this file is no archive", {.file = path.string(), .value = what_it_is_instead(path)},
                  "give a folder, or a .tar.gz, .tar or .zip archive; download it again if it should be one");
    throw Error(283, "the archive is damaged or cut off: " + why,
                {.file = path.string() + (inside.empty() ? "" : ": " + inside),
                 .offset = archive_filter_bytes(gzip ? gzip->reader() : a, -1)},
                "compare its size and checksum with the source's, and download it again");
  };
  auto check_unpacked = [&] {
    if ((gzip ? gzip->size() : archive_filter_bytes(a, 0)) > limits.unpacked)
      throw Error(285, "the archive unpacks to more than the limit",
                  {.file = path.string(), .allowed = std::to_string(limits.unpacked) + " bytes"},
                  "check that this is the data you meant, or raise FileLimits");
  };
  archive_read_support_filter_bzip2(a);
  archive_read_support_filter_xz(a);
  archive_read_support_filter_zstd(a);
  archive_read_support_format_tar(a);
  if (gzip) {
    if (gzip->open(path) != ARCHIVE_OK) damaged(archive_reason(gzip->reader()), "");
    if (archive_read_open(a, gzip.get(), nullptr, GzipStream::read, nullptr) != ARCHIVE_OK) damaged(archive_reason(a), "");
  } else {
    archive_read_support_format_zip(a);
    if (archive_read_open_filename(a, path.c_str(), 1 << 16) != ARCHIVE_OK) damaged(archive_reason(a), "");
  }
  for (;;) {
    ::archive_entry* entry = nullptr;
    int const status = archive_read_next_header(a, &entry);
    if (status == ARCHIVE_EOF) break;
    if (status == ARCHIVE_RETRY) continue;
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) damaged(archive_reason(a), "");
    check_unpacked();
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
      damaged(archive_reason(a), name);
    } else if (got < 0) {
      problems.add(name, "cannot be unpacked, left out: " + archive_reason(a));
    } else {
      kept.add(content.size());
      visit(name, std::move(content));
    }
  }
  if (!gzip) return;
  la_ssize_t got = 0;
  while ((got = gzip->next()) > 0) check_unpacked();  // tar ends before the stream does
  if (got < 0) damaged(archive_reason(gzip->reader()), "");
  if (gzip->right_checksum()) return;
  if (gzip->right_size()) damaged("its gzip checksum is wrong", "");
  problems.add(path.filename().string(),
               "its gzip checksum could not be checked: several gzip streams in one file, or damage");
}

HONE_INLINE std::vector<data::Problem> for_each_file(std::filesystem::path const& path, FileFilter const& wanted,
                                                     FileVisitor const& visit, data::FileLimits const& limits) {
  namespace fs = std::filesystem;
  ProblemList problems;
  KeptBytes kept(path, limits);
  std::size_t files = 0;
  std::error_code failure;
  fs::file_status const status = fs::status(path, failure);
  if (status.type() == fs::file_type::not_found)
    throw Error(281, "no such file or folder", {.file = path.string()}, "check the path");
  if (fs::is_directory(status)) {
    std::vector<fs::path> seen;
    for_each_file_of_folder(path, "", wanted, visit, limits, kept, problems, seen, files);
  } else if (fs::is_regular_file(status)) {
    for_each_file_of_archive(path, wanted, visit, limits, kept, problems, files);
  } else {
    throw Error(281, "neither a folder nor a regular file", {.file = path.string()}, "name a folder or an archive");
  }
  auto found = problems.take();
  if (files == 0 && found.empty())
    throw Error(284, "there are no files in it", {.file = path.string()}, "check that this is the data you meant");
  return found;
}

}  // namespace hone::detail

#endif
