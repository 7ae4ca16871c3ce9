#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/core/ragged_tokens.hpp"

namespace hone::data {

/// One label of every example, by the name of the head that learns it.
struct LabelColumn {
  std::string name{};
  std::vector<double> values{};  ///< one an example
};

/// What could not be read, and why. Reported, not thrown: the rest of the data is still good.
struct Problem {
  std::string file{};    ///< path of the file, or path inside the archive
  std::string reason{};
};

/// Labelled texts and their tokens, one entry an example, in a fixed order.
struct Dataset {
  std::vector<std::string> sources{};  ///< where each text came from: path of its file, for messages and reports
  std::vector<std::string> texts{};    ///< valid UTF-8
  RaggedTokens tokens{};               ///< empty until the texts are tokenised
  std::vector<LabelColumn> labels{};

  std::size_t size() const noexcept { return sources.size(); }

  /// The labels of one head. Throws E401 when the data has no labels of that name.
  LabelColumn const& label(std::string_view name) const;

  /// The examples at these positions, in this order (texts, tokens and labels).
  Dataset subset(std::span<std::size_t const> rows) const;
};

#if HONE_BODIES

HONE_INLINE LabelColumn const& Dataset::label(std::string_view name) const {
  for (auto const& column : labels)
    if (column.name == name) return column;
  std::string known;
  for (auto const& column : labels) known += (known.empty() ? "" : ", ") + column.name;
  throw Error(401, "the data has no labels named " + std::string(name), {.allowed = known},
              "name the model's heads as the data names its labels, or add the labels to the data");
}

HONE_INLINE Dataset Dataset::subset(std::span<std::size_t const> rows) const {
  Dataset chosen;
  for (auto const& column : labels) chosen.labels.push_back({column.name, {}});
  for (std::size_t const row : rows) {
    chosen.sources.push_back(sources[row]);
    chosen.texts.push_back(texts[row]);
    if (tokens.size() == size()) chosen.tokens.push_back(tokens[row]);
    for (std::size_t k = 0; k < labels.size(); ++k) chosen.labels[k].values.push_back(labels[k].values[row]);
  }
  return chosen;
}

#endif

}  // namespace hone::data
