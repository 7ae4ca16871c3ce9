#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <ostream>
#include <utility>
#include <vector>

#include "hone/cpu/backend.hpp"
#include "hone/generic/attention.hpp"
#include "hone/generic/backend.hpp"
#include "support/catch.hpp"
#include "support/emulated_tiles.hpp"
#include "support/in_brief.hpp"

// Attention of `mixed` on tiles and by dot products against double precision from the same bfloat16 inputs.
//
// Bounds, with u = 2^-8, the rounding error of bfloat16: probabilities w (and slopes dS) are rounded once before a product,
// the result once after it, and sums are float's, so that |error of sum_j w_j v_j| <= u sum |w_j v_j| + u |result| + 2e-5
// sum.

namespace {

using namespace hone;
using Forward = AttentionForward<mixed>;
using Backward = AttentionBackward<mixed>;

constexpr double unit = machine_epsilon<bfloat16> / 2, slack = 2e-5;

/// A matrix in the middle of a larger one whose other values are NaN, and must stay so.
struct Field {
  Index rows, cols, stride;
  std::vector<bfloat16> values;
  Field(Index r, Index c) : rows(r), cols(c), stride(c + 7), values(static_cast<std::size_t>((r + 4) * stride), nan()) {}
  static bfloat16 nan() { return bfloat16::from_bits(0x7FC1); }
  MatrixView<bfloat16> view() { return {values.data() + 2 * stride + 3, rows, cols, stride}; }
  MatrixView<bfloat16 const> view() const { return {values.data() + 2 * stride + 3, rows, cols, stride}; }
  bool surrounded() const {
    for (Index i = 0; i < static_cast<Index>(values.size()); ++i) {
      Index const r = i / stride - 2, c = i % stride - 3;
      if ((r < 0 || r >= rows || c < 0 || c >= cols) && values[static_cast<std::size_t>(i)].bits != nan().bits) return false;
    }
    return true;
  }
};

struct Case {
  std::vector<std::int32_t> key_offsets{0}, query_offsets{0};
  Index heads, width;
  double scale;
  Dropout dropout;
  Field qkv, dy, y, dqkv;
  std::vector<float> lse, delta;

