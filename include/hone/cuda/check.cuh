#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <string>

#include "hone/core/error.hpp"

namespace hone::detail {

/// "12.4" from the 12040 of the runtime.
inline std::string cuda_version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}
inline int cuda_driver_version() {
  int version = 0;
  return cudaDriverGetVersion(&version) == cudaSuccess ? version : 0;
}
inline std::string bytes_text(std::size_t bytes) {
  double const mebibytes = static_cast<double>(bytes) / (1024.0 * 1024.0);
  return std::to_string(bytes) + " bytes (" + std::to_string(static_cast<long long>(mebibytes + 0.5)) + " MiB)";
}

/// E720: there is no device that could be used.
[[noreturn]] inline void fail_no_device(std::string const& value) {
  throw Error(720, "there is no CUDA device to run on", {.value = value, .allowed = "an NVIDIA GPU and its driver"},
              "run nvidia-smi to see what the system sees and check CUDA_VISIBLE_DEVICES, or use the Cpu backend");
}
/// E721: the driver does not know the runtime that this program was built with.
[[noreturn]] inline void fail_old_driver(cudaError_t error) {
  throw Error(721, "the NVIDIA driver is too old for this program",
              {.value = "a driver for CUDA " + cuda_version_text(cuda_driver_version()) + ": " + cudaGetErrorString(error),
               .allowed = "one for CUDA " + cuda_version_text(CUDART_VERSION) + " or newer"},
              "install a newer driver, or build hone with the CUDA Toolkit of the driver's version");
}
/// E725: no code in the program for the device's architecture.
[[noreturn]] inline void fail_no_code(std::string const& device, cudaError_t error) {
  throw Error(725, "this program has no code for the device",
              {.value = device + ": " + cudaGetErrorString(error),
               .allowed = "compute capability 8.0 or newer, and among CMAKE_CUDA_ARCHITECTURES"},
              "configure again with -DCMAKE_CUDA_ARCHITECTURES=native on a machine with the device, and build");
}

/// Throws the numbered error of a failed call: E720, E721, E725, else E726 with the name of the call.
[[noreturn]] inline void fail_cuda(cudaError_t error, std::string const& call) {
  static_cast<void>(cudaGetLastError());  // errors that can be lived with are not met again by the next call
  if (error == cudaErrorNoDevice) fail_no_device(cudaGetErrorString(error));
  if (error == cudaErrorInsufficientDriver && cuda_driver_version() == 0) fail_no_device("no NVIDIA driver");
  if (error == cudaErrorInsufficientDriver || error == cudaErrorSystemDriverMismatch ||
      error == cudaErrorCompatNotSupportedOnDevice)
    fail_old_driver(error);
  if (error == cudaErrorNoKernelImageForDevice || error == cudaErrorInvalidDeviceFunction ||
      error == cudaErrorUnsupportedPtxVersion)
    fail_no_code(call, error);
  throw Error(726, "a call to the CUDA runtime failed",
              {.value = call + ": " + cudaGetErrorName(error) + ", " + cudaGetErrorString(error)},
              "see that nothing else uses the device up, then run again; nvidia-smi shows its state");
}
inline void check_cuda(cudaError_t error, char const* call) {
  if (error != cudaSuccess) fail_cuda(error, call);
}

/// Throws E722 with the kernel's name.
[[noreturn]] inline void fail_kernel(cudaError_t error, std::string const& kernel, bool certain) {
  static_cast<void>(cudaGetLastError());
  if (error == cudaErrorNoKernelImageForDevice || error == cudaErrorInvalidDeviceFunction ||
      error == cudaErrorUnsupportedPtxVersion)
    fail_no_code("kernel " + kernel, error);
  throw Error(722, "a kernel failed on the device",
              {.tensor = (certain ? "kernel " : "up to kernel ") + kernel,
               .value = std::string(cudaGetErrorName(error)) + ", " + cudaGetErrorString(error)},
              certain ? "run the program under compute-sanitizer and report what it prints; the device's memory is lost, "
                        "so start again from the last saved model"
                      : "run again with CudaOptions::check_kernels (finetune_imdb_cuda --check-kernels), which names the "
                        "kernel; the device's memory is lost, so start again from the last saved model");
}

/// The device that is current for this thread until the end of the scope.
class DeviceScope {
 public:
  explicit DeviceScope(int device) {
    check_cuda(cudaGetDevice(&before_), "cudaGetDevice");
    changed_ = before_ != device;
    if (changed_) check_cuda(cudaSetDevice(device), "cudaSetDevice");
  }
  ~DeviceScope() {
    if (changed_) static_cast<void>(cudaSetDevice(before_));
  }
  DeviceScope(DeviceScope const&) = delete;
  DeviceScope& operator=(DeviceScope const&) = delete;

 private:
  int before_ = 0;
  bool changed_ = false;
};

}  // namespace hone::detail
