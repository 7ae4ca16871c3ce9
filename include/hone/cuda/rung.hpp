#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

#include "hone/core/backend.hpp"
#include "hone/core/error.hpp"
#include "hone/cuda/thread.hpp"

namespace hone {

/// The blocks of a launch; how many threads a block has belongs to the kernel.
struct LaunchShape {
  Index blocks = 1;              ///< along the first axis: thread.block(); 0: nothing runs
  Index blocks_y = 1;            ///< along the second axis, at most 65535: thread.block_y(); 0: nothing runs
  std::size_t shared_bytes = 0;  ///< shared memory of a block
};

/// Throws E734 where no device takes such a launch. Contexts call it before every launch.
inline void check_launch(std::string_view kernel, LaunchShape const& shape) {
  constexpr Index most_blocks = 2147483647, most_blocks_y = 65535;
  constexpr std::size_t most_shared = 232448;  // 227 KiB, compute capability 9.0 and 10.0; 163 KiB for 8.0
  if (shape.blocks >= 0 && shape.blocks <= most_blocks && shape.blocks_y >= 0 && shape.blocks_y <= most_blocks_y &&
      shape.shared_bytes <= most_shared) {
    return;
  }
  throw Error(734, "no device takes such a launch of kernel " + std::string(kernel),
              {.value = std::to_string(shape.blocks) + " x " + std::to_string(shape.blocks_y) + " blocks with " +
                        std::to_string(shape.shared_bytes) + " bytes of shared memory",
               .allowed = "0 to 2147483647 x 0 to 65535 blocks, at most 232448 bytes"},
              "let a block do more of the work, or keep less in shared memory");
}

/// A kernel for blocks of threads: a trivially copyable struct of views and numbers with a name, for error messages and
/// profiles, and a block's number of threads, which is also its launch bound.
///
///     struct ScaleKernel {
///       static constexpr char const* name = "scale";
///       static constexpr int threads = 256;
///       VectorView<float> x;
///       template <class Thread>
///       HONE_HOST_DEVICE void operator()(Thread const& thread) const { ... }   // Thread is a KernelThread
///     };
///
/// A context runs it: `context.launch(LaunchShape{.blocks = n}, ScaleKernel{x})`. Kernels are host code as well, so that
/// testing::EmulatorContext runs them where there is no device.
template <class K>
concept BlockKernel = std::is_trivially_copyable_v<K> && requires {
  { K::name } -> std::convertible_to<std::string_view>;
  { K::threads } -> std::convertible_to<int>;
} && K::threads > 0 && K::threads % warp_size == 0 && K::threads <= max_block_threads;

/// An operation as hand-written kernels: `template <class Context> static void run(Context&, Op const&)` launches them.
/// Specialised by the headers of cuda/; no kernel here means that the next rung runs the operation.
template <class Op>
struct CudaKernel : NoKernel {};

/// The rung of the kernels in cuda/*.hpp, on a device or under the emulator.
struct CudaRung {
  static constexpr std::string_view name = "cuda";
  template <class Op>
  using Kernel = CudaKernel<Op>;
};

}  // namespace hone
