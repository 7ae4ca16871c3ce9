#include "hone/cuda/activation.hpp"

#include "support/compare_emulated.hpp"

namespace {

using namespace hone;
using hone::test::AnyGrid;
using hone::test::Grid;

/// `gap` values between rows: 0 is one long row; 8 allows accesses of 16 bytes, 3 does not.
template <class P>
void check(Activation kind, Index rows, Index width, Index gap) {
  using A = ActivationOf<P>;
  INFO("kind " << static_cast<int>(kind) << ", rows " << rows << ", width " << width << ", gap " << gap);
  auto u = Grid<A>::random(rows, width, 1, 6, gap);
  auto const dh = Grid<A>::random(rows, width, 2, 1, gap);
  u(0, 0) = A(0.0);
  u(rows - 1, width - 1) = A(-30.0);
  if (rows > 1) u(1, 0) = A(30.0);
  test::check_emulated<P>(
      [&]<class B>(std::type_identity<B>, typename B::Context& context) {
        Grid<A> h(rows, width, gap), du(rows, width, gap), in_place = u, slope_in_place = dh;
        run<B>(context, ActivationForward<P>{kind, u.view(), h.view()});
        run<B>(context, ActivationBackward<P>{kind, u.view(), dh.view(), du.view()});
        run<B>(context, ActivationForward<P>{kind, in_place.view(), in_place.view()});
        run<B>(context, ActivationBackward<P>{kind, u.view(), slope_in_place.view(), slope_in_place.view()});
        return std::vector<AnyGrid>{h, du, in_place, slope_in_place};
      },
      1);
}

template <class P>
void check_all() {
  for (auto const kind : {Activation::gelu, Activation::gelu_new, Activation::relu}) {
    for (Index const gap : {0, 3, 8})
      for (Index const width : {1, 20, 32, 1000}) check<P>(kind, 5, width, gap);
    check<P>(kind, 3, 1536, 0);  // more than a block's columns as one row
    check<P>(kind, 2, 3000, 8);  // and a row at a time
  }
}

TEST_CASE("activations' kernels agree with the reference in float") { check_all<fp32>(); }
TEST_CASE("activations' kernels agree with the reference in double") { check_all<fp64>(); }
TEST_CASE("activations' kernels agree with the reference in mixed precision") { check_all<mixed>(); }

TEST_CASE("activations of no rows do nothing") {
  testing::EmulatorContext context;
  Grid<float> none(0, 16);
  run<testing::CudaEmulator<fp32>>(context, ActivationForward<fp32>{Activation::gelu, none.view(), none.view()});
  CHECK(context.take_launches().empty());
}

/// ActivationForwardKernel whose tiles all lie in the first row's.
struct TilesTwice : detail::ActivationForwardKernel<fp32, Activation::relu, true> {
  template <class Thread>
  struct First : Thread {
    Index block() const { return 0; }
  };
  template <class Thread>
  void operator()(Thread const& thread) const {
    detail::ActivationForwardKernel<fp32, Activation::relu, true>::operator()(First<Thread>{thread});
  }
};

TEST_CASE("a broken activation kernel is seen") {
  testing::EmulatorContext context;
  auto const u = Grid<float>::random(2, 3000, 1, 6, 8);
  Grid<float> h(2, 3000, 8), expected(2, 3000, 8);
  HostContext reference({1});
  run<Reference<fp32>>(reference, ActivationForward<fp32>{Activation::relu, u.view(), expected.view()});
  auto const grid = detail::ElementGrid::of(detail::octet, 2, 3000, false);
  context.launch(grid.shape(), TilesTwice{{{Activation::relu, u.view(), h.view()}, grid}});
  CHECK_FALSE(test::is_close(h, expected, 1));
  run<testing::CudaEmulator<fp32>>(context, ActivationForward<fp32>{Activation::relu, u.view(), h.view()});
  CHECK(test::is_close(h, expected, 1));
}

}  // namespace
