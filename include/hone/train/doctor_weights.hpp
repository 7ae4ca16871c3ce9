// Are the weights those of a pretrained model? The account of the loading, and what the values themselves tell.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/parameter_store.hpp"
#include "hone/io/ledger.hpp"
#include "hone/train/doctor_text.hpp"
#include "hone/train/finding.hpp"
#include "hone/train/random_numbers.hpp"

#if HONE_BODIES
#include <nlohmann/json.hpp>
#endif

namespace hone {

/// Why a tensor looks as if it was just initialised; empty: it does not, or it is too small to tell.
///
/// Tables and matrices of 512 values and more in 8 rows and more: all values equal, or not to be told from independent
/// random numbers (every score of RandomnessScores under 6; weights that were trained for a while have scores of 20 to
/// 100,000). LayerNorm: all weights exactly 1, all biases exactly 0. Other biases: all exactly 0; key.bias is left out,
/// since its gradient is zero and it stays as it was.
template <class T>
std::string looks_new(ParameterInfo const& info, std::span<T const> values) {
  constexpr double most_by_chance = 6;
  if (detail::ends_with(info.name, "key.bias")) return "";
  bool const constant = std::all_of(values.begin(), values.end(), [&](T v) { return v == values.front(); });
  bool const vector = info.kind != ParameterKind::weight && info.kind != ParameterKind::embedding;
  if (vector) {
    double const new_value = info.kind == ParameterKind::norm_weight ? 1 : 0;
    bool const is_new = values.size() >= 2 && constant && static_cast<double>(values.front()) == new_value;
    return is_new ? "all values are " + detail::number_text(new_value) : "";
  }
  if (values.size() < 512 || info.rows() < 8) return "";
  if (constant) return "all values are " + detail::number_text(static_cast<double>(values.front()));
  auto const scores = randomness_scores(values, info.rows(), info.cols());
  if (!(scores.largest() < most_by_chance)) return "";
  return "random numbers of deviation " + detail::number_text(scores.deviation);
}

namespace detail {

/// D01 and D02 of parameters, whatever their type.
///
/// @param why_new  gives for the id of a loaded parameter why it looks as if it was just initialised; empty: it does not
std::vector<Finding> weights_findings(std::span<ParameterInfo const> infos, Ledger const& ledger,
                                      std::function<std::string(Index)> const& why_new);

#if HONE_BODIES

inline Finding loading_finding(Ledger const& ledger, bool any_parameter_loaded) {
  Finding finding{"D01", Severity::ok, "", "", "", {}};
  std::size_t const loaded = ledger.count(LedgerState::loaded), created = ledger.count(LedgerState::created);
  *finding.data = {{"loaded", loaded}, {"new", created}, {"ignored", ledger.count(LedgerState::ignored)}};
  if (!any_parameter_loaded) {
    finding.severity = Severity::note;
    finding.title = "nothing is pretrained: every parameter is new";
    finding.next = "to fine-tune, begin with the folder of a pretrained model";
    return finding;
  }
  finding.title = counted(loaded, "tensor") + " loaded, " + std::to_string(created) + " new";
  std::vector<std::string> names;
  for (auto const& entry : ledger.entries())
    if (entry.state == LedgerState::created) names.push_back(entry.parameter);
  if (!names.empty()) finding.title += " (" + list_text(names, 4) + ")";
  if (!ledger.ok()) {
    finding.severity = Severity::error;
    finding.detail = ledger.summary();
    finding.next = "check that config.json and the weights are of the same model";
  }
  return finding;
}

HONE_INLINE std::vector<Finding> weights_findings(std::span<ParameterInfo const> infos, Ledger const& ledger,
                                                  std::function<std::string(Index)> const& why_new) {
  std::vector<bool> loaded(infos.size(), false);
  for (auto const& entry : ledger.entries())
    for (std::size_t id = 0; id < infos.size() && entry.state == LedgerState::loaded; ++id)
      if (infos[id].name == entry.parameter) loaded[id] = true;
  bool const any = std::find(loaded.begin(), loaded.end(), true) != loaded.end();
  std::vector<Finding> findings{loading_finding(ledger, any)};
  if (!any) return findings;
  std::vector<std::string> names;
  std::string lines;
  std::size_t matrices = 0, new_matrices = 0, tensors = 0;
  for (std::size_t id = 0; id < infos.size(); ++id) {
    if (!loaded[id]) continue;
    auto const& info = infos[id];
    std::string const reason = why_new(Index(id));
    bool const is_matrix = info.kind == ParameterKind::weight || info.kind == ParameterKind::embedding;
    tensors += 1;
    matrices += is_matrix ? 1 : 0;
    if (reason.empty()) continue;
    new_matrices += is_matrix ? 1 : 0;
    if (names.size() < 6) lines += (lines.empty() ? "" : "\n") + info.name + ": " + reason;
    names.push_back(info.name);
  }
  if (names.size() > 6) lines += "\nand " + std::to_string(names.size() - 6) + " more";
  bool const most = 2 * new_matrices >= matrices && new_matrices > 0;
  Finding finding{"D02", Severity::ok, "no loaded tensor looks freshly initialised", "", "", {}};
  *finding.data = {{"tensors", tensors}, {"look_new", names}};
  if (!names.empty()) {
    finding.severity = most ? Severity::error : Severity::warning;
    finding.title = most ? "the weights are random numbers: this model was never trained"
                         : counted(names.size(), "loaded tensor") + " of " + std::to_string(tensors) +
                               (names.size() == 1 ? " looks" : " look") + " freshly initialised";
    finding.detail = lines;
    finding.next =
        "fetch the model again, from its authors; a folder made by a test or by a failed conversion looks like this";
  }
  findings.push_back(std::move(finding));
  return findings;
}

#endif

}  // namespace detail

/// D01 what was loaded, D02 whether loaded tensors look as if they were just initialised.
///
/// `ledger` is the model's; without entries every parameter is new, and D02 is not given.
template <Backend B>
std::vector<Finding> examine_weights(ParameterStore<B> const& store, Ledger const& ledger) {
  return detail::weights_findings(store.infos(), ledger, [&store](Index id) {
    auto const values = store.get(id);
    return looks_new(store.info(id), std::span(std::as_const(values)));
  });
}

}  // namespace hone
