#pragma once

#include <string_view>

#include "hone/core/precision.hpp"
#include "hone/cuda/context.cuh"
#include "hone/cuda/cublaslt.cuh"
#include "hone/cuda/kernels.hpp"
#include "hone/generic/backend.hpp"
#include "hone/thrust/kernels.hpp"

namespace hone {

/// An NVIDIA GPU: products by cuBLASLt, else a hand-written kernel, else a Thrust algorithm, else generic/ on the device.
///
/// Compute capability 8.0 or newer. `mixed` is the one that is fast; fp32 takes no TF32, and fp64 is for proofs.
template <class P = mixed>
struct Cuda {
  using Precision = P;
  using Context = CudaContext;
  using Options = CudaOptions;
  using Ladder = hone::Ladder<CublasLtRung, CudaRung, ThrustRung, GenericRung>;
  static constexpr std::string_view name = "cuda";
};

static_assert(Backend<Cuda<mixed>> && Backend<Cuda<fp32>> && Backend<Cuda<fp64>>);

}  // namespace hone
