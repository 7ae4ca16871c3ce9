#pragma once

#include "hone/cpu/backend.hpp"
#include "hone/loss/cross_entropy.hpp"
#include "hone/loss/l1.hpp"
#include "hone/loss/weighted_sum.hpp"
#include "hone/optim/adamw.hpp"
#include "hone/optim/clip.hpp"
#include "hone/optim/schedule.hpp"

namespace hone {

/// A clipping policy: `apply<B>(context, store, state)` leaves norm and scale in the state.
template <class C, class B>
concept GradientClip = requires(C const& clip, typename B::Context& context, ParameterStore<B> const& store,
                                ClipState<B>& state) {
  { clip.template apply<B>(context, store, state) } -> std::same_as<void>;
};

namespace detail {

template <class L>
inline constexpr bool is_weighted_sum = false;
template <class... L>
inline constexpr bool is_weighted_sum<WeightedSum<L...>> = true;

}  // namespace detail

/// How a model is trained, as types: optimizer, schedule of the learning rate, clipping, sum of losses. Each can be a
/// user's own type; a wrong one fails to compile with one numbered sentence (E140 to E143).
///
///   Recipe<AdamW, LinearWarmup, GlobalNormClip, WeightedSum<CrossEntropy, L1>> recipe{.losses = ...};
template <class O = AdamW, class S = LinearWarmup, class C = GlobalNormClip, class L = WeightedSum<CrossEntropy, L1>>
struct Recipe {
  static_assert(Optimizer<O, Cpu<fp64>>,
                "[hone-E140] Recipe: the first element is not an optimizer: it needs State<B>, "
                "init<B>(context, store) and step<B>(context, store, state, scale, rate). See docs/errors.md#e140.");
  static_assert(Schedule<S>,
                "[hone-E141] Recipe: the second element is not a schedule: it needs double factor(Index step, Index "
                "total) const. See docs/errors.md#e141.");
  static_assert(GradientClip<C, Cpu<fp64>>, "[hone-E142] Recipe: the third element is not a clipping policy: it needs "
                                            "apply<B>(context, store, state) const. See docs/errors.md#e142.");
  static_assert(detail::is_weighted_sum<L>,
                "[hone-E143] Recipe: the fourth element is not a WeightedSum<...> of losses. See "
                "docs/errors.md#e143.");
  using OptimizerType = O;
  using LossesType = L;

  O optimizer{};
  S schedule{};
  C clip{};
  L losses{};
};

}  // namespace hone
