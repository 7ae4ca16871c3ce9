// The AdamW step and the gradient's norm as Thrust algorithms, against the reference.
#include <cmath>

#include "hone/thrust/host_backend.hpp"
#include "support/adamw_step.hpp"
#include "support/compare_rungs.hpp"

namespace {

using namespace hone;
using hone::test::AnyGrid;
using hone::test::Grid;

template <class P>
void check_adamw(Index size, bool has_working_copy) {
  using A = ActivationOf<P>;
  using M = MasterOf<P>;
  INFO("size " << size);
  double const scale = 0.5;
  auto const gradient = Grid<M>::random(1, size, 2);
  Grid<M> squares = Grid<M>::random(1, size, 4);
  for (Index i = 0; i < size; ++i) squares(0, i) *= squares(0, i);
  auto compute = [&]<class B>(std::type_identity<B>, typename B::Context& context) {
    Grid<M> weight = Grid<M>::random(1, size, 1), first = Grid<M>::random(1, size, 3), second = squares;
    Grid<A> working(1, size);
    auto step = test::third_adamw_step<P>(weight.vector(), gradient.vector(), first.vector(), second.vector(), scale);
    if (has_working_copy) step.working = working.vector();
    run<B>(context, step);
    for (Index i = 0; i < size; ++i)  // the copy is the weight, rounded; without one nothing is written
      REQUIRE((has_working_copy ? static_cast<double>(working(0, i)) == static_cast<double>(A(weight(0, i)))
                                : std::isnan(static_cast<double>(working(0, i)))));
    return std::vector<Grid<M>>{weight, first, second};
  };
  test::check_against_reference<P, ThrustHost, M>(compute, 1);
}

TEST_CASE("AdamW agrees with the reference") {
  for (Index const size : {1, 15, 70001}) {
    check_adamw<fp32>(size, false);
    check_adamw<fp64>(size, false);
    check_adamw<mixed>(size, true);
  }
}

TEST_CASE("AdamW leaves everything untouched when the gradient's scale is not finite") {
  Grid<float> weight = Grid<float>::random(1, 40, 1), first = weight, second = weight;
  Grid<float> const before = weight, gradient = weight;
  Grid<bfloat16> working = Grid<bfloat16>::random(1, 40, 2);
  Grid<bfloat16> const working_before = working;
  ThrustHostContext context({2});
  for (double const scale : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    run<ThrustHost<mixed>>(context,
                           test::third_adamw_step<mixed>(weight.vector(), gradient.vector(), first.vector(), second.vector(),
                                                         scale, working.vector()));
    REQUIRE(weight.same_bits(before));
    REQUIRE(first.same_bits(before));
    REQUIRE(second.same_bits(before));
    REQUIRE(working.same_bits(working_before));
  }
}

template <class P>
void check_sum_of_squares(Index size) {
  INFO("size " << size);
  auto const x = Grid<MasterOf<P>>::random(1, size, 1);
  auto const compute = [&]<class B>(std::type_identity<B>, int threads) {
    typename B::Context context({threads});
    std::vector<double> partials(static_cast<std::size_t>((size + norm_chunk - 1) / norm_chunk + 1), std::nan(""));
    double result = std::nan("");
    run<B>(context, SumOfSquares<P>{x.vector(), {partials.data(), static_cast<Index>(partials.size())}, {&result, 1}});
    double sum = 0;  // the contract: the partials, in order
    for (std::size_t i = 0; i + 1 < partials.size(); ++i) sum += partials[i];
    REQUIRE(sum == result);
    REQUIRE(std::isnan(partials.back()));
    return result;
  };
  double const expected = compute(std::type_identity<Reference<P>>{}, 1);
  double const got = compute(std::type_identity<ThrustHost<P>>{}, 1);
  REQUIRE(std::abs(got - expected) <= test::rounding_bound<double>(size, expected));
  REQUIRE(compute(std::type_identity<ThrustHost<P>>{}, 1) == got);
  REQUIRE(compute(std::type_identity<ThrustHost<P>>{}, 3) == got);
}

TEST_CASE("the sum of squares agrees with the reference") {
  for (Index const size : {0, 1, 17, 127, 129, 16384, 16385, 70001}) {
    check_sum_of_squares<fp32>(size);
    check_sum_of_squares<fp64>(size);
    check_sum_of_squares<mixed>(size);
  }
}

TEST_CASE("a gradient that is not finite shows in the sum of squares and the clipping factor") {
  Grid<float> x = Grid<float>::random(1, 20000, 1);
  double partials[2], result = 0, norm = 0, scale = 0;
  ThrustHostContext context({2});
  using B = ThrustHost<fp32>;
  for (float const wrong : {HUGE_VALF, std::nanf("")}) {
    x(0, 19999) = wrong;
    run<B>(context, SumOfSquares<fp32>{x.vector(), {partials, 2}, {&result, 1}});
    run<B>(context, ClipScale<fp32>{{&result, 1}, 1.0, {&norm, 1}, {&scale, 1}});
    REQUIRE(!std::isfinite(result));
    REQUIRE(std::isnan(scale));
  }
}

}  // namespace
