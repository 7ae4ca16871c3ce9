#pragma once

#include "hone/cuda/element_grid.hpp"

namespace hone::detail {

template <class T, bool wide>
struct FillZeroKernel {
  static constexpr char const* name = "fill_zero";
  static constexpr int threads = element_threads;
  static constexpr int count = sizeof(T) < 16 ? static_cast<int>(16 / sizeof(T)) : 1;  // 16 bytes at a time
  MatrixView<T> x;
  ElementGrid grid;

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    Index const n = grid.row(thread), column = grid.column(thread, n);
    if (column < grid.width) store_pack<wide>(x.row(n), column, grid.width, Pack<T, count>::zero());
  }
};

/// x = 0; what lies between its rows stays.
template <class Context, class T>
void fill_zero(Context& context, MatrixView<T> x) {
  constexpr int count = FillZeroKernel<T, true>::count;
  bool const flat = x.stride == x.cols;
  auto const grid = ElementGrid::of(count, x.rows, x.cols, flat);
  if (is_wide(x) && grid.width % count == 0) {
    context.launch(grid.shape(), FillZeroKernel<T, true>{x, grid});
  } else {
    context.launch(grid.shape(), FillZeroKernel<T, false>{x, grid});
  }
}

}  // namespace hone::detail