  Case(std::vector<int> const& lengths, Index h, Index e, double p, bool one_query = false, double size = 2)
      : heads(h),
        width(e),
        scale(1 / std::sqrt(static_cast<double>(e))),
        dropout(DropoutKey{true, 0xFEDCBA9876543210ull, 9}.site(DropoutSite::attention, 1, p)),
        qkv(offsets(lengths, one_query), 3 * h * e),
        dy(query_offsets.back(), h * e),
        y(query_offsets.back(), h * e),
        dqkv(key_offsets.back(), 3 * h * e),
        lse(static_cast<std::size_t>(query_offsets.back() * h), std::nanf("")),
        delta(lse) {
    PhiloxStream random(3, static_cast<std::uint64_t>(e));
    for (Field* const field : {&qkv, &dy})
      for (Index r = 0; r < field->rows; ++r)
        for (Index c = 0; c < field->cols; ++c) field->view()(r, c) = bfloat16(size * (2 * random.uniform() - 1));
  }
  Index offsets(std::vector<int> const& lengths, bool one_query) {
    for (int const length : lengths) {
      key_offsets.push_back(key_offsets.back() + length);
      query_offsets.push_back(query_offsets.back() + (one_query ? 1 : length));
    }
    return key_offsets.back();
  }
  VectorView<std::int32_t const> keys() const { return {key_offsets.data(), static_cast<Index>(key_offsets.size())}; }
  VectorView<std::int32_t const> queries() const { return {query_offsets.data(), static_cast<Index>(query_offsets.size())}; }
  template <class M>
  auto part(M& of, Index i) const {
    auto const all = of.view().column_block(i * heads * width, heads * width);
    return i == 0 ? all.row_block(0, query_offsets.back()) : all;
  }
  MatrixView<float> statistic(std::vector<float>& of) const { return {of.data(), query_offsets.back(), heads}; }
  Forward forward(Index first_example = 7) {
    return {part(qkv, 0), part(qkv, 1), part(qkv, 2),  queries(), keys(),        heads,
            scale,        dropout,      first_example, y.view(),  statistic(lse)};
  }
  Backward backward(Index first_example = 7) {
    return {part(qkv, 0),     part(qkv, 1),  part(qkv, 2),  y.view(),     dy.view(), statistic(lse),
            queries(),        keys(),        heads,         scale,        dropout,   first_example,
            statistic(delta), part(dqkv, 0), part(dqkv, 1), part(dqkv, 2)};
  }
};

/// What products are computed on.
enum class On { tiles, dots, emulated_tiles };

std::ostream& operator<<(std::ostream& out, On on) {
  return out << (on == On::tiles ? "tiles" : on == On::dots ? "dot products" : "emulated tiles");
}

/// What this processor has of them.
std::vector<On> processors() {
  std::vector<On> all;
  if (processor_features().best == InstructionSet::amx) all.push_back(On::tiles);
  if (processor_features().best >= InstructionSet::avx512 && processor_features().avx512_bf16) all.push_back(On::dots);
  return all;
}

/// Runs forward and backward.
void compute(On on, HostContext& context, Case& c, Index first_example = 7) {
  auto const with = [&]<InstructionSet needed, class F, class B>(std::pair<F, B>*) {
    if constexpr (needed <= best_compiled) {
      F::run(context, c.forward(first_example));
      B::run(context, c.backward(first_example));
    }
  };
  namespace of = hone::detail;
  using Emulated = std::pair<of::emulated::Kernel<Forward>, of::emulated::Kernel<Backward>>;
  if (on == On::emulated_tiles) with.operator()<InstructionSet::portable>(static_cast<Emulated*>(nullptr));
#if defined(HONE_X86_64)
  using Tiles = std::pair<of::amx::Kernel<Forward>, of::amx::Kernel<Backward>>;
  using Dots = std::pair<of::avx512_bf16::Kernel<Forward>, of::avx512_bf16::Kernel<Backward>>;
  if (on == On::tiles) with.operator()<InstructionSet::amx>(static_cast<Tiles*>(nullptr));
  if (on == On::dots) with.operator()<InstructionSet::avx512>(static_cast<Dots*>(nullptr));
#endif
}

/// What is computed wrongly, to see that the bounds would tell.
struct Fault {
  Index key_shift = 0, missing = 0;
  double scale = 1;
};

/// The largest ratio of an error to its bound.
double worst(Case& c, Fault fault = {}) {
  double ratio = 0;
  auto const look = [&](double got, double expected, double products) {
    double const error = std::abs(got - expected),
                 bound = unit * (products + std::abs(expected)) + slack * (products + 1e-3);
    ratio = error <= ratio * bound ? ratio : std::isnan(error) ? HUGE_VAL : error / bound;
  };
  auto const q = c.part(c.qkv, 0), k = c.part(c.qkv, 1), v = c.part(c.qkv, 2);
  auto const dq = c.part(c.dqkv, 0), dk = c.part(c.dqkv, 1), dv = c.part(c.dqkv, 2);
  auto const y = c.y.view(), dy = c.dy.view();
  double const scale = c.scale * fault.scale;
  for (std::size_t b = 0; b + 1 < c.key_offsets.size(); ++b)
    for (Index h = 0; h < c.heads; ++h) {
      Index const first_query = c.query_offsets[b], first_key = c.key_offsets[b];
      Index const queries = c.query_offsets[b + 1] - first_query, keys = c.key_offsets[b + 1] - first_key - fault.missing;
      auto const at = [&](auto const& m, Index r, Index e) { return static_cast<double>(m(r, h * c.width + e)); };
      auto const dot = [&](auto const& a, Index r, auto const& o, Index s) {
        double sum = 0;
        for (Index e = 0; e < c.width; ++e) sum += at(a, r, e) * at(o, s, e);
        return sum;
      };
      std::vector<double> weights(static_cast<std::size_t>(queries * keys)), slopes(weights), sizes(weights);
      for (Index i = 0; i < queries; ++i) {
        std::vector<double> s(static_cast<std::size_t>(keys));
        double highest = -HUGE_VAL, total = 0;
        for (Index j = 0; j < keys; ++j) {
          s[static_cast<std::size_t>(j)] = scale * dot(q, first_query + i, k, first_key + j);
          highest = std::max(highest, s[static_cast<std::size_t>(j)]);
        }
        for (double const x : s) total += std::exp(x - highest);
        double const lse = highest + std::log(total);
        float const got = c.lse[static_cast<std::size_t>((first_query + i) * c.heads + h)];
        ratio = std::max(ratio, std::abs(got - lse) / (1e-5 + 1e-6 * std::abs(lse)));
        double const delta = dot(dy, first_query + i, y, first_query + i);
        for (Index j = 0; j < keys; ++j) {
          double const p = std::exp(s[static_cast<std::size_t>(j)] - lse);
          double const mask =
              c.dropout.active()
                  ? (c.dropout.keeps(h * 65536 + j + fault.key_shift, i, 7 + static_cast<Index>(b)) ? c.dropout.scale() : 0)
                  : 1;
          double const dp = mask * dot(dy, first_query + i, v, first_key + j);
          std::size_t const n = static_cast<std::size_t>(i * keys + j);
          weights[n] = mask * p;
          slopes[n] = scale * p * (dp - delta);
          sizes[n] = scale * p * (std::abs(dp) + std::abs(delta));
        }
      }
      for (Index e = 0; e < c.width; ++e) {
        for (Index i = 0; i < queries; ++i) {
          double sum = 0, size = 0, slope = 0, slope_size = 0;
          for (Index j = 0; j < keys; ++j) {
            std::size_t const n = static_cast<std::size_t>(i * keys + j);
            sum += weights[n] * at(v, first_key + j, e);
            size += std::abs(weights[n] * at(v, first_key + j, e));
            slope += slopes[n] * at(k, first_key + j, e);
            slope_size += std::abs(slopes[n] * at(k, first_key + j, e)) + 0.01 * sizes[n];
          }
          look(at(y, first_query + i, e), sum, size);
          look(at(dq, first_query + i, e), slope, slope_size);
        }
        for (Index j = 0; j < keys; ++j) {
          double sum = 0, size = 0, slope = 0, slope_size = 0;
          for (Index i = 0; i < queries; ++i) {
            std::size_t const n = static_cast<std::size_t>(i * keys + j);
            sum += weights[n] * at(dy, first_query + i, e);
            size += std::abs(weights[n] * at(dy, first_query + i, e));
            slope += slopes[n] * at(q, first_query + i, e);
            slope_size += std::abs(slopes[n] * at(q, first_query + i, e)) + 0.01 * sizes[n];
          }
          look(at(dv, first_key + j, e), sum, size);
          look(at(dk, first_key + j, e), slope, slope_size);
        }
      }
    }
  return ratio;
}

bool same_bits(Case const& a, Case const& b) {
  auto const same = [](auto const& x, auto const& y) {
    return x.size() == y.size() && std::memcmp(x.data(), y.data(), x.size() * sizeof x[0]) == 0;
  };
  return same(a.y.values, b.y.values) && same(a.dqkv.values, b.dqkv.values) && same(a.lse, b.lse) && same(a.delta, b.delta);
}

void poison_scratch() {
  constexpr Index count = Index{1} << 19;
  std::memset(detail::scratch<float>(detail::Scratch::attention, count), 0xFF, count * sizeof(float));
}

std::vector<int> lengths_up_to(int last) {
  std::vector<int> lengths;
  for (int length = 1; length <= last; ++length) lengths.push_back(length);
  return lengths;
}

TEST_CASE("attention in bfloat16 agrees with double precision at every width and length") {
  if (processors().empty()) HONE_SKIP("the processor has no products of bfloat16");
  auto const on = GENERATE(from_range(processors()));
  INFO("on " << on);
  HostContext context({1});
  Index const width = GENERATE(8, 24, 32, 40, 64, 128);
  double const p = GENERATE(0.0, 0.1);
  Case c(lengths_up_to(70), 2, width, p);
  poison_scratch();
  compute(on, context, c);
  INFO("width " << width << ", dropped " << p);
  CHECK(worst(c) <= 1);
  CHECK((c.qkv.surrounded() && c.dy.surrounded() && c.y.surrounded() && c.dqkv.surrounded()));
}

TEST_CASE("attention in bfloat16 agrees with double precision over long sequences") {
  if (processors().empty()) HONE_SKIP("the processor has no products of bfloat16");
  auto const on = GENERATE(from_range(processors()));
  INFO("on " << on);
  HostContext context({2});
  Index const width = GENERATE(32, 64);
  Case c({511, 512, 513}, 1, width, 0.1);
  compute(on, context, c);
  CHECK(worst(c) <= 1);
}

TEST_CASE("attention in bfloat16 with one query for each sequence") {
  if (processors().empty()) HONE_SKIP("the processor has no products of bfloat16");
  auto const on = GENERATE(from_range(processors()));
  INFO("on " << on);
  HostContext context({2});
  Index const width = GENERATE(8, 40, 64);
  double const p = GENERATE(0.0, 0.3);
  Case c({1, 2, 17, 32, 33, 100, 300}, 3, width, p, true);
  poison_scratch();
  compute(on, context, c);
  CHECK(worst(c) <= 1);
  CHECK((c.y.surrounded() && c.dqkv.surrounded()));
}

TEST_CASE("attention in bfloat16 with more queries than keys") {
  // Several blocks of queries over one step of keys, of which some are missing; over one key; over two steps.
  HostContext context({2});
  Index const width = GENERATE(32, 64);
  double const p = GENERATE(0.0, 0.3);
  Case c({150, 70, 40, 33}, 2, width, p);
  c.key_offsets = {0, 20, 52, 53, 90};
  Case const before = c;
  poison_scratch();
  compute(On::emulated_tiles, context, c);
  CHECK(worst(c) <= 1);
  CHECK((c.y.surrounded() && c.dqkv.surrounded()));
  for (On const on : processors()) {
    INFO("on " << on);
    Case processor = before;
    compute(on, context, processor);
    CHECK(worst(processor) <= 1);
    if (on == On::tiles) CHECK(same_bits(c, processor));
  }
}

TEST_CASE("the bounds tell a wrong mask, a wrong scale and a missing key") {
  if (processors().empty()) HONE_SKIP("the processor has no products of bfloat16");
  auto const on = GENERATE(from_range(processors()));
  INFO("on " << on);
  HostContext context({1});
  Case c({70, 33}, 2, 64, 0.1);
  compute(on, context, c);
  REQUIRE(worst(c) <= 1);
  Fault fault;
  fault.key_shift = 1;
  CHECK(worst(c, fault) > 2);
  fault = {};
  fault.scale = 1.02;
  CHECK(worst(c, fault) > 2);
  fault = {};
  fault.missing = 1;
  CHECK(worst(c, fault) > 2);
}

TEST_CASE("attention in bfloat16 is near to the reference") {
  if (processors().empty()) HONE_SKIP("the processor has no products of bfloat16");
  auto const on = GENERATE(from_range(processors()));
  INFO("on " << on);
  HostContext context({1});
  Case c({40, 3, 65}, 2, 32, 0.1), expected = c;
  compute(on, context, c);
  run<Reference<mixed>>(context, expected.forward());
  run<Reference<mixed>>(context, expected.backward());
  CHECK(worst(expected) <= 1);
  // Both are within their bounds of the same number; what they differ in is not more than two roundings of the largest
  // value.
  auto const far = [](Field const& a, Field const& b) {
    double difference = 0, largest = 0;
    for (Index r = 0; r < a.rows; ++r)
      for (Index col = 0; col < a.cols; ++col) {
        difference = std::max(difference, std::abs(static_cast<double>(a.view()(r, col)) - b.view()(r, col)));
        largest = std::max(largest, std::abs(static_cast<double>(b.view()(r, col))));
      }
    return difference / largest;
  };
  CHECK(far(c.y, expected.y) <= 2 * unit);
  CHECK(far(c.dqkv, expected.dqkv) <= 2 * unit);
}

TEST_CASE("emulated tiles give the same bits in attention") {
  HostContext context({1});
  Index const width = GENERATE(24, 64);
  double const p = GENERATE(0.0, 0.1);
  bool const one = GENERATE(false, true);
  std::vector<int> const brief{1, 31, 50}, lengths{1, 16, 31, 50, 70, 200};  // 200: blocks of queries, and of keys
  Case c(test::sanitized ? brief : lengths, 2, width, p, one), processor = c;
  poison_scratch();
  compute(On::emulated_tiles, context, c);
  CHECK(worst(c) <= 1);
  CHECK((c.qkv.surrounded() && c.dy.surrounded() && c.y.surrounded() && c.dqkv.surrounded()));
  if (processor_features().best != InstructionSet::amx) HONE_SKIP("the processor has no AMX");
  compute(On::tiles, context, processor);
  CHECK(same_bits(c, processor));
}

TEST_CASE("attention in bfloat16 has the same bits for any number of threads") {
  if (processors().empty()) HONE_SKIP("the processor has no products of bfloat16");
  auto const on = GENERATE(from_range(processors()));
  INFO("on " << on);
  Case first({40, 3, 200, 70, 1, 129}, 4, 32, 0.1), second = first, third = first;
  HostContext one({1}), two({2}), three({3});
  compute(on, one, first);
  compute(on, two, second);
  compute(on, three, third);
  CHECK(same_bits(first, second));
  CHECK(same_bits(first, third));
}

TEST_CASE("a sequence's attention in bfloat16 has the same bits alone as in a batch") {
  if (processors().empty()) HONE_SKIP("the processor has no products of bfloat16");
  auto const on = GENERATE(from_range(processors()));
  INFO("on " << on);
  HostContext context({2});
  std::vector<int> const lengths{1, 30, 100, 17};
  Case batch(lengths, 2, 64, 0.1);
  compute(on, context, batch);
  for (std::size_t b = 0; b < lengths.size(); ++b) {
    Case alone({lengths[b]}, 2, 64, 0.1);
    Index const first = batch.key_offsets[b];
    for (Index r = 0; r < lengths[b]; ++r) {
      for (Index c = 0; c < alone.qkv.cols; ++c) alone.qkv.view()(r, c) = batch.qkv.view()(first + r, c);
      for (Index c = 0; c < alone.dy.cols; ++c) alone.dy.view()(r, c) = batch.dy.view()(first + r, c);
    }
    compute(on, context, alone, 7 + static_cast<Index>(b));
    bool same = true;
    for (Index r = 0; r < lengths[b]; ++r) {
      for (Index c = 0; c < alone.y.cols; ++c) same &= alone.y.view()(r, c).bits == batch.y.view()(first + r, c).bits;
      for (Index c = 0; c < alone.dqkv.cols; ++c)
        same &= alone.dqkv.view()(r, c).bits == batch.dqkv.view()(first + r, c).bits;
    }
    CHECK(same);
  }
}

TEST_CASE("scores that grow along the sequence move the reference") {
  // Keys grow with their position, so that later scores are hundreds above those of the first step.
  HostContext context({1});
  Index const length = test::sanitized ? 100 : 200;
  Case c({static_cast<int>(length)}, 1, 32, 0.1);
  for (Index r = 0; r < length; ++r)
    for (Index e = 0; e < 32; ++e) {
      c.qkv.view()(r, e) = bfloat16(r % 2 ? 1.0 : -1.0);
      c.qkv.view()(r, 32 + e) = bfloat16(0.5 * static_cast<double>(r));
    }
  Case const before = c;
  compute(On::emulated_tiles, context, c);
  // All weight lies on the last key (odd queries), or on the first (even ones), where they are not dropped.
  auto const check = [&](Case const& of) {
    for (Index r = 0; r < length; ++r) {
      REQUIRE(std::isfinite(static_cast<float>(of.y.view()(r, 0))));
      Index const key = r % 2 ? length - 1 : 0;
      double const factor = of.dropout.keeps(key, r, 7) ? of.dropout.scale() : 0;
      double const expected = factor * of.qkv.view()(key, 64);
      double const near = 0.07 * 2.5;  // the neighbours' probability: exp(-0.5 * 32 / sqrt(32)) = 0.06
      REQUIRE(std::abs(static_cast<double>(of.y.view()(r, 0)) - expected) <= near + unit * std::abs(expected));
    }
  };
  check(c);
  for (On const on : processors()) {
    INFO("on " << on);
    Case processor = before;
    compute(on, context, processor);
    check(processor);
    if (on == On::tiles) CHECK(same_bits(c, processor));
  }
}

TEST_CASE("2^x and log2 on tiles keep to their bounds over the whole range") {
  double worst_power = 0, worst_logarithm = 0;
  using namespace detail::emulated;
  for (double x = -125.9; x < 40; x += 0.00731) {
    float const at = static_cast<float>(x);
    float const got = exponential2(splat(at))[0];
    double const expected = std::exp2(static_cast<double>(at));
    worst_power = std::max(worst_power, std::abs(got - expected) / expected);
  }
  CHECK(worst_power <= 3e-6);
  CHECK(exponential2(splat(-1e30f))[3] == 0.0f);
  CHECK(std::isnan(exponential2(splat(std::nanf("")))[0]));
  for (double x = 1e-20; x < 1e20; x *= 1.00311) {
    float const at = static_cast<float>(x);
    double const expected = std::log2(static_cast<double>(at));
    worst_logarithm = std::max(worst_logarithm, std::abs(logarithm2(splat(at))[0] - expected) - std::abs(expected) * 1.2e-7);
  }
  CHECK(worst_logarithm <= 1e-7);
}

}  // namespace
