#include "hone/cpu/backend.hpp"

#include "hone/generic/residual_norm.hpp"
#include "support/compare_rungs.hpp"

namespace {

using namespace hone;
using hone::test::AnyGrid;
using hone::test::Grid;

template <class P>
void check(std::vector<int> const& lengths, Index width, double p, bool with_residual, Write write) {
  using T = ActivationOf<P>;
  using S = StatisticOf<P>;
  using M = MasterOf<P>;
  test::Rows const rows(lengths);
  Index const n = rows.size();
  INFO("rows " << n << ", width " << width << ", dropout " << p << ", residual " << with_residual);
  auto const x = Grid<T>::random(n, width, 1, 1, 2), residual = Grid<T>::random(n, width, 2, 1, 3);
  auto const gamma = Grid<T>::random(1, width, 3), beta = Grid<T>::random(1, width, 4), dy = Grid<T>::random(n, width, 5);
  Dropout const dropout = test::some_dropout(p);
  test::check_against_reference<P>(
      [&]<class B>(std::type_identity<B>, HostContext& context) {
        Grid<T> z(n, width, 1), y(n, width), dz(n, width, 4), dx(n, width, 5);
        Grid<S> mean(1, n), rstd(1, n);
        bool const adds = write == Write::add;
        Grid<M> dgamma = adds ? Grid<M>::random(1, width, 6) : Grid<M>(1, width);
        Grid<M> dbeta = adds ? Grid<M>::random(1, width, 7) : Grid<M>(1, width);
        run<B>(context, ResidualNormForward<P>{x.view(), with_residual ? residual.view() : MatrixView<T const>{}, dropout,
                                               rows.map(), gamma.vector(), beta.vector(), 1e-12, z.view(), y.view(),
                                               mean.vector(), rstd.vector()});
        run<B>(context, ResidualNormBackward<P>{dy.view(), z.view(), mean.vector(), rstd.vector(), gamma.vector(), dropout,
                                                rows.map(), dz.view(), dx.view(), dgamma.vector(), dbeta.vector(), write});
        Grid<T> in_place = dy;
        Grid<M> again_gamma(1, width), again_beta(1, width);
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
        return std::vector<AnyGrid>{z, y, mean, rstd, dz, dx, dgamma, dbeta, in_place, again_gamma, again_beta};
      },
      std::max(n, width));
}

TEST_CASE("residual, dropout and layer norm agree with the reference") {
  double const p = GENERATE(0.0, 0.1);
  bool const with_residual = GENERATE(true, false);
  auto const write = GENERATE(Write::assign, Write::add);
  for (Index const width : {15, 24, 100, 384}) {
    check<fp32>({1}, width, p, with_residual, write);
    check<fp32>({3, 1, 13}, width, p, with_residual, write);
    check<fp32>({70, 60}, width, p, with_residual, write);
    check<mixed>({3, 1, 13, 70, 60}, width, p, with_residual, write);
    check<fp64>({3, 1, 13, 70, 60}, width, p, with_residual, write);
  }
}

TEST_CASE("dropout keeps exactly what its definition keeps, on every instruction set") {
  for (Index const width : {1, 8, 15, 384, 1000}) {
    Dropout const dropout = test::some_dropout(0.3);
    test::Rows const rows({1, 70, 600});
    Grid<float> const ones = [&] {
      Grid<float> made(rows.size(), width);
      for (Index r = 0; r < made.rows(); ++r)
        for (Index c = 0; c < width; ++c) made(r, c) = 1;
      return made;
    }();
    for (InstructionSet const set : test::instruction_sets<Cpu>()) {
      HostContext context({2, set});
      Grid<float> kept(rows.size(), width);
      run<Cpu<fp32>>(context, DropoutApply<fp32>{ones.view(), dropout, rows.map(), kept.view()});
      for (Index r = 0; r < rows.size(); ++r)
        for (Index c = 0; c < width; ++c) {
          bool const keeps = dropout.keeps(c, rows.map().position[r], rows.map().example(r));
          if (kept(r, c) != (keeps ? static_cast<float>(dropout.scale()) : 0.0f)) FAIL("row " << r << " column " << c);
        }
    }
  }
}

}  // namespace
