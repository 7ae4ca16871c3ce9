#include "hone/cpu/backend.hpp"

#include "hone/cpu/eigen.hpp"
#include "hone/generic/linear.hpp"
#include "hone/generic/linear_activation.hpp"
#include "hone/generic/linear_residual.hpp"
#include "support/compare_rungs.hpp"

namespace {

using namespace hone;
using hone::test::Grid;

template <class P, template <class> class Tested = Cpu>
void check(Index rows, Index inputs, Index outputs) {
  using T = ActivationOf<P>;
  using M = MasterOf<P>;
  INFO("rows " << rows << ", inputs " << inputs << ", outputs " << outputs);
  auto const x = Grid<T>::random(rows, inputs, 1, 1, 3), weight = Grid<T>::random(outputs, inputs, 2);
  auto const dy = Grid<T>::random(rows, outputs, 3, 1, 5), bias = Grid<T>::random(1, outputs, 4);
  for (bool const with_bias : {true, false}) {
    test::check_against_reference<P, Tested>(
        [&]<class B>(std::type_identity<B>, HostContext& context) {
          Grid<T> y(rows, outputs, 2);
          run<B>(context,
                 LinearForward<P>{x.view(), weight.view(), with_bias ? bias.vector() : VectorView<T const>{}, y.view()});
          return std::vector<Grid<T>>{y};
        },
        inputs);
    for (Write const write : {Write::assign, Write::add}) {
      bool const adds = write == Write::add;
      test::check_against_reference<P, Tested>(
          [&]<class B>(std::type_identity<B>, HostContext& context) {
            Grid<T> dx = adds ? Grid<T>::random(rows, inputs, 5, 1, 1) : Grid<T>(rows, inputs, 1);
            run<B>(context, LinearBackwardInput<P>{dy.view(), weight.view(), dx.view(), write});
            return std::vector<Grid<T>>{dx};
          },
          outputs);
      test::check_against_reference<P, Tested>(
          [&]<class B>(std::type_identity<B>, HostContext& context) {
            Grid<M> dweight = adds ? Grid<M>::random(outputs, inputs, 6) : Grid<M>(outputs, inputs);
            Grid<M> dbias = adds ? Grid<M>::random(1, outputs, 7) : Grid<M>(1, outputs);
            run<B>(context, LinearBackwardParameters<P>{x.view(), dy.view(), dweight.view(),
                                                        with_bias ? dbias.vector() : VectorView<M>{}, write});
            if (!with_bias) return std::vector<Grid<M>>{dweight};
            return std::vector<Grid<M>>{dweight, dbias};
          },
          rows);
    }
  }
}

TEST_CASE("linear layers on Eigen agree with the reference") {
  static_assert(std::is_same_v<RungOf<EigenCpu<fp32>, LinearForward<fp32>>, EigenRung>);
  Index const rows = GENERATE(1, 17, 600);
  check<fp32, EigenCpu>(rows, 24, 15);
  check<fp32, EigenCpu>(rows, 64, 384);
  check<fp64, EigenCpu>(rows, 15, 24);
}

TEST_CASE("linear layers agree with the reference") {
  Index const rows = GENERATE(1, 3, 17, 130, 600);
  SECTION("fp32") {
    check<fp32>(rows, 24, 15);
    check<fp32>(rows, 100, 64);
    check<fp32>(rows, 64, 384);
  }
  SECTION("mixed") {
    check<mixed>(rows, 24, 15);
    check<mixed>(rows, 100, 64);
    check<mixed>(rows, 64, 384);
  }
  SECTION("fp64") {
    check<fp64>(rows, 15, 24);
    check<fp64>(rows, 64, 100);
  }
}

template <class P>
void check_fused(Activation kind, Index rows, Index inputs, Index outputs) {
  using T = ActivationOf<P>;
  INFO("kind " << static_cast<int>(kind) << ", rows " << rows << ", inputs " << inputs << ", outputs " << outputs);
  auto const x = Grid<T>::random(rows, inputs, 1, 1, 3), weight = Grid<T>::random(outputs, inputs, 2, 0.2);
  auto const dy = Grid<T>::random(rows, outputs, 3, 1, 5), bias = Grid<T>::random(1, outputs, 4);
  auto const before = Grid<T>::random(rows, inputs, 5, 3), residual = Grid<T>::random(rows, outputs, 6, 1, 2);
  test::Rows const tokens({static_cast<int>(rows)});
  test::check_against_reference<P>(
      [&]<class B>(std::type_identity<B>, HostContext& context) {
        Grid<T> u(rows, outputs, 2), h(rows, outputs, 1), h_alone(rows, outputs, 4), du(rows, inputs, 3);
        LinearActivationForward<P> forward{kind, x.view(), weight.view(), bias.vector(), u.view(), h.view()};
        run<B>(context, forward);
        forward.u = {};
        forward.h = h_alone.view();
        run<B>(context, forward);
        run<B>(context, LinearActivationBackwardInput<P>{kind, dy.view(), weight.view(), before.view(), du.view()});
        return std::vector<Grid<T>>{u, h, h_alone, du};
      },
      std::max(inputs, outputs));
  if constexpr (std::is_same_v<P, mixed>)  // the only precision with a kernel for it
    for (double const p : {0.0, 0.3})
      test::check_against_reference<P>(
          [&]<class B>(std::type_identity<B>, HostContext& context) {
            Grid<T> z(rows, outputs, 3);
            run<B>(context, LinearResidualForward<P>{x.view(), weight.view(), bias.vector(), residual.view(),
                                                     test::some_dropout(p), tokens.map(), z.view()});
            return std::vector<Grid<T>>{z};
          },
          inputs);
}

void check_fused_layers(Index rows) {
  auto const kind = GENERATE(Activation::gelu, Activation::gelu_new, Activation::relu);
  check_fused<fp32>(kind, rows, 24, 15);
  check_fused<fp32>(kind, rows, 450, 64);
  check_fused<fp64>(kind, rows, 24, 15);
  check_fused<mixed>(kind, rows, 24, 15);
  check_fused<mixed>(kind, rows, 450, 100);
}
TEST_CASE("linear layers with what is behind them agree with the reference") { check_fused_layers(GENERATE(1, 17)); }
TEST_CASE("linear layers with what is behind them agree with the reference over many rows") { check_fused_layers(130); }

TEST_CASE("sums longer than one block of the inner dimension, and more columns than are packed at once") {
  check<fp32>(5, 1000, 33);
  check<fp32>(900, 20, 17);
  check<fp32>(9, 7, 3100);
  check<fp64>(5, 1000, 33);
}

TEST_CASE("gradients of weights over several blocks of rows, and more columns than are summed together") {
  check<fp32>(1000, 450, 70);
  check<fp64>(450, 200, 17);
}

TEST_CASE("weights that are kept in panels are those of their version, and give the same bits as weights that are not") {
  auto const x = Grid<float>::random(40, 900, 1), dy = Grid<float>::random(40, 70, 2);
  Grid<float> weight = Grid<float>::random(70, 900, 3);
  auto const other = Grid<float>::random(70, 900, 4);
  HostContext context({2});
  auto const products = [&](std::uint64_t version) {
    Grid<float> y(40, 70), dx(40, 900);
    run<Cpu<fp32>>(context, LinearForward<fp32>{x.view(), weight.view(), {}, y.view(), version});
    run<Cpu<fp32>>(context, LinearBackwardInput<fp32>{dy.view(), weight.view(), dx.view(), Write::assign, version});
    std::vector<float> all;
    for (Index r = 0; r < 40; ++r) {
      for (Index c = 0; c < 70; ++c) all.push_back(y(r, c));
      for (Index c = 0; c < 900; ++c) all.push_back(dx(r, c));
    }
    return all;
  };
  std::vector<float> const plain = products(0);
  CHECK(products(11) == plain);
  for (Index r = 0; r < 70; ++r)
    for (Index c = 0; c < 900; ++c) weight(r, c) = other(r, c);
  CHECK(products(11) == plain);  // the version says that nothing changed
  std::vector<float> const changed = products(12);
  CHECK(changed != plain);
  CHECK(changed == products(0));
}

TEST_CASE("a row of a linear layer has the same bits in every batch") {
  auto const x = Grid<float>::random(131, 500, 1), weight = Grid<float>::random(70, 500, 2),
             bias = Grid<float>::random(1, 70, 3);
  HostContext context({2});
  Grid<float> all(131, 70);
  run<Cpu<fp32>>(context, LinearForward<fp32>{x.view(), weight.view(), bias.vector(), all.view()});
  Grid<float> large(1300, 500), many(1300, 70);  // more rows than weights are kept for, and longer pieces of them
  for (Index r = 0; r < 1300; ++r)
    for (Index c = 0; c < 500; ++c) large(r, c) = x(r % 131, c);
  run<Cpu<fp32>>(context, LinearForward<fp32>{large.view(), weight.view(), bias.vector(), many.view(), 1});
  for (Index r = 0; r < 1300; ++r)
    for (Index c = 0; c < 70; ++c) REQUIRE(many(r, c) == all(r % 131, c));
  for (Index const row : {0, 1, 7, 8, 100, 130}) {
    Grid<float> alone(1, 70);
    run<Cpu<fp32>>(context, LinearForward<fp32>{x.view().row_block(row, 1), weight.view(), bias.vector(), alone.view()});
    for (Index c = 0; c < 70; ++c) REQUIRE(alone(0, c) == all(row, c));
  }
}

TEST_CASE("the linear operations run on the processor's rung") {
  STATIC_REQUIRE(std::is_same_v<RungOf<Cpu<fp32>, LinearForward<fp32>>, CpuRung>);
  STATIC_REQUIRE(std::is_same_v<RungOf<Cpu<fp32>, LinearBackwardInput<fp32>>, CpuRung>);
  STATIC_REQUIRE(std::is_same_v<RungOf<Cpu<fp64>, LinearBackwardParameters<fp64>>, CpuRung>);
}

}  // namespace
