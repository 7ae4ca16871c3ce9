#pragma once

#include <cuda_runtime.h>

#include "hone/core/matrix.hpp"
#include "hone/cuda/check.cuh"
#include "hone/cuda/device_thread.hpp"
#include "hone/cuda/rung.hpp"

namespace hone::detail {

/// Every hand-written kernel is this function: Kernel says what a thread does, and how many there are in a block.
template <class Kernel>
__global__ void __launch_bounds__(Kernel::threads) launched_kernel(__grid_constant__ Kernel const kernel) {
  kernel(CudaThread{});
}

inline constexpr int for_each_threads = 256;

/// functor(0) .. functor(count - 1), each once; a grid strides over them.
template <class Functor>
__global__ void __launch_bounds__(for_each_threads) run_for_each(Index count, __grid_constant__ Functor const functor) {
  Index const step = static_cast<Index>(gridDim.x) * for_each_threads;
  for (Index i = static_cast<Index>(blockIdx.x) * for_each_threads + threadIdx.x; i < count; i += step) functor(i);
}

/// For CudaContext: is there code for this device at all?
static __global__ void probe_kernel() {}

/// The blocks of run_for_each: enough for the widest device many times over, so that the rest strides.
inline unsigned for_each_blocks(Index count) {
  Index const blocks = (count + for_each_threads - 1) / for_each_threads;
  return static_cast<unsigned>(blocks < 65536 ? blocks : 65536);
}

}  // namespace hone::detail
