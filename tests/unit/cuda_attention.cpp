// The attention kernels of cuda/ under the emulator of blocks, against the reference.
#include "hone/cuda/attention.hpp"

#include <cmath>
#include <string_view>
#include <vector>

#include "hone/generic/attention.hpp"
#include "hone/testing/cuda_emulator.hpp"
#include "support/compare_rungs.hpp"
#include "support/in_brief.hpp"

namespace {

using namespace hone;
using hone::test::Grid;
using testing::CudaEmulator;
using testing::EmulatorContext;
using testing::ThreadOrder;

Dropout attention_dropout(double p) { return DropoutKey{true, 0xFEDCBA9876543210ull, 9}.site(DropoutSite::attention, 1, p); }

template <class P>
struct Outputs {
  Grid<ActivationOf<P>> y, dq, dkv;
  Grid<StatisticOf<P>> lse, delta;
  bool same_bits(Outputs const& other) const {
    return y.same_bits(other.y) && dq.same_bits(other.dq) && dkv.same_bits(other.dkv) && lse.same_bits(other.lse) &&
           delta.same_bits(other.delta);
  }
};

template <class To, class From>
Grid<To> converted(Grid<From> const& from, Index gap) {
  Grid<To> to(from.rows(), from.cols(), gap);
  for (Index r = 0; r < from.rows(); ++r)
    for (Index c = 0; c < from.cols(); ++c) to(r, c) = static_cast<To>(static_cast<double>(from(r, c)));
  return to;
}

/// Forward and backward of one batch, with q, k, v columns of one matrix as in a model.
template <class P>
struct Case {
  using A = ActivationOf<P>;
  using S = StatisticOf<P>;
  test::Rows keys, queries;
  Index heads, width, model, gap;
  Dropout dropout;
  double scale;
  Grid<A> qkv, dy;
  Index first_example = 7;

  /// @param gap  values between rows; with 8 rows are aligned for 16-byte accesses if the width is
  Case(std::vector<int> const& key_lengths, std::vector<int> const& query_lengths, Index h, Index e, double p, Index gap = 8)
      : keys(key_lengths),
        queries(query_lengths),
        heads(h),
        width(e),
        model(h * e),
        gap(gap),
        dropout(p > 0 ? attention_dropout(p) : Dropout{}),
        scale(1 / std::sqrt(static_cast<double>(e))),
        qkv(Grid<A>::random(keys.size(), 3 * model, 1, 1.5, gap)),
        dy(Grid<A>::random(queries.size(), model, 2, 1, gap)) {}

  AttentionForward<P> forward(Outputs<P>& out) const {
    return {columns(0).row_block(0, queries.size()), columns(1), columns(2), queries.offset_view(), keys.offset_view(),
            heads, scale, dropout, first_example, out.y.view(), out.lse.view()};
  }
  AttentionBackward<P> backward(Outputs<P>& out) const {
    return {columns(0).row_block(0, queries.size()), columns(1), columns(2), out.y.view(), dy.view(), out.lse.view(),
            queries.offset_view(), keys.offset_view(), heads, scale, dropout, first_example, out.delta.view(),
            out.dq.view(), out.dkv.view().column_block(0, model), out.dkv.view().column_block(model, model)};
  }
  Outputs<P> outputs() const {
    Index const m = queries.size(), n = keys.size();
    return {{m, model, gap}, {m, model, gap}, {n, 2 * model, gap}, {m, heads, 1}, {m, heads, 2}};
  }
  template <class B>
  Outputs<P> compute(typename B::Context& context) const {
    Outputs<P> out = outputs();
    run<B>(context, forward(out));
    run<B>(context, backward(out));
    return out;
  }
  /// What is right: the reference on the same inputs, in float where sums are float.
  auto expected() const {
    using R = std::conditional_t<std::is_same_v<P, fp64>, fp64, fp32>;
    HostContext context({1});
    Case<R> same(lengths(keys), lengths(queries), heads, width, 0, gap);
    same.dropout = dropout;
    same.scale = scale;
    same.first_example = first_example;
    same.qkv = converted<ActivationOf<R>>(qkv, gap);
    same.dy = converted<ActivationOf<R>>(dy, gap);
    return same.template compute<Reference<R>>(context);
  }
  /// Against the reference, and the same bits in all orders of threads.
  void check() const {
    INFO(P::name << ", heads " << heads << ", width " << width << ", keys " << keys.size() << ", queries " << queries.size()
                 << ", dropout " << dropout.threshold);
    EmulatorContext context;
    auto const got = compute<CudaEmulator<P>>(context);
    auto const right = expected();
    REQUIRE(worst(got, right) <= 1);
    for (auto const* grid : {&got.y, &got.dq, &got.dkv}) REQUIRE(grid->gaps_untouched());
    for (auto const* grid : {&got.lse, &got.delta}) REQUIRE(grid->gaps_untouched());
    for (ThreadOrder const order : test::orders()) {
      if (order == ThreadOrder::forward) continue;
      context.set_order(order);
      REQUIRE(compute<CudaEmulator<P>>(context).same_bits(got));
    }
  }

