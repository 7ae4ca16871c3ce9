#pragma once

#include <cmath>

#include "hone/cuda/element_grid.hpp"
#include "hone/ops/adamw.hpp"

namespace hone {
namespace detail {

/// One pass over the flat buffers: reads weight, gradient and moments, writes weight, moments and the working copy.
template <class P, bool wide>
struct AdamWKernel {
  static constexpr char const* name = "adamw";
  static constexpr int threads = element_threads;
  static constexpr int count = 4;  // values of a thread: 16 bytes of float
  using M = MasterOf<P>;
  AdamWStep<P> op;
  M decay, keep1, new1, keep2, new2, root_correction, rate, epsilon;  // functions of the step alone, computed once

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    using std::sqrt;
    Index const size = op.weight.size, i = (thread.block() * threads + thread.index()) * count;
    double const scale = op.gradient_scale[0];
    if (i >= size || !(scale - scale == 0)) return;  // NaN or infinite: the gradient was not finite
    if (wide && i + count <= size) {
      step<wide>(i, M(scale));
    } else {
      step<false>(i, M(scale));
    }
  }

 private:
  template <bool whole>
  HONE_HOST_DEVICE void step(Index i, M scale) const {
    using std::sqrt;
    using A = ActivationOf<P>;
    Index const size = op.weight.size;
    Pack<M, count> const weight = load_pack<whole, count>(static_cast<M const*>(op.weight.data), i, size);
    Pack<M, count> const gradient = load_pack<whole, count>(op.gradient.data, i, size);
    Pack<M, count> first = load_pack<whole, count>(static_cast<M const*>(op.first.data), i, size);
    Pack<M, count> second = load_pack<whole, count>(static_cast<M const*>(op.second.data), i, size);
    M updated[count];
    HONE_DEVICE_UNROLL
    for (int k = 0; k < count; ++k) {
      M const g = gradient.get(k) * scale;
      M const m = keep1 * first.get(k) + new1 * g, v = keep2 * second.get(k) + new2 * g * g;
      first.set(k, m);
      second.set(k, v);
      updated[k] = weight.get(k) * decay - rate * m / (sqrt(v) / root_correction + epsilon);
    }
    store_pack<whole>(op.weight.data, i, size, to_pack<M>(updated));
    store_pack<whole>(op.first.data, i, size, first);
    store_pack<whole>(op.second.data, i, size, second);
    if (op.working) store_pack<whole>(op.working.data, i, size, to_pack<A>(updated));
  }
};

}  // namespace detail

template <class P>
struct CudaKernel<AdamWStep<P>> {
  template <class Context>
  static void run(Context& context, AdamWStep<P> const& op) {
    bool const wide = detail::is_wide(op.weight) && detail::is_wide(op.gradient) && detail::is_wide(op.first) &&
                      detail::is_wide(op.second) && detail::is_wide(op.working);
    if (wide) {
      launch<true>(context, op);
    } else {
      launch<false>(context, op);
    }
  }

 private:
  template <bool wide, class Context>
  static void launch(Context& context, AdamWStep<P> const& op) {
    using Kernel = detail::AdamWKernel<P, wide>;
    using M = MasterOf<P>;
    constexpr Index per_block = Kernel::threads * Kernel::count;
    context.launch(
        LaunchShape{.blocks = (op.weight.size + per_block - 1) / per_block},
        Kernel{op, M(1 - op.learning_rate * op.weight_decay), M(op.beta1), M(1 - op.beta1), M(op.beta2), M(1 - op.beta2),
               M(std::sqrt(op.correction2)), M(op.learning_rate / op.correction1), M(op.epsilon)});
  }
};

}  // namespace hone
