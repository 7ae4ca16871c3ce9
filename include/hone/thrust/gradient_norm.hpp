#pragma once

#include "hone/ops/gradient_norm.hpp"
#include "hone/thrust/algorithms.hpp"
#include "hone/thrust/rung.hpp"

namespace hone {
namespace detail {

/// How many interleaved sums a chunk is cut into: neighbours read neighbours.
inline constexpr Index norm_lanes = 128;
static_assert(norm_chunk % norm_lanes == 0);

/// Lane l of a chunk: the sum of x_i^2 over i = begin + l, begin + l + norm_lanes, ...
template <class P>
struct SquaresOfLane {
  VectorView<MasterOf<P> const> x;
  double* lanes;
  HONE_HOST_DEVICE void operator()(Index i) const {
    Index const begin = i / norm_lanes * norm_chunk, end = begin + norm_chunk < x.size ? begin + norm_chunk : x.size;
    double sum = 0;
    for (Index at = begin + i % norm_lanes; at < end; at += norm_lanes) sum += double(x[at]) * double(x[at]);
    lanes[i] = sum;
  }
};

/// to[i] = the sum of from[i * count] .. from[(i + 1) * count - 1], in order.
struct SumInOrder {
  double const* from;
  Index count;
  double* to;
  HONE_HOST_DEVICE void operator()(Index i) const {
    double sum = 0;
    for (Index k = 0; k < count; ++k) sum += from[i * count + k];
    to[i] = sum;
  }
};

}  // namespace detail

/// Temporary memory: norm_lanes doubles a chunk (1 / 32 of the size of float gradients).
template <class P>
struct ThrustKernel<SumOfSquares<P>> {
  static std::size_t scratch_bytes(Index size, Index) {
    return detail::temporary_bytes<double>((size + norm_chunk - 1) / norm_chunk * detail::norm_lanes);
  }
  template <class Context>
  static void run(Context& context, SumOfSquares<P> const& op) {
    auto policy = context.policy();
    Index const chunks = (op.x.size + norm_chunk - 1) / norm_chunk;
    detail::Temporary<double, decltype(policy)> const lanes(policy, chunks * detail::norm_lanes);
    detail::thrust_each(policy, chunks * detail::norm_lanes, detail::SquaresOfLane<P>{op.x, lanes.data()});
    detail::thrust_each(policy, chunks, detail::SumInOrder{lanes.data(), detail::norm_lanes, op.partials.data});
    detail::thrust_each(policy, 1, detail::SumInOrder{op.partials.data, chunks, op.result.data});
  }
};

}  // namespace hone
