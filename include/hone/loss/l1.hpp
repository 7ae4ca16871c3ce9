#pragma once

#include "hone/loss/loss.hpp"

namespace hone {

/// loss = mean_k |o_k - label|,  d o_k = sign(o_k - label) / K, and 0 where they are equal (as PyTorch's l1_loss)
struct L1 {
  using Label = double;
  static constexpr char name[] = "l1";

  template <class S>
  HONE_HOST_DEVICE static S row(S const* output, Index width, Label label, S* doutput) {
    S sum = 0;
    for (Index k = 0; k < width; ++k) {
      S const difference = output[k] - S(label);
      sum += difference < S(0) ? -difference : difference;
      if (doutput) doutput[k] = (difference > S(0) ? S(1) : difference < S(0) ? S(-1) : S(0)) / S(width);
    }
    return sum / S(width);
  }
};

}  // namespace hone
