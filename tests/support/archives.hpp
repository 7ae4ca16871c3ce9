// Archives for tests, also of kinds that no honest program writes.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace hone::test {

struct ArchiveEntry {
  std::string name{};
  std::string content{};
  unsigned type = AE_IFREG;
  std::string target{};  // of a link
  bool hard = false;
};

enum class Packing { tar, tar_gz, tar_xz, zip };

inline void write_archive(std::filesystem::path const& path, std::vector<ArchiveEntry> const& entries, Packing packing) {
  ::archive* a = archive_write_new();
  if (packing == Packing::zip)
    archive_write_set_format_zip(a);
  else
    archive_write_set_format_pax_restricted(a);
  if (packing == Packing::tar_gz) archive_write_add_filter_gzip(a);
  if (packing == Packing::tar_xz) archive_write_add_filter_xz(a);
  bool good = archive_write_open_filename(a, path.c_str()) == ARCHIVE_OK;
  for (auto const& given : entries) {
    ::archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, given.name.c_str());
    archive_entry_set_filetype(entry, given.type);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, static_cast<std::int64_t>(given.content.size()));
    if (given.type == AE_IFLNK) archive_entry_set_symlink(entry, given.target.c_str());
    if (given.hard) archive_entry_set_hardlink(entry, given.target.c_str());
    good = archive_write_header(a, entry) >= ARCHIVE_WARN && good;
    auto const size = static_cast<la_ssize_t>(given.content.size());
    if (size > 0) good = archive_write_data(a, given.content.data(), given.content.size()) == size && good;
    archive_entry_free(entry);
  }
  good = archive_write_close(a) == ARCHIVE_OK && good;
  std::string const reason = archive_error_string(a) ? archive_error_string(a) : "";
  archive_write_free(a);
  if (!good) throw std::runtime_error("cannot write " + path.string() + ": " + reason);
}

}  // namespace hone::test
