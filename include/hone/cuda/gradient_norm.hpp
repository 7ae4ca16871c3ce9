#pragma once

#include <cmath>

#include "hone/cuda/pack.hpp"
#include "hone/cuda/rung.hpp"
#include "hone/cuda/warp.hpp"
#include "hone/ops/gradient_norm.hpp"

namespace hone {
namespace detail {

/// A block a chunk of norm_chunk values. Thread t adds the quads t, t + 256, ... in order, then the block in a fixed order.
template <class P, bool wide>
struct ChunkSquaresKernel {
  static constexpr char const* name = "sum_of_squares";
  static constexpr int threads = 256;
  static constexpr int count = 4;
  static constexpr int quads = static_cast<int>(norm_chunk / (threads * count));  // of a thread
  static_assert(quads * threads * count == norm_chunk);
  SumOfSquares<P> op;

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    constexpr int ahead = 4;  // quads that are loaded before they are added
    static_assert(quads % ahead == 0);
    using M = MasterOf<P>;
    Index const begin = thread.block() * norm_chunk + thread.index() * count, size = op.x.size;
    double sum = 0;
    for (int q = 0; q < quads; q += ahead) {
      Pack<M, count> x[ahead];
      HONE_DEVICE_UNROLL
      for (int k = 0; k < ahead; ++k) {
        Index const i = begin + Index{q + k} * threads * count;
        x[k] = wide && i + count <= size ? load_pack<wide, count>(op.x.data, i, size)
                                         : load_pack<false, count>(op.x.data, i, size);
      }
      HONE_DEVICE_UNROLL
      for (int k = 0; k < ahead; ++k) {
        HONE_DEVICE_UNROLL
        for (int c = 0; c < count; ++c) sum += double(x[k].get(c)) * double(x[k].get(c));
      }
    }
    sum = block_sum(thread, sum, thread.template shared<double>(0, threads / warp_size));
    if (thread.index() == 0) op.partials[thread.block()] = sum;
  }
};

/// One block: thread t adds the partial sums t, t + 256, ... in order, then the block in a fixed order.
struct PartialSquaresKernel {
  static constexpr char const* name = "sum_of_partials";
  static constexpr int threads = 256;
  VectorView<double const> partials;
  VectorView<double> result;

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    double sum = 0;
    for (Index i = thread.index(); i < partials.size; i += threads) sum += partials[i];
    sum = block_sum(thread, sum, thread.template shared<double>(0, threads / warp_size));
    if (thread.index() == 0) result[0] = sum;
  }
};

/// A block a range: thread t adds the chunks first + t, first + t + 256, ..., then values at the same distance, then the
/// block in a fixed order.
template <class P>
struct RangeSquaresKernel {
  static constexpr char const* name = "range_squares";
  static constexpr int threads = 256;
  RangeSquares<P> op;

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    Index const range = thread.block(), t = thread.index();
    RangeParts const parts(op.borders[2 * range], op.borders[2 * range + 1]);
    double sum = 0;
    for (Index chunk = parts.first + t; chunk < parts.last; chunk += threads) sum += op.partials[chunk];
    for (Index i = parts.head_begin + t; i < parts.head_end; i += threads) sum += double(op.x[i]) * double(op.x[i]);
    for (Index i = parts.tail_begin + t; i < parts.tail_end; i += threads) sum += double(op.x[i]) * double(op.x[i]);
    sum = block_sum(thread, sum, thread.template shared<double>(0, threads / warp_size));
    if (t == 0) op.sums[range] = sum;
  }
};

template <class P>
struct ClipScaleKernel {
  static constexpr char const* name = "clip_scale";
  static constexpr int threads = warp_size;
  ClipScale<P> op;

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    using std::sqrt;
    if (thread.index() > 0) return;
    double const norm = sqrt(op.sum_of_squares[0]), ratio = op.max_norm > 0 ? op.max_norm / (norm + 1e-6) : 1.0;
    op.norm[0] = norm;
    op.scale[0] = norm - norm == 0 ? (ratio < 1.0 ? ratio : 1.0) : norm - norm;  // NaN when the norm is not finite
  }
};

}  // namespace detail

template <class P>
struct CudaKernel<SumOfSquares<P>> {
  template <class Context>
  static void run(Context& context, SumOfSquares<P> const& op) {
    using namespace detail;
    Index const chunks = (op.x.size + norm_chunk - 1) / norm_chunk;
    LaunchShape const shape{.blocks = chunks, .blocks_y = 1, .shared_bytes = 256 / warp_size * sizeof(double)};
    if (is_wide(op.x)) {
      context.launch(shape, ChunkSquaresKernel<P, true>{op});
    } else {
      context.launch(shape, ChunkSquaresKernel<P, false>{op});
    }
    context.launch(LaunchShape{.blocks = 1, .blocks_y = 1, .shared_bytes = shape.shared_bytes},
                   PartialSquaresKernel{op.partials.slice(0, chunks), op.result});
  }
};

template <class P>
struct CudaKernel<RangeSquares<P>> {
  template <class Context>
  static void run(Context& context, RangeSquares<P> const& op) {
    context.launch(LaunchShape{.blocks = op.sums.size, .blocks_y = 1, .shared_bytes = 256 / warp_size * sizeof(double)},
                   detail::RangeSquaresKernel<P>{op});
  }
};

template <class P>
struct CudaKernel<ClipScale<P>> {
  template <class Context>
  static void run(Context& context, ClipScale<P> const& op) {
    context.launch(LaunchShape{}, detail::ClipScaleKernel<P>{op});
  }
};

}  // namespace hone
