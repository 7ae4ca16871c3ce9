// Every kernel of this folder that an operation can run on. Host code; a device adds cublaslt.cuh.
#pragma once

#include "hone/cuda/activation.hpp"
#include "hone/cuda/adamw.hpp"
#include "hone/cuda/attention.hpp"
#include "hone/cuda/dropout.hpp"
#include "hone/cuda/embedding.hpp"
#include "hone/cuda/gradient_norm.hpp"
#include "hone/cuda/loss.hpp"
#include "hone/cuda/residual_norm.hpp"
#include "hone/cuda/rows.hpp"
#include "hone/cuda/rung.hpp"
