#include "hone/cpu/backend.hpp"

#include <algorithm>
#include <cmath>

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

TEST_CASE("embeddings tell which rows of the words' gradient they used") {
  Index const vocabulary = 600, width = 32;
  for (InstructionSet const set : test::instruction_sets<Cpu>()) {
    INFO("instruction set " << name(set));
    HostContext context({3, set});
    auto const z = Grid<float>::random(40, width, 1), gamma = Grid<float>::random(1, width, 2);
    Grid<float> const dy = Grid<float>::random(40, width, 3), ones = Grid<float>::random(1, 40, 4);
    std::vector<std::uint8_t> used(std::size_t(vocabulary), 0);
    used[3] = used[4] = 1;
    Grid<float> dword(vocabulary, width);  // NaN: rows that are said to be zero are not touched
    for (Index c = 0; c < width; ++c) dword(3, c) = dword(4, c) = 7;
    auto const backward = [&](std::vector<std::int32_t> const& tokens, Write write, Grid<float>& to, std::uint8_t* marks) {
      test::Rows const rows({int(tokens.size())});
      Index const n = rows.size();
      std::vector<std::int32_t> const segments(tokens.size(), 0);
      Grid<float> dz(n, width), dposition = Grid<float>::random(80, width, 5), dsegment = Grid<float>::random(2, width, 6);
      Grid<float> dgamma = Grid<float>::random(1, width, 7), dbeta = dgamma;
      run<Cpu<fp32>>(context, EmbeddingBackward<fp32>{{tokens.data(), n},
                                                      rows.map().position,
                                                      {segments.data(), n},
                                                      dy.view().row_block(0, n),
                                                      z.view().row_block(0, n),
                                                      ones.vector().slice(0, n),
                                                      ones.vector().slice(0, n),
                                                      gamma.vector(),
                                                      {},
                                                      rows.map(),
                                                      dz.view(),
                                                      to.view(),
                                                      dposition.view(),
                                                      dsegment.view(),
                                                      dgamma.vector(),
                                                      dbeta.vector(),
                                                      write,
                                                      marks});
    };
    auto const check = [&](std::vector<std::int32_t> const& in_use, Grid<float> const& expected) {
      for (Index r = 0; r < vocabulary; ++r) {
        bool const should = std::find(in_use.begin(), in_use.end(), std::int32_t(r)) != in_use.end();
        CHECK(bool(used[std::size_t(r)]) == should);
        if (should)
          for (Index c = 0; c < width; ++c) CHECK(dword(r, c) == expected(r, c));
      }
    };
    Grid<float> expected(vocabulary, width);
    backward({5, 599, 4, 5}, Write::assign, dword, used.data());
    backward({5, 599, 4, 5}, Write::assign, expected, nullptr);
    check({4, 5, 599}, expected);
    for (Index c = 0; c < width; ++c) {
      CHECK(dword(3, c) == 0);
      CHECK(std::isnan(dword(0, c)));
    }
    for (Index c = 0; c < width; ++c) dword(6, c) = 0;
    backward({6, 5}, Write::add, dword, used.data());
    backward({6, 5}, Write::add, expected, nullptr);
    check({4, 5, 6, 599}, expected);
    backward({300}, Write::assign, dword, used.data());
    backward({300}, Write::assign, expected, nullptr);
    check({300}, expected);
    for (Index const r : {4, 5, 6, 599})
      for (Index c = 0; c < width; ++c) CHECK(dword(r, c) == 0);
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
