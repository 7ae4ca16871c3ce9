#include "hone/cuda/embedding.hpp"

#include "hone/generic/embedding.hpp"
#include "support/compare_emulated.hpp"

namespace {

using namespace hone;
using hone::test::AnyGrid;
using hone::test::Grid;

struct Ids {
  std::vector<std::int32_t> tokens, segments;
  VectorView<std::int32_t const> token_view() const { return {tokens.data(), static_cast<Index>(tokens.size())}; }
  VectorView<std::int32_t const> segment_view() const { return {segments.data(), static_cast<Index>(segments.size())}; }
};

/// `used` different tokens, one of which is `often` of ten; two segments.
Ids some_ids(Index count, std::uint64_t used, std::uint64_t often) {
  Ids ids;
  PhiloxStream stream(3, 1);
  for (Index i = 0; i < count; ++i) {
    ids.tokens.push_back(static_cast<std::int32_t>(stream.below(10) < often ? 7 : stream.below(used)));
    ids.segments.push_back(static_cast<std::int32_t>(stream.below(2)));
  }
  return ids;
}

struct Case {
  std::vector<int> lengths;
  Index width, gap;
  double dropout;
  Write write;
  std::uint64_t often = 4;
};

template <class P>
void check(Case const& c) {
  using A = ActivationOf<P>;
  using S = StatisticOf<P>;
  using M = MasterOf<P>;
  test::Rows const rows(c.lengths);
  Index const n = rows.size(), vocabulary = 40, width = c.width, gap = c.gap;
  Index const positions = 1 + *std::max_element(c.lengths.begin(), c.lengths.end());
  INFO("rows " << n << ", width " << width << ", gap " << gap << ", dropout " << c.dropout << ", adds "
               << (c.write == Write::add) << ", often " << c.often);
  Ids const ids = some_ids(n, 30, c.often);  // entries 30 .. 39 are never used
  auto const word = Grid<A>::random(vocabulary, width, 1, 1, gap), position = Grid<A>::random(positions, width, 2, 1, gap);
  auto const segment = Grid<A>::random(2, width, 3, 1, gap);
  auto const gamma = Grid<A>::random(1, width, 4), beta = Grid<A>::random(1, width, 5);
  auto const dy = Grid<A>::random(n, width, 6, 1, gap);
  Dropout const dropout = test::some_dropout(c.dropout);
  RowMap const map = rows.map();
  test::check_emulated<P>(
      [&]<class B>(std::type_identity<B>, typename B::Context& context) {
        auto const table = [&](Index r, std::uint64_t seed) {
          return c.write == Write::add ? Grid<M>::random(r, width, seed, 1, gap) : Grid<M>(r, width, gap);
        };
        Grid<A> z(n, width, gap), y(n, width, gap), dz(n, width, gap);
        Grid<S> mean(1, n), rstd(1, n);
        Grid<M> dword = table(vocabulary, 7), dposition = table(positions, 8), dsegment = table(2, 9);
        Grid<M> dgamma = table(1, 10), dbeta = table(1, 11);
        run<B>(context, EmbeddingForward<P>{ids.token_view(), map.position, ids.segment_view(), word.view(), position.view(),
                                            segment.view(), gamma.vector(), beta.vector(), 1e-12, dropout, map, z.view(),
                                            y.view(), mean.vector(), rstd.vector()});
        run<B>(context,
               EmbeddingBackward<P>{ids.token_view(), map.position, ids.segment_view(), dy.view(), z.view(), mean.vector(),
                                    rstd.vector(), gamma.vector(), dropout, map, dz.view(), dword.view(), dposition.view(),
                                    dsegment.view(), dgamma.vector(), dbeta.vector(), c.write});
        Grid<A> in_place = dy;
        Grid<M> g(1, width), b(1, width), w(vocabulary, width), q(positions, width), s(2, width);
        run<B>(context, EmbeddingBackward<P>{ids.token_view(),
                                             map.position,
                                             ids.segment_view(),
                                             in_place.view(),
                                             z.view(),
                                             mean.vector(),
                                             rstd.vector(),
                                             gamma.vector(),
                                             {},
                                             map,
                                             in_place.view(),
                                             w.view(),
                                             q.view(),
                                             s.view(),
                                             g.vector(),
                                             b.vector(),
                                             Write::assign});
        return std::vector<AnyGrid>{z,      y,     mean,     rstd, dz, dword, dposition, dsegment,
                                    dgamma, dbeta, in_place, g,    b,  w,     q,         s};
      },
      std::max(n, width));
}

void check_all(Case const& c) {
  check<fp32>(c);
  check<fp64>(c);
  check<mixed>(c);
}

TEST_CASE("the embedding's kernels agree with the reference at every kind of width") {
  for (Index const width : test::some_of<Index>({1, 20, 32, 96, 384, 768, 1000, 1001, 1032}, {1, 20, 384, 1032}))
    check_all({{3, 1, 7}, width, 0, 0.1, Write::add});
}

TEST_CASE("the embedding's kernels agree with the reference on rows apart, with and without dropout") {
  for (Index const gap : test::some_of<Index>({0, 3, 8}, {3, 8}))
    for (Index const width : {20, 40}) {
      check_all({{9, 1, 70}, width, gap, 0.1, Write::assign});
      check_all({{9, 1, 13}, width, gap, 0, Write::add});
      check_all({{1}, width, gap, 0, Write::assign});
    }
}

TEST_CASE("the embedding's gradient agrees with the reference where tokens are rare, frequent and alone") {
  check_all({{33, 64, 1, 65}, 24, 0, 0.1, Write::assign, 0});
  check_all({{33, 64, 1, 65}, 24, 0, 0.1, Write::add, 9});
  check_all({{33, 64, 1, 65}, 20, 0, 0.1, Write::assign, 10});
  check<fp32>({{500, 1, 200}, 8, 0, 0.1, Write::add, 10});  // segments of more pieces than a block has warps
}

TEST_CASE("no rows: the tables' gradients are assigned zero, or stay") {
  for (auto const write : {Write::assign, Write::add}) {
    testing::EmulatorContext context;
    Grid<float> const gamma = Grid<float>::random(1, 8, 3);
    Grid<float> none(0, 8), table = Grid<float>::random(4, 8, 6, 1, 3), sums(1, 8), moments(1, 0);
    auto const before = table;
    for (Index c = 0; c < 8; ++c) sums(0, c) = 1;
    run<testing::CudaEmulator<fp32>>(context, EmbeddingBackward<fp32>{{},
                                                                      {},
                                                                      {},
                                                                      none.view(),
                                                                      none.view(),
                                                                      moments.vector(),
                                                                      moments.vector(),
                                                                      gamma.vector(),
                                                                      {},
                                                                      {},
                                                                      none.view(),
                                                                      table.view(),
                                                                      table.view(),
                                                                      table.view(),
                                                                      sums.vector(),
                                                                      sums.vector(),
                                                                      write});
    REQUIRE(table.gaps_untouched());
    for (Index r = 0; r < 4; ++r)
      for (Index c = 0; c < 8; ++c) REQUIRE(table(r, c) == (write == Write::add ? before(r, c) : 0.0f));
  }
}

TEST_CASE("rows are sorted by (id, row)") {
  PhiloxStream stream(5, 2);
  for (Index const n : {1, 2, 15, 16, 17, 100, 333})
    for (std::uint64_t const kinds : {1, 2, 7, 1000}) {
      std::vector<std::int32_t> ids;
      for (Index i = 0; i < n; ++i) ids.push_back(static_cast<std::int32_t>(stream.below(kinds)));
      std::vector<std::int32_t> expected(static_cast<std::size_t>(n)), order(3 * expected.size(), -1), begins = order;
      for (Index i = 0; i < n; ++i) expected[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(i);
      auto const id = [&](std::int32_t row) { return ids[static_cast<std::size_t>(row)]; };
      std::stable_sort(expected.begin(), expected.end(), [&](std::int32_t a, std::int32_t b) { return id(a) < id(b); });
      testing::EmulatorContext context;
      VectorView<std::int32_t const> const view{ids.data(), n};
      context.launch(LaunchShape{.blocks = detail::SortRowsKernel::blocks(n), .blocks_y = 3},
                     detail::SortRowsKernel{{view, view, view}, order.data(), begins.data()});
      for (std::size_t i = 0; i < order.size(); ++i) {
        std::size_t const place = i % expected.size();
        REQUIRE(order[i] == expected[place]);
        std::size_t const begin = static_cast<std::size_t>(begins[i]);
        REQUIRE(begin <= place);
        REQUIRE(id(expected[begin]) == id(expected[place]));
        REQUIRE((begin == 0 || id(expected[begin - 1]) != id(expected[begin])));
      }
    }
}

TEST_CASE("pieces that are kept for later never share a slot") {
  PhiloxStream stream(9, 4);
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<bool> taken;
    Index begin = 0;
    std::vector<std::pair<Index, Index>> segments;
    for (int i = 0; i < 12; ++i) {
      Index const size = 1 + static_cast<Index>(stream.below(i % 3 == 0 ? 140 : 40));
      segments.push_back({begin, size});
      begin += size;
    }
    taken.resize(static_cast<std::size_t>(detail::piece_slots(begin)), false);
    for (auto const& [first, size] : segments) {
      if (size <= detail::piece_rows) continue;
      for (Index at = 0; at < size; at += detail::piece_rows) {
        auto const slot = static_cast<std::size_t>(detail::piece_slot(first + at, at == 0));
        REQUIRE(slot < taken.size());
        REQUIRE_FALSE(taken[slot]);
        taken[slot] = true;
      }
    }
  }
}

/// PieceSumsKernel that adds the first row of a piece as often as the piece has rows.
struct FirstRowAlone : detail::PieceSumsKernel<fp32, true> {
  template <class Thread>
  struct OneRow : Thread {
    std::int32_t shuffle(std::int32_t value, int) const { return Thread::shuffle(value, 0); }
    float shuffle_xor(float value, int mask) const { return Thread::shuffle_xor(value, mask); }
    std::int32_t shuffle_xor(std::int32_t value, int mask) const { return Thread::shuffle_xor(value, mask); }
  };
  template <class Thread>
  void operator()(Thread const& thread) const {
    detail::PieceSumsKernel<fp32, true>::operator()(OneRow<Thread>{thread});
  }
};

TEST_CASE("a broken embedding kernel is seen") {
  Index const n = 20, width = 16;
  std::vector<std::int32_t> ids(n, 1), order(3 * n), begins(3 * n);
  VectorView<std::int32_t const> const view{ids.data(), n};
  auto const dz = Grid<float>::random(n, width, 1);
  Grid<float> expected(1, width), table(2, width), pieces(6 * 2, width), sum(1, width);
  for (Index c = 0; c < width; ++c) {
    double total = 0;
    for (Index r = 0; r < n; ++r) total += static_cast<double>(dz(r, c));
    expected(0, c) = static_cast<float>(total);
  }
  testing::EmulatorContext context;
  context.launch(LaunchShape{.blocks = detail::SortRowsKernel::blocks(n), .blocks_y = 3},
                 detail::SortRowsKernel{{view, view, view}, order.data(), begins.data()});
  detail::PieceSumsKernel<fp32, true> const kernel{{{view, view, view},
                                                    dz.view(),
                                                    {table.view(), table.view(), table.view()},
                                                    order.data(),
                                                    begins.data(),
                                                    pieces.view().data,
                                                    false}};
  auto const is_right = [&] {
    for (Index c = 0; c < width; ++c) sum(0, c) = table(1, c);
    return test::is_close(sum, expected, n);
  };
  LaunchShape const shape{.blocks = detail::row_blocks(n), .blocks_y = 3};
  context.launch(shape, kernel);
  CHECK(is_right());
  context.launch(shape, FirstRowAlone{kernel});
  CHECK_FALSE(is_right());
}

}  // namespace
