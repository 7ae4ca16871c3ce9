// Tables and artifacts of Weights & Biases: the content of their files, their names and their digests.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/core/base64.hpp"
#include "hone/core/config.hpp"
#include "hone/core/crc32.hpp"
#include "hone/core/error.hpp"
#include "hone/core/input_file.hpp"
#include "hone/core/md5.hpp"
#include "hone/report/run_events.hpp"
#include "hone/report/wandb_records.hpp"

namespace hone::detail::wandb {

/// A name as a part of a path: no separators, no control characters, not "." or "..", at most 120 bytes of whole characters.
std::string path_part(std::string_view text);

/// A key with slashes as a relative path that stays below where it is put.
std::string key_path(std::string_view key);

/// The name of an artifact as W&B's client makes it of any text: what is not of A-Za-z0-9_.- is left out, and then a
/// checksum keeps names apart. At most 128 characters.
std::string artifact_name(std::string_view text);

/// A table ready to be written: columns with different names, every row with a cell for each, cells that JSON can hold.
struct CleanTable {
  std::vector<std::string> columns{};
  nlohmann::json rows = nlohmann::json::array();
  nlohmann::json types{};    ///< wandb's typedDict of the columns
  std::size_t all_rows = 0;  ///< before they were cut
};

/// Numbers that are not finite become null, objects and arrays their JSON text. Text stays as it is, but for bytes that are
/// not UTF-8. Throws E749 for a row of another length than the columns.
CleanTable clean_table(TextTable const& table, Index most_rows);

/// The content of a table file below files/media/table.
std::string table_file(CleanTable const& table);

#if HONE_BODIES

HONE_INLINE CleanTable clean_table(TextTable const& table, Index most_rows) {
  CleanTable clean;
  clean.all_rows = table.rows.size();
  std::set<std::string> taken;
  for (auto const& column : table.columns) {
    std::string const base = valid_utf8(column);
    std::string name = base;
    for (int number = 2; !taken.insert(name).second; ++number) name = base + "-" + std::to_string(number);
    clean.columns.push_back(name);
  }
  std::vector<std::set<std::string>> types(clean.columns.size(), std::set<std::string>{"none"});
  for (std::size_t i = 0; i < std::min(table.rows.size(), static_cast<std::size_t>(most_rows)); ++i) {
    auto const& row = table.rows[i];
    if (row.size() != clean.columns.size())
      throw Error(749, "a row of a table has not one cell for each column",
                  {.value = "row " + std::to_string(i) + " with " + std::to_string(row.size()) + " cells",
                   .allowed = std::to_string(clean.columns.size()) + " cells"},
                  "give every row as many cells as the table has columns");
    nlohmann::json cells = nlohmann::json::array();
    for (std::size_t k = 0; k < row.size(); ++k) {
      auto const& cell = row[k];
      if (cell.is_string()) {
        cells.push_back(valid_utf8(cell.get_ref<std::string const&>()));
        types[k].insert("string");
      } else if (cell.is_boolean()) {
        cells.push_back(cell.get<bool>());
        types[k].insert("boolean");
      } else if (cell.is_number_unsigned()) {
        cells.push_back(cell.get<std::uint64_t>());
        types[k].insert("number");
      } else if (cell.is_number_integer()) {
        cells.push_back(cell.get<std::int64_t>());
        types[k].insert("number");
      } else if (cell.is_number()) {
        double const value = cell.get<double>();
        cells.push_back(std::isfinite(value) ? nlohmann::json(value) : nlohmann::json());
        types[k].insert("number");
      } else if (cell.is_structured()) {
        cells.push_back(json_text(cell));
        types[k].insert("string");
      } else {
        cells.push_back(nullptr);
      }
    }
    clean.rows.push_back(std::move(cells));
  }
  nlohmann::json type_map = nlohmann::json::object();
  for (std::size_t k = 0; k < types.size(); ++k) {
    nlohmann::json allowed = nlohmann::json::array();
    for (auto const& type : types[k]) allowed.push_back({{"wb_type", type}});
    type_map[clean.columns[k]] = {{"wb_type", "union"}, {"params", {{"allowed_types", allowed}}}};
  }
  clean.types = {{"wb_type", "typedDict"}, {"params", {{"type_map", type_map}}}};
  return clean;
}

HONE_INLINE std::string table_file(CleanTable const& table) {
  return nlohmann::json{{"columns", table.columns}, {"data", table.rows}}.dump();
}

#endif

std::string md5_base64(std::string_view bytes);

/// MD5 of a file, in Base64, and its size.
std::pair<std::string, std::uint64_t> md5_of_file(std::filesystem::path const& path);

/// A file of an artifact.
struct ArtifactEntry {
  std::string path{};    ///< in the artifact
  std::string digest{};  ///< MD5 in Base64
  std::uint64_t size = 0;
  std::filesystem::path local_path{};  ///< absolute. `wandb sync` deletes this file after the upload
};

/// An artifact of a run.
struct Artifact {
  std::string type{};
  std::string name{};
  std::string metadata{};  ///< a JSON object, or empty
  std::vector<std::string> aliases{"latest"};
  std::string client_id{};           ///< 128 random characters, of this version of the artifact
  std::string sequence_client_id{};  ///< the same, of the artifact
  bool incremental = false;
  std::vector<ArtifactEntry> entries{};
};

/// The digest of an artifact: MD5 over a line for each entry, in the order of their paths.
std::string artifact_digest(std::vector<ArtifactEntry> entries);

/// ArtifactRecord
ProtobufWriter artifact_record(Artifact const& artifact, std::string_view run_id, std::string_view project,
                               std::string_view entity);

#if HONE_BODIES

HONE_INLINE std::string path_part(std::string_view text) {
  std::string part = valid_utf8(text);
  for (char& c : part) {
    if ((c >= 0 && c < 0x20) || c == 0x7f || std::string_view("/\\:*?\"<>|").find(c) != std::string_view::npos) c = '_';
  }
  if (part.size() > 120) {
    part.resize(120);
    while (find_invalid_utf8(part)) part.pop_back();
  }
  if (part.find_first_not_of('.') == std::string::npos) part = std::string(std::max<std::size_t>(part.size(), 1), '_');
  return part;
}

HONE_INLINE std::string key_path(std::string_view key) {
  std::string path;
  for (int parts = 0; !key.empty() && parts < 8; ++parts) {
    auto const slash = parts == 7 ? key.npos : key.find('/');
    auto const part = key.substr(0, slash);
    key = slash == key.npos ? std::string_view() : key.substr(slash + 1);
    if (part.empty()) continue;
    if (!path.empty()) path += '/';
    path += path_part(part);
  }
  return path.empty() ? "_" : path;
}

HONE_INLINE std::string artifact_name(std::string_view text) {
  std::string name;
  for (char const c : text) {
    bool const plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (plain || c == '_' || c == '-' || c == '.') name += c;
  }
  if (name == text && name.size() <= 128) return name;
  Crc32 crc;
  crc.add(text);
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(crc.value() >> shift);
  return name.substr(0, 121) + "-" + base64(bytes, true);
}

HONE_INLINE std::string md5_base64(std::string_view bytes) {
  Md5 sum;
  sum.update(bytes);
  auto const digest = sum.digest();
  return base64({reinterpret_cast<char const*>(digest.data()), digest.size()});
}

HONE_INLINE std::pair<std::string, std::uint64_t> md5_of_file(std::filesystem::path const& path) {
  InputFile const file(path);
  Md5 sum;
  std::string piece(std::size_t{1} << 20, '\0');
  std::uint64_t size = 0;
  while (auto const got = file.read_some(size, piece.data(), piece.size())) {
    sum.update(piece.data(), got);
    size += got;
  }
  auto const digest = sum.digest();
  return {base64({reinterpret_cast<char const*>(digest.data()), digest.size()}), size};
}

HONE_INLINE std::string artifact_digest(std::vector<ArtifactEntry> entries) {
  std::sort(entries.begin(), entries.end(), [](auto const& a, auto const& b) { return a.path < b.path; });
  Md5 sum;
  sum.update("wandb-artifact-manifest-v1\n");
  for (auto const& entry : entries) sum.update(entry.path + ":" + entry.digest + "\n");
  return hexadecimal(sum.digest());
}

HONE_INLINE ProtobufWriter artifact_record(Artifact const& artifact, std::string_view run_id, std::string_view project,
                                           std::string_view entity) {
  ProtobufWriter manifest;
  manifest.integer(1, 1).text(2, "wandb-storage-policy-v1");
  manifest.message(3, ProtobufWriter().text(1, "storageLayout").text(2, "\"V2\""));
  for (auto const& entry : artifact.entries) {
    manifest.message(4, ProtobufWriter()
                            .text(1, valid_utf8(entry.path))
                            .text(2, entry.digest)
                            .integer(4, static_cast<std::int64_t>(entry.size))
                            .text(6, valid_utf8(entry.local_path.string())));
  }
  ProtobufWriter writer;
  writer.text(1, run_id).text(2, project).text(3, entity).text(4, artifact.type).text(5, artifact.name);
  writer.text(6, artifact_digest(artifact.entries)).text(8, artifact.metadata);
  for (auto const& alias : artifact.aliases) writer.text(11, alias);
  writer.message(12, manifest).integer(14, 1).text(15, artifact.client_id).text(16, artifact.sequence_client_id);
  return writer.text(20, "MANIFEST_MD5").integer(100, artifact.incremental ? 1 : 0);
}

#endif

}  // namespace hone::detail::wandb
