// Products of bfloat16 matrices on tiles: against sums in double of the same bfloat16 inputs, and the processor's tiles
// against emulated ones to the bit.
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "hone/core/host_context.hpp"
#include "hone/cpu/bfloat16_dots.hpp"
#include "hone/generic/activation.hpp"
#include "support/catch.hpp"
#include "support/compare_rungs.hpp"
#include "support/emulated_tiles.hpp"

namespace {

using namespace hone;
using hone::test::Grid;
using Values = Grid<bfloat16>;
using Sums = Grid<float>;

bool has_amx() { return processor_features().best >= InstructionSet::amx; }

struct Emulated {
  template <class Op>
  static void run(HostContext& context, Op const& op) {
    detail::emulated::Kernel<Op>::run(context, op);
  }
};
#if defined(HONE_X86_64)
struct Processor {
  template <class Op>
  static void run(HostContext& context, Op const& op) {
    if constexpr (InstructionSet::amx <= best_compiled) detail::amx::Kernel<Op>::run(context, op);
  }
};
struct Dots {
  template <class Op>
  static void run(HostContext& context, Op const& op) {
    if constexpr (InstructionSet::avx512 <= best_compiled) detail::avx512_bf16::Kernel<Op>::run(context, op);
  }
};
bool has_dots() { return processor_features().best >= InstructionSet::avx512 && processor_features().avx512_bf16; }
#endif

/// Everything that one product of each form gives.
struct Results {
  Values y, dx, added_dx, u, h, du, z;
  Sums dw, added_dw, db, added_db;

  template <class Each>
  static void each(Each const& each) {
    each("y", &Results::y), each("dx", &Results::dx), each("added dx", &Results::added_dx), each("u", &Results::u);
    each("h", &Results::h), each("du", &Results::du), each("z", &Results::z), each("dw", &Results::dw);
    each("added dw", &Results::added_dw), each("db", &Results::db), each("added db", &Results::added_db);
  }
};

struct Problem {
  Index rows, inputs, outputs, gap;
  Values x, weight, bias, dy, before, u, residual;
  Sums dw_before, db_before;
  test::Rows tokens;
  Dropout dropout = test::some_dropout(0.1);

  Problem(Index n, Index c, Index o, Index g, std::uint64_t seed = 1)
      : rows(n),
        inputs(c),
        outputs(o),
        gap(g),
        x(Values::random(n, c, seed, 1, g)),
        weight(Values::random(o, c, seed + 1, 1, g)),
        bias(Values::random(1, o, seed + 2)),
        dy(Values::random(n, o, seed + 3, 1, g)),
        before(Values::random(n, c, seed + 4, 1, g)),
        u(Values::random(n, c, seed + 5, 3, g)),
        residual(Values::random(n, o, seed + 6, 1, g)),
        dw_before(Sums::random(o, c, seed + 7, 1, g)),
        db_before(Sums::random(1, o, seed + 8)),
        tokens({static_cast<int>(n / 3), static_cast<int>(n - n / 3)}) {}

