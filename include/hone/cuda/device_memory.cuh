#pragma once

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "hone/core/error.hpp"
#include "hone/cuda/check.cuh"

namespace hone::detail {

/// Thrown where something is asked for that cannot happen while a step is captured as a graph; StepGraphs catches it and
/// runs the step as it is.
struct CannotCapture {};

/// One stream of a device, and memory in the order of that stream.
///
/// Memory comes from one pool, which keeps what is given back, so that a step after the first takes nothing from the
/// system; the pool maps its pages anew where sizes change, so that nothing is lost between them. What was given back may
/// be handed out again at once: the work on it is later in the stream. Devices without pools (some virtual ones) get plain
/// cudaMalloc, which is slow but right.
///
/// While a step is captured no memory is taken (it would be the graph's own), and what is given back is kept until the end.
class DeviceMemory {
 public:
  explicit DeviceMemory(int device) : device_(device) {
    DeviceScope const scope(device_);
    check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    try {
      make_pool();
    } catch (...) {
      static_cast<void>(cudaStreamDestroy(stream_));
      throw;
    }
  }
  DeviceMemory(DeviceMemory const&) = delete;
  DeviceMemory& operator=(DeviceMemory const&) = delete;
  ~DeviceMemory() {
    static_cast<void>(cudaStreamSynchronize(stream_));
    if (pool_) static_cast<void>(cudaMemPoolDestroy(pool_));
    static_cast<void>(cudaStreamDestroy(stream_));
  }

  int device() const { return device_; }
  cudaStream_t stream() const { return stream_; }

  /// At least 256-byte aligned; null for 0 bytes. Throws E723 when the device has not so much memory left.
  void* allocate(std::size_t bytes) {
    if (bytes == 0) return nullptr;
    refuse_in_capture();
    DeviceScope const scope(device_);
    void* memory = nullptr;
    cudaError_t error = take(&memory, bytes);
    if (error == cudaErrorMemoryAllocation) {  // what the pool keeps may be in the way, here or in another process
      static_cast<void>(cudaGetLastError());
      static_cast<void>(cudaStreamSynchronize(stream_));
      if (pool_) static_cast<void>(cudaMemPoolTrimTo(pool_, 0));
      error = take(&memory, bytes);
    }
    if (error == cudaErrorMemoryAllocation) fail_full(bytes);
    check_cuda(error, pool_ ? "cudaMallocFromPoolAsync" : "cudaMalloc");
    used_ += bytes;
    peak_ = std::max(peak_, used_);
    return memory;
  }
  /// Never throws: it is called by destructors.
  void deallocate(void* memory, std::size_t bytes) noexcept {
    if (!memory) return;
    used_ -= bytes;
    if (!stepping_) return release(memory);
    try {
      kept_.push_back(memory);
    } catch (...) {  // no room for the list: the memory is lost, the program is about to end anyway
    }
  }

  /// Whether a step is being captured by this object.
  void set_capturing(bool on) {
    stepping_ = on;
    if (!on)
      for (void* const memory : std::exchange(kept_, {})) release(memory);
  }
  /// The same, or the user captures the stream.
  bool capturing() const {
    if (stepping_) return true;
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    check_cuda(cudaStreamIsCapturing(stream_, &status), "cudaStreamIsCapturing");
    return status != cudaStreamCaptureStatusNone;
  }
  /// Throws CannotCapture while a step is captured.
  void refuse_in_capture() const {
    if (stepping_) throw CannotCapture{};
  }

  /// Bytes in use through this object: now, and the most at once.
  std::size_t used() const { return used_; }
  std::size_t peak() const { return peak_; }

 private:
  void release(void* memory) noexcept {
    int before = 0;
    static_cast<void>(cudaGetDevice(&before));
    if (before != device_) static_cast<void>(cudaSetDevice(device_));
    static_cast<void>(pool_ ? cudaFreeAsync(memory, stream_) : cudaFree(memory));
    if (before != device_) static_cast<void>(cudaSetDevice(before));
  }
  void make_pool() {
    int pools = 0;
    check_cuda(cudaDeviceGetAttribute(&pools, cudaDevAttrMemoryPoolsSupported, device_), "cudaDeviceGetAttribute");
    if (!pools) return;
    cudaMemPoolProps properties{};
    properties.allocType = cudaMemAllocationTypePinned;
    properties.location.type = cudaMemLocationTypeDevice;
    properties.location.id = device_;
    check_cuda(cudaMemPoolCreate(&pool_, &properties), "cudaMemPoolCreate");
    std::uint64_t keep = UINT64_MAX;
    check_cuda(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &keep), "cudaMemPoolSetAttribute");
  }
  cudaError_t take(void** memory, std::size_t bytes) {
    return pool_ ? cudaMallocFromPoolAsync(memory, bytes, pool_, stream_) : cudaMalloc(memory, bytes);
  }
  [[noreturn]] void fail_full(std::size_t bytes) const {
    static_cast<void>(cudaGetLastError());
    std::size_t free = 0, total = 0;
    static_cast<void>(cudaMemGetInfo(&free, &total));
    throw Error(723, "the device has not enough memory",
                {.value = bytes_text(bytes) + " asked for; in use by this model " + bytes_text(used_) + ", free " +
                          bytes_text(free) + " of " + bytes_text(total)},
                "use a smaller batch (with --step-every the step stays the same), shorter texts or a smaller model, and see "
                "with nvidia-smi that no other program holds memory of the device");
  }

  int device_;
  cudaStream_t stream_ = nullptr;
  cudaMemPool_t pool_ = nullptr;
  std::size_t used_ = 0, peak_ = 0;
  bool stepping_ = false;
  std::vector<void*> kept_{};
};

}  // namespace hone::detail
