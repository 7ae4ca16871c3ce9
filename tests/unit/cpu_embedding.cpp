#include "hone/cpu/backend.hpp"

#include "hone/generic/dropout.hpp"
#include "hone/generic/embedding.hpp"
#include "support/compare_rungs.hpp"

namespace {

using namespace hone;
using hone::test::AnyGrid;
using hone::test::Grid;

template <class P>
void check(std::vector<int> const& lengths, Index width, double p, Write write) {
  using T = ActivationOf<P>;
  using S = StatisticOf<P>;
  using M = MasterOf<P>;
  test::Rows const rows(lengths);
  Index const n = rows.size(), vocabulary = 40, positions = 80;
  INFO("rows " << n << ", width " << width << ", dropout " << p << ", adds " << (write == Write::add));
  PhiloxStream stream(3, 1);
  std::vector<std::int32_t> tokens, segments;
  for (Index i = 0; i < n; ++i) {
    tokens.push_back(static_cast<std::int32_t>(stream.below(30)));  // rows 30 .. 39 are never used
    segments.push_back(static_cast<std::int32_t>(stream.below(2)));
  }
  VectorView<std::int32_t const> const token_view{tokens.data(), n}, segment_view{segments.data(), n};
  auto const word = Grid<T>::random(vocabulary, width, 1, 1, 1), position = Grid<T>::random(positions, width, 2);
  auto const segment = Grid<T>::random(2, width, 3), gamma = Grid<T>::random(1, width, 4),
             beta = Grid<T>::random(1, width, 5);
  auto const dy = Grid<T>::random(n, width, 6, 1, 2);
  Dropout const dropout = test::some_dropout(p);
  RowMap const map = rows.map();
  test::check_against_reference<P>(
      [&]<class B>(std::type_identity<B>, HostContext& context) {
        auto const table = [&](Index r, Index seed) {
          return write == Write::add ? Grid<M>::random(r, width, static_cast<std::uint64_t>(seed), 1, 1)
                                     : Grid<M>(r, width, 1);
        };
        Grid<T> z(n, width, 1), y(n, width, 3), dz(n, width, 2);
        Grid<S> mean(1, n), rstd(1, n);
        Grid<M> dword = table(vocabulary, 7), dposition = table(positions, 8), dsegment = table(2, 9);
        Grid<M> dgamma = table(1, 10), dbeta = table(1, 11);
        run<B>(context, EmbeddingForward<P>{token_view, map.position, segment_view, word.view(), position.view(),
                                            segment.view(), gamma.vector(), beta.vector(), 1e-12, dropout, map, z.view(),
                                            y.view(), mean.vector(), rstd.vector()});
        run<B>(context, EmbeddingBackward<P>{token_view, map.position, segment_view, dy.view(), z.view(), mean.vector(),
                                             rstd.vector(), gamma.vector(), dropout, map, dz.view(), dword.view(),
                                             dposition.view(), dsegment.view(), dgamma.vector(), dbeta.vector(), write});
        Grid<T> in_place = dy;
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
  for (Index const width : {15, 24, 100, 384}) {
    check<fp32>({1}, width, p, write);
    check<fp32>({3, 1, 13}, width, p, write);
    check<fp32>({70, 60}, width, p, write);
    check<mixed>({3, 1, 13, 70, 60}, width, p, write);
    check<fp64>({3, 1, 13, 70, 60}, width, p, write);
  }
}

TEST_CASE("dropout agrees with the reference, also in place") {
  double const p = GENERATE(0.0, 0.1, 0.5);
  for (Index const width : {15, 24, 128, 384}) {
    test::Rows const rows({3, 40, 1});
    auto const x = Grid<float>::random(44, width, 1, 1, 2);
    test::check_against_reference<fp32>(
        [&]<class B>(std::type_identity<B>, HostContext& context) {
          Grid<float> y(44, width, 1), in_place = x;
          run<B>(context, DropoutApply<fp32>{x.view(), test::some_dropout(p), rows.map(), y.view()});
          run<B>(context, DropoutApply<fp32>{in_place.view(), test::some_dropout(p), rows.map(), in_place.view()});
          return std::vector<Grid<float>>{y, in_place};
        },
        1);
  }
}

}  // namespace