  /// Outputs begin as NaN, gaps between rows stay so.
  template <class Runner>
  Results results(int threads) const {
    HostContext context({.threads = threads});
    Results r;
    r.y = r.z = Values(rows, outputs, gap);
    r.dx = r.du = Values(rows, inputs, gap);
    r.added_dx = before;
    r.dw = Sums(outputs, inputs, gap);
    r.added_dw = dw_before;
    r.db = Sums(1, outputs);
    r.added_db = db_before;
    r.u = r.h = Values(rows, outputs, gap);
    Runner::run(context, LinearForward<mixed>{x.view(), weight.view(), bias.vector(), r.y.view()});
    Runner::run(context, LinearBackwardInput<mixed>{dy.view(), weight.view(), r.dx.view(), Write::assign});
    Runner::run(context, LinearBackwardInput<mixed>{dy.view(), weight.view(), r.added_dx.view(), Write::add});
    Runner::run(context, LinearBackwardParameters<mixed>{x.view(), dy.view(), r.dw.view(), r.db.vector(), Write::assign});
    Runner::run(context,
                LinearBackwardParameters<mixed>{x.view(), dy.view(), r.added_dw.view(), r.added_db.vector(), Write::add});
    Runner::run(context, LinearActivationForward<mixed>{Activation::gelu, x.view(), weight.view(), bias.vector(), r.u.view(),
                                                        r.h.view()});
    Runner::run(context, LinearActivationBackwardInput<mixed>{Activation::gelu, dy.view(), weight.view(), u.view(),
                                                              r.du.view()});
    Runner::run(context, LinearResidualForward<mixed>{x.view(), weight.view(), bias.vector(), residual.view(), dropout,
                                                      tokens.map(), r.z.view()});
    return r;
  }
};

/// |got - expected| <= rounding of the output + rounding of the sums: the k-th of `terms` additions in float errs by at most
/// epsilon / 2 of a partial sum, which is at most `size`, the sum of the products' absolute values.
/// @param own  error of what else was computed
void require_near(double got, double expected, double size, Index terms, bool rounded, double own = 0) {
  double const sums = static_cast<double>(terms + 4) * machine_epsilon<float> / 2 * size + own;
  double const output = rounded ? machine_epsilon<bfloat16> / 2 * (std::abs(expected) + sums) : 0;
  if (std::abs(got - expected) <= output + sums + 1e-30) return;  // millions of them: no assertion each
  FAIL("got " << got << ", expected " << expected << ", bound " << output + sums);
}

void check_against_double(Problem const& p, Results const& r) {
  auto const at = [](auto const& grid, Index i, Index j) { return static_cast<double>(static_cast<float>(grid(i, j))); };
  for (Index n = 0; n < p.rows; ++n)
    for (Index o = 0; o < p.outputs; ++o) {
      double sum = at(p.bias, 0, o), size = std::abs(sum);
      for (Index c = 0; c < p.inputs; ++c) {
        sum += at(p.x, n, c) * at(p.weight, o, c);
        size += std::abs(at(p.x, n, c) * at(p.weight, o, c));
      }
      require_near(at(r.y, n, o), sum, size, p.inputs, true);
      require_near(at(r.u, n, o), sum, size, p.inputs, true);
      // |gelu'| < 1.13; Phi and gelu' are off by up to 1e-5 and 1e-4 (vector_gelu_factors in cpu/simd/vector_math.inl)
      require_near(at(r.h, n, o), detail::activation_value(Activation::gelu, sum), 1.13 * size + 3, p.inputs + 4, true,
                   1e-5 * std::abs(sum));
      bool const kept = p.dropout.keeps(o, p.tokens.map().position[n], p.tokens.map().example(n));
      double const scale = kept ? p.dropout.scale() : 0;
      require_near(at(r.z, n, o), at(p.residual, n, o) + scale * sum, 2 * size + 2, p.inputs + 4, true);
    }
  for (Index n = 0; n < p.rows; ++n)
    for (Index c = 0; c < p.inputs; ++c) {
      double sum = 0, size = 0;
      for (Index o = 0; o < p.outputs; ++o) {
        sum += at(p.dy, n, o) * at(p.weight, o, c);
        size += std::abs(at(p.dy, n, o) * at(p.weight, o, c));
      }
      require_near(at(r.dx, n, c), sum, size, p.outputs, true);
      require_near(at(r.added_dx, n, c), sum + at(p.before, n, c), size + 1, p.outputs, true);
      double const slope = detail::activation_derivative(Activation::gelu, at(p.u, n, c));
      require_near(at(r.du, n, c), sum * slope, 1.13 * size + 1, p.outputs + 16, true, 1e-4 * std::abs(sum));
    }
  for (Index o = 0; o < p.outputs; ++o) {
    double bias = 0, bias_size = 0;
    for (Index n = 0; n < p.rows; ++n) bias += at(p.dy, n, o), bias_size += std::abs(at(p.dy, n, o));
    require_near(at(r.db, 0, o), bias, bias_size, p.rows, false);
    require_near(at(r.added_db, 0, o), bias + at(p.db_before, 0, o), bias_size + 1, p.rows, false);
    for (Index c = 0; c < p.inputs; ++c) {
      double sum = 0, size = 0;
      for (Index n = 0; n < p.rows; ++n) {
        sum += at(p.dy, n, o) * at(p.x, n, c);
        size += std::abs(at(p.dy, n, o) * at(p.x, n, c));
      }
      require_near(at(r.dw, o, c), sum, size, p.rows, false);
      require_near(at(r.added_dw, o, c), sum + at(p.dw_before, o, c), size + 1, p.rows, false);
    }
  }
  Results::each([&](char const* name, auto member) {
    INFO(name);
    REQUIRE((r.*member).gaps_untouched());
  });
}

void require_same_bits(Results const& a, Results const& b) {
  Results::each([&](char const* name, auto member) {
    INFO(name);
    REQUIRE((a.*member).same_bits(b.*member));
  });
}

/// Of what vectors make of the sums (h, du, z) one value in 50 may be rounded the other way: whether a * b + c is rounded once
/// or twice is the compiler's choice, for each instruction set.
void require_same_products(Results const& a, Results const& b) {
  Results::each([&](char const* name, auto member) {
    INFO(name);
    auto const &x = a.*member, &y = b.*member;
    std::string_view const what = name;
    if (what != "h" && what != "du" && what != "z") {
      REQUIRE(x.same_bits(y));
      return;
    }
    Index others = 0;
    for (Index r = 0; r < x.rows(); ++r)
      for (Index c = 0; c < x.cols(); ++c) {
        double const one = static_cast<float>(x(r, c)), other = static_cast<float>(y(r, c));
        others += one != other;
        if (!(std::abs(one - other) <= machine_epsilon<bfloat16> * std::abs(one) + 2e-6))
          FAIL(one << " and " << other << " at row " << r << ", column " << c);
      }
    REQUIRE(50 * others <= x.rows() * x.cols());
  });
}

template <class Runner>
void check(Problem const& p) {
  INFO("rows " << p.rows << ", inputs " << p.inputs << ", outputs " << p.outputs << ", gap " << p.gap);
  Results const one = p.results<Runner>(1);
  check_against_double(p, one);
  for (int const threads : {2, 3}) require_same_bits(p.results<Runner>(threads), one);
}

Problem some_problem(std::mt19937& random) {
  auto const below = [&](unsigned most) { return static_cast<Index>(random() % most); };
  return {1 + below(70), 1 + below(70), 1 + below(70), below(5), random()};
}

TEST_CASE("products on emulated tiles are right at odd sizes") {
  check<Emulated>({1, 1, 1, 0});
  check<Emulated>({33, 70, 37, 3});
  check<Emulated>({40, 64, 96, 0});
  check<Emulated>({521, 33, 40, 1});  // more tokens than a piece of the weight gradient
  std::mt19937 random(7);
  for (int i = 0; i < 3; ++i) check<Emulated>(some_problem(random));
}

#if defined(HONE_X86_64)
TEST_CASE("products on the processor's tiles are right at odd sizes") {
  if (!has_amx()) HONE_SKIP("this processor has no AMX");
  std::mt19937 random(11);
  for (int i = 0; i < 40; ++i) check<Processor>(some_problem(random));
  check<Processor>({16, 384, 384, 0});     // the last block: few rows
  check<Processor>({600, 100, 33, 1});     // more tokens than a piece of the weight gradient
  check<Processor>({1100, 40, 70, 3});     // three pieces
  check<Processor>({530, 96, 1100, 0});    // more blocks than are kept
  check<Processor>({520, 900, 40, 0});     // more inputs than outputs
  check<Processor>({70, 1600, 64, 32});
  check<Processor>({70, 1216, 64, 0});   // inputs, or outputs, in pieces
  check<Processor>({40, 32, 1600, 0});
  check<Processor>({33, 800, 1000, 32});
  check<Processor>({70, 2048, 100, 0});  // whole: rows are a multiple of 2 KiB apart
  check<Processor>({40, 1184, 700, 0});  // more weights than stay in the second cache
}

TEST_CASE("a product has the same bits whether its inner dimension goes through in pieces or whole") {
  auto const both = []<class Runner>(Runner) {
    Problem const in_pieces(70, 1600, 64, 0);
    HostContext context({.threads = 2});
    Values y[2] = {Values(70, 64), Values(70, 64)}, x(70, 1600, 448), weight(64, 1600, 448);  // rows of 4 KiB
    for (Index n = 0; n < 70; ++n)
      for (Index c = 0; c < 1600; ++c) x(n, c) = in_pieces.x(n, c);
    for (Index o = 0; o < 64; ++o)
      for (Index c = 0; c < 1600; ++c) weight(o, c) = in_pieces.weight(o, c);
    REQUIRE(x.view().stride * 2 % 2048 == 0);
    Runner::run(context, LinearForward<mixed>{in_pieces.x.view(), in_pieces.weight.view(), in_pieces.bias.vector(),
                                              y[0].view()});
    Runner::run(context, LinearForward<mixed>{x.view(), weight.view(), in_pieces.bias.vector(), y[1].view()});
    REQUIRE(y[0].same_bits(y[1]));
    return y[0];
  };
  Values const emulated = both(Emulated{});
  if (has_amx()) REQUIRE(emulated.same_bits(both(Processor{})));
}

TEST_CASE("products by dot products of bfloat16 are right at odd sizes") {
  if (!has_dots()) HONE_SKIP("this processor has no dot products of bfloat16");
  std::mt19937 random(13);
  for (int i = 0; i < 20; ++i) check<Dots>(some_problem(random));
  check<Dots>({600, 100, 33, 1});
  check<Dots>({70, 900, 64, 32});
}

TEST_CASE("dot products of bfloat16 are used where they were measured to be fast") {
  Bfloat16Dots const& measured = bfloat16_dots();
  REQUIRE(&measured == &bfloat16_dots());  // once
  REQUIRE((measured.dots > 0) == has_dots());
  REQUIRE(measured.fast == (measured.dots > 1.5 * measured.multiply_adds && has_dots()));
}

TEST_CASE("the processor's tiles give the bits of the emulated ones") {
  if (!has_amx()) HONE_SKIP("this processor has no AMX");
  SECTION("products") {
    for (Problem const& p : {Problem{45, 70, 39, 2}, Problem{64, 96, 32, 0}, Problem{5, 33, 65, 1}})
      require_same_products(p.results<Processor>(2), p.results<Emulated>(1));
  }
  SECTION("values of every size, denormal numbers among them") {
    std::mt19937 random(3);
    for (int turn = 0; turn < 300; ++turn) {
      unsigned const lowest = turn % 3 == 0 ? 0 : turn % 3 == 1 ? 40 : 100, spread = turn % 3 == 0 ? 110 : 50;
      auto const any = [&] {
        return static_cast<std::uint16_t>((random() & 0x807Fu) | (lowest + random() % spread) << 7);
      };
      alignas(64) std::uint16_t a[512], b[512];
      alignas(64) std::uint32_t sums[2][256];
      for (auto& value : a) value = any();
      for (auto& value : b) value = any();
      for (auto& value : sums[0])
        value = turn % 2 ? static_cast<std::uint32_t>(any()) << 16 | (random() & 0xFFFFu) : 0u;
      std::memcpy(sums[1], sums[0], sizeof sums[0]);
      {
        namespace tiles = detail::emulated;
        tiles::TileRegion const region;
        tiles::tile_load<0>(sums[0], 64);
        tiles::tile_load<4>(a, 64);
        tiles::tile_load<6>(b, 64);
        tiles::tile_multiply<0, 4, 6>();
        tiles::tile_store<0>(sums[0], 64);
      }
      [&]() __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma"))) {
        namespace tiles = detail::amx;
        tiles::TileRegion const region;
        tiles::tile_load<0>(sums[1], 64);
        tiles::tile_load<4>(a, 64);
        tiles::tile_load<6>(b, 64);
        tiles::tile_multiply<0, 4, 6>();
        tiles::tile_store<0>(sums[1], 64);
      }();
      REQUIRE(std::memcmp(sums[0], sums[1], sizeof sums[0]) == 0);
    }
  }
}

