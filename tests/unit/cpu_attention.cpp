#include "hone/cpu/backend.hpp"

#include <cmath>

#include "hone/generic/attention.hpp"
#include "support/compare_rungs.hpp"

namespace {

using namespace hone;
using hone::test::AnyGrid;
using hone::test::Grid;

Dropout attention_dropout(double p) { return DropoutKey{true, 0xFEDCBA9876543210ull, 9}.site(DropoutSite::attention, 1, p); }

/// Forward and backward of one batch, with q, k, v columns of one matrix as in a model.
template <class P>
struct Case {
  using T = ActivationOf<P>;
  test::Rows keys, queries;
  Index heads, width, model;
  Dropout dropout;
  Grid<T> qkv, dy;

  Case(std::vector<int> const& key_lengths, std::vector<int> const& query_lengths, Index h, Index e, double p)
      : keys(key_lengths),
        queries(query_lengths),
        heads(h),
        width(e),
        model(h * e),
        dropout(attention_dropout(p)),
        qkv(Grid<T>::random(keys.size(), 3 * model, 1, 1.5, 2)),
        dy(Grid<T>::random(queries.size(), model, 2)) {}

  MatrixView<T const> q() const { return qkv.view().column_block(0, model).row_block(0, queries.size()); }
  MatrixView<T const> k() const { return qkv.view().column_block(model, model); }
  MatrixView<T const> v() const { return qkv.view().column_block(2 * model, model); }

  template <class B>
  std::vector<AnyGrid> compute(HostContext& context) const {
    Index const m = queries.size(), n = keys.size();
    double const scale = 1 / std::sqrt(static_cast<double>(width));
    Grid<T> y(m, model, 1), dq(m, model, 3), dkv(n, 2 * model, 1);
    Grid<StatisticOf<P>> lse(m, heads), delta(m, heads);
    run<B>(context, AttentionForward<P>{q(), k(), v(), queries.offset_view(), keys.offset_view(), heads, scale, dropout, 7,
                                        y.view(), lse.view()});
    run<B>(context, AttentionBackward<P>{q(), k(), v(), y.view(), dy.view(), lse.view(), queries.offset_view(),
                                         keys.offset_view(), heads, scale, dropout, 7, delta.view(), dq.view(),
                                         dkv.view().column_block(0, model), dkv.view().column_block(model, model)});
    return {y, lse, delta, dq, dkv};
  }
  void check() const {
    INFO("heads " << heads << ", width " << width << ", keys " << keys.size() << ", queries " << queries.size());
    test::check_against_reference<P>(
        [&]<class B>(std::type_identity<B>, HostContext& context) { return compute<B>(context); }, keys.size());
  }
};

TEST_CASE("attention agrees with the reference") {
  double const p = GENERATE(0.0, 0.1);
  Index const width = GENERATE(5, 8, 32, 64);
  std::vector<int> const lengths{3, 1, 17, 60, 8};
  Case<fp32>(lengths, lengths, 3, width, p).check();
  Case<mixed>(lengths, lengths, 2, width, p).check();
  Case<fp64>(lengths, lengths, 2, width, p).check();
}

TEST_CASE("attention with fewer queries than keys") {
  double const p = GENERATE(0.0, 0.2);
  Case<fp32>({5, 1, 40, 100}, {1, 1, 1, 1}, 2, 32, p).check();
  Case<fp64>({5, 1, 40, 100}, {1, 1, 1, 1}, 2, 15, p).check();
  Case<fp32>({50, 70}, {20, 33}, 1, 24, p).check();
  Case<mixed>({5, 1, 40, 100}, {1, 1, 1, 1}, 2, 32, p).check();
  Case<mixed>({50, 70}, {20, 33}, 1, 24, p).check();
}

TEST_CASE("attention over a long sequence") {
  Case<fp32>({530}, {530}, 1, 32, 0.1).check();
  Case<fp64>({513, 2}, {513, 2}, 1, 8, 0.1).check();
}

TEST_CASE("attention drops exactly the probabilities that the definition drops") {
  // With equal keys and V = identity, y(i, j) is mask(i, j) / (1 - p) / S.
  Index const length = 50;
  Grid<float> q(length, length), k(length, length), v(length, length), y(length, length), lse(length, 1);
  for (Index i = 0; i < length; ++i)
    for (Index j = 0; j < length; ++j) {
      q(i, j) = k(i, j) = 0;
      v(i, j) = i == j ? 1.0f : 0.0f;
    }
  test::Rows const rows({static_cast<int>(length)});
  Dropout const dropout = attention_dropout(0.4);
  HostContext context({2});
  run<Cpu<fp32>>(context, AttentionForward<fp32>{q.view(), k.view(), v.view(), rows.offset_view(), rows.offset_view(), 1,
                                                 1.0, dropout, 11, y.view(), lse.view()});
  int kept = 0;
  for (Index i = 0; i < length; ++i)
    for (Index j = 0; j < length; ++j) {
      REQUIRE((y(i, j) != 0) == dropout.keeps(j, i, 11));
      kept += y(i, j) != 0;
    }
  REQUIRE(kept > 1300);
  REQUIRE(kept < 1700);
}

TEST_CASE("a sequence's attention has the same bits in every batch") {
  Case<fp32> const batch({30, 100, 7}, {30, 100, 7}, 2, 32, 0.1);
  HostContext context({2});
  auto const all = batch.compute<Cpu<fp32>>(context);
  test::Rows const alone({100});
  Grid<float> y(100, 64), lse(100, 2);
  auto const of = [](MatrixView<float const> m) { return m.row_block(30, 100); };
  run<Cpu<fp32>>(
      context, AttentionForward<fp32>{of(batch.q()), of(batch.k()), of(batch.v()), alone.offset_view(), alone.offset_view(),
                                      2, 1 / std::sqrt(32.0), batch.dropout, 8, y.view(), lse.view()});
  for (Index r = 0; r < 100; ++r)
    for (Index c = 0; c < 64; ++c) REQUIRE(y(r, c) == std::get<Grid<float>>(all[0])(30 + r, c));
}

TEST_CASE("scores of any size neither overflow nor lose the largest") {
  Case<fp32> large({20}, {20}, 1, 8, 0);
  for (Index r = 0; r < 20; ++r)
    for (Index c = 0; c < 24; ++c) large.qkv(r, c) *= c < 16 ? 30.0f : 1.0f;  // scores up to a few thousands
  HostContext context({1});
  auto const got = large.compute<Cpu<fp32>>(context), expected = large.compute<Reference<fp32>>(context);
  auto const matrix = [](auto const& outputs, std::size_t i) { return std::get<Grid<float>>(outputs[i]); };
  test::require_close(matrix(got, 0), matrix(expected, 0), 20000);
  for (Index r = 0; r < 20; ++r) REQUIRE(std::isfinite(matrix(got, 1)(r, 0)));
}

}  // namespace
