#pragma once

#include "hone/generic/rung.hpp"
#include "hone/ops/loss.hpp"

namespace hone {
namespace detail {

template <class P, class Loss>
struct LossRow {
  LossForwardBackward<P, Loss> op;
  HONE_HOST_DEVICE void operator()(Index b) const {
    using S = StatisticOf<P>;
    S* const gradient = op.doutputs ? op.doutputs.row(b) : nullptr;
    op.losses[b] = Loss::template row<S>(op.outputs.row(b), op.outputs.cols, op.labels[b], gradient);
    if (gradient)
      for (Index k = 0; k < op.outputs.cols; ++k) gradient[k] *= S(op.scale);
  }
};

template <class P, class Map>
struct MapForwardRow {
  MapForward<P, Map> op;
  HONE_HOST_DEVICE void operator()(Index b) const {
    for (Index k = 0; k < op.x.cols; ++k) op.y(b, k) = Map::template value<StatisticOf<P>>(StatisticOf<P>(op.x(b, k)));
  }
};

template <class P, class Map>
struct MapBackwardRow {
  MapBackward<P, Map> op;
  HONE_HOST_DEVICE void operator()(Index b) const {
    for (Index k = 0; k < op.x.cols; ++k)
      op.dx(b, k) = ActivationOf<P>(op.dy(b, k) * Map::template derivative<StatisticOf<P>>(StatisticOf<P>(op.x(b, k))));
  }
};

}  // namespace detail

template <class P, class Loss>
struct GenericKernel<LossForwardBackward<P, Loss>> {
  template <class Context>
  static void run(Context& context, LossForwardBackward<P, Loss> const& op) {
    context.for_each(op.outputs.rows, detail::LossRow<P, Loss>{op});
  }
};

template <class P, class Map>
struct GenericKernel<MapForward<P, Map>> {
  template <class Context>
  static void run(Context& context, MapForward<P, Map> const& op) {
    context.for_each(op.x.rows, detail::MapForwardRow<P, Map>{op});
  }
};

template <class P, class Map>
struct GenericKernel<MapBackward<P, Map>> {
  template <class Context>
  static void run(Context& context, MapBackward<P, Map> const& op) {
    context.for_each(op.x.rows, detail::MapBackwardRow<P, Map>{op});
  }
};

}  // namespace hone
