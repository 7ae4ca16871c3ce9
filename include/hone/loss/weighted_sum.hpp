#pragma once

#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include "hone/loss/loss.hpp"

namespace hone {
namespace detail {

template <std::size_t Index, class L>
struct CheckLoss {
  static_assert(Loss<L>,
                "[hone-E130] WeightedSum: element #Index is not a loss: it needs Label, name and a static row(output, "
                "width, label, doutput). See docs/errors.md#e130.");
};
template <class Sequence, class... L>
struct CheckLosses;
template <std::size_t... I, class... L>
struct CheckLosses<std::index_sequence<I...>, L...> : CheckLoss<I, L>... {};

/// The loss and the head at one position must mean the same kind of label.
template <std::size_t Index, class L, class H>
struct CheckLossOfHead {
  static_assert(
      std::is_same_v<typename L::Label, typename H::Label>,
      "[hone-E132] Loss #Index takes another kind of label than head #Index has (cross entropy needs classes, L1 needs "
      "numbers). See docs/errors.md#e132.");
};

}  // namespace detail

/// total = sum_i weight_i * mean over the step's examples of loss_i; loss i is that of head i.
///
/// Errors at compile time: E130 an element is not a loss. The weights are set where the sum is made:
/// WeightedSum<CrossEntropy, L1>{{1, 0.02}}.
template <class... L>
struct WeightedSum : private detail::CheckLosses<std::index_sequence_for<L...>, L...> {
  static constexpr std::size_t count = sizeof...(L);
  template <std::size_t I>
  using At = std::tuple_element_t<I, std::tuple<L...>>;

  std::array<double, count> weights{};

  constexpr WeightedSum() { weights.fill(1.0); }
  constexpr explicit WeightedSum(std::array<double, count> const& w) : weights(w) {}
};

}  // namespace hone
