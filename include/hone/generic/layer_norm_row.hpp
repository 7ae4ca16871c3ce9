#pragma once

#include <cmath>

#include "hone/core/backend.hpp"
#include "hone/core/dropout.hpp"
#include "hone/core/rounding.hpp"
#include "hone/core/row_map.hpp"

namespace hone::detail {

/// mean = sum(z) / D,  rstd = 1 / sqrt(sum((z - mean)^2) / D + epsilon),  y = gamma * (z - mean) * rstd + beta
///
/// Two passes: E[z^2] - E[z]^2 cancels. z and y are rows of D values.
template <class A, class S>
HONE_HOST_DEVICE void layer_norm_row(A const* z, A const* gamma, A const* beta, S epsilon, Index width, A* y, S& mean,
                                     S& rstd) {
  using std::sqrt;
  S sum = 0;
  for (Index c = 0; c < width; ++c) sum += S(z[c]);
  mean = sum / S(width);
  S squares = 0;
  for (Index c = 0; c < width; ++c) squares += (S(z[c]) - mean) * (S(z[c]) - mean);
  rstd = S(1) / sqrt(squares / S(width) + epsilon);
  for (Index c = 0; c < width; ++c) y[c] = A(S(gamma[c]) * ((S(z[c]) - mean) * rstd) + S(beta[c]));
}

/// dz = rstd * (g - mean(g) - xhat * mean(g * xhat)),  g = gamma * dy,  xhat = (z - mean) * rstd.  dz may be dy.
template <class A, class S>
HONE_HOST_DEVICE void layer_norm_backward_row(A const* dy, A const* z, A const* gamma, S mean, S rstd, Index width, A* dz) {
  S mean_g = 0, mean_g_xhat = 0;
  for (Index c = 0; c < width; ++c) {
    S const xhat = (S(z[c]) - mean) * rstd, g = S(gamma[c]) * S(dy[c]);
    mean_g += g;
    mean_g_xhat += g * xhat;
  }
  mean_g /= S(width);
  mean_g_xhat /= S(width);
  for (Index c = 0; c < width; ++c) {
    S const xhat = (S(z[c]) - mean) * rstd, g = rounded_product(S(gamma[c]), S(dy[c]));  // D = 1: g = mean(g)
    dz[c] = A(rstd * (g - mean_g - xhat * mean_g_xhat));
  }
}

/// y = mask * x * scale over one row; y may be x. Narrow formats are multiplied in float.
template <class A>
HONE_HOST_DEVICE void dropout_row(A const* x, Dropout const& dropout, Index position, Index example, Index width, A* y) {
  if (!dropout.active()) {
    for (Index c = 0; c < width; ++c) y[c] = x[c];
    return;
  }
  using S = decltype(x[0] * x[0]);
  S const scale = S(dropout.scale());
  for (Index first = 0; first < width; first += 8) {
    PhiloxWords const words = dropout.words(static_cast<std::uint32_t>(first / 8), static_cast<std::uint32_t>(position),
                                            static_cast<std::uint32_t>(example));
    for (Index lane = 0; lane < 8 && first + lane < width; ++lane) {
      bool const keep = ((words.word[lane / 2] >> (16 * (lane % 2))) & 0xFFFFu) >= dropout.threshold;
      y[first + lane] = keep ? A(S(x[first + lane]) * scale) : A(0);
    }
  }
}

}  // namespace hone::detail
