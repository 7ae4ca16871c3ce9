// What every measure asks of its input.
#pragma once

#include <cmath>
#include <span>
#include <string>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/core/matrix.hpp"

namespace hone::detail {

/// Throws E602 when there are not as many predictions as labels.
void require_same_size(std::size_t predictions, std::size_t labels);

inline bool any_nan(std::span<double const> values) {
  for (double const value : values)
    if (std::isnan(value)) return true;
  return false;
}

/// A class given as a number. Throws E602 when it is not a whole number from 0 to classes - 1.
Index class_of(double value, Index classes);

/// Throws E603 when a label is neither 0 nor 1.
void require_binary(std::span<double const> truth);

/// Throws E604 when a probability is outside 0 to 1 (by more than rounding), E602 when they are not `classes` for each
/// label. NaN passes: the measures answer it with NaN.
void require_probabilities(std::span<double const> truth, std::span<double const> probabilities, Index classes);

#if HONE_BODIES

HONE_INLINE void require_same_size(std::size_t predictions, std::size_t labels) {
  if (predictions != labels)
    throw Error(602, "there is not one prediction for each label",
                {.value = std::to_string(predictions), .allowed = std::to_string(labels)}, "pass as many of both");
}

HONE_INLINE Index class_of(double value, Index classes) {
  if (!(value >= 0 && value < static_cast<double>(classes)) || value != std::floor(value))
    throw Error(602, "a class is outside the table",
                {.value = std::to_string(value), .allowed = "0 to " + std::to_string(classes - 1)},
                "number the classes from 0 on, and pass as many classes as the head has");
  return static_cast<Index>(value);
}

HONE_INLINE void require_binary(std::span<double const> truth) {
  for (std::size_t i = 0; i < truth.size(); ++i)
    if (truth[i] != 0 && truth[i] != 1)
      throw Error(603, "a label of a measure of two classes is neither 0 nor 1",
                  {.value = std::to_string(truth[i]) + " of example " + std::to_string(i), .allowed = "0 or 1"},
                  "compare one class with all others: 1 for the class, 0 for the rest");
}

HONE_INLINE void require_probabilities(std::span<double const> truth, std::span<double const> probabilities, Index classes) {
  if (classes < 1) throw Error(602, "no classes", {.value = std::to_string(classes)}, "pass the number of classes");
  require_same_size(probabilities.size(), truth.size() * static_cast<std::size_t>(classes));
  for (std::size_t i = 0; i < probabilities.size(); ++i)
    if (probabilities[i] < -1e-6 || probabilities[i] > 1 + 1e-6)
      throw Error(604, "a probability is outside 0 to 1",
                  {.value = std::to_string(probabilities[i]) + " at position " + std::to_string(i), .allowed = "0 to 1"},
                  "pass probabilities, not scores: hone::softmax turns the scores of an example into them");
}

#endif

}  // namespace hone::detail
