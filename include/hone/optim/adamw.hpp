#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "hone/core/buffer.hpp"
#include "hone/ops/adamw.hpp"
#include "hone/optim/parameter_groups.hpp"

namespace hone {

/// An optimizer: settings outside, state inside. `step` reads the gradients' factor where the memory is; where that is not
/// finite, it must leave parameters and state as they are.
template <class O, class B>
concept Optimizer = Backend<B> &&
    requires(O const& optimizer, typename B::Context& context, ParameterStore<B>& store,
             typename O::template State<B>& state, VectorView<double const> scale, double rate) {
  { optimizer.template init<B>(context, store) } -> std::same_as<typename O::template State<B>>;
  { optimizer.template step<B>(context, store, state, scale, rate) } -> std::same_as<void>;
};

/// Adam with decoupled weight decay, the rule of torch.optim.AdamW; Groups says what is decayed (everything, by default).
///
/// Source: Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2; Kingma and Ba 2015, arXiv:1412.6980.
template <ParameterGroups Groups = OneGroup>
struct BasicAdamW {
  double weight_decay = 0.01;
  double beta1 = 0.9;     ///< decay of the mean of gradients
  double beta2 = 0.999;   ///< decay of the mean of their squares
  double epsilon = 1e-8;  ///< added to the square root
  Groups groups{};

  /// The two moments, flat as the weights, and the number of steps taken.
  template <Backend B>
  struct State {
    Buffer<B, MasterOf<typename B::Precision>> first, second;
    Index steps = 0;
    std::vector<ParameterRange> ranges;
    /// Of the table whose rows are tracked (ParameterStore::track_rows): a byte for each row whose moments may differ from
    /// zero. Empty: any may. Who writes to the moments clears it.
    std::vector<std::uint8_t> moved{};
  };

  /// Bytes that `init` takes.
  template <Backend B>
  std::uint64_t state_bytes(ParameterStore<B> const& store) const {
    return 2 * static_cast<std::uint64_t>(store.flat_size()) * sizeof(MasterOf<typename B::Precision>);
  }
  template <Backend B>
  State<B> init(typename B::Context& context, ParameterStore<B>& store) const {
    using M = MasterOf<typename B::Precision>;
    Index const size = store.weights().size;
    State<B> state{Buffer<B, M>(context, size), Buffer<B, M>(context, size), 0, parameter_ranges(store, groups)};
    state.first.fill_zero();
    state.second.fill_zero();
    if (UsedRows const rows = store.used_rows(); rows.used) state.moved.assign(std::size_t(rows.count), 0);
    for (Index id = 0; id < store.count(); ++id) store.freeze(id, groups.setting(store.info(id)).learning_rate_factor == 0);
    return state;
  }

  template <Backend B>
  void step(typename B::Context& context, ParameterStore<B>& store, State<B>& state, VectorView<double const> gradient_scale,
            double learning_rate) const {
    advance<B>(state);
    apply<B>(context, store, state, gradient_scale, learning_rate);
  }
  /// `step` in two: what changes on the host with every step, and the work, which may be begun again (run_step).
  template <Backend B>
  void advance(State<B>& state) const {
    ++state.steps;
  }
  template <Backend B>
  void apply(typename B::Context& context, ParameterStore<B>& store, State<B>& state,
             VectorView<double const> gradient_scale, double learning_rate) const {
    double const correction1 = 1 - std::pow(beta1, static_cast<double>(state.steps));
    double const correction2 = 1 - std::pow(beta2, static_cast<double>(state.steps));
    UsedRows rows = store.used_rows();
    if (!rows.used || rows.count != Index(state.moved.size())) state.moved.clear();
    for (std::size_t r = 0; r < state.moved.size(); ++r) state.moved[r] |= rows.used[r];
    rows.used = state.moved.empty() ? nullptr : state.moved.data();
    for (auto const& range : state.ranges) {
      if (range.setting.learning_rate_factor == 0) continue;  // frozen
      run<B>(context,
             AdamWStep<typename B::Precision>{
                 store.weights().slice(range.begin, range.size), store.read_gradients().slice(range.begin, range.size),
                 state.first.view().slice(range.begin, range.size), state.second.view().slice(range.begin, range.size),
                 gradient_scale, learning_rate * range.setting.learning_rate_factor,
                 weight_decay * range.setting.weight_decay_factor, beta1, beta2, epsilon, correction1, correction2,
                 store.working() ? store.working().slice(range.begin, range.size) : store.working(),
                 rows.seen_from(range.begin)});
    }
  }
};

/// AdamW as the default of PyTorch has it: all parameters are decayed.
using AdamW = BasicAdamW<>;

}  // namespace hone
