// Layer norm with residual and dropout, and embeddings, as Thrust algorithms, against the reference.
#include "hone/thrust/host_backend.hpp"
#include "support/compare_rungs.hpp"

namespace {

using namespace hone;
using hone::test::AnyGrid;
using hone::test::Grid;

template <class P>
void check_residual_norm(std::vector<int> const& lengths, Index width, double p, bool with_residual, Write write) {
  using A = ActivationOf<P>;
  using S = StatisticOf<P>;
  using M = MasterOf<P>;
  test::Rows const rows(lengths);
  Index const n = rows.size();
  INFO("rows " << n << ", width " << width << ", dropout " << p << ", residual " << with_residual << ", adds "
               << (write == Write::add));
  auto const x = Grid<A>::random(n, width, 1, 1, 2), residual = Grid<A>::random(n, width, 2, 1, 3);
  auto const gamma = Grid<A>::random(1, width, 3), beta = Grid<A>::random(1, width, 4), dy = Grid<A>::random(n, width, 5);
  Dropout const dropout = test::some_dropout(p);
  test::check_against_reference<P, ThrustHost>(
      [&]<class B>(std::type_identity<B>, typename B::Context& context) {
        Grid<A> z(n, width, 1), y(n, width), dz(n, width, 4), dx(n, width, 5), z_in_place = x, y2(n, width, 1);
        Grid<S> mean(1, n), rstd(1, n), mean2(1, n), rstd2(1, n);
        bool const adds = write == Write::add;
        Grid<M> dgamma = adds ? Grid<M>::random(1, width, 6) : Grid<M>(1, width);
        Grid<M> dbeta = adds ? Grid<M>::random(1, width, 7) : Grid<M>(1, width);
        MatrixView<A const> const from = with_residual ? residual.view() : MatrixView<A const>{};
        run<B>(context, ResidualNormForward<P>{x.view(), from, dropout, rows.map(), gamma.vector(), beta.vector(), 1e-5,
                                               z.view(), y.view(), mean.vector(), rstd.vector()});
        run<B>(context, ResidualNormForward<P>{z_in_place.view(), from, dropout, rows.map(), gamma.vector(), beta.vector(),
                                               1e-5, z_in_place.view(), y2.view(), mean2.vector(), rstd2.vector()});
        run<B>(context, ResidualNormBackward<P>{dy.view(), z.view(), mean.vector(), rstd.vector(), gamma.vector(), dropout,
                                                rows.map(), dz.view(), dx.view(), dgamma.vector(), dbeta.vector(), write});
        // As the layers call it: dz in the place of dy, without dropout also dx in that of dz, or no dx.
        Grid<A> in_place = dy, alone = dy;
        Grid<M> gamma2(1, width), beta2(1, width), gamma3(1, width), beta3(1, width);
        run<B>(context, ResidualNormBackward<P>{in_place.view(),
                                                z.view(),
                                                mean.vector(),
                                                rstd.vector(),
                                                gamma.vector(),
                                                {},
                                                {},
                                                in_place.view(),
                                                in_place.view(),
                                                gamma2.vector(),
                                                beta2.vector(),
                                                Write::assign});
        run<B>(context, ResidualNormBackward<P>{alone.view(),
                                                z.view(),
                                                mean.vector(),
                                                rstd.vector(),
                                                gamma.vector(),
                                                {},
                                                {},
                                                alone.view(),
                                                {},
                                                gamma3.vector(),
                                                beta3.vector(),
                                                Write::assign});
        return std::vector<AnyGrid>{z,  y,     mean,  rstd,     dz,    dx,     dgamma, dbeta,  z_in_place,
                                    y2, mean2, rstd2, in_place, alone, gamma2, beta2,  gamma3, beta3};
      },
      std::max(n, width));
}

TEST_CASE("residual, dropout and layer norm agree with the reference") {
  double const p = GENERATE(0.0, 0.1);
  bool const with_residual = GENERATE(true, false);
  auto const write = GENERATE(Write::assign, Write::add);
  for (Index const width : {15, 24, 100}) {
    check_residual_norm<fp32>({1}, width, p, with_residual, write);
    check_residual_norm<fp32>({3, 1, 13}, width, p, with_residual, write);
    check_residual_norm<fp64>({3, 1, 13, 70, 60}, width, p, with_residual, write);  // more than two partial sums
    check_residual_norm<mixed>({3, 1, 64, 60}, width, p, with_residual, write);     // two, and no rest
  }
}

/// @param words  how many different tokens there are; few: each is used often
template <class P>
void check_embedding(std::vector<int> const& lengths, Index width, double p, std::uint64_t words, Write write) {
  using A = ActivationOf<P>;
  using S = StatisticOf<P>;
  using M = MasterOf<P>;
  test::Rows const rows(lengths);
  Index const n = rows.size(), vocabulary = 40, positions = 80;
  INFO("rows " << n << ", width " << width << ", dropout " << p << ", words " << words << ", adds "
               << (write == Write::add));
  PhiloxStream stream(3, 1);
  std::vector<std::int32_t> tokens, segments;
  for (Index i = 0; i < n; ++i) {
    tokens.push_back(static_cast<std::int32_t>(39 - stream.below(words)));
    segments.push_back(static_cast<std::int32_t>(stream.below(2)));
  }
  VectorView<std::int32_t const> const token_view{tokens.data(), n}, segment_view{segments.data(), n};
  auto const word = Grid<A>::random(vocabulary, width, 1, 1, 1), position = Grid<A>::random(positions, width, 2);
  auto const segment = Grid<A>::random(2, width, 3), gamma = Grid<A>::random(1, width, 4),
             beta = Grid<A>::random(1, width, 5);
  auto const dy = Grid<A>::random(n, width, 6, 1, 2);
  Dropout const dropout = test::some_dropout(p);
  RowMap const map = rows.map();
  test::check_against_reference<P, ThrustHost>(
      [&]<class B>(std::type_identity<B>, typename B::Context& context) {
        auto const table = [&](Index r, std::uint64_t seed) {
          return write == Write::add ? Grid<M>::random(r, width, seed, 1, 1) : Grid<M>(r, width, 1);
        };
        Grid<A> z(n, width, 1), y(n, width, 3), dz(n, width, 2);
        Grid<S> mean(1, n), rstd(1, n);
        Grid<M> dword = table(vocabulary, 7), dposition = table(positions, 8), dsegment = table(2, 9);
        Grid<M> dgamma = table(1, 10), dbeta = table(1, 11);
        run<B>(context, EmbeddingForward<P>{token_view, map.position, segment_view, word.view(), position.view(),
                                            segment.view(), gamma.vector(), beta.vector(), 1e-5, dropout, map, z.view(),
                                            y.view(), mean.vector(), rstd.vector()});
        run<B>(context, EmbeddingBackward<P>{token_view, map.position, segment_view, dy.view(), z.view(), mean.vector(),
                                             rstd.vector(), gamma.vector(), dropout, map, dz.view(), dword.view(),
                                             dposition.view(), dsegment.view(), dgamma.vector(), dbeta.vector(), write});
        Grid<A> in_place = dy;
        Grid<M> g(1, width), b(1, width), w(vocabulary, width), q(positions, width), s(2, width);
        run<B>(context, EmbeddingBackward<P>{token_view, map.position, segment_view, in_place.view(), z.view(),
                                             mean.vector(), rstd.vector(), gamma.vector(), dropout, map, in_place.view(),
                                             w.view(), q.view(), s.view(), g.vector(), b.vector(), Write::assign});
        return std::vector<AnyGrid>{z,      y,     mean,     rstd, dz, dword, dposition, dsegment,
                                    dgamma, dbeta, in_place, g,    b,  w,     q,         s};
      },
      std::max(n, width));
}

TEST_CASE("embeddings agree with the reference") {
  double const p = GENERATE(0.0, 0.1);
  auto const write = GENERATE(Write::assign, Write::add);
  std::uint64_t const words = GENERATE(1, 3, 30);
  for (Index const width : {1, 15, 24}) {
    check_embedding<fp32>({1}, width, p, words, write);
    check_embedding<fp32>({70, 60}, width, p, words, write);
    check_embedding<fp64>({3, 1, 13, 70, 60}, width, p, words, write);
    check_embedding<mixed>({3, 1, 13, 70, 60}, width, p, words, write);
  }
}

TEST_CASE("the rows of one token are added in row order") {
  // 2^24 + 1 = 2^24 in float: the sum of these depends on their order, and only that of the rows gives 1.
  std::vector<float> const values{16777216.0f, 5.0f, 1.0f, -16777216.0f, 7.0f, 1.0f};
  std::vector<std::int32_t> const ids{3, 0, 3, 3, 9, 3};
  Grid<float> dtable(10, 1);
  ThrustHostContext context({1});
  auto policy = context.policy();
  detail::thrust_table_gradient<fp32>(policy, {ids.data(), 6}, MatrixView<float const>{values.data(), 6, 1}, dtable.view(),
                                      Write::assign);
  CHECK(dtable(3, 0) == 1.0f);
  CHECK(dtable(0, 0) == 5.0f);
  CHECK(dtable(9, 0) == 7.0f);
  CHECK(dtable(1, 0) == 0.0f);
}

TEST_CASE("temporary memory is given back, and a step like the one before takes no more") {
  Index const n = 90, width = 12;
  ThrustHostContext context({1});
  test::Rows const rows({int(n)});
  std::vector<std::int32_t> const zeros(std::size_t(n), 0);
  VectorView<std::int32_t const> const ids{zeros.data(), n};
  auto const z = Grid<double>::random(n, width, 1), gamma = Grid<double>::random(1, width, 2);
  auto const mean = Grid<double>::random(1, n, 3), rstd = Grid<double>::random(1, n, 4);
  auto step = [&] {
    Grid<double> dz = Grid<double>::random(n, width, 5), word(1, width), position(n, width), segment(1, width);
    Grid<double> dgamma(1, width), dbeta(1, width);
    run<ThrustHost<fp64>>(context, EmbeddingBackward<fp64>{ids,
                                                           rows.map().position,
                                                           ids,
                                                           dz.view(),
                                                           z.view(),
                                                           mean.vector(),
                                                           rstd.vector(),
                                                           gamma.vector(),
                                                           {},
                                                           rows.map(),
                                                           dz.view(),
                                                           word.view(),
                                                           position.view(),
                                                           segment.view(),
                                                           dgamma.vector(),
                                                           dbeta.vector(),
                                                           Write::assign});
  };
  CHECK(context.temporary().bytes() == 0);
  step();
  std::size_t const held = context.temporary().bytes();
  CHECK(held > 0);
  CHECK(context.temporary().bytes_in_use() == 0);
  step();
  CHECK(context.temporary().bytes() == held);
  CHECK(context.temporary().bytes_in_use() == 0);
}

}  // namespace
