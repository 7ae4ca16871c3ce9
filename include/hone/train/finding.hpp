// One thing that was checked, and what came out: what the doctor, the loggers and the report page share.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/io/json_box.hpp"

namespace hone {

/// How much a finding matters. ok: checked, and as it should be. note: good to know. warning: the result is probably worse
/// than it could be. error: the training cannot work as it is.
enum class Severity : std::uint8_t { ok, note, warning, error };

/// "ok", "note", "warning", "error".
constexpr char const* name(Severity severity) noexcept {
  constexpr char const* names[] = {"ok", "note", "warning", "error"};
  return names[static_cast<int>(severity)];
}

/// One thing that was checked. Every number has a section in docs/doctor.md.
struct Finding {
  std::string number{};  ///< "D12": stable
  Severity severity = Severity::ok;
  std::string title{};                     ///< what was found, one clause
  std::string detail{};                    ///< numbers, names, examples; may have several lines; may hold text of the data
  std::string next{};                      ///< what to do; empty where nothing is to be done
  JsonBox<nlohmann::ordered_json> data{};  ///< the same for programs: an object, or null
};

/// A finding as an object: number, severity, title, detail, next, data (what is empty is left out).
nlohmann::ordered_json to_json(Finding const& finding);

/// Findings as an array, in their order.
nlohmann::ordered_json to_json(std::span<Finding const> findings);

#if HONE_BODIES

HONE_INLINE nlohmann::ordered_json to_json(Finding const& finding) {
  nlohmann::ordered_json json;
  json["number"] = finding.number;
  json["severity"] = name(finding.severity);
  json["title"] = finding.title;
  if (!finding.detail.empty()) json["detail"] = finding.detail;
  if (!finding.next.empty()) json["next"] = finding.next;
  if (!finding.data.is_null()) json["data"] = *finding.data;
  return json;
}

HONE_INLINE nlohmann::ordered_json to_json(std::span<Finding const> findings) {
  auto json = nlohmann::ordered_json::array();
  for (auto const& finding : findings) json.push_back(to_json(finding));
  return json;
}

#endif

/// The gravest of the findings; ok when there is none.
inline Severity gravest(std::span<Finding const> findings) {
  Severity found = Severity::ok;
  for (auto const& finding : findings) found = finding.severity > found ? finding.severity : found;
  return found;
}

}  // namespace hone