TEST_CASE("what GELU keeps for backward has the same bits on whole cache lines, which go past the caches, and elsewhere") {
  if (!has_amx()) HONE_SKIP("this processor has no AMX");
  constexpr Index rows = 300, inputs = 64, outputs = 96, room = rows * outputs + 64;
  Problem const p(rows, inputs, outputs, 0);
  std::vector<bfloat16> memory[2], results[2];
  Values h(rows, outputs);
  HostContext context({.threads = 2});
  for (int shift : {0, 1}) {
    memory[shift].assign(room, bfloat16(-7));
    void* line = memory[shift].data();
    std::size_t left = room * sizeof(bfloat16);
    bfloat16* const u = static_cast<bfloat16*>(std::align(64, 64, line, left)) + shift;
    LinearActivationForward<mixed> const op{Activation::gelu, p.x.view(), p.weight.view(), p.bias.vector(),
                                            {u, rows, outputs}, h.view()};
    Processor::run(context, op);
    results[shift].assign(u, u + rows * outputs);
    CHECK((u == memory[shift].data() || u[-1].bits == bfloat16(-7).bits));
    CHECK(u[rows * outputs].bits == bfloat16(-7).bits);
  }
  CHECK(std::memcmp(results[0].data(), results[1].data(), results[0].size() * sizeof(bfloat16)) == 0);
  CHECK(results[0][0].bits == p.results<Emulated>(1).u(0, 0).bits);
}
#endif

