#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "hone/core/backend.hpp"
#include "hone/core/buffer.hpp"
#include "hone/core/parameter_store.hpp"
#include "hone/ops/gradient_norm.hpp"
#include "hone/optim/gradient_groups.hpp"

namespace hone {

/// The norm of a step's gradients before clipping, and its parts by group (empty where the policy does not compute them).
struct GradientNorms {
  double norm = 0;
  std::vector<std::pair<std::string, double>> groups{};
};

/// What a clipping policy leaves where the backend's memory is: the gradients' norm before clipping, also by group of
/// parameters (parameter_group), and their factor.
template <Backend B>
class ClipState {
 public:
  ClipState(typename B::Context& context, ParameterStore<B> const& store)
      : partials_(context, chunks(store)), groups_(context, store), values_(context, 3 + groups_.count()) {
    values_.fill_zero();
    reserve_scratch(context, scratch_bytes(store));
  }
  /// Bytes that a state takes.
  static std::uint64_t bytes(ParameterStore<B> const& store) {
    return static_cast<std::uint64_t>(chunks(store) + 3 + GradientGroups<B>::count(store)) * sizeof(double) +
           GradientGroups<B>::bytes(store);
  }
  /// Scratch memory that the kernels of the norm ask for.
  static std::size_t scratch_bytes(ParameterStore<B> const& store) {
    return kernel_scratch<B, SumOfSquares<typename B::Precision>>(store.flat_size(), 1);
  }
  VectorView<double> partials() const { return partials_.view(); }
  VectorView<double> sum_of_squares() const { return values_.view().slice(0, 1); }
  VectorView<double> norm() const { return values_.view().slice(1, 1); }
  VectorView<double> scale() const { return values_.view().slice(2, 1); }
  /// Enqueues the sums of squares by group. After SumOfSquares over the same gradients, which leaves the partials.
  void add_up_groups(typename B::Context& context, ParameterStore<B> const& store) {
    groups_.add_up(context, store, partials(), values_.view().slice(3, groups_.count()));
    has_groups_ = true;
  }
  /// The norm before clipping, on the host.
  double fetch_norm() const {
    values_.download(host_);
    return host_[1];
  }
  /// The same with its parts: one transfer. `norms`: what an earlier call gave, whose memory is used again.
  GradientNorms fetch_norms(GradientNorms norms = {}) const {
    values_.download(host_);
    norms.norm = host_[1];
    if (has_groups_) norms.groups = groups_.norms(std::span<double const>(host_).subspan(3), std::move(norms.groups));
    return norms;
  }

 private:
  static Index chunks(ParameterStore<B> const& store) { return (store.flat_size() + norm_chunk - 1) / norm_chunk; }

  Buffer<B, double> partials_;
  GradientGroups<B> groups_;
  Buffer<B, double> values_;  ///< sum of squares, norm, scale, sums of squares by group
  mutable std::vector<double> host_{};  ///< values_, as fetched
  bool has_groups_ = false;
};

/// All gradients times min(1, max_norm / norm), norm = sqrt of the sum of squares over all parameters.
///
/// max_norm <= 0: no clipping; the norm is still computed, for logs and because a norm that is not finite stops the step.
/// Source: Pascanu et al. 2013, arXiv:1211.5063, section 3.2.
struct GlobalNormClip {
  double max_norm = 1.0;

  template <Backend B>
  void apply(typename B::Context& context, ParameterStore<B> const& store, ClipState<B>& state) const {
    using P = typename B::Precision;
    run<B>(context, SumOfSquares<P>{store.read_gradients(), state.partials(), state.sum_of_squares(), store.used_rows()});
    state.add_up_groups(context, store);
    run<B>(context, ClipScale<P>{state.sum_of_squares(), max_norm, state.norm(), state.scale()});
  }
};

/// No clipping; the norm is still computed.
struct NoClip {
  template <Backend B>
  void apply(typename B::Context& context, ParameterStore<B> const& store, ClipState<B>& state) const {
    GlobalNormClip{0}.apply<B>(context, store, state);
  }
};

}  // namespace hone
