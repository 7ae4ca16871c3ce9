#pragma once

#include "hone/core/config.hpp"

namespace hone::detail {

/// x * y, rounded before anything is added to it or subtracted: the largest score minus itself must be 0 whatever its size,
/// which a compiler's FMA of one of the two would not give.
HONE_HOST_DEVICE inline float rounded_product(float x, float y) {
#if defined(__CUDA_ARCH__)
  return __fmul_rn(x, y);
#else
  float volatile const product = x * y;
  return product;
#endif
}
HONE_HOST_DEVICE inline double rounded_product(double x, double y) {
#if defined(__CUDA_ARCH__)
  return __dmul_rn(x, y);
#else
  double volatile const product = x * y;
  return product;
#endif
}

}  // namespace hone::detail