template <class Runner>
void check_rows_alone() {
  Problem const p(130, 96, 70, 0);
  Results const all = p.results<Runner>(2);
  HostContext context({.threads = 1});
  for (Index const row : {0, 1, 31, 32, 96, 127, 128, 129}) {
    INFO("row " << row);
    Values y(1, p.outputs), dx(1, p.inputs), h(1, p.outputs), z(1, p.outputs);
    Runner::run(context, LinearForward<mixed>{p.x.view().row_block(row, 1), p.weight.view(), p.bias.vector(), y.view()});
    Runner::run(context,
                LinearBackwardInput<mixed>{p.dy.view().row_block(row, 1), p.weight.view(), dx.view(), Write::assign});
    Runner::run(context, LinearActivationForward<mixed>{Activation::gelu, p.x.view().row_block(row, 1), p.weight.view(),
                                                        p.bias.vector(), {}, h.view()});
    RowMap rows = p.tokens.map();
    rows.sequence = rows.sequence.slice(row, 1);
    rows.position = rows.position.slice(row, 1);
    Runner::run(context, LinearResidualForward<mixed>{p.x.view().row_block(row, 1), p.weight.view(), p.bias.vector(),
                                                      p.residual.view().row_block(row, 1), p.dropout, rows, z.view()});
    for (Index c = 0; c < p.outputs; ++c) {
      REQUIRE(y(0, c).bits == all.y(row, c).bits);
      REQUIRE(h(0, c).bits == all.h(row, c).bits);
      REQUIRE(z(0, c).bits == all.z(row, c).bits);
    }
    for (Index c = 0; c < p.inputs; ++c) REQUIRE(dx(0, c).bits == all.dx(row, c).bits);
  }
}

