// What attributions of tokens are made of, beside the model's own forward and backward passes.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "hone/core/error.hpp"
#include "hone/core/ragged_batch.hpp"
#include "hone/models/outputs.hpp"

namespace hone::detail {

/// Throws E751 unless there is one class below `allowed` (0: the head does not classify) for each of `size` sequences, or
/// none at all.
inline void check_attributed_classes(std::span<Index const> classes, Index size, Index allowed) {
  for (Index const k : classes)
    if (Index(classes.size()) != size || k < 0 || k >= allowed)
      throw Error(751, "the classes to attribute do not fit the batch and the head",
                  {.value = "class " + std::to_string(k) + ", " + std::to_string(classes.size()) + " in all",
                   .allowed = std::to_string(size) + " classes below " + std::to_string(allowed)},
                  "give one class of the head for each sequence, or none");
}

/// The gradient that picks one output of each row: the class given, else the largest one. Shapes: y (B, K), result (B, K).
template <class S>
std::vector<S> picked_outputs(HostMatrix const& y, std::span<Index const> classes) {
  std::vector<S> dy(y.values.size(), S(0));
  for (Index b = 0; b < y.rows(); ++b)
    dy[std::size_t(b * y.cols + (classes.empty() ? y.argmax(b) : classes[std::size_t(b)]))] = S(1);
  return dy;
}

/// w[b][i] = <gradient row, input row> for token i of sequence b. Shapes: gradient, input (N, D).
inline std::vector<std::vector<double>> gradient_times_input(HostMatrix const& gradient, HostMatrix const& input,
                                                             RaggedBatch const& batch) {
  std::vector<std::vector<double>> all;
  for (Index b = 0, row = 0; b < batch.size(); ++b) {
    auto& weights = all.emplace_back();
    for (Index t = 0; t < batch.length(b); ++t, ++row) {
      double sum = 0;
      for (Index d = 0; d < input.cols; ++d) sum += gradient(row, d) * input(row, d);
      weights.push_back(sum);
    }
  }
  return all;
}

}  // namespace hone::detail
