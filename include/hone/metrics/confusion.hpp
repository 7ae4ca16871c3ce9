// How often each class was predicted for each true class.
#pragma once

#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/metrics/checks.hpp"

namespace hone {

/// How often each class was predicted for each true class. Shapes: counts (K, K), truth by row, prediction by column.
struct ConfusionTable {
  Index classes = 0;
  std::vector<Index> counts{};

  explicit ConfusionTable(Index k = 0) : classes(k), counts(static_cast<std::size_t>(k * k), 0) {}
  /// Counts one example. Throws E602 for a class that is not one of the table's.
  void add(Index truth, Index predicted);
  Index operator()(Index truth, Index predicted) const {
    return counts[static_cast<std::size_t>(truth * classes + predicted)];
  }
  Index total() const {
    Index sum = 0;
    for (Index const count : counts) sum += count;
    return sum;
  }
  Index right() const {
    Index sum = 0;
    for (Index k = 0; k < classes; ++k) sum += (*this)(k, k);
    return sum;
  }
  /// How many examples are of class k.
  Index of_class(Index k) const {
    Index sum = 0;
    for (Index predicted = 0; predicted < classes; ++predicted) sum += (*this)(k, predicted);
    return sum;
  }
  /// How many examples were predicted as class k.
  Index predicted_as(Index k) const {
    Index sum = 0;
    for (Index truth = 0; truth < classes; ++truth) sum += (*this)(truth, k);
    return sum;
  }
  /// The share of right predictions; NaN with no examples.
  double accuracy() const {
    return total() > 0 ? static_cast<double>(right()) / static_cast<double>(total()) : std::nan("");
  }
};

/// The table of classes given as numbers. Shapes: truth (N), predicted (N). Throws E602 when they are not equally many or a
/// value is not a whole number from 0 to classes - 1.
ConfusionTable confusion_table(std::span<double const> truth, std::span<double const> predicted, Index classes);

#if HONE_BODIES

HONE_INLINE void ConfusionTable::add(Index truth, Index predicted) {
  if (truth < 0 || truth >= classes || predicted < 0 || predicted >= classes)
    throw Error(602, "a class is outside the table",
                {.value = std::to_string(truth) + " predicted as " + std::to_string(predicted),
                 .allowed = "0 to " + std::to_string(classes - 1)},
                "make the table with as many classes as the head has");
  ++counts[static_cast<std::size_t>(truth * classes + predicted)];
}

HONE_INLINE ConfusionTable confusion_table(std::span<double const> truth, std::span<double const> predicted, Index classes) {
  detail::require_same_size(predicted.size(), truth.size());
  ConfusionTable table(classes);
  for (std::size_t i = 0; i < truth.size(); ++i)
    table.add(detail::class_of(truth[i], classes), detail::class_of(predicted[i], classes));
  return table;
}

#endif

}  // namespace hone
