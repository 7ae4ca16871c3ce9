// Activations, dropout, rows and output maps as Thrust algorithms, against the reference.
#include "hone/heads/head.hpp"
#include "hone/thrust/host_backend.hpp"
#include "support/compare_rungs.hpp"

namespace {

using namespace hone;
using hone::test::AnyGrid;
using hone::test::Grid;

/// Rows next to each other take another way through Thrust than rows with gaps.
template <class P>
void check_activation(Activation kind, Index rows, Index cols, Index gap) {
  using A = ActivationOf<P>;
  INFO("kind " << static_cast<int>(kind) << ", rows " << rows << ", columns " << cols << ", gap " << gap);
  auto const u = Grid<A>::random(rows, cols, 1, 6, gap), dh = Grid<A>::random(rows, cols, 2, 1, gap);
  test::check_against_reference<P, ThrustHost>(
      [&]<class B>(std::type_identity<B>, typename B::Context& context) {
        Grid<A> h(rows, cols, gap), apart(rows, cols, 5), du(rows, cols, gap), in_place = dh, u_in_place = u;
        run<B>(context, ActivationForward<P>{kind, u.view(), h.view()});
        run<B>(context, ActivationForward<P>{kind, u.view(), apart.view()});
        run<B>(context, ActivationForward<P>{kind, u_in_place.view(), u_in_place.view()});
        run<B>(context, ActivationBackward<P>{kind, u.view(), dh.view(), du.view()});
        run<B>(context, ActivationBackward<P>{kind, u.view(), in_place.view(), in_place.view()});
        return std::vector<Grid<A>>{h, apart, u_in_place, du, in_place};
      },
      1);
}

TEST_CASE("activations agree with the reference") {
  auto const kind = GENERATE(Activation::gelu, Activation::gelu_new, Activation::relu);
  for (Index const rows : {1, 17})
    for (Index const cols : {1, 15, 64})
      for (Index const gap : {0, 3}) {
        check_activation<fp32>(kind, rows, cols, gap);
        check_activation<fp64>(kind, rows, cols, gap);
        check_activation<mixed>(kind, rows, cols, gap);
      }
}

template <class P>
void check_dropout(double p, Index width) {
  using A = ActivationOf<P>;
  INFO("p " << p << ", width " << width);
  test::Rows const rows({3, 40, 1});
  auto const x = Grid<A>::random(44, width, 1, 1, 2);
  Dropout const dropout = test::some_dropout(p);
  test::check_against_reference<P, ThrustHost>(
      [&]<class B>(std::type_identity<B>, typename B::Context& context) {
        Grid<A> y(44, width, 1), in_place = x;
        run<B>(context, DropoutApply<P>{x.view(), dropout, rows.map(), y.view()});
        run<B>(context, DropoutApply<P>{in_place.view(), dropout, rows.map(), in_place.view()});
        return std::vector<Grid<A>>{y, in_place};
      },
      1);
  ThrustHostContext context({1});
  Grid<A> y(44, width);
  run<ThrustHost<P>>(context, DropoutApply<P>{x.view(), dropout, rows.map(), y.view()});
  for (Index n = 0; n < 44; ++n)
    for (Index c = 0; c < width; ++c)
      REQUIRE((static_cast<double>(y(n, c)) != 0) == dropout.keeps(c, rows.position[std::size_t(n)], rows.map().example(n)));
}

TEST_CASE("dropout agrees with the reference, and keeps exactly what its definition keeps") {
  for (double const p : {0.0, 0.1, 0.5})
    for (Index const width : {1, 8, 15, 24}) {
      check_dropout<fp32>(p, width);
      check_dropout<fp64>(p, width);
      check_dropout<mixed>(p, width);
    }
}

template <class P>
void check_rows(Index gap) {
  using A = ActivationOf<P>;
  std::vector<std::int32_t> const rows{5, 0, 17, 3};
  VectorView<std::int32_t const> const row_view{rows.data(), 4}, one{rows.data(), 1};
  auto const x = Grid<A>::random(18, 13, 1, 1, gap), dy = Grid<A>::random(4, 13, 2, 1, 3);
  test::check_against_reference<P, ThrustHost>(
      [&]<class B>(std::type_identity<B>, typename B::Context& context) {
        Grid<A> y(4, 13, gap), single(1, 13, gap), dx = Grid<A>::random(18, 13, 3, 1, gap);
        run<B>(context, GatherRows<P>{x.view(), row_view, y.view()});
        run<B>(context, GatherRows<P>{x.view(), one, single.view()});
        run<B>(context, ScatterAddRows<P>{dy.view(), row_view, dx.view()});
        return std::vector<Grid<A>>{y, single, dx};
      },
      1);
}

TEST_CASE("gathered and scattered rows agree with the reference") {
  for (Index const gap : {0, 2}) {
    check_rows<fp32>(gap);
    check_rows<fp64>(gap);
    check_rows<mixed>(gap);
  }
}

template <class P, class Map>
void check_map(Index rows, Index cols, Index gap) {
  using A = ActivationOf<P>;
  using S = StatisticOf<P>;
  auto const x = Grid<A>::random(rows, cols, 1, 1, gap);
  auto const dy = Grid<S>::random(rows, cols, 2, 1, gap);
  test::check_against_reference<P, ThrustHost>(
      [&]<class B>(std::type_identity<B>, typename B::Context& context) {
        Grid<S> y(rows, cols, gap);
        Grid<A> dx(rows, cols, gap);
        run<B>(context, MapForward<P, Map>{x.view(), y.view()});
        run<B>(context, MapBackward<P, Map>{x.view(), dy.view(), dx.view()});
        return std::vector<AnyGrid>{y, dx};
      },
      1);
}

template <class P>
void check_maps() {
  for (Index const gap : {0, 1}) {
    check_map<P, Identity>(1, 1, gap);
    check_map<P, Affine<5, 5>>(7, 1, gap);
    check_map<P, Affine<-3, 1>>(5, 4, gap);
  }
}

TEST_CASE("output maps agree with the reference") {
  check_maps<fp32>();
  check_maps<fp64>();
  check_maps<mixed>();
}

}  // namespace
