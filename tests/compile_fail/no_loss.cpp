// expected-error: \[hone-E130\]
// An element of WeightedSum is not a loss: `row` is missing. Repaired: a loss of the user's own.
#include "hone/loss/cross_entropy.hpp"
#include "hone/loss/weighted_sum.hpp"

struct Squared {
  using Label = double;
  static constexpr char name[] = "squared";
#ifdef HONE_REPAIRED
  template <class S>
  static S row(S const* output, hone::Index, Label label, S* doutput) {
    S const difference = output[0] - S(label);
    if (doutput) doutput[0] = 2 * difference;
    return difference * difference;
  }
#endif
};

hone::WeightedSum<hone::CrossEntropy, Squared> const losses{{1, 0.02}};
