// expected-error: \[hone-E150\]
// A gradient check in single precision. Repaired: in double.
#include "hone/cpu/backend.hpp"
#include "hone/layers/linear.hpp"
#include "hone/testing/check_layer.hpp"

#ifdef HONE_REPAIRED
using B = hone::Cpu<hone::fp64>;
#else
using B = hone::Cpu<hone::fp32>;
#endif

bool check() {
  return hone::testing::check_layer<B>(
             [](auto& store) { return hone::Linear<B>(store, "mine", 3, 2, hone::Initializer::normal(1)); })
      .passed();
}
