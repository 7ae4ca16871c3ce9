#pragma once

#include <cuda_runtime.h>

#include <thrust/system/cuda/execution_policy.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "hone/core/backend.hpp"
#include "hone/core/matrix.hpp"
#include "hone/core/step.hpp"
#include "hone/core/thread_pool.hpp"
#include "hone/cuda/device_memory.cuh"
#include "hone/cuda/gemm.cuh"
#include "hone/cuda/info.cuh"
#include "hone/cuda/launch.cuh"
#include "hone/cuda/staging.cuh"
#include "hone/cuda/step_graphs.cuh"
#include "hone/thrust/temporary_memory.hpp"

namespace hone {

/// How a context on a CUDA device is made.
struct CudaOptions {
  int threads = 0;                 ///< threads of the host, for its part of the work (texts); 0: what the process may use
  int device = 0;                  ///< number of the device, as nvidia-smi and CUDA_VISIBLE_DEVICES count
  bool check_kernels = false;      ///< waits after every kernel, so that one that fails is named: slow, for finding faults
  bool measure_algorithms = true;  ///< false: cuBLASLt's first suggestion is taken for every matrix product
  bool graphs = true;              ///< the work of a training step is launched as one CUDA graph; false: launch by launch
};

/// The context of the CUDA backend: a stream of one device, memory in its order, uploads that do not wait, launches of
/// kernels, matrix products.
///
/// Everything is put into the stream and returns at once, but for `download` and `synchronize`. Used by one thread at a
/// time (`upload_pinned`'s memory may be filled by any); it need not have the device as its current one. Several contexts,
/// on one or several devices, do not mix.
class CudaContext {
 public:
  /// Errors: E720 no such device, E721 the driver is too old, E725 no code for the device, E724, E726.
  explicit CudaContext(CudaOptions options = {})
      : options_(options),
        device_(usable(options.device)),
        pool_(options.threads),
        memory_(options.device),
        temporary_(memory_),
        gemm_(memory_, device_.name, options.measure_algorithms),
        graphs_(memory_, options.graphs && !options.check_kernels) {}
  CudaContext(CudaContext const&) = delete;
  CudaContext& operator=(CudaContext const&) = delete;
  ~CudaContext() {
    static_cast<void>(cudaStreamSynchronize(stream()));  // the staging memory is in use until then
    memory_.deallocate(scratch_, scratch_bytes_);
  }

  CudaDevice const& device() const { return device_; }
  cudaStream_t stream() const { return memory_.stream(); }
  /// The device is the current one of this thread while the scope lives.
  detail::DeviceScope device_scope() const { return detail::DeviceScope(device_.index); }
  /// Threads of the host.
  ThreadPool& pool() { return pool_; }
  int threads() const { return pool_.size(); }

  /// Bytes of the device that are free; 0: not known.
  std::uint64_t available_bytes() const {
    detail::DeviceScope const scope(device_.index);
    std::size_t free = 0, total = 0;
    return cudaMemGetInfo(&free, &total) == cudaSuccess ? free : 0;
  }

  /// 256-byte aligned. Throws E723 when the device has not so much memory.
  void* allocate(std::size_t bytes) { return memory_.allocate(bytes); }
  void deallocate(void* memory, std::size_t bytes) noexcept { memory_.deallocate(memory, bytes); }
  /// Bytes that matrix products take besides, from the first one on: a part of the memory plan.
  static constexpr std::size_t library_bytes() { return detail::Gemm::workspace_bytes; }
  /// Bytes that are taken now, and the most at once so far: of all that goes through this context, cuBLASLt's workspace
  /// and the memory in which products are measured included.
  std::size_t bytes() const { return memory_.used(); }
  std::size_t peak_bytes() const { return memory_.peak(); }
  /// Memory that is valid until the next call.
  void* scratch(std::size_t bytes) {
    reserve_scratch(bytes);
    return scratch_;
  }
  /// Takes with_reserve(bytes) for `scratch`, if there is not as much as `bytes`.
  void reserve_scratch(std::size_t bytes) {
    if (bytes <= scratch_bytes_) return;
    memory_.refuse_in_capture();
    memory_.deallocate(scratch_, scratch_bytes_);
    scratch_ = nullptr, scratch_bytes_ = 0;
    scratch_ = memory_.allocate(with_reserve(bytes));
    scratch_bytes_ = with_reserve(bytes);
  }

