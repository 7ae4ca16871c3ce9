#pragma once

#include <cmath>

#include "hone/generic/rung.hpp"
#include "hone/ops/gradient_norm.hpp"

namespace hone {
namespace detail {

template <class P>
struct SquaresOfChunk {
  SumOfSquares<P> op;
  HONE_HOST_DEVICE void operator()(Index chunk) const {
    Index const begin = chunk * norm_chunk, end = begin + norm_chunk < op.x.size ? begin + norm_chunk : op.x.size;
    double sum = 0;
    for (Index i = begin; i < end; ++i) sum += double(op.x[i]) * double(op.x[i]);
    op.partials[chunk] = sum;
  }
};

struct SumOfPartials {
  VectorView<double const> partials;
  VectorView<double> result;
  HONE_HOST_DEVICE void operator()(Index) const {
    double sum = 0;
    for (Index i = 0; i < partials.size; ++i) sum += partials[i];
    result[0] = sum;
  }
};

/// Lane l of a range: chunks first + l, first + l + range_lanes, ...; then runs of neighbours, dealt out in turn.
template <class P>
struct SquaresOfRangeLane {
  RangeSquares<P> op;
  HONE_HOST_DEVICE void operator()(Index i) const {
    Index const range = i / range_lanes, lane = i % range_lanes;
    RangeParts const parts(op.borders[2 * range], op.borders[2 * range + 1]);
    double sum = 0;
    for (Index chunk = parts.first + lane; chunk < parts.last; chunk += range_lanes) sum += op.partials[chunk];
    sum = add(sum, parts.head_begin + lane * range_run, parts.head_end);
    op.lanes[i] = add(sum, parts.tail_begin + lane * range_run, parts.tail_end);
  }
  HONE_HOST_DEVICE double add(double sum, Index begin, Index end) const {
    for (; begin < end; begin += range_lanes * range_run)
      for (Index i = begin; i < begin + range_run && i < end; ++i) sum += double(op.x[i]) * double(op.x[i]);
    return sum;
  }
};

struct SumOfRangeLanes {
  VectorView<double const> lanes;
  VectorView<double> sums;
  HONE_HOST_DEVICE void operator()(Index range) const {
    double sum = 0;
    for (Index lane = 0; lane < range_lanes; ++lane) sum += lanes[range * range_lanes + lane];
    sums[range] = sum;
  }
};

struct ClipScaleOnce {
  VectorView<double const> sum_of_squares;
  double max_norm;
  VectorView<double> norm, scale;
  HONE_HOST_DEVICE void operator()(Index) const {
    using std::sqrt;
    double const n = sqrt(sum_of_squares[0]);
    norm[0] = n;
    double const ratio = max_norm > 0 ? max_norm / (n + 1e-6) : 1.0;
    scale[0] = n - n == 0 ? (ratio < 1.0 ? ratio : 1.0) : n - n;  // n - n is NaN when n is not finite
  }
};

template <class P>
struct GuardScaleOnce {
  GuardScale<P> op;
  HONE_HOST_DEVICE void operator()(Index) const {
    for (Index i = 0; i < op.losses.size; ++i)
      if (!(op.losses[i] - op.losses[i] == 0)) op.scale[0] = double(op.losses[i] - op.losses[i]);  // NaN
  }
};

}  // namespace detail

template <class P>
struct GenericKernel<SumOfSquares<P>> {
  template <class Context>
  static void run(Context& context, SumOfSquares<P> const& op) {
    Index const chunks = (op.x.size + norm_chunk - 1) / norm_chunk;
    context.for_each(chunks, detail::SquaresOfChunk<P>{op});
    context.for_each(1, detail::SumOfPartials{op.partials.slice(0, chunks), op.result});
  }
};

template <class P>
struct GenericKernel<RangeSquares<P>> {
  template <class Context>
  static void run(Context& context, RangeSquares<P> const& op) {
    context.for_each(op.sums.size * range_lanes, detail::SquaresOfRangeLane<P>{op});
    context.for_each(op.sums.size, detail::SumOfRangeLanes{op.lanes, op.sums});
  }
};

template <class P>
struct GenericKernel<GuardScale<P>> {
  template <class Context>
  static void run(Context& context, GuardScale<P> const& op) {
    context.for_each(1, detail::GuardScaleOnce<P>{op});
  }
};

template <class P>
struct GenericKernel<ClipScale<P>> {
  template <class Context>
  static void run(Context& context, ClipScale<P> const& op) {
    context.for_each(1, detail::ClipScaleOnce{op.sum_of_squares, op.max_norm, op.norm, op.scale});
  }
};

}  // namespace hone
