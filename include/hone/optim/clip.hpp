#pragma once

#include <cstdint>

#include "hone/core/backend.hpp"
#include "hone/core/buffer.hpp"
#include "hone/core/parameter_store.hpp"
#include "hone/ops/gradient_norm.hpp"

namespace hone {

/// What a clipping policy leaves where the backend's memory is: the gradients' norm before clipping, and their factor.
template <Backend B>
class ClipState {
 public:
  ClipState(typename B::Context& context, ParameterStore<B> const& store)
      : partials_(context, chunks(store)), values_(context, 3) {
    values_.fill_zero();
  }
  /// Bytes that a state takes.
  static std::uint64_t bytes(ParameterStore<B> const& store) {
    return static_cast<std::uint64_t>(chunks(store) + 3) * sizeof(double);
  }
  VectorView<double> partials() const { return partials_.view(); }
  VectorView<double> sum_of_squares() const { return values_.view().slice(0, 1); }
  VectorView<double> norm() const { return values_.view().slice(1, 1); }
  VectorView<double> scale() const { return values_.view().slice(2, 1); }
  /// The norm before clipping, on the host.
  double fetch_norm() const { return values_.download()[1]; }

 private:
  static Index chunks(ParameterStore<B> const& store) { return (store.flat_size() + norm_chunk - 1) / norm_chunk; }

  Buffer<B, double> partials_, values_;
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
    run<B>(context, SumOfSquares<P>{store.gradients(), state.partials(), state.sum_of_squares()});
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
