#include "hone/layers/feed_forward.hpp"

#include "hone/cpu/backend.hpp"
#include "support/backends.hpp"
#include "support/check_layer.hpp"

namespace {

using namespace hone;

template <class B>
void check(Activation kind, Index width, Index inner) {
  INFO("activation " << int(kind) << ", width " << width << ", inner " << inner);
  // relu has a kink at 0: a small step, so that none of the differences crosses it.
  testing::CheckOptions const options{.step = kind == Activation::relu ? 1e-5 : 1e-3};
  test::check_layer<B>([&](auto& store) { return FeedForward<B>(store, "inner", "outer", width, inner, kind, 0.4); },
                       options);
}

template <class B>
void check_all() {
  for (Activation const kind : {Activation::gelu, Activation::gelu_new, Activation::relu}) {
    check<B>(kind, 5, 7);
    check<B>(kind, 12, 33);
    check<B>(kind, 3, 1);
  }
}

TEST_CASE("feed-forward with every activation, on the reference") { check_all<Reference<fp64>>(); }
TEST_CASE("feed-forward with every activation, on the processor") { check_all<Cpu<fp64>>(); }
TEMPLATE_TEST_CASE("feed-forward with every activation, on the device's operations", "", HONE_DEVICE_BACKENDS(fp64)) {
  check_all<TestType>();
}

}  // namespace
