// The backends beside Reference and Cpu on which suites run: the device's operations, on the host. Thrust's algorithms where
// Thrust is found, and the kernels of cuda/ under the block emulator.
//
//   TEMPLATE_TEST_CASE("linear layers", "", HONE_DEVICE_BACKENDS(fp64)) { check<TestType>(5, 7); }
//
// With HONE_TEST_ON_DEVICE (tests/cuda/) the same suites run on a device itself, in the emulator's place.
#pragma once

#if defined(HONE_TEST_ON_DEVICE)
#include <hone/cuda/backend.cuh>

#include "support/catch.hpp"

namespace hone::testing {
template <class P>
using CudaEmulator = Cuda<P>;
}
#define HONE_DEVICE_BACKENDS(precision) hone::Cuda<precision>
#else
#include "hone/cuda/kernels.hpp"
#include "hone/testing/cuda_emulator.hpp"
#include "support/catch.hpp"

#if defined(HONE_TEST_THRUST)
#include "hone/thrust/host_backend.hpp"
#define HONE_DEVICE_BACKENDS(precision) hone::testing::CudaEmulator<precision>, hone::ThrustHost<precision>
#else
#define HONE_DEVICE_BACKENDS(precision) hone::testing::CudaEmulator<precision>
#endif
#endif
