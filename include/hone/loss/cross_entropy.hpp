#pragma once

#include <cmath>
#include <cstdint>

#include "hone/loss/loss.hpp"

namespace hone {

/// loss = log sum_k exp(o_k) - o_label,  d o_k = softmax(o)_k - [k = label]
///
/// Shapes: o (K), the logits of one example; label 0 .. K - 1. Bishop 2006, Pattern Recognition and Machine Learning,
/// section 4.3.4.
struct CrossEntropy {
  using Label = std::int32_t;
  static constexpr char name[] = "cross_entropy";

  template <class S>
  HONE_HOST_DEVICE static S row(S const* output, Index width, Label label, S* doutput) {
    using std::exp, std::log;
    S highest = output[0];
    for (Index k = 1; k < width; ++k)
      if (output[k] > highest) highest = output[k];
    S sum = 0;
    for (Index k = 0; k < width; ++k) sum += exp(output[k] - highest);
    if (doutput)
      for (Index k = 0; k < width; ++k) doutput[k] = exp(output[k] - highest) / sum - (k == label ? S(1) : S(0));
    return highest + log(sum) - output[label];
  }
};

}  // namespace hone
