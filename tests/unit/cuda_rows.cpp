// The small operations on rows: dropout, gather and scatter, losses and what heads do to their outputs.
#include "hone/cuda/rows.hpp"

#include "hone/cuda/dropout.hpp"
#include "hone/cuda/loss.hpp"
#include "hone/generic/dropout.hpp"
#include "hone/generic/rows.hpp"
#include "hone/heads/head.hpp"
#include "hone/loss/cross_entropy.hpp"
#include "hone/loss/l1.hpp"
#include "support/compare_emulated.hpp"

namespace {

using namespace hone;
using hone::test::AnyGrid;
using hone::test::Grid;

template <class P>
void check_dropout(Index width, Index gap, double p) {
  using A = ActivationOf<P>;
  INFO("width " << width << ", gap " << gap << ", dropout " << p);
  test::Rows const rows({3, 9, 1});
  auto const x = Grid<A>::random(13, width, 1, 1, gap);
  Dropout const dropout = test::some_dropout(p);
  test::check_emulated<P>(
      [&]<class B>(std::type_identity<B>, typename B::Context& context) {
        Grid<A> y(13, width, gap), in_place = x;
        run<B>(context, DropoutApply<P>{x.view(), dropout, rows.map(), y.view()});
        run<B>(context, DropoutApply<P>{in_place.view(), dropout, rows.map(), in_place.view()});
        for (Index r = 0; r < 13; ++r)  // exactly what the definition keeps
          for (Index c = 0; c < width; ++c) {
            bool const keep = dropout.keeps(c, rows.position[static_cast<std::size_t>(r)], rows.map().example(r));
            REQUIRE((static_cast<double>(y(r, c)) != 0) == keep);
          }
        return std::vector<AnyGrid>{y, in_place};
      },
      1);
}

TEST_CASE("dropout's kernel agrees with the reference and keeps exactly what its definition keeps") {
  for (double const p : {0.0, 0.1, 0.5})
    for (Index const gap : {0, 3, 8})
      for (Index const width : {1, 20, 96, 1000}) {
        check_dropout<fp32>(width, gap, p);
        check_dropout<fp64>(width, gap, p);
        check_dropout<mixed>(width, gap, p);
      }
}

template <class P>
void check_gather(Index width, Index gap) {
  using A = ActivationOf<P>;
  INFO("width " << width << ", gap " << gap);
  std::vector<std::int32_t> const rows{11, 0, 3, 12, 7, 8, 1};
  Index const count = static_cast<Index>(rows.size());
  auto const x = Grid<A>::random(13, width, 1, 1, gap), dy = Grid<A>::random(count, width, 2, 1, gap);
  test::check_emulated<P>(
      [&]<class B>(std::type_identity<B>, typename B::Context& context) {
        Grid<A> y(count, width, gap), dx = x;
        VectorView<std::int32_t const> const view{rows.data(), count};
        run<B>(context, GatherRows<P>{x.view(), view, y.view()});
        run<B>(context, ScatterAddRows<P>{dy.view(), view, dx.view()});
        for (Index i = 0; i < count; ++i)
          for (Index c = 0; c < width; ++c)
            REQUIRE(static_cast<double>(y(i, c)) == static_cast<double>(x(rows[static_cast<std::size_t>(i)], c)));
        return std::vector<AnyGrid>{y, dx};
      },
      1);
}

TEST_CASE("gathering and scattering agree with the reference") {
  for (Index const gap : {0, 3, 8})
    for (Index const width : {1, 20, 96, 768, 1000}) {
      check_gather<fp32>(width, gap);
      check_gather<fp64>(width, gap);
      check_gather<mixed>(width, gap);
    }
}

template <class P, class Loss>
void check_loss(Index rows, Index width) {
  using S = StatisticOf<P>;
  INFO(Loss::name << " of " << rows << " rows, width " << width);
  auto const outputs = Grid<S>::random(rows, width, 1, 8);
  std::vector<typename Loss::Label> labels;
  for (Index r = 0; r < rows; ++r) labels.push_back(static_cast<typename Loss::Label>(r % width));
  VectorView<typename Loss::Label const> const view{labels.data(), rows};
  test::check_emulated<P, S>(
      [&]<class B>(std::type_identity<B>, typename B::Context& context) {
        Grid<S> losses(1, rows), doutputs(rows, width), without(1, rows);
        run<B>(context, LossForwardBackward<P, Loss>{outputs.view(), view, 0.3, losses.vector(), doutputs.view()});
        run<B>(context, LossForwardBackward<P, Loss>{outputs.view(), view, 0.3, without.vector(), {}});
        return std::vector<AnyGrid>{losses, doutputs, without};
      },
      width);
}

template <class P, class Map>
void check_map(Index rows, Index width) {
  using A = ActivationOf<P>;
  using S = StatisticOf<P>;
  INFO("rows " << rows << ", width " << width);
  auto const x = Grid<A>::random(rows, width, 1, 1, 3);
  auto const dy = Grid<S>::random(rows, width, 2);
  test::check_emulated<P>(
      [&]<class B>(std::type_identity<B>, typename B::Context& context) {
        Grid<S> y(rows, width, 1);
        Grid<A> dx(rows, width, 2);
        run<B>(context, MapForward<P, Map>{x.view(), y.view()});
        run<B>(context, MapBackward<P, Map>{x.view(), dy.view(), dx.view()});
        return std::vector<AnyGrid>{y, dx};
      },
      1);
}

template <class P>
void check_heads() {
  for (Index const rows : {1, 16, 130}) {
    check_loss<P, CrossEntropy>(rows, 2);
    check_loss<P, CrossEntropy>(rows, 11);
    check_loss<P, L1>(rows, 1);
    check_loss<P, L1>(rows, 3);
    check_map<P, Identity>(rows, 2);
    check_map<P, Affine<5, 5>>(rows, 1);
  }
}

TEST_CASE("losses and output maps agree with the reference") {
  check_heads<fp32>();
  check_heads<fp64>();
  check_heads<mixed>();
}

/// DropoutApplyKernel that gives every lane the octet of the first.
struct OneOctet : detail::DropoutApplyKernel<fp32, detail::RowTile<0, true>> {
  template <class Thread>
  struct FirstLane : Thread {
    int lane() const { return 0; }
  };
  template <class Thread>
  void operator()(Thread const& thread) const {
    detail::DropoutApplyKernel<fp32, detail::RowTile<0, true>>::operator()(FirstLane<Thread>{thread});
  }
};

TEST_CASE("a broken rows kernel is seen") {
  test::Rows const rows({3, 9, 1});
  auto const x = Grid<float>::random(13, 24, 1);
  Grid<float> y(13, 24), expected(13, 24);
  DropoutApply<fp32> op{x.view(), test::some_dropout(0.1), rows.map(), expected.view()};
  HostContext reference({1});
  run<Reference<fp32>>(reference, op);
  op.y = y.view();
  testing::EmulatorContext context;
  context.launch(LaunchShape{.blocks = detail::row_blocks(13)}, OneOctet{{op, static_cast<float>(op.dropout.scale())}});
  CHECK_FALSE(test::is_close(y, expected, 1));
  run<testing::CudaEmulator<fp32>>(context, op);
  CHECK(test::is_close(y, expected, 1));
}

}  // namespace
