// Every kernel of this folder that an operation can run on. Host code; a device adds cublaslt.cuh.
#pragma once

#include "hone/cuda/rung.hpp"
