#include "hone/cpu/backend.hpp"

#include <cmath>

#include "hone/generic/adamw.hpp"
#include "hone/generic/gradient_norm.hpp"
#include "support/adamw_step.hpp"
#include "support/compare_rungs.hpp"

namespace {

using namespace hone;
using hone::test::Grid;

template <class P>
void check_adamw(Index size, double scale) {
  using T = MasterOf<P>;
  auto const gradient = Grid<T>::random(1, size, 2);
  Grid<T> squares = Grid<T>::random(1, size, 4);
  for (Index i = 0; i < size; ++i) squares(0, i) *= squares(0, i);
  test::check_against_reference<P>(
      [&]<class B>(std::type_identity<B>, HostContext& context) {
        Grid<T> weight = Grid<T>::random(1, size, 1), first = Grid<T>::random(1, size, 3), second = squares;
        using A = ActivationOf<P>;
        Grid<A> working = std::is_same_v<A, T> ? Grid<A>() : Grid<A>(1, size);
        run<B>(context, test::third_adamw_step<P>(weight.vector(), gradient.vector(), first.vector(), second.vector(), scale,
                                                  working.vector()));
        for (Index i = 0; i < working.cols(); ++i) REQUIRE(working(0, i) == A(weight(0, i)));
        return std::vector<Grid<T>>{weight, first, second};
      },
      1);
}

TEST_CASE("AdamW agrees with the reference") {
  for (Index const size : {1, 15, 100, 33000, 70001}) {
    check_adamw<fp32>(size, 0.5);
    check_adamw<mixed>(size, 0.5);
    check_adamw<fp64>(size, 0.5);
  }
}

TEST_CASE("AdamW leaves everything untouched when the gradient's scale is not finite") {
  Grid<float> weight = Grid<float>::random(1, 40, 1), first = weight, second = weight;
  Grid<float> const before = weight, gradient = weight;
  HostContext context({2});
  for (double const scale : {std::nan(""), HUGE_VAL}) {
    run<Cpu<fp32>>(context,
                   test::third_adamw_step<fp32>(weight.vector(), gradient.vector(), first.vector(), second.vector(), scale));
    REQUIRE(weight.same_bits(before));
    REQUIRE(first.same_bits(before));
    REQUIRE(second.same_bits(before));
  }
}

template <class P>
void check_sum_of_squares(Index size) {
  auto const x = Grid<MasterOf<P>>::random(1, size, 1);
  std::vector<double> results;
  auto const compute = [&]<class B>(std::type_identity<B>, int threads) {
    HostContext context({threads});
    std::vector<double> partials(static_cast<std::size_t>((size + norm_chunk - 1) / norm_chunk + 1), std::nan(""));
    double result = std::nan("");
    run<B>(context, SumOfSquares<P>{x.vector(), {partials.data(), static_cast<Index>(partials.size())}, {&result, 1}});
    return result;
  };
  double const expected = compute(std::type_identity<Reference<P>>{}, 1), got = compute(std::type_identity<Cpu<P>>{}, 1);
  REQUIRE(std::abs(got - expected) <= test::rounding_bound<double>(size, expected));
  REQUIRE(compute(std::type_identity<Cpu<P>>{}, 2) == got);
  REQUIRE(compute(std::type_identity<Cpu<P>>{}, 3) == got);
}

TEST_CASE("the sum of squares agrees with the reference") {
  for (Index const size : {0, 1, 17, 16384, 16385, 70001}) {
    check_sum_of_squares<fp32>(size);
    check_sum_of_squares<fp64>(size);
  }
}

TEST_CASE("a gradient that is not finite shows in the sum of squares") {
  Grid<float> x = Grid<float>::random(1, 20000, 1);
  x(0, 19999) = HUGE_VALF;
  double partials[2], result = 0;
  HostContext context({2});
  run<Cpu<fp32>>(context, SumOfSquares<fp32>{x.vector(), {partials, 2}, {&result, 1}});
  REQUIRE(std::isinf(result));
  x(0, 3) = std::nanf("");
  run<Cpu<fp32>>(context, SumOfSquares<fp32>{x.vector(), {partials, 2}, {&result, 1}});
  REQUIRE(std::isnan(result));
}

/// Where the rows of a table lie in gradients of some size.
struct Table {
  Index size, begin, count, width;
};
constexpr Table tables[] = {{70000, 0, 20, 384},   {70000, 128, 300, 112}, {70001, 16400, 9, 4096},
                            {33000, 32, 1000, 32}, {2000, 992, 60, 16},    {1000, 15, 3, 16},
                            {1000, 16, 3, 17},     {100, -48, 7, 16},      {100, 32, 9, 16}};

/// Gradients whose rows of the table are zero but for every third and, at the end, two in a row; what is not used becomes
/// `instead`.
template <class T>
Grid<T> gradients_of(Table const& table, std::vector<std::uint8_t>& used, T instead) {
  Grid<T> made = Grid<T>::random(1, table.size, 2);
  used.resize(static_cast<std::size_t>(table.count));
  for (Index r = 0; r < table.count; ++r) {
    used[static_cast<std::size_t>(r)] = r % 3 == 1 || r > table.count - 3;
    if (used[static_cast<std::size_t>(r)]) continue;
    for (Index i = table.begin + r * table.width; i < table.begin + (r + 1) * table.width; ++i)
      if (i >= 0 && i < table.size) made(0, i) = instead;
  }
  return made;
}
/// Whether rows begin where kernels leave them out: elsewhere they read the zeros.
bool leaves_out(Table const& table) { return table.begin % 16 == 0 && table.width % 16 == 0; }

template <class P>
void check_unused_rows(Table const& table, InstructionSet set, int threads) {
  using T = MasterOf<P>;
  INFO("size " << table.size << ", rows from " << table.begin << ", " << table.width << " wide, " << name(set));
  std::vector<std::uint8_t> used;
  auto const zeros = gradients_of<T>(table, used, T(0));
  // What kernels must not read is not a number.
  auto const poisoned = gradients_of<T>(table, used, leaves_out(table) ? T(std::nanf("")) : T(0));
  UsedRows const rows{table.begin, table.count, table.width, used.data()};
  HostContext context({threads, set});
  std::vector<double> partials(static_cast<std::size_t>(table.size / norm_chunk + 1));
  auto const sum = [&](Grid<T> const& x, UsedRows const& of) {
    double result = std::nan("");
    run<Cpu<P>>(context, SumOfSquares<P>{x.vector(), {partials.data(), Index(partials.size())}, {&result, 1}, of});
    return result;
  };
  CHECK(sum(poisoned, rows) == sum(zeros, {}));
}

/// One step where the moments of a table's rows that are not used are zero as their gradients are: neither is read.
template <class P>
void check_unmoved_rows(Table const& table, double epsilon, InstructionSet set, int threads) {
  using T = MasterOf<P>;
  using A = ActivationOf<P>;
  INFO("size " << table.size << ", rows from " << table.begin << ", " << table.width << " wide, " << name(set));
  std::vector<std::uint8_t> used;
  bool const poisons = leaves_out(table) && epsilon > 0;
  HostContext context({threads, set});
  double const scale = 0.5;
  struct Result {
    Grid<T> weight, first, second;
    Grid<A> working;
  };
  auto const step = [&](T unused, bool knows) {
    Grid<T> const gradient = gradients_of<T>(table, used, unused);
    Result made{Grid<T>::random(1, table.size, 1), gradient, gradient,
                std::is_same_v<A, T> ? Grid<A>() : Grid<A>(1, table.size)};
    for (Index i = 0; i < table.size; ++i) made.second(0, i) *= made.second(0, i);
    auto op = test::third_adamw_step<P>(made.weight.vector(), gradient.vector(), made.first.vector(), made.second.vector(),
                                        scale, made.working.vector());
    op.epsilon = epsilon;
    if (knows) op.rows = {table.begin, table.count, table.width, used.data()};
    run<Cpu<P>>(context, op);
    return made;
  };
  Result const got = step(poisons ? T(std::nanf("")) : T(0), true), expected = step(T(0), false);
  CHECK(got.weight.same_bits(expected.weight));
  CHECK(got.working.same_bits(expected.working));
  Index wrong = 0;
  for (Index i = 0; i < table.size; ++i) {  // unused moments are left as they were
    Index const row = (i - table.begin) / table.width;
    bool const unread = poisons && i >= table.begin && row < table.count && !used[static_cast<std::size_t>(row)];
    wrong += unread ? !std::isnan(got.first(0, i)) || !std::isnan(got.second(0, i))
                    : got.first(0, i) != expected.first(0, i) || got.second(0, i) != expected.second(0, i);
  }
  CHECK(wrong == 0);
  CHECK(std::isnan(expected.weight(0, std::max<Index>(table.begin, 0))) == (epsilon == 0));  // 0 / 0, as in PyTorch
}

TEST_CASE("AdamW reads neither gradients nor moments of rows that never moved, and has the same bits") {
  for (InstructionSet const set : test::instruction_sets<Cpu>())
    for (Table const& table : tables)
      for (double const epsilon : {1e-8, 0.0}) {
        check_unmoved_rows<fp32>(table, epsilon, set, 3);
        check_unmoved_rows<mixed>(table, epsilon, set, 1);
        check_unmoved_rows<fp64>(table, epsilon, set, 3);
      }
}

TEST_CASE("rows that no batch used are not read for the sum of squares, and do not change it") {
  for (InstructionSet const set : test::instruction_sets<Cpu>())
    for (Table const& table : tables)
      for (int const threads : {1, 3}) {
        check_unused_rows<fp32>(table, set, threads);
        check_unused_rows<fp64>(table, set, threads);
      }
}

}  // namespace
