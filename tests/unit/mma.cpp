// Tile products of a warp under the emulator: every layout, every format, against the product written out. The numbers are
// small integers, so that all formats are exact and equality is asked for.
#include <cmath>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "hone/cuda/mma.hpp"
#include "hone/cuda/warp.hpp"
#include "hone/testing/cuda_emulator.hpp"
#include "support/catch.hpp"
#include "support/check_orders.hpp"
#include "support/error_matcher.hpp"

namespace {

using namespace hone;
using hone::test::check_orders;
using hone::test::error_number;
using hone::test::Grid;
using testing::EmulatorContext;

/// Integers from -3 to 3.
template <class A>
Grid<A> small_integers(Index rows, Index cols, std::uint64_t seed) {
  Grid<A> grid(rows, cols);
  PhiloxStream stream(seed, 5);
  for (Index r = 0; r < rows; ++r)
    for (Index c = 0; c < cols; ++c) grid(r, c) = static_cast<A>(std::floor(7 * stream.uniform()) - 3);
  return grid;
}

template <class A>
Grid<A> transposed(Grid<A> const& x) {
  Grid<A> result(x.cols(), x.rows());
  for (Index r = 0; r < x.rows(); ++r)
    for (Index c = 0; c < x.cols(); ++c) result(c, r) = x(r, c);
  return result;
}

template <class A>
using SumOf = std::conditional_t<std::is_same_v<A, double>, double, float>;

template <class A>
Grid<SumOf<A>> product(Grid<A> const& a, Grid<A> const& b, SumOf<A> start) {
  Grid<SumOf<A>> c(a.rows(), b.cols());
  for (Index m = 0; m < a.rows(); ++m)
    for (Index n = 0; n < b.cols(); ++n) {
      c(m, n) = start;
      for (Index k = 0; k < a.cols(); ++k) c(m, n) += static_cast<SumOf<A>>(a(m, k)) * static_cast<SumOf<A>>(b(k, n));
    }
  return c;
}

/// Copies a matrix to shared memory, its rows `stride` values apart from `begin` on. All threads call.
template <class A, class Thread>
auto stage(Thread const& thread, std::size_t offset, MatrixView<A const> x, Index stride, Index begin) {
  auto const values = thread.template shared<A>(offset, begin + (x.rows - 1) * stride + x.cols);
  for (Index i = thread.index(); i < x.rows * x.cols; i += thread.threads()) {
    values[begin + i / x.cols * stride + i % x.cols] = x(i / x.cols, i % x.cols);
  }
  return shared_tile(values, stride);
}

/// c = 2 + a * b: `a` stored as (16 * warps, K), or (K, 16 * warps) where left_transposed; b as (K, 8 * T), or (8 * T, K).
template <class A, int K, int T, bool left_transposed, bool right_transposed>
struct ProductKernel {
  static constexpr char const* name = "product";
  static constexpr int threads = 64;
  static constexpr Index left_stride = (left_transposed ? 32 : K) + 8, right_stride = (right_transposed ? K : 8 * T) + 2;
  static constexpr Index begin = 2;  // neither tile begins with its piece of memory
  static constexpr std::size_t left_bytes = sizeof(A) * (begin + (left_transposed ? K : 32) * left_stride);
  static constexpr std::size_t right_bytes = sizeof(A) * (begin + (right_transposed ? 8 * T : K) * right_stride);
  MatrixView<A const> a, b;
  MatrixView<SumOf<A>> c;

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    auto const left = stage<A>(thread, 0, a, left_stride, begin).block(0, begin);
    auto const right = stage<A>(thread, left_bytes, b, right_stride, begin).block(0, begin);
    thread.barrier();
    SumOf<A> sum[T][4];
    for (auto& tile : sum)
      for (auto& value : tile) value = 2;
    auto const multiply = [&](auto const& one, auto const& other) {
      warp_mma<A, K>(thread, sum, one.block(16 * thread.warp(), 0), other);
    };
    if constexpr (left_transposed && right_transposed) multiply(left.transposed(), right.transposed());
    if constexpr (left_transposed && !right_transposed) multiply(left.transposed(), right);
    if constexpr (!left_transposed && right_transposed) multiply(left, right.transposed());
    if constexpr (!left_transposed && !right_transposed) multiply(left, right);
    for (int t = 0; t < T; ++t)
      for (int i = 0; i < 4; ++i) c(16 * thread.warp() + mma_row(thread, i), mma_column(thread, t, i)) = sum[t][i];
  }
};

