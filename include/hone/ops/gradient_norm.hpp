#pragma once

#include "hone/core/backend.hpp"
#include "hone/core/used_rows.hpp"

namespace hone {

/// How many values one partial sum of SumOfSquares covers: fixed, so that the sum has the same bits everywhere.
inline constexpr Index norm_chunk = 16384;

/// result[0] = sum of x_i^2, in double. Shapes: x (n), partials (at least ceil(n / norm_chunk)), result (1).
///
/// Partial c is the sum over elements c * norm_chunk .. (c + 1) * norm_chunk - 1; the partials are
/// added in a fixed order. `rows` tells what need not be read; it does not change the result.
template <class P>
struct SumOfSquares {
  VectorView<MasterOf<P> const> x;
  VectorView<double> partials;
  VectorView<double> result;
  UsedRows rows{};
};

/// How many sums RangeSquares makes of a range, and how many neighbours a sum takes at a time.
inline constexpr Index range_lanes = 128, range_run = 16;

/// sums[r] = sum of x_i^2 over borders[2 r] <= i < borders[2 r + 1], in double, in a fixed order: the parts of the norm that
/// come from one layer or another.
///
/// Chunks that lie in a range are not read again: their sums are those that SumOfSquares of the same x left in `partials`.
/// At most two chunks a range are read. Shapes: x (n), partials (ceil(n / norm_chunk)), borders (2 R), lanes (R range_lanes;
/// room for what one wants to keep there), sums (R).
template <class P>
struct RangeSquares {
  VectorView<MasterOf<P> const> x;
  VectorView<double const> partials;
  VectorView<Index const> borders;
  VectorView<double> lanes;
  VectorView<double> sums;
};

namespace detail {

/// How a range lies over the chunks: whole chunks first .. last - 1, values before them and values behind them.
struct RangeParts {
  Index first = 0, last = 0;                                         // chunks
  Index head_begin = 0, head_end = 0, tail_begin = 0, tail_end = 0;  // values

  HONE_HOST_DEVICE RangeParts(Index begin, Index end)
      : first((begin + norm_chunk - 1) / norm_chunk), last(end / norm_chunk), head_begin(begin) {
    if (first <= last) {
      head_end = first * norm_chunk, tail_begin = last * norm_chunk, tail_end = end;
    } else {  // inside of one chunk
      head_end = end, last = first;
    }
  }
};

}  // namespace detail

/// norm = sqrt(sum_of_squares),  scale = min(1, max_norm / (norm + 1e-6));  max_norm <= 0: scale = 1
///
/// Shapes: each (1), where the memory is. scale is NaN when the norm is not finite.
/// Source: Pascanu et al. 2013, arXiv:1211.5063, section 3.2, with the constant of torch.nn.utils.clip_grad_norm_.
template <class P>
struct ClipScale {
  VectorView<double const> sum_of_squares;
  double max_norm;
  VectorView<double> norm, scale;
};

/// scale[0] = NaN where a loss is not finite: AdamWStep then leaves everything untouched, though nobody has waited for the
/// losses to come to the host. Shapes: losses (n), scale (1).
template <class P>
struct GuardScale {
  VectorView<StatisticOf<P> const> losses;
  VectorView<double> scale;
};

}  // namespace hone
