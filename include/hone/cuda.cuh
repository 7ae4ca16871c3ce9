// hone.hpp and the CUDA backend: for .cu files. Needs the CUDA Toolkit, 12 or newer (CMake: hone::cuda).
#pragma once

#include "hone/hone.hpp"

#include "hone/cuda/backend.cuh"