template <class A, int K, int T, bool left_transposed, bool right_transposed>
void check_product() {
  INFO("K " << K << ", T " << T << ", transposed " << left_transposed << right_transposed);
  auto const a = small_integers<A>(32, K, 1), b = small_integers<A>(K, 8 * T, 2);
  auto const stored_a = left_transposed ? transposed(a) : a, stored_b = right_transposed ? transposed(b) : b;
  using Kernel = ProductKernel<A, K, T, left_transposed, right_transposed>;
  auto const c = check_orders([&](EmulatorContext& context) {
    std::vector<Grid<SumOf<A>>> results;
    results.emplace_back(32, 8 * T);
    context.launch(LaunchShape{.shared_bytes = Kernel::left_bytes + Kernel::right_bytes},
                   Kernel{stored_a.view(), stored_b.view(), results[0].view()});
    return results;
  });
  REQUIRE(c[0].same_bits(product(a, b, SumOf<A>(2))));
}

template <class A, int K, int T>
void check_layouts() {
  check_product<A, K, T, false, false>();
  check_product<A, K, T, false, true>();
  check_product<A, K, T, true, false>();
  check_product<A, K, T, true, true>();
}

/// out = (q * k^T) * v without the first product leaving the registers: q (16, K), k (8 * T, K), v (8 * T, 8 * W).
template <class A, int K, int T, int W>
struct ChainKernel {
  static constexpr char const* name = "chain";
  static constexpr int threads = 32;
  static constexpr Index stride = K + 8, wide = 8 * W + 2;
  static constexpr std::size_t q_bytes = sizeof(A) * 16 * stride, k_bytes = sizeof(A) * 8 * T * stride;
  static constexpr std::size_t bytes = q_bytes + k_bytes + sizeof(A) * 8 * T * wide;
  MatrixView<A const> q, k, v;
  MatrixView<SumOf<A>> out;

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    auto const queries = stage<A>(thread, 0, q, stride, 0);
    auto const keys = stage<A>(thread, q_bytes, k, stride, 0);
    auto const values = stage<A>(thread, q_bytes + k_bytes, v, wide, 0);
    thread.barrier();
    SumOf<A> scores[T][4] = {}, sum[W][4] = {};
    warp_mma<A, K>(thread, scores, queries, keys.transposed());
    warp_mma_registers<A>(thread, sum, scores, values);
    for (int t = 0; t < W; ++t)
      for (int i = 0; i < 4; ++i) out(mma_row(thread, i), mma_column(thread, t, i)) = sum[t][i];
  }
};

template <class A, int K, int T, int W>
void check_chain() {
  INFO("K " << K << ", T " << T << ", W " << W);
  // At most 2 * 9 * 14 in a score: a whole number that bfloat16 has.
  auto q = small_integers<A>(16, K, 3), k = small_integers<A>(8 * T, K, 4), v = small_integers<A>(8 * T, 8 * W, 5);
  for (Index r = 0; r < 16; ++r)
    for (Index c = 14; c < K; ++c) q(r, c) = static_cast<A>(0.0f);
  auto const scores = product(q, transposed(k), SumOf<A>(0));
  Grid<A> rounded(16, 8 * T);
  for (Index r = 0; r < 16; ++r)
    for (Index c = 0; c < 8 * T; ++c) rounded(r, c) = static_cast<A>(scores(r, c));
  using Kernel = ChainKernel<A, K, T, W>;
  auto const out = check_orders([&](EmulatorContext& context) {
    std::vector<Grid<SumOf<A>>> results;
    results.emplace_back(16, 8 * W);
    context.launch(LaunchShape{.shared_bytes = Kernel::bytes}, Kernel{q.view(), k.view(), v.view(), results[0].view()});
    return results;
  });
  REQUIRE(out[0].same_bits(product(rounded, v, SumOf<A>(0))));
}

/// One mma.m16n8k16 with its fragments from the tables of the PTX manual, element by element; a mistake may be asked for.
enum class Mistake { none, registers, halves, columns };

struct FragmentKernel {
  static constexpr char const* name = "fragments";
  static constexpr int threads = 32;
  MatrixView<bfloat16 const> a, b;
  MatrixView<float> c;
  Mistake mistake = Mistake::none;

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    int const group = thread.lane() >> 2, place = thread.lane() % 4;
    bfloat16 left[8], right[4];
    for (int i = 0; i < 8; ++i) {
      int const row = i < 2 || (4 <= i && i < 6) ? group : group + 8;
      int const col = place * 2 + (i & 1) + (i < 4 ? 0 : 8);
      left[i] = a(row, col);
    }
    for (int i = 0; i < 4; ++i) {
      int const row = place * 2 + (i & 1) + (i < 2 ? 0 : 8);
      right[i] = b(row, mistake == Mistake::columns ? (group + 1) % 8 : group);
    }
    auto const pair = [](bfloat16 low, bfloat16 high) { return low.bits | static_cast<std::uint32_t>(high.bits) << 16; };
    std::uint32_t registers_a[4], registers_b[2];
    for (int i = 0; i < 4; ++i) registers_a[i] = pair(left[2 * i], left[2 * i + 1]);
    for (int i = 0; i < 2; ++i) registers_b[i] = pair(right[2 * i], right[2 * i + 1]);
    if (mistake == Mistake::registers) {
      std::uint32_t const second = registers_a[1];
      registers_a[1] = registers_a[2];
      registers_a[2] = second;
    }
    if (mistake == Mistake::halves) registers_b[0] = registers_b[0] >> 16 | registers_b[0] << 16;
    float sum[4];
    for (int i = 0; i < 4; ++i) sum[i] = c(i < 2 ? group : group + 8, place * 2 + (i & 1));
    thread.mma_bf16(sum, registers_a, registers_b);
    for (int i = 0; i < 4; ++i) c(i < 2 ? group : group + 8, place * 2 + (i & 1)) = sum[i];
  }
};

}  // namespace

