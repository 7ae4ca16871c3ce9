#include "hone/layers/linear.hpp"

#include "hone/cpu/backend.hpp"
#include "support/backends.hpp"
#include "support/check_layer.hpp"

namespace {

using namespace hone;

template <class B>
void check(Index input, Index output) {
  test::check_layer<B>([&](auto& store) { return Linear<B>(store, "linear", input, output, Initializer::normal(0.5)); });
}

TEST_CASE("linear layers, on the reference") {
  check<Reference<fp64>>(5, 7);
  check<Reference<fp64>>(1, 1);
  check<Reference<fp64>>(24, 3);
}
TEST_CASE("linear layers, on the processor") {
  check<Cpu<fp64>>(5, 7);
  check<Cpu<fp64>>(1, 1);
  check<Cpu<fp64>>(24, 3);
  check<Cpu<fp64>>(33, 17);
}
TEMPLATE_TEST_CASE("linear layers, on the device's operations", "", HONE_DEVICE_BACKENDS(fp64)) {
  check<TestType>(5, 7);
  check<TestType>(1, 1);
  check<TestType>(33, 17);
}

}  // namespace
