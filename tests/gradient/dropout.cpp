#include "hone/layers/dropout.hpp"

#include "hone/cpu/backend.hpp"
#include "support/backends.hpp"
#include "support/check_layer.hpp"

namespace {

using namespace hone;

template <class B>
void check() {
  for (Index const width : {1, 8, 13, 32})
    for (double const p : {0.0, 0.1, 0.9}) {
      INFO("width " << width << ", p " << p);
      auto const make = [&](auto&) { return DropoutLayer<B>(width, DropoutSite::head, 0, p); };
      CHECK(test::check_layer<B>(make).dropout_acts == (p > 0));
      // One row a sequence: the masks of first tokens.
      CHECK(test::check_layer<B>(make, {.batch = testing::some_batch({1, 1, 1})}).dropout_acts == (p > 0));
    }
}

TEST_CASE("dropout, on the reference") { check<Reference<fp64>>(); }
TEST_CASE("dropout, on the processor") { check<Cpu<fp64>>(); }
TEMPLATE_TEST_CASE("dropout, on the device's operations", "", HONE_DEVICE_BACKENDS(fp64)) {
  check<TestType>();
}

}  // namespace
