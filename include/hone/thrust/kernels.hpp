// All kernels of the Thrust rung.
#pragma once

#include "hone/thrust/activation.hpp"
#include "hone/thrust/adamw.hpp"
#include "hone/thrust/dropout.hpp"
#include "hone/thrust/embedding.hpp"
#include "hone/thrust/gradient_norm.hpp"
#include "hone/thrust/loss.hpp"
#include "hone/thrust/residual_norm.hpp"
#include "hone/thrust/rows.hpp"