  /// Copies to the device in the stream's order. `from` may be changed or freed when this returns; nothing is waited for.
  void upload(void* to, void const* from, std::size_t bytes) {
    if (bytes == 0) return;
    memory_.refuse_in_capture();
    detail::DeviceScope const scope(device_.index);
    staging_.upload(to, from, bytes, stream());
  }
  /// Host memory that the system does not move: the device copies from it by itself. Throws E726.
  void* allocate_pinned(std::size_t bytes) {
    memory_.refuse_in_capture();
    detail::DeviceScope const scope(device_.index);
    void* memory = nullptr;
    detail::check_cuda(cudaHostAlloc(&memory, bytes, cudaHostAllocDefault), "cudaHostAlloc");
    return memory;
  }
  /// Waits for copies from it.
  void deallocate_pinned(void* memory, std::size_t) noexcept {
    static_cast<void>(cudaStreamSynchronize(stream()));
    static_cast<void>(cudaFreeHost(memory));
  }
  /// `upload` from memory of allocate_pinned: it must stay as it is until `synchronize`.
  void upload_pinned(void* to, void const* from, std::size_t bytes) {
    if (bytes == 0) return;
    memory_.refuse_in_capture();
    detail::DeviceScope const scope(device_.index);
    check_stream(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream()));
  }
  /// Copies to the host in the stream's order; what is there may be read after `synchronize`.
  void download(void* to, void const* from, std::size_t bytes) {
    if (bytes == 0) return;
    memory_.refuse_in_capture();
    detail::DeviceScope const scope(device_.index);
    check_stream(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream()));
  }
  void fill_zero(void* to, std::size_t bytes) {
    if (bytes == 0) return;
    detail::DeviceScope const scope(device_.index);
    check_stream(cudaMemsetAsync(to, 0, bytes, stream()));
  }
  /// Waits until everything in the stream is done. Throws E722 when a kernel failed.
  void synchronize() {
    memory_.refuse_in_capture();
    detail::DeviceScope const scope(device_.index);
    check_stream(cudaStreamSynchronize(stream()));
  }

  /// Runs functor(0) .. functor(count - 1) on the device, in any order and at once.
  template <class Functor>
  void for_each(Index count, Functor const& functor) {
    if (count <= 0) return;
    detail::DeviceScope const scope(device_.index);
    detail::run_for_each<<<detail::for_each_blocks(count), detail::for_each_threads, 0, stream()>>>(count, functor);
    launched("a functor of generic/");
  }

  /// Runs a kernel. No blocks: nothing. Throws E722 with the kernel's name when it cannot be launched,
  /// E734 where no device takes such a launch.
  template <BlockKernel Kernel>
  void launch(LaunchShape shape, Kernel const& kernel) {
    check_launch(Kernel::name, shape);
    if (shape.blocks == 0 || shape.blocks_y == 0) return;
    detail::DeviceScope const scope(device_.index);
    auto* const function = &detail::launched_kernel<Kernel>;
    if (shape.shared_bytes > default_shared_bytes) allow_shared(function, shape.shared_bytes, Kernel::name);
    dim3 const grid(static_cast<unsigned>(shape.blocks), static_cast<unsigned>(shape.blocks_y));
    function<<<grid, Kernel::threads, shape.shared_bytes, stream()>>>(kernel);
    launched(Kernel::name);
  }

  /// The work of body() as one CUDA graph where that can be (run_step): the key's graph with this body's parameters.
  template <class Body>
  void step(StepKey const& key, Body const& body) {
    graphs_.run(key, body);
  }
  /// How the work of steps was launched so far.
  detail::StepGraphs::Counts const& graph_counts() const { return graphs_.counts(); }

  /// The execution policy of Thrust algorithms: in the stream, without waiting where that is not needed. The device must be
  /// the current one while they are called (device_scope; the rung of Thrust sees to it).
  auto policy() { return ::thrust::cuda::par_nosync(temporary_).on(stream()); }

  detail::Gemm& gemm() { return gemm_; }
  /// The algorithms of matrix products chosen so far, a JSON object a line. Which are the fastest is measured, once in a
  /// process, and may differ from one process to the next; a run that is given those of an earlier one repeats its bits.
  std::string algorithms() const { return gemm_.algorithms(); }
  /// Takes algorithms that `algorithms` gave, of the same device and version of cuBLASLt; returns how many. Throws E727
  /// when the text is damaged.
  std::size_t use_algorithms(std::string const& text) { return gemm_.use_algorithms(text); }

  /// Device and versions, for results.json.
  nlohmann::ordered_json about() const {
    nlohmann::ordered_json json = cuda_info(device_);
    json["graphs"] = detail::to_json(graphs_.counts());
    return json;
  }

 private:
  static constexpr std::size_t default_shared_bytes = std::size_t(48) << 10;

  static CudaDevice usable(int index) {
    CudaDevice const device = cuda_device(index);
    detail::DeviceScope const scope(index);
    cudaFuncAttributes attributes{};
    cudaError_t error = cudaFuncGetAttributes(&attributes, detail::probe_kernel);
    if (error == cudaSuccess && device.major < 8) error = cudaErrorNoKernelImageForDevice;
    if (error != cudaSuccess) {
      static_cast<void>(cudaGetLastError());
      detail::fail_no_code(device.name + ", compute capability " + device.capability(), error);
    }
    return device;
  }

  template <class Function>
  void allow_shared(Function* function, std::size_t bytes, char const* name) {
    auto const key = reinterpret_cast<void const*>(function);
    std::size_t& allowed = shared_allowed_[key];
    if (allowed >= bytes) return;
    memory_.refuse_in_capture();
    cudaError_t const error =
        cudaFuncSetAttribute(key, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes));
    if (error != cudaSuccess) detail::fail_kernel(error, name, true);
    allowed = bytes;
  }
  void launched(char const* name) {
    last_ = name;
    cudaError_t error = cudaGetLastError();
    bool certain = true;
    if (error == cudaSuccess && options_.check_kernels)
      error = cudaStreamSynchronize(stream());
    else
      certain = error == cudaErrorInvalidConfiguration || error == cudaErrorLaunchOutOfResources;
    if (error != cudaSuccess) detail::fail_kernel(error, name, certain);
  }
  void check_stream(cudaError_t error) {
    if (error != cudaSuccess) detail::fail_kernel(error, last_, false);
  }

  CudaOptions options_;
  CudaDevice device_;
  ThreadPool pool_;
  detail::DeviceMemory memory_;
  TemporaryMemory<detail::DeviceMemory> temporary_;
  detail::Staging staging_;
  detail::Gemm gemm_;
  detail::StepGraphs graphs_;
  std::unordered_map<void const*, std::size_t> shared_allowed_;
  void* scratch_ = nullptr;
  std::size_t scratch_bytes_ = 0;
  char const* last_ = "none";
};

}  // namespace hone
