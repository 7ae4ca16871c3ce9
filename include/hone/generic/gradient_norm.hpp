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
