// The reviews of an aclImdb archive, for tests that need all of them; read through libarchive, not through hone's own
// reader.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace hone::test {

/// Folder in the archive ("aclImdb/train/pos") -> its texts, in the order of their names as strings.
inline std::map<std::string, std::vector<std::string>> read_reviews(std::filesystem::path const& archive_path) {
  ::archive* a = archive_read_new();
  archive_read_support_filter_all(a);
  archive_read_support_format_tar(a);
  if (archive_read_open_filename(a, archive_path.c_str(), 1 << 16) != ARCHIVE_OK) {
    std::string const reason = archive_error_string(a);
    archive_read_free(a);
    throw std::runtime_error("cannot open " + archive_path.string() + ": " + reason);
  }
  std::map<std::string, std::vector<std::pair<std::string, std::string>>> found;
  ::archive_entry* entry = nullptr;
  int state = ARCHIVE_OK;
  while ((state = archive_read_next_header(a, &entry)) == ARCHIVE_OK) {
    std::string const name = archive_entry_pathname(entry);
    bool const is_review = name.ends_with(".txt") && std::count(name.begin(), name.end(), '/') >= 3;
    if (!is_review || archive_entry_filetype(entry) != AE_IFREG) continue;
    std::string text(static_cast<std::size_t>(archive_entry_size(entry)), '\0');
    if (archive_read_data(a, text.data(), text.size()) != static_cast<la_ssize_t>(text.size())) break;
    found[name.substr(0, name.rfind('/'))].emplace_back(name, std::move(text));
  }
  archive_read_free(a);
  if (state != ARCHIVE_EOF) throw std::runtime_error("cannot read all of " + archive_path.string());
  std::map<std::string, std::vector<std::string>> reviews;
  for (auto& [folder, texts] : found) {
    std::sort(texts.begin(), texts.end());
    for (auto& [name, text] : texts) reviews[folder].push_back(std::move(text));
  }
  return reviews;
}

}  // namespace hone::test
