#pragma once

#include "hone/cuda/pack.hpp"
#include "hone/cuda/rung.hpp"

namespace hone::detail {

/// Threads of a block of kernels that go over a matrix element by element.
inline constexpr int element_threads = 256;

/// How such kernels cut a matrix: a thread takes a pack of neighbouring columns, a block a tile of a row. A matrix whose
/// rows follow each other without gaps is one long row.
struct ElementGrid {
  Index rows, width, tiles;
  int count;  ///< columns of a pack

  static ElementGrid of(int count, Index rows, Index width, bool flat) {
    if (flat) {
      width *= rows;
      rows = width > 0 ? 1 : 0;
    }
    return {rows, width, (width + element_threads * count - 1) / (element_threads * count), count};
  }
  LaunchShape shape() const { return {.blocks = rows * tiles, .blocks_y = 1, .shared_bytes = 0}; }

  template <class Thread>
  HONE_HOST_DEVICE Index row(Thread const& thread) const {
    return rows == 1 ? 0 : thread.block() / tiles;
  }
  /// First column of the thread's pack; may be past the width.
  template <class Thread>
  HONE_HOST_DEVICE Index column(Thread const& thread, Index row) const {
    return ((thread.block() - row * tiles) * element_threads + thread.index()) * count;
  }
};

}  // namespace hone::detail
