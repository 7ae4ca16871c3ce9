// JSON files read strictly: no duplicate keys, no byte order mark, bounded size and depth, errors with line and byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "hone/core/config.hpp"

#if HONE_BODIES
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "hone/core/error.hpp"
#include "hone/core/input_file.hpp"
#include "hone/core/json_builder.hpp"
#endif

namespace hone {

/// Parses a whole JSON text. `file` is named in errors.
///
/// Errors: E210 not valid JSON (with line and byte), E214 nested deeper than 128 levels, E215 a key twice in one object.
nlohmann::json parse_json(std::string_view text, std::string const& file);

/// Reads and parses a JSON file of at most `max_bytes` bytes. Errors: those of read_file and parse_json.
nlohmann::json read_json_file(std::filesystem::path const& path, std::uint64_t max_bytes = std::uint64_t{16} << 20);

#if HONE_BODIES

namespace detail {

/// Refuses what nlohmann's own builder lets pass.
class StrictJsonBuilder : public JsonBuilder {
 public:
  static constexpr std::size_t deepest = 128;

  StrictJsonBuilder(std::string_view text, std::string file) : text_(text), file_(std::move(file)) {}

  bool parse_error(std::size_t position, std::string const&, nlohmann::json::exception const& failure) override {
    std::string_view what = failure.what();  // "[json.exception....] parse error at line 1, column 5: syntax error ..."
    if (auto const start = what.find(": "); start != what.npos) what.remove_prefix(start + 2);
    std::size_t const offset = std::min(position > 0 ? position - 1 : 0, text_.size());
    auto const line = 1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(offset), '\n');
    throw Error(210, "not valid JSON: " + printable(what, 200),
                {.file = file_, .line = line, .offset = static_cast<std::int64_t>(offset)},
                "correct the file, or fetch it again");
  }

 private:
  void repeat(std::string const& key) override {
    throw Error(215, "a key appears twice in one JSON object", {.file = file_, .value = printable(key)},
                "remove one of the two from the file");
  }
  void nest(std::size_t levels) override {
    if (levels == deepest)
      throw Error(214, "the JSON is nested too deeply", {.file = file_, .allowed = "128 levels"},
                  "check that this is the file you meant");
  }

  std::string_view text_;
  std::string file_;
};

}  // namespace detail

HONE_INLINE nlohmann::json parse_json(std::string_view text, std::string const& file) {
  auto refuse = [&](char const* happened, std::size_t offset) {
    throw Error(210, happened, {.file = file, .offset = static_cast<std::int64_t>(offset)},
                "correct the file, or fetch it again");
  };
  // Two things that the parser forgives: a byte order mark, and NUL, which it takes for the end.
  if (text.substr(0, 3) == "\xef\xbb\xbf") refuse("not valid JSON: it begins with a byte order mark", 0);
  if (auto const nul = text.find('\0'); nul != text.npos) refuse("not valid JSON: it contains a NUL byte", nul);
  detail::StrictJsonBuilder builder(text, file);
  detail::parse_json_events(text, builder);
  return std::move(builder.root);
}

HONE_INLINE nlohmann::json read_json_file(std::filesystem::path const& path, std::uint64_t max_bytes) {
  return parse_json(read_file(path, max_bytes), path.string());
}

#endif

}  // namespace hone
