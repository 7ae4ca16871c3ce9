#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hone/cuda/check.cuh"

namespace hone {

/// A CUDA device as the system sees it.
struct CudaDevice {
  int index = 0;
  std::string name{};
  int major = 0, minor = 0;  ///< compute capability
  int multiprocessors = 0;
  std::size_t memory = 0, free = 0;  ///< bytes: all of it, and what no program uses now

  std::string capability() const { return std::to_string(major) + "." + std::to_string(minor); }
};

/// What the system says of one device. Throws E720 (there is none with that number), E721, E726.
inline CudaDevice cuda_device(int index) {
  int count = 0;
  detail::check_cuda(cudaGetDeviceCount(&count), "cudaGetDeviceCount");
  if (index < 0 || index >= count)
    detail::fail_no_device("device " + std::to_string(index) + " of " + std::to_string(count));
  detail::DeviceScope const scope(index);
  cudaDeviceProp properties{};
  detail::check_cuda(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
  CudaDevice device{index, properties.name, properties.major, properties.minor, properties.multiProcessorCount, 0, 0};
  detail::check_cuda(cudaMemGetInfo(&device.free, &device.memory), "cudaMemGetInfo");
  return device;
}

/// All devices. Throws E720 when there is none, E721, E726.
inline std::vector<CudaDevice> cuda_devices() {
  int count = 0;
  detail::check_cuda(cudaGetDeviceCount(&count), "cudaGetDeviceCount");
  if (count == 0) detail::fail_no_device("0 devices");
  std::vector<CudaDevice> devices;
  for (int i = 0; i < count; ++i) devices.push_back(cuda_device(i));
  return devices;
}

/// Versions of the driver, the runtime and cuBLASLt; 0: there is no driver.
struct CudaVersions {
  int driver = 0, runtime = 0, built_with = CUDART_VERSION;  ///< 13000 is 13.0
  std::size_t cublaslt = 0;                                  ///< 130000 is 13.0.0
};
inline CudaVersions cuda_versions() {
  CudaVersions versions;
  versions.driver = detail::cuda_driver_version();
  static_cast<void>(cudaRuntimeGetVersion(&versions.runtime));
  versions.cublaslt = cublasLtGetVersion();
  return versions;
}

/// Versions, and a line a device; says so where there is none. For --info.
inline std::string cuda_info_text() {
  CudaVersions const versions = cuda_versions();
  std::string text = "CUDA runtime " + detail::cuda_version_text(versions.runtime) + ", driver for CUDA " +
                     (versions.driver ? detail::cuda_version_text(versions.driver) : "(no driver)") + ", cuBLASLt " +
                     std::to_string(versions.cublaslt) + "\n";
  try {
    for (CudaDevice const& device : cuda_devices())
      text += "device " + std::to_string(device.index) + ": " + device.name + ", compute capability " + device.capability() +
              ", " + std::to_string(device.multiprocessors) + " multiprocessors, memory " +
              detail::bytes_text(device.memory) + ", free " + detail::bytes_text(device.free) + "\n";
  } catch (Error const& error) {
    text += "no device can be used: " + std::string(error.what()) + "\n";
  }
  return text;
}

/// A device and the versions, for results.json.
inline nlohmann::ordered_json cuda_info(CudaDevice const& device) {
  CudaVersions const versions = cuda_versions();
  nlohmann::ordered_json json;
  json["name"] = device.name;
  json["compute_capability"] = device.capability();
  json["memory_bytes"] = device.memory;
  json["driver"] = detail::cuda_version_text(versions.driver);
  json["runtime"] = detail::cuda_version_text(versions.runtime);
  json["cublaslt"] = versions.cublaslt;
  return json;
}

}  // namespace hone
