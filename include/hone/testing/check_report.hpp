// What the gradient checks are told and what they answer.
#pragma once

#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "hone/core/error.hpp"
#include "hone/core/matrix.hpp"
#include "hone/core/philox.hpp"
#include "hone/core/ragged_batch.hpp"

namespace hone::testing {

/// A batch of sequences of the given lengths: random tokens below `vocabulary` (so that some repeat), segments 0 and 1,
/// positions from 0. Its first example is number 5 of its step, so that masks keyed by the row of the batch show.
inline RaggedBatch some_batch(std::vector<Index> const& lengths, Index vocabulary = 7, std::uint64_t seed = 1) {
  RaggedBatch batch;
  PhiloxStream random(seed, 11);
  for (Index const length : lengths) {
    std::vector<std::int32_t> tokens, segments;
    for (Index i = 0; i < length; ++i) {
      tokens.push_back(std::int32_t(random.below(std::uint64_t(vocabulary))));
      segments.push_back(2 * i >= length ? 1 : 0);
    }
    batch.push_back(tokens, segments);
  }
  batch.first_example = 5;
  return batch;
}

/// How a gradient is checked.
struct CheckOptions {
  RaggedBatch batch = some_batch({3, 1, 4});  ///< what the layer sees: N = 8 rows
  std::uint64_t seed = 1;                     ///< of inputs, parameters, the projection dy and dropout
  double tolerance = 1e-6;                    ///< of |backward - difference|, relative to the largest value of its tensor
  double step = 1e-3;                         ///< h of the differences; smaller beside a kink (relu)
  Index most_values = 0;                      ///< at most so many values of each tensor, and one random direction; 0: all
  int threads = 1;
  bool first_rows = false;  ///< only the first row of each sequence is read: y (B, O)
};

/// The outcome of a check.
struct CheckReport {
  double largest_error = 0;             ///< the largest relative error of a gradient
  std::string where{};                  ///< the value it belongs to: "dmine.weight(3, 1), with dropout"
  double got = 0;                       ///< that value as backward gave it
  double expected = 0;                  ///< the same by differences
  Index values = 0;                     ///< compared
  bool dropout_acts = false;            ///< whether the random key changed the output
  std::vector<std::string> failures{};  ///< one sentence each; empty: passed

  bool passed() const { return failures.empty(); }
  explicit operator bool() const { return passed(); }
  /// Failures, or the largest error, as text.
  std::string text() const {
    std::string all;
    for (std::string const& failure : failures) all += failure + "\n";
    return all + std::to_string(values) + " values compared, largest relative error " + number(largest_error) + " at " +
           where + "\n";
  }
  /// Throws E650 unless passed.
  void require() const {
    if (passed()) return;
    throw Error(650, "a gradient check failed: " + failures.front(),
                {.value = std::to_string(failures.size()) + " failures"}, "correct backward where the message says");
  }

  static std::string number(double value) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%.9g", value);
    return buffer;
  }
};

}  // namespace hone::testing