  /// The largest difference as a part of what rounding allows; infinite where there is a NaN.
  template <class R>
  double worst(Outputs<P> const& got, Outputs<R> const& right) const {
    double largest = 0;
    auto const look = [&](char const* name, auto const& g, auto const& r) {
      double const ratio = part_of_bound(g, r);
      if (ratio > 1) UNSCOPED_INFO(name << " is " << ratio << " times the bound away");
      largest = std::max(largest, ratio);
    };
    look("y", got.y, right.y);
    look("lse", got.lse, right.lse);
    look("delta", got.delta, right.delta);
    look("dq", got.dq, right.dq);
    look("dkv", got.dkv, right.dkv);
    return largest;
  }

 private:
  MatrixView<A const> columns(Index which) const { return qkv.view().column_block(which * model, model); }
  static std::vector<int> lengths(test::Rows const& rows) {
    std::vector<int> result;
    for (std::size_t b = 0; b + 1 < rows.offsets.size(); ++b) result.push_back(rows.offsets[b + 1] - rows.offsets[b]);
    return result;
  }
  template <class T, class R>
  double part_of_bound(Grid<T> const& got, Grid<R> const& right) const {
    double scale_of_values = 1, difference = 0;
    for (Index r = 0; r < right.rows(); ++r)
      for (Index c = 0; c < right.cols(); ++c) {
        double const e = static_cast<double>(right(r, c)), d = std::abs(static_cast<double>(got(r, c)) - e);
        scale_of_values = std::max(scale_of_values, std::abs(e));
        difference = std::isnan(d) ? HUGE_VAL : std::max(difference, d);
      }
    return difference / test::rounding_bound<A>(keys.size() + width, scale_of_values);
  }
};

std::vector<int> ones(std::size_t count) { return std::vector<int>(count, 1); }

TEST_CASE("attention kernels agree with the reference at lengths that do and do not divide the tile") {
  double const p = GENERATE(0.0, 0.1);
  if (test::sanitized && p == 0) return;
  std::vector<int> const lengths{1, 2, 7, 16, 17, 33, 64, 65, 130};
  Case<fp32>(lengths, lengths, 2, 32, p).check();
  Case<fp64>(lengths, lengths, 1, 8, p).check();
  Case<mixed>(lengths, lengths, 2, 64, p).check();
}

TEST_CASE("attention kernels agree with the reference at every width of a head") {
  Index const width = GENERATE(8, 16, 20, 32, 50, 64, 128);
  if (test::sanitized && width != 20 && width != 64 && width != 128) return;
  std::vector<int> const lengths{3, 70, 1, 34};
  Case<fp32>(lengths, lengths, 3, width, 0.1).check();
  Case<fp64>(lengths, lengths, 1, width, 0.1).check();
  Case<mixed>(lengths, lengths, 3, width, 0.1).check();
}

TEST_CASE("attention kernels take rows at any distance") {
  std::vector<int> const lengths{40, 5};
  for (Index const gap : {0, 1, 3, 4}) {
    Case<fp32>(lengths, lengths, 1, 32, 0.1, gap).check();
    Case<mixed>(lengths, lengths, 2, 32, 0.1, gap).check();
    Case<mixed>(lengths, ones(2), 1, 32, 0.1, gap).check();
  }
}

TEST_CASE("attention kernels with one query a sequence") {
  Index const width = GENERATE(8, 20, 32, 64, 128);
  std::vector<int> const lengths{1, 300, 8, 17, 130};
  for (double const p : {0.0, 0.2}) {
    Case<fp32>(lengths, ones(5), 2, width, p).check();
    Case<fp64>(lengths, ones(5), 1, width, p).check();
    Case<mixed>(lengths, ones(5), 3, width, p).check();
  }
}

TEST_CASE("attention kernels with some queries of each sequence") {
  Case<fp32>({50, 70, 3}, {20, 33, 1}, 1, 24, 0.1).check();
  Case<mixed>({50, 140, 3}, {20, 33, 1}, 2, 64, 0.1).check();
}

TEST_CASE("attention kernels of one sequence") {
  Case<fp32>({100}, {100}, 1, 64, 0.1).check();
  Case<mixed>({257}, {257}, 1, 64, 0.1).check();
  Case<mixed>({1}, {1}, 1, 64, 0).check();
}

TEST_CASE("heads that are too wide for the kernels run on the generic rung") {
  Case<fp32> const wide({9, 4}, {9, 4}, 1, 130, 0.1);
  EmulatorContext context;
  auto const got = wide.compute<CudaEmulator<fp32>>(context);
  REQUIRE(wide.worst(got, wide.expected()) <= 1);
  REQUIRE(context.take_launches().empty());
}

TEST_CASE("each attention runs on the kernels that are meant for it") {
  STATIC_REQUIRE(std::is_same_v<RungOf<CudaEmulator<mixed>, AttentionForward<mixed>>, CudaRung>);
  STATIC_REQUIRE(std::is_same_v<RungOf<CudaEmulator<mixed>, AttentionBackward<mixed>>, CudaRung>);
  EmulatorContext context;
  Case<mixed>({9, 4}, {9, 4}, 1, 32, 0).compute<CudaEmulator<mixed>>(context);
  REQUIRE(context.take_launches() ==
          std::vector<std::string_view>{"attention_forward", "attention_backward_query", "attention_backward_key"});
  Case<mixed>({9, 4}, {1, 1}, 1, 32, 0).compute<CudaEmulator<mixed>>(context);
  REQUIRE(context.take_launches() == std::vector<std::string_view>{"attention_single_forward", "attention_single_backward"});
}

/// Which rows and columns y has with V = 1 where query and key have the same number: the masks themselves.
template <class P>
void check_masks(bool single) {
  using A = ActivationOf<P>;
  int const length = 40;
  Index const heads = 2, width = 40, model = heads * width;
  Case<P> masks({3, length}, single ? ones(2) : std::vector<int>{3, length}, heads, width, 0.4);
  for (Index r = 0; r < 3 + length; ++r)
    for (Index c = 0; c < 3 * model; ++c)
      masks.qkv(r, c) = A(c >= 2 * model && c % width == (r < 3 ? r : r - 3) ? 1 : 0);
  EmulatorContext context;
  auto const y = masks.template compute<CudaEmulator<P>>(context).y;
  for (Index h = 0; h < heads; ++h)
    for (Index i = 0; i < (single ? 1 : length); ++i)
      for (Index j = 0; j < length; ++j) {
        Index const row = single ? 1 : 3 + i;
        REQUIRE((static_cast<double>(y(row, h * width + j)) != 0) == masks.dropout.keeps(h * 65536 + j, i, 8));
      }
}

TEST_CASE("attention kernels drop exactly the probabilities that the definition drops") {
  bool const single = GENERATE(false, true);
  check_masks<fp32>(single);
  check_masks<mixed>(single);
}

template <class P>
void check_alone(bool single) {
  std::vector<int> const lengths{30, 135, 7};
  auto const queries = single ? ones(3) : lengths;
  Case<P> const batch(lengths, queries, 2, 64, 0.1);
  Case<P> alone({135}, single ? std::vector<int>{1} : std::vector<int>{135}, 2, 64, 0.1);
  alone.first_example = batch.first_example + 1;
  Index const row = single ? 1 : 30, rows = single ? 1 : 135;
  for (Index r = 0; r < 135; ++r)
    for (Index c = 0; c < 3 * batch.model; ++c) {
      bool const query = c < batch.model;  // with one query a sequence its row is that of the sequence
      Index const from = query && single ? std::min<Index>(row + r, 171) : 30 + r;
      alone.qkv(r, c) = batch.qkv(from, c);
    }
  for (Index r = 0; r < rows; ++r)
    for (Index c = 0; c < batch.model; ++c) alone.dy(r, c) = batch.dy(row + r, c);
  EmulatorContext context;
  auto const all = batch.template compute<CudaEmulator<P>>(context);
  auto const one = alone.template compute<CudaEmulator<P>>(context);
  for (Index r = 0; r < rows; ++r)
    for (Index c = 0; c < batch.model; ++c) {
      REQUIRE(one.y(r, c) == all.y(row + r, c));
      REQUIRE(one.dq(r, c) == all.dq(row + r, c));
    }
  for (Index r = 0; r < 135; ++r)
    for (Index c = 0; c < 2 * batch.model; ++c) REQUIRE(one.dkv(r, c) == all.dkv(30 + r, c));
}

TEST_CASE("a sequence's attention kernels give the same bits in every batch") {
  bool const single = GENERATE(false, true);
  check_alone<fp32>(single);
  check_alone<mixed>(single);
}

TEST_CASE("scores of any size neither overflow nor lose the largest in the attention kernels") {
  bool const single = GENERATE(false, true);
  Case<fp32> large({90}, {single ? 1 : 90}, 1, 8, 0);
  for (Index r = 0; r < 90; ++r)
    for (Index c = 0; c < 16; ++c) large.qkv(r, c) = large.qkv(r, c) * 1e9f;  // scores up to 1e19
  EmulatorContext context;
  auto const got = large.compute<CudaEmulator<fp32>>(context);
  HostContext host({1});
  auto const expected = large.compute<Reference<fp32>>(host);
  for (Index r = 0; r < got.y.rows(); ++r) {
    REQUIRE(std::isfinite(got.lse(r, 0)));
    REQUIRE(std::isfinite(got.dq(r, 0)));
    for (Index c = 0; c < 8; ++c) REQUIRE(std::abs(got.y(r, c) - expected.y(r, c)) < 1e-5);  // the value of the largest
  }
  for (Index r = 0; r < 90; ++r)
    for (Index c = 8; c < 16; ++c) REQUIRE(std::abs(got.dkv(r, c) - expected.dkv(r, c)) < 1e-4);
}

TEST_CASE("rows whose probabilities are all dropped give zeros") {
  bool const single = GENERATE(false, true);
  Case<fp32> drops({2, 3, 40}, single ? ones(3) : std::vector<int>{2, 3, 40}, 2, 32, 0.5);
  drops.dropout.threshold = 65535;  // all but one of 65536
  EmulatorContext context;
  auto const got = drops.compute<CudaEmulator<fp32>>(context);
  for (Index r = 0; r < got.y.rows(); ++r)
    for (Index c = 0; c < drops.model; ++c) {
      REQUIRE(got.y(r, c) == 0);
      REQUIRE(got.dq(r, c) == 0);
    }
}

TEST_CASE("attention kernels over the longest sequence") {
  Case<fp32>({test::sanitized ? 9001 : 65535}, {2}, 1, 8, 0.1).check();
  Case<fp32>({65535}, {1}, 1, 8, 0.1).check();
}

// Kernels with a mistake in what they share between threads; every check above must see it.

template <class Thread>
struct WithoutBarriers : Thread {
  void barrier() const {}
};
template <class Thread>
struct HalfOfTheMaximum : Thread {  // lanes of a row do not agree on its highest score
  template <class T>
  T shuffle_xor(T value, int mask) const {
    T const other = Thread::shuffle_xor(value, mask);
    return mask == 2 ? value : other;
  }
};

template <class Kernel, template <class> class Fault>
struct Faulty {
  static constexpr char const* name = "faulty";
  static constexpr int threads = Kernel::threads;
  Kernel kernel;
  template <class Thread>
  void operator()(Thread const& thread) const {
    kernel(Fault<Thread>{thread});
  }
};

template <template <class> class Fault, class P>
double with_fault(Case<P> const& of) {
  constexpr int W = 32;
  using Forward = detail::AttentionForwardKernel<P, W>;
  using Query = detail::AttentionBackwardQueryKernel<P, W>;
  using Key = detail::AttentionBackwardKeyKernel<P, W>;
  EmulatorContext context({.order = ThreadOrder::shuffled});
  Outputs<P> out = of.outputs();
  auto const plan = detail::attention_plan(of.forward(out), of.width, true);
  context.launch(Forward::shape(of.forward(out)), Faulty<Forward, Fault>{{of.forward(out), plan}});
  context.launch(Query::shape(of.backward(out)), Faulty<Query, Fault>{{of.backward(out), plan}});
  context.launch(Key::shape(of.backward(out)), Faulty<Key, Fault>{{of.backward(out), plan}});
  return of.worst(out, of.expected());
}

template <class Thread>
struct NoFault : Thread {};

template <class P>
void check_faults() {
  Case<P> right({70, 33}, {70, 33}, 1, 32, 0.1);
  REQUIRE(with_fault<NoFault>(right) <= 1);
  REQUIRE(with_fault<WithoutBarriers>(right) > 1);
  REQUIRE(with_fault<HalfOfTheMaximum>(right) > 1);
  auto const expected = right.expected();
  EmulatorContext context;
  Case<P> example = right;  // the mask of another example
  ++example.first_example;
  REQUIRE(right.worst(example.template compute<CudaEmulator<P>>(context), expected) > 1);
  Case<P> one_more = right;  // one key too many
  one_more.keys.offsets[1] += 1;
  REQUIRE(right.worst(one_more.template compute<CudaEmulator<P>>(context), expected) > 1);
}

TEST_CASE("mistakes in the attention kernels are seen") {
  check_faults<fp32>();
  check_faults<mixed>();
}

}  // namespace
