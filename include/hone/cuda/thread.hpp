#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

#include "hone/core/error.hpp"
#include "hone/core/matrix.hpp"

namespace hone {

/// Lanes of a warp: the threads that shuffle and multiply tiles together.
inline constexpr int warp_size = 32;

/// The most threads that a block has.
inline constexpr int max_block_threads = 1024;

/// What a kernel knows of the machine: the one argument of its call operator. On a device it is `CudaThread`, in tests
/// `testing::EmulatedThread`, which checks what is promised here. It is cheap to copy and const.
///
/// Place:    `index()` in the block, from 0 to threads() - 1;  `lane()` = index() % 32;  `warp()` = index() / 32;
///           `threads()` of a block;  `block()`, `block_y()` of the launch;  `blocks()`: how many along the first axis.
/// Order:    `barrier()` waits for all threads of the block, `warp_barrier()` for the 32 of the warp; what was written
///           before is seen after. Between two barriers the threads run in any order. Every thread of the block (of the
///           warp) must come to every barrier; a thread that has returned does not come.
/// Exchange: `shuffle_xor(value, mask)` gives the value of lane() ^ mask, `shuffle(value, lane)` that of the lane named;
///           types of 4 or 8 bytes; all 32 lanes take part always, with the same mask.
/// Memory:   `shared<T>(byte_offset, count)`: a piece of the block's shared memory, to be indexed with []. The offset is a
///           multiple of alignof(T); values are undefined until written. The block has LaunchShape::shared_bytes of it.
/// Tiles:    `mma_bf16(c, a, b)`: PTX mma.sync.m16n8k16.row.col of bfloat16 pairs, c += a * b in float. mma.hpp has
///           the layout and the loops around it; kernels use those.
template <class T>
concept KernelThread = std::copy_constructible<T> &&
                       requires(T const& thread, int lane, Index count, std::size_t offset, float (&c)[4],
                                std::uint32_t const (&a)[4], std::uint32_t const (&b)[2]) {
                         { thread.index() } -> std::same_as<int>;
                         { thread.lane() } -> std::same_as<int>;
                         { thread.warp() } -> std::same_as<int>;
                         { thread.threads() } -> std::same_as<int>;
                         { thread.block() } -> std::same_as<Index>;
                         { thread.block_y() } -> std::same_as<Index>;
                         { thread.blocks() } -> std::same_as<Index>;
                         { thread.barrier() };
                         { thread.warp_barrier() };
                         { thread.shuffle_xor(1.0f, lane) } -> std::same_as<float>;
                         { thread.shuffle_xor(1.0, lane) } -> std::same_as<double>;
                         { thread.shuffle(std::uint32_t{}, lane) } -> std::same_as<std::uint32_t>;
                         { thread.shuffle(Index{}, lane) } -> std::same_as<Index>;
                         { thread.template shared<float>(offset, count)[count] } -> std::same_as<float&>;
                         { thread.template shared<double>(offset, count)[count] } -> std::same_as<double&>;
                         { thread.mma_bf16(c, a, b) };
                       };

/// Sixteen bytes that are loaded and stored at once.
struct alignas(16) Words4 {
  std::uint32_t word[4];
};

/// Whether one access of sizeof(W) bytes to `address` is allowed: a device needs it aligned to its size.
template <class W>
HONE_HOST_DEVICE inline bool is_aligned_for(void const* address) {
  return reinterpret_cast<std::uintptr_t>(address) % sizeof(W) == 0;
}

namespace detail {

template <class W>
concept WideWord = std::is_trivially_copyable_v<W> && (sizeof(W) == 4 || sizeof(W) == 8 || sizeof(W) == 16);

template <class W>
void require_aligned(void const* address) {
  if (is_aligned_for<W>(address)) return;
  throw Error(738, "an access of several values at once is not aligned to its size",
              {.value = "an address that is " + std::to_string(reinterpret_cast<std::uintptr_t>(address) % sizeof(W)) +
                        " bytes above a multiple of " + std::to_string(sizeof(W)),
               .allowed = "a multiple of " + std::to_string(sizeof(W))},
              "check pointer, width and stride with is_aligned_for, and go value by value where they do not fit");
}

}  // namespace detail

/// The sizeof(W) bytes (4, 8 or 16) from values[i] on, by one load; `values` is a pointer, or what `shared` returns.
/// The address must be a multiple of sizeof(W): a fault on a device, E738 on the host.
template <detail::WideWord W, class T>
HONE_HOST_DEVICE inline W load_as(T const* values, Index i) {
#if defined(__CUDA_ARCH__)
  return *reinterpret_cast<W const*>(values + i);
#else
  detail::require_aligned<W>(values + i);
  W word;
  std::memcpy(&word, values + i, sizeof(W));
  return word;
#endif
}
template <detail::WideWord W, class Values>
  requires requires(Values const& values, Index i) { values.template load_as<W>(i); }
HONE_HOST_DEVICE inline W load_as(Values const& values, Index i) {
  return values.template load_as<W>(i);
}

/// Writes the sizeof(W) bytes (4, 8 or 16) from values[i] on, by one store. Alignment as for load_as.
template <detail::WideWord W, class T>
HONE_HOST_DEVICE inline void store_as(T* values, Index i, W const& word) {
#if defined(__CUDA_ARCH__)
  *reinterpret_cast<W*>(values + i) = word;
#else
  detail::require_aligned<W>(values + i);
  std::memcpy(static_cast<void*>(values + i), &word, sizeof(W));
#endif
}
template <detail::WideWord W, class Values>
  requires requires(Values const& values, Index i, W const& word) { values.store_as(i, word); }
HONE_HOST_DEVICE inline void store_as(Values const& values, Index i, W const& word) {
  values.store_as(i, word);
}

}  // namespace hone
