#pragma once

#include "hone/cuda/rung.hpp"
#include "hone/generic/loss.hpp"
#include "hone/ops/loss.hpp"

namespace hone {
namespace detail {

/// A thread an example, or an element: a batch has few.
template <class Functor>
struct EachKernel {
  static constexpr char const* name = Functor::name;
  static constexpr int threads = 128;
  Functor functor;
  Index count;

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    Index const i = thread.block() * threads + thread.index();
    if (i < count) functor(i);
  }
};

template <class P, class Loss>
struct LossExample : LossRow<P, Loss> {
  static constexpr char const* name = "loss_forward_backward";
};

template <class P, class Map>
struct MapForwardExample : MapForwardRow<P, Map> {
  static constexpr char const* name = "map_forward";
};

template <class P, class Map>
struct MapBackwardExample : MapBackwardRow<P, Map> {
  static constexpr char const* name = "map_backward";
};

template <class Context, class Functor>
void launch_each(Context& context, Index count, Functor const& functor) {
  using Kernel = EachKernel<Functor>;
  context.launch(LaunchShape{.blocks = (count + Kernel::threads - 1) / Kernel::threads}, Kernel{functor, count});
}

}  // namespace detail

template <class P, class Loss>
struct CudaKernel<LossForwardBackward<P, Loss>> {
  template <class Context>
  static void run(Context& context, LossForwardBackward<P, Loss> const& op) {
    detail::launch_each(context, op.outputs.rows, detail::LossExample<P, Loss>{{op}});
  }
};

template <class P, class Map>
struct CudaKernel<MapForward<P, Map>> {
  template <class Context>
  static void run(Context& context, MapForward<P, Map> const& op) {
    detail::launch_each(context, op.x.rows, detail::MapForwardExample<P, Map>{{op}});
  }
};

template <class P, class Map>
struct CudaKernel<MapBackward<P, Map>> {
  template <class Context>
  static void run(Context& context, MapBackward<P, Map> const& op) {
    detail::launch_each(context, op.x.rows, detail::MapBackwardExample<P, Map>{{op}});
  }
};

}  // namespace hone