TEST_CASE("mma follows the tables of the PTX manual; a wrong fragment gives a wrong product") {
  auto const a = small_integers<bfloat16>(16, 16, 1), b = small_integers<bfloat16>(16, 8, 2);
  auto const multiply = [&](Mistake mistake) {
    return check_orders([&](EmulatorContext& context) {
      Grid<float> c(16, 8);
      for (Index r = 0; r < 16; ++r)
        for (Index n = 0; n < 8; ++n) c(r, n) = 4;
      context.launch({}, FragmentKernel{a.view(), b.view(), c.view(), mistake});
      return std::vector<Grid<float>>{c};
    });
  };
  auto const expected = product(a, b, 4.0f);
  CHECK(multiply(Mistake::none)[0].same_bits(expected));
  CHECK(!multiply(Mistake::registers)[0].same_bits(expected));
  CHECK(!multiply(Mistake::halves)[0].same_bits(expected));
  CHECK(!multiply(Mistake::columns)[0].same_bits(expected));
}

TEMPLATE_TEST_CASE("tile products in every layout", "", float, double, bfloat16) {
  check_layouts<TestType, 16, 1>();
  check_layouts<TestType, 48, 2>();
  check_layouts<TestType, 64, 5>();
}

TEMPLATE_TEST_CASE("a product from registers", "", float, double, bfloat16) {
  check_chain<TestType, 16, 2, 1>();
  check_chain<TestType, 32, 6, 4>();
  check_chain<TestType, 64, 4, 8>();
}

TEST_CASE("products of numbers that are rounded are within their rounding") {
  auto const a = Grid<bfloat16>::random(32, 64, 7), b = Grid<bfloat16>::random(64, 16, 8);
  using Kernel = ProductKernel<bfloat16, 64, 2, false, false>;
  EmulatorContext context;
  Grid<float> c(32, 16);
  context.launch(LaunchShape{.shared_bytes = Kernel::left_bytes + Kernel::right_bytes},
                 Kernel{a.view(), b.view(), c.view()});
  Grid<float> expected(32, 16);
  for (Index m = 0; m < 32; ++m)
    for (Index n = 0; n < 16; ++n) {
      double sum = 2;
      for (Index k = 0; k < 64; ++k) sum += static_cast<double>(a(m, k)) * static_cast<double>(b(k, n));
      expected(m, n) = static_cast<float>(sum);
    }
  hone::test::require_close(c, expected, 64);  // sums are made in float: bfloat16's rounding would be too much
}

namespace {

/// Reads a tile of A with a stride that is given.
template <class A>
struct StrideKernel {
  static constexpr char const* name = "stride";
  static constexpr int threads = 32;
  Index stride, values;
  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    auto const memory = thread.template shared<A>(0, values);
    for (Index i = thread.index(); i < values; i += threads) memory[i] = static_cast<A>(1.0f);
    thread.barrier();
    SumOf<A> sum[1][4] = {};
    warp_mma<A, 16>(thread, sum, shared_tile(memory, stride), shared_tile(memory, stride).transposed());
  }
};

}  // namespace

TEST_CASE("tiles that do not fit are errors") {
  EmulatorContext context;
  LaunchShape const shape{.shared_bytes = 4096};
  context.launch(shape, StrideKernel<bfloat16>{16, 16 * 16});
  context.launch(shape, StrideKernel<float>{17, 16 * 17});
  CHECK(error_number([&] { context.launch(shape, StrideKernel<bfloat16>{17, 16 * 17}); }) == 738);
  CHECK(error_number([&] { context.launch(shape, StrideKernel<bfloat16>{18, 16 * 16}); }) == 731);
  CHECK(error_number([&] { context.launch(shape, StrideKernel<double>{16, 16 * 16 - 1}); }) == 731);
}

TEST_CASE("a pair of bfloat16 has the first value in the lower half, both rounded to nearest") {
  CHECK(pack_bf16(1.0f, -2.0f) == 0xC0003F80u);
  CHECK(pack_bf16(1.00390625f, 1.01171875f) == (0x3F80u | 0x3F82u << 16));  // ties go to even
}
