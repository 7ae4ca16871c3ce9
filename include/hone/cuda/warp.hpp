#pragma once

#include "hone/cuda/thread.hpp"

namespace hone {

/// Sums and maxima over the lanes of a warp and the threads of a block. The order is fixed by the lanes' numbers, so that
/// the bits are the same for every schedule, and every lane (thread) gets the same bits. All must call.

namespace detail {

struct Plus {
  template <class T>
  HONE_HOST_DEVICE static T of(T a, T b) {
    return a + b;
  }
};
struct Larger {  // NaN wins, so that it is not lost
  template <class T>
  HONE_HOST_DEVICE static T of(T a, T b) {
    return b > a || b != b ? b : a;
  }
};

/// Over the lanes whose numbers differ in the bits below `lanes` (a power of two).
template <class Combine, class Thread, class T>
HONE_HOST_DEVICE inline T combine_lanes(Thread const& thread, T x, int lanes) {
  for (int mask = lanes / 2; mask > 0; mask /= 2) x = Combine::of(x, thread.shuffle_xor(x, mask));
  return x;
}

template <class Combine, class Thread, class T, class Scratch>
HONE_HOST_DEVICE inline T combine_block(Thread const& thread, T x, Scratch const& scratch, T neutral) {
  x = combine_lanes<Combine>(thread, x, warp_size);
  if (thread.lane() == 0) scratch[thread.warp()] = x;
  thread.barrier();
  x = thread.lane() < thread.threads() / warp_size ? static_cast<T>(scratch[thread.lane()]) : neutral;
  x = combine_lanes<Combine>(thread, x, warp_size);
  thread.barrier();  // the scratch may be written again
  return x;
}

}  // namespace detail

/// Sum of x over the 32 lanes of the warp.
template <class Thread, class T>
HONE_HOST_DEVICE inline T warp_sum(Thread const& thread, T x) {
  return detail::combine_lanes<detail::Plus>(thread, x, warp_size);
}

/// Largest x of the 32 lanes of the warp; NaN if one is NaN.
template <class Thread, class T>
HONE_HOST_DEVICE inline T warp_max(Thread const& thread, T x) {
  return detail::combine_lanes<detail::Larger>(thread, x, warp_size);
}

/// Sum of x over the four lanes that share rows of an accumulator tile (mma.hpp): lane / 4 is equal.
template <class Thread, class T>
HONE_HOST_DEVICE inline T quad_sum(Thread const& thread, T x) {
  return detail::combine_lanes<detail::Plus>(thread, x, 4);
}

/// Largest x of the four lanes that share rows of an accumulator tile; NaN if one is NaN.
template <class Thread, class T>
HONE_HOST_DEVICE inline T quad_max(Thread const& thread, T x) {
  return detail::combine_lanes<detail::Larger>(thread, x, 4);
}

/// Sum of x over all threads of the block, for all of them. Two barriers.
///
/// @param scratch  shared memory for one T a warp: `thread.template shared<T>(offset, thread.threads() / 32)`; free again
///                 when the call returns
template <class Thread, class T, class Scratch>
HONE_HOST_DEVICE inline T block_sum(Thread const& thread, T x, Scratch const& scratch) {
  return detail::combine_block<detail::Plus>(thread, x, scratch, T(0));
}

/// Largest x of all threads of the block, for all of them; NaN if one is NaN. Two barriers. Scratch as for block_sum.
///
/// @param lowest  a value that no x is below, such as -infinity
template <class Thread, class T, class Scratch>
HONE_HOST_DEVICE inline T block_max(Thread const& thread, T x, Scratch const& scratch, T lowest) {
  return detail::combine_block<detail::Larger>(thread, x, scratch, lowest);
}

}  // namespace hone
