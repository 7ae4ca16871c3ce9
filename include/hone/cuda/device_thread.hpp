#pragma once

#include <cstddef>
#include <cstdint>

#include "hone/core/matrix.hpp"
#include "hone/cuda/thread.hpp"

namespace hone {

/// A thread of a kernel on a CUDA device: the KernelThread that CudaContext::launch gives to kernels.
///
/// Every member is for host and device, since kernels are templates that are compiled for both; on the host none does
/// anything, and no thread is ever made there.
class CudaThread {
 public:
#if defined(__CUDA_ARCH__)
#define HONE_ON_DEVICE(code, otherwise) return code
#else
#define HONE_ON_DEVICE(code, otherwise) return otherwise
#endif
  HONE_HOST_DEVICE int index() const { HONE_ON_DEVICE(static_cast<int>(threadIdx.x), 0); }
  HONE_HOST_DEVICE int lane() const { HONE_ON_DEVICE(static_cast<int>(threadIdx.x) % warp_size, 0); }
  HONE_HOST_DEVICE int warp() const { HONE_ON_DEVICE(static_cast<int>(threadIdx.x) / warp_size, 0); }
  HONE_HOST_DEVICE int threads() const { HONE_ON_DEVICE(static_cast<int>(blockDim.x), warp_size); }
  HONE_HOST_DEVICE Index block() const { HONE_ON_DEVICE(static_cast<Index>(blockIdx.x), 0); }
  HONE_HOST_DEVICE Index block_y() const { HONE_ON_DEVICE(static_cast<Index>(blockIdx.y), 0); }
  HONE_HOST_DEVICE Index blocks() const { HONE_ON_DEVICE(static_cast<Index>(gridDim.x), 1); }
#undef HONE_ON_DEVICE

  HONE_HOST_DEVICE void barrier() const {
#if defined(__CUDA_ARCH__)
    __syncthreads();
#endif
  }
  HONE_HOST_DEVICE void warp_barrier() const {
#if defined(__CUDA_ARCH__)
    __syncwarp();
#endif
  }

  template <class T>
  HONE_HOST_DEVICE T shuffle_xor(T value, [[maybe_unused]] int mask) const {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8);
#if defined(__CUDA_ARCH__)
    return __shfl_xor_sync(all_lanes, value, mask);
#else
    return value;
#endif
  }
  template <class T>
  HONE_HOST_DEVICE T shuffle(T value, [[maybe_unused]] int lane) const {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8);
#if defined(__CUDA_ARCH__)
    return __shfl_sync(all_lanes, value, lane);
#else
    return value;
#endif
  }

  /// `count` values of T from a byte of the block's dynamic shared memory on.
  template <class T>
  HONE_HOST_DEVICE T* shared([[maybe_unused]] std::size_t byte_offset, Index) const {
#if defined(__CUDA_ARCH__)
    extern __shared__ __align__(128) unsigned char hone_shared_memory[];
    return reinterpret_cast<T*>(hone_shared_memory + byte_offset);
#else
    return nullptr;
#endif
  }

  /// c += a * b, 16 x 8 x 16. Source: PTX ISA 8.7, section 9.7.14.5.8; needs compute capability 8.0.
  HONE_HOST_DEVICE void mma_bf16([[maybe_unused]] float (&c)[4], [[maybe_unused]] std::uint32_t const (&a)[4],
                                 [[maybe_unused]] std::uint32_t const (&b)[2]) const {
#if defined(__CUDA_ARCH__)
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
  }

 private:
  static constexpr unsigned all_lanes = 0xFFFFFFFFu;
};

static_assert(KernelThread<CudaThread>);

}  // namespace hone