TEST_CASE("a row's product has the same bits alone and in a batch") {
  check_rows_alone<Emulated>();
#if defined(HONE_X86_64)
  if (has_amx()) check_rows_alone<Processor>();
  if (has_dots()) check_rows_alone<Dots>();
#endif
}

TEST_CASE("packed weights are kept for a version, and for no other") {
  Index const n = 40, c = 70, o = 50;
  HostContext context({.threads = 2});
  Values const x = Values::random(n, c, 1), dy = Values::random(n, o, 3);
  Values weight = Values::random(o, c, 2);
  auto const forward = [&](HostContext& on, std::uint64_t version) {
    Values y(n, o);
    Emulated::run(on, LinearForward<mixed>{x.view(), weight.view(), {}, y.view(), version});
    return y;
  };
  auto const backward = [&](HostContext& on, std::uint64_t version) {
    Values dx(n, c);
    Emulated::run(on, LinearBackwardInput<mixed>{dy.view(), weight.view(), dx.view(), Write::assign, version});
    return dx;
  };
  HostContext fresh({.threads = 1});
  Values const y = forward(context, 5), dx = backward(context, 5);
  REQUIRE(y.same_bits(forward(fresh, 0)));
  REQUIRE(dx.same_bits(backward(fresh, 0)));
  std::size_t const held = context.kept<detail::PackedWeights>().bytes();
  REQUIRE(held == 2 * 6 * 1024 * sizeof(bfloat16));
  REQUIRE(fresh.kept<detail::PackedWeights>().bytes() == 0);

  for (Index i = 0; i < o; ++i)
    for (Index j = 0; j < c; ++j) weight(i, j) = bfloat16(2 * static_cast<float>(weight(i, j)));
  REQUIRE(y.same_bits(forward(context, 5)));  // the version says that nothing has changed
  Values const doubled = forward(context, 6);
  REQUIRE(doubled.same_bits(forward(fresh, 0)));
  REQUIRE_FALSE(doubled.same_bits(y));
  REQUIRE(backward(context, 6).same_bits(backward(fresh, 0)));
  REQUIRE(context.kept<detail::PackedWeights>().bytes() == held);  // in the same memory

  // Another shape at the same address is another weight.
  Values shorter(n, o - 1), expected(n, o - 1);
  Emulated::run(context, LinearForward<mixed>{x.view(), weight.view().row_block(0, o - 1), {}, shorter.view(), 6});
  Emulated::run(fresh, LinearForward<mixed>{x.view(), weight.view().row_block(0, o - 1), {}, expected.view()});
  REQUIRE(shorter.same_bits(expected));
}

TEST_CASE("products of no rows write nothing but zero gradients") {
  Problem const p(0, 40, 33, 1);
  Results const r = p.results<Emulated>(2);
  for (Index o = 0; o < p.outputs; ++o) {
    REQUIRE(r.db(0, o) == 0);
    REQUIRE(r.added_db(0, o) == p.db_before(0, o));
    for (Index c = 0; c < p.inputs; ++c) {
      REQUIRE(r.dw(o, c) == 0);
      REQUIRE(r.added_dw(o, c) == p.dw_before(o, c));
    }
  }
}

}  // namespace
