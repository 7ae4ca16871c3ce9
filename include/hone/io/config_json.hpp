// Typed reading of the fields of a configuration file, with errors that name file, key, value and what is allowed.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"

#if HONE_BODIES
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "hone/core/input_file.hpp"
#endif

namespace hone {

/// Reads fields of one JSON object. The object must outlive the reader.
///
/// Errors: E211 a field is missing, E212 it has another type, E213 its value is not allowed.
class ConfigJson {
 public:
  /// @param object  the parsed file; @param file  its name, for errors. Errors: E212 it is not an object.
  ConfigJson(nlohmann::json const& object, std::string file);

  /// The value of a key, null pointer if it is absent or null.
  nlohmann::json const* find(std::string const& key) const;

  /// True if the key is there with a value other than null.
  bool has(std::string const& key) const { return find(key) != nullptr; }

  /// An integer in [low, high]. Absent (or null) is an error unless there is a fallback.
  std::int64_t integer(std::string const& key, std::int64_t low, std::int64_t high,
                       std::optional<std::int64_t> fallback = std::nullopt) const;

  /// A finite number in [low, high), or in (low, high) if `open`.
  double number(std::string const& key, double low, double high, bool open,
                std::optional<double> fallback = std::nullopt) const;

  /// One of the given words.
  std::string word(std::string const& key, std::initializer_list<std::string_view> choices,
                   std::optional<std::string> fallback = std::nullopt) const;

  /// true or false; absent (or null) is the fallback.
  bool boolean(std::string const& key, bool fallback) const;

  std::string const& file() const noexcept { return file_; }

  /// A value as text for an error, cut short and safe for a terminal.
  static std::string shown(nlohmann::json const& value);

 private:
  static std::string next();
  Where where(std::string value, std::string allowed) const;
  Error mistyped(std::string const& key, std::string const& wanted, nlohmann::json const& value) const;
  Error not_allowed(std::string const& key, nlohmann::json const& value, std::string const& allowed) const;
  nlohmann::json const* find_or_fail(std::string const& key, bool may_be_absent) const;

  nlohmann::json const& object_;
  std::string file_;
};

#if HONE_BODIES

HONE_INLINE ConfigJson::ConfigJson(nlohmann::json const& object, std::string file)
    : object_(object), file_(std::move(file)) {
  if (!object.is_object()) throw Error(212, "not a JSON object", where("", "{...}"), next());
}

HONE_INLINE nlohmann::json const* ConfigJson::find(std::string const& key) const {
  auto const found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

HONE_INLINE std::int64_t ConfigJson::integer(std::string const& key, std::int64_t low, std::int64_t high,
                                             std::optional<std::int64_t> fallback) const {
  nlohmann::json const* const value = find_or_fail(key, fallback.has_value());
  if (value == nullptr) return *fallback;
  std::string const allowed = std::to_string(low) + " to " + std::to_string(high);
  if (!value->is_number_integer()) throw mistyped(key, "an integer", *value);
  constexpr auto largest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  bool const too_large = value->is_number_unsigned() && value->get<std::uint64_t>() > largest;
  if (too_large || value->get<std::int64_t>() < low || value->get<std::int64_t>() > high)
    throw not_allowed(key, *value, allowed);
  return value->get<std::int64_t>();
}

HONE_INLINE double ConfigJson::number(std::string const& key, double low, double high, bool open,
                                      std::optional<double> fallback) const {
  nlohmann::json const* const value = find_or_fail(key, fallback.has_value());
  if (value == nullptr) return *fallback;
  if (!value->is_number()) throw mistyped(key, "a number", *value);
  auto const number = value->get<double>();
  if (!(number >= low && number < high) || (open && number == low)) {
    std::string const allowed =
        nlohmann::json(low).dump() + (open ? " < " : " <= ") + key + " < " + nlohmann::json(high).dump();
    throw not_allowed(key, *value, allowed);
  }
  return number;
}

HONE_INLINE std::string ConfigJson::word(std::string const& key, std::initializer_list<std::string_view> choices,
                                         std::optional<std::string> fallback) const {
  nlohmann::json const* const value = find_or_fail(key, fallback.has_value());
  if (value == nullptr) return *fallback;
  if (!value->is_string()) throw mistyped(key, "a string", *value);
  std::string list;
  for (std::string_view const choice : choices) {
    if (value->get_ref<std::string const&>() == choice) return std::string(choice);
    list += (list.empty() ? "" : ", ") + std::string(choice);
  }
  throw not_allowed(key, *value, list);
}

HONE_INLINE bool ConfigJson::boolean(std::string const& key, bool fallback) const {
  nlohmann::json const* const value = find_or_fail(key, true);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) throw mistyped(key, "true or false", *value);
  return value->get<bool>();
}

HONE_INLINE std::string ConfigJson::shown(nlohmann::json const& value) {
  if (value.is_structured() && !value.empty()) return value.is_array() ? "an array" : "an object";
  return detail::printable(value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
}

HONE_INLINE std::string ConfigJson::next() { return "correct the file, or fetch it again"; }

HONE_INLINE Where ConfigJson::where(std::string value, std::string allowed) const {
  return {.file = file_, .value = std::move(value), .allowed = std::move(allowed)};
}

HONE_INLINE Error ConfigJson::mistyped(std::string const& key, std::string const& wanted,
                                       nlohmann::json const& value) const {
  return Error(212, "\"" + key + "\" has another type than expected", where(shown(value), wanted), next());
}

HONE_INLINE Error ConfigJson::not_allowed(std::string const& key, nlohmann::json const& value,
                                          std::string const& allowed) const {
  return Error(213, "\"" + key + "\" is out of range", where(shown(value), allowed), next());
}

HONE_INLINE nlohmann::json const* ConfigJson::find_or_fail(std::string const& key, bool may_be_absent) const {
  nlohmann::json const* const value = find(key);
  if (value == nullptr && !may_be_absent)
    throw Error(211, "\"" + key + "\" is missing", where(object_.contains(key) ? "null" : "", ""), next());
  return value;
}

#endif

}  // namespace hone
