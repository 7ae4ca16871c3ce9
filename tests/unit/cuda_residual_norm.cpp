#include "hone/cuda/residual_norm.hpp"

#include "hone/generic/residual_norm.hpp"
#include "support/compare_emulated.hpp"

namespace {

using namespace hone;
using hone::test::AnyGrid;
using hone::test::Grid;

/// How a case is cut: `gap` values between rows; 0 and 8 allow accesses of 16 bytes, 3 does not.
struct Case {
  std::vector<int> lengths;
  Index width, gap;
  double dropout;
  bool with_residual;
  Write write;
};

template <class P>
void check(Case const& c) {
  using A = ActivationOf<P>;
  using S = StatisticOf<P>;
  using M = MasterOf<P>;
  test::Rows const rows(c.lengths);
  Index const n = rows.size(), width = c.width, gap = c.gap;
  INFO("rows " << n << ", width " << width << ", gap " << gap << ", dropout " << c.dropout << ", residual "
               << c.with_residual << ", adds " << (c.write == Write::add));
  auto const x = Grid<A>::random(n, width, 1, 1, gap), residual = Grid<A>::random(n, width, 2, 1, gap);
  auto const gamma = Grid<A>::random(1, width, 3), beta = Grid<A>::random(1, width, 4);
  auto const dy = Grid<A>::random(n, width, 5, 1, gap);
  Dropout const dropout = test::some_dropout(c.dropout);
  test::check_emulated<P>(
      [&]<class B>(std::type_identity<B>, typename B::Context& context) {
        Grid<A> z(n, width, gap), y(n, width, gap), dz(n, width, gap), dx(n, width, gap);
        Grid<S> mean(1, n), rstd(1, n);
        bool const adds = c.write == Write::add;
        Grid<M> dgamma = adds ? Grid<M>::random(1, width, 6) : Grid<M>(1, width);
        Grid<M> dbeta = adds ? Grid<M>::random(1, width, 7) : Grid<M>(1, width);
        run<B>(context, ResidualNormForward<P>{x.view(), c.with_residual ? residual.view() : MatrixView<A const>{}, dropout,
                                               rows.map(), gamma.vector(), beta.vector(), 1e-12, z.view(), y.view(),
                                               mean.vector(), rstd.vector()});
        run<B>(context, ResidualNormBackward<P>{dy.view(), z.view(), mean.vector(), rstd.vector(), gamma.vector(), dropout,
                                                rows.map(), dz.view(), dx.view(), dgamma.vector(), dbeta.vector(), c.write});
        Grid<A> in_place = dy, z_in_place = x;
        Grid<S> again_mean(1, n), again_rstd(1, n);
        Grid<M> again_gamma(1, width), again_beta(1, width);
        run<B>(context, ResidualNormForward<P>{z_in_place.view(),
                                               {},
                                               dropout,
                                               rows.map(),
                                               gamma.vector(),
                                               beta.vector(),
                                               1e-5,
                                               z_in_place.view(),
                                               y.view(),
                                               again_mean.vector(),
                                               again_rstd.vector()});
        run<B>(context, ResidualNormBackward<P>{in_place.view(),
                                                z.view(),
                                                mean.vector(),
                                                rstd.vector(),
                                                gamma.vector(),
                                                {},
                                                {},
                                                in_place.view(),
                                                {},
                                                again_gamma.vector(),
                                                again_beta.vector(),
                                                Write::assign});
        return std::vector<AnyGrid>{z,     y,        dz,         dx,         mean,        rstd,       dgamma,
                                    dbeta, in_place, z_in_place, again_mean, again_gamma, again_beta, again_rstd};
      },
      std::max(n, width));
}

void check_all(Case const& c) {
  check<fp32>(c);
  check<fp64>(c);
  check<mixed>(c);
}

TEST_CASE("residual norm's kernels agree with the reference at every kind of width") {
  // 32 ... 1000: held in registers, one to four octets a lane; 1032, 1304: too wide; 1, 20, 1001: not a multiple of eight.
  for (Index const width :
       test::some_of<Index>({1, 20, 32, 96, 384, 768, 1000, 1001, 1032, 1304}, {1, 20, 32, 384, 1000, 1032}))
    check_all({{3, 1, 3}, width, 0, 0.1, true, Write::add});
}

TEST_CASE("residual norm's kernels agree with the reference on rows apart, with and without dropout and residual") {
  for (Index const gap : test::some_of<Index>({0, 3, 8}, {3, 8}))
    for (Index const width : {20, 96, 384}) {
      check_all({{9, 1, 13}, width, gap, 0.1, false, Write::assign});
      check_all({{9, 1, 13}, width, gap, 0, true, Write::assign});
      check_all({{1}, width, gap, 0, false, Write::add});
    }
}

TEST_CASE("residual norm's kernels agree with the reference where warps take several rows") {
  REQUIRE(detail::norm_rows_per_warp(1601) == 2);
  check<mixed>({{1000, 1, 600}, 8, 0, 0.1, true, Write::add});
  check<fp32>({{1000, 1, 600}, 12, 0, 0.1, true, Write::assign});
}

TEST_CASE("how rows are cut depends on their number alone") {
  REQUIRE(detail::norm_blocks(0) == 0);
  REQUIRE(detail::norm_blocks(1) == 1);
  REQUIRE(detail::norm_blocks(1536) == 384);
  for (Index rows = 1; rows < 20000; rows += 13) {
    Index const blocks = detail::norm_blocks(rows), per_block = detail::norm_rows_per_warp(rows) * detail::row_warps;
    REQUIRE(blocks <= 384);
    REQUIRE((blocks - 1) * per_block < rows);
    REQUIRE(blocks * per_block >= rows);
  }
}

TEST_CASE("no rows: gradients of parameters are assigned zero, or stay") {
  for (auto const write : {Write::assign, Write::add}) {
    testing::EmulatorContext context;
    Grid<float> const gamma = Grid<float>::random(1, 40, 3);
    Grid<float> none(0, 40), dgamma = Grid<float>::random(1, 40, 6), dbeta = dgamma, moments(1, 0);
    auto const before = dgamma;
    run<testing::CudaEmulator<fp32>>(context, ResidualNormForward<fp32>{none.view(),
                                                                        {},
                                                                        {},
                                                                        {},
                                                                        gamma.vector(),
                                                                        gamma.vector(),
                                                                        1e-5,
                                                                        none.view(),
                                                                        none.view(),
                                                                        moments.vector(),
                                                                        moments.vector()});
    run<testing::CudaEmulator<fp32>>(context, ResidualNormBackward<fp32>{none.view(),
                                                                         none.view(),
                                                                         moments.vector(),
                                                                         moments.vector(),
                                                                         gamma.vector(),
                                                                         {},
                                                                         {},
                                                                         none.view(),
                                                                         {},
                                                                         dgamma.vector(),
                                                                         dbeta.vector(),
                                                                         write});
    for (Index c = 0; c < 40; ++c) {
      REQUIRE(dgamma(0, c) == (write == Write::add ? before(0, c) : 0.0f));
      REQUIRE(dbeta(0, c) == (write == Write::add ? before(0, c) : 0.0f));
    }
  }
}

/// NormParameterSumsKernel without its barrier: the first warp may add what the others have not written.
struct SumsWithoutBarrier : detail::NormParameterSumsKernel<float> {
  template <class Thread>
  struct Hurried : Thread {
    void barrier() const {}
  };
  template <class Thread>
  void operator()(Thread const& thread) const {
    detail::NormParameterSumsKernel<float>::operator()(Hurried<Thread>{thread});
  }
};

/// ResidualNormForwardKernel that leaves out half of the warp from its sums.
struct HalfASum : detail::ResidualNormForwardKernel<fp32, detail::RowTile<1, true>> {
  template <class Thread>
  struct Half : Thread {
    float shuffle_xor(float value, int mask) const { return Thread::shuffle_xor(mask == 16 ? 0.0f : value, mask); }
  };
  template <class Thread>
  void operator()(Thread const& thread) const {
    detail::ResidualNormForwardKernel<fp32, detail::RowTile<1, true>>::operator()(Half<Thread>{thread});
  }
};

TEST_CASE("broken kernels are seen") {
  Index const width = 40, count = 30;
  Grid<float> const partials = Grid<float>::random(count, 2 * width, 1);
  Grid<float> expected(1, width);
  for (Index c = 0; c < width; ++c) {
    double sum = 0;
    for (Index b = 0; b < count; ++b) sum += static_cast<double>(partials(b, c));
    expected(0, c) = static_cast<float>(sum);
  }
  bool close = true, broken_close = true;
  for (auto const order : testing::thread_orders) {
    testing::EmulatorContext context({.order = order});
    Grid<float> dgamma(1, width), dbeta(1, width);
    using Kernel = detail::NormParameterSumsKernel<float>;
    Kernel const kernel{partials.view().data, count, dgamma.vector(), dbeta.vector(), false};
    LaunchShape const shape{.blocks = 3, .blocks_y = 1, .shared_bytes = Kernel::threads * sizeof(float)};
    context.launch(shape, kernel);
    close = close && test::is_close(dgamma, expected, count);
    context.launch(shape, SumsWithoutBarrier{kernel});
    broken_close = broken_close && test::is_close(dgamma, expected, count);
  }
  CHECK(close);
  CHECK_FALSE(broken_close);

  Index const wide = 200;  // columns for lanes on both sides of the middle
  Grid<float> const x = Grid<float>::random(5, wide, 2), gamma = Grid<float>::random(1, wide, 3);
  Grid<float> z(5, wide), y(5, wide), broken_y(5, wide), mean(1, 5), rstd(1, 5);
  auto const op = [&](Grid<float>& to) {
    return ResidualNormForward<fp32>{
        x.view(), {}, {}, {}, gamma.vector(), gamma.vector(), 1e-5, z.view(), to.view(), mean.vector(), rstd.vector()};
  };
  HostContext reference({1});
  run<Reference<fp32>>(reference, op(y));
  testing::EmulatorContext context;
  context.launch(LaunchShape{.blocks = 2}, HalfASum{{op(broken_y), 1}});
  CHECK_FALSE(test::is_close(broken_y, y, wide));
  run<testing::CudaEmulator<fp32>>(context, op(broken_y));
  CHECK(test::is_close(broken_y, y, wide));
}

}  // namespace
