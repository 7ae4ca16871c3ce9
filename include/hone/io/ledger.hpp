// What became of every tensor when weights were loaded.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"

namespace hone {

/// loaded: from the file. created: not in the file, and allowed to be new. ignored: in the file, not needed.
/// missing: needed, not in the file. mismatched: in the file, but not what the model needs. The last two are problems.
enum class LedgerState { loaded, created, ignored, missing, mismatched };

/// The name of a state in tables: "created" is shown as "new".
constexpr char const* name(LedgerState state) noexcept {
  constexpr char const* names[] = {"loaded", "new", "ignored", "MISSING", "MISMATCHED"};
  return names[static_cast<int>(state)];
}

/// One line of the ledger: a tensor of the file, a parameter of the model, or both.
struct LedgerEntry {
  std::string tensor{};     ///< name in the file; empty if the parameter is not there
  std::string parameter{};  ///< name in the model; empty if the model has no use for the tensor
  LedgerState state = LedgerState::loaded;
  std::string reason{};
  std::vector<std::int64_t> shape{};
};

/// The account of a loading: each parameter and each tensor of the file once, with the reason for what was not loaded.
class Ledger {
 public:
  void add(LedgerEntry entry) { entries_.push_back(std::move(entry)); }

  std::vector<LedgerEntry> const& entries() const noexcept { return entries_; }

  std::size_t count(LedgerState state) const noexcept {
    return static_cast<std::size_t>(
        std::count_if(entries_.begin(), entries_.end(), [state](LedgerEntry const& entry) { return entry.state == state; }));
  }

  /// True if nothing is missing or mismatched.
  bool ok() const noexcept { return count(LedgerState::missing) == 0 && count(LedgerState::mismatched) == 0; }

  /// One line for each state that occurs: how many, and which. "loaded 101", "new 4: is_positive.weight, ...".
  std::string summary() const;

  /// Every entry: state, tensor, parameter if named otherwise, shape, reason. Problems first.
  std::string table() const;

  /// Errors: E510 a tensor is missing or mismatched; names the first problems.
  void require_ok(std::string const& file) const;

 private:
  static constexpr LedgerState all_states[] = {LedgerState::loaded, LedgerState::created, LedgerState::ignored,
                                               LedgerState::missing, LedgerState::mismatched};
  static constexpr std::size_t most_in_summary = 6, most_in_error = 5;

  /// The name to show, made safe for a terminal: names come from files.
  static std::string shown_name(LedgerEntry const& entry);
  static std::string shape_of(LedgerEntry const& entry) {
    std::string text = "(";
    for (std::size_t i = 0; i < entry.shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(entry.shape[i]);
    return text + ")";
  }

  std::vector<LedgerEntry> entries_;
};

#if HONE_BODIES

HONE_INLINE std::string Ledger::summary() const {
  std::string text;
  for (LedgerState const state : all_states) {
    std::size_t const total = count(state);
    if (total == 0) continue;
    text += std::string(hone::name(state)) + " " + std::to_string(total);
    if (state != LedgerState::loaded) {
      std::size_t shown = 0;
      for (LedgerEntry const& entry : entries_) {
        if (entry.state != state) continue;
        if (shown == most_in_summary) {
          text += ", ...";
          break;
        }
        text += (shown++ == 0 ? ": " : ", ") + shown_name(entry);
        if (state != LedgerState::created && !entry.reason.empty()) text += " (" + entry.reason + ")";
      }
    }
    text += "\n";
  }
  return text;
}

HONE_INLINE std::string Ledger::table() const {
  std::size_t widest = 0;
  for (LedgerEntry const& entry : entries_) widest = std::max(widest, shown_name(entry).size());
  widest = std::min(widest, std::size_t{80});
  std::string text;
  auto pad = [&text](std::string const& cell, std::size_t width) {
    text += cell + std::string(cell.size() < width ? width - cell.size() : 0, ' ') + "  ";
  };
  for (auto state = std::rbegin(all_states); state != std::rend(all_states); ++state) {
    for (LedgerEntry const& entry : entries_) {
      if (entry.state != *state) continue;
      pad(hone::name(entry.state), 10);
      pad(shown_name(entry), widest);
      pad(shape_of(entry), 14);
      if (!entry.tensor.empty() && !entry.parameter.empty() && entry.tensor != entry.parameter)
        text += "as " + entry.parameter + (entry.reason.empty() ? "" : "; ");
      text += entry.reason;
      while (text.back() == ' ') text.pop_back();
      text += "\n";
    }
  }
  return text;
}

HONE_INLINE void Ledger::require_ok(std::string const& file) const {
  if (ok()) return;
  std::size_t const problems = count(LedgerState::missing) + count(LedgerState::mismatched);
  std::string first, text;
  std::size_t shown = 0;
  for (LedgerEntry const& entry : entries_) {
    if (entry.state != LedgerState::missing && entry.state != LedgerState::mismatched) continue;
    if (shown == 0) first = shown_name(entry);
    if (shown++ == most_in_error) break;
    if (!text.empty()) text += "; ";
    text += shown_name(entry);
    text += ": ";
    text += entry.reason.empty() ? "missing" : entry.reason;
  }
  if (shown > most_in_error) text += "; and " + std::to_string(problems - most_in_error) + " more";
  throw Error(510, "the weights do not fit the model: " + text, {.file = file, .tensor = first},
              "check that config.json and the weights are of the same model");
}

HONE_INLINE std::string Ledger::shown_name(LedgerEntry const& entry) {
  std::string text = entry.tensor.empty() ? entry.parameter : entry.tensor;
  if (text.size() > 120) text.replace(120, text.npos, "...");
  for (char& c : text)
    if (c < 0x20 || c > 0x7e) c = '?';
  return text;
}

#endif

}  // namespace hone
