#pragma once

#include "hone/ops/loss.hpp"
#include "hone/thrust/algorithms.hpp"
#include "hone/thrust/rung.hpp"

namespace hone {
namespace detail {

template <class P, class Map>
struct MapValue {
  HONE_HOST_DEVICE StatisticOf<P> operator()(ActivationOf<P> x) const {
    return Map::template value<StatisticOf<P>>(StatisticOf<P>(x));
  }
};

template <class P, class Map>
struct MapGradient {
  HONE_HOST_DEVICE ActivationOf<P> operator()(ActivationOf<P> x, StatisticOf<P> dy) const {
    return ActivationOf<P>(dy * Map::template derivative<StatisticOf<P>>(StatisticOf<P>(x)));
  }
};

}  // namespace detail

template <class P, class Map>
struct ThrustKernel<MapForward<P, Map>> {
  template <class Context>
  static void run(Context& context, MapForward<P, Map> const& op) {
    detail::thrust_transform(context.policy(), op.x, op.y, detail::MapValue<P, Map>{});
  }
};

template <class P, class Map>
struct ThrustKernel<MapBackward<P, Map>> {
  template <class Context>
  static void run(Context& context, MapBackward<P, Map> const& op) {
    detail::thrust_transform(context.policy(), op.x, op.dy, op.dx, detail::MapGradient<P, Map>{});
  }
};

}  // namespace hone
