#include <cmath>

#include "hone/cuda/adamw.hpp"
#include "hone/cuda/gradient_norm.hpp"
#include "hone/generic/adamw.hpp"
#include "hone/generic/gradient_norm.hpp"
#include "support/adamw_step.hpp"
#include "support/compare_emulated.hpp"

namespace {

using namespace hone;
using hone::test::AnyGrid;
using hone::test::Grid;

template <class P>
using Emulated = testing::CudaEmulator<P>;

/// `shift` values from where the memory begins: 0 allows accesses of 16 bytes, 1 does not.
template <class P>
void check_adamw(Index size, Index shift, double scale, bool with_working) {
  using A = ActivationOf<P>;
  using M = MasterOf<P>;
  INFO("size " << size << ", shift " << shift << ", working copy " << with_working);
  auto const gradient = Grid<M>::random(1, size + shift, 2);
  Grid<M> squares = Grid<M>::random(1, size + shift, 4);
  for (Index i = 0; i < size + shift; ++i) squares(0, i) *= squares(0, i);
  test::check_emulated<P>(
      [&]<class B>(std::type_identity<B>, typename B::Context& context) {
        Grid<M> weight = Grid<M>::random(1, size + shift, 1), first = Grid<M>::random(1, size + shift, 3), second = squares;
        Grid<A> working = Grid<A>::random(1, size + shift, 5);
        auto const of = [&](auto& grid) { return grid.vector().slice(shift, size); };
        auto step = test::third_adamw_step<P>(of(weight), of(gradient), of(first), of(second), scale);
        if (with_working) step.working = of(working);
        run<B>(context, step);
        for (Index i = shift; i < shift + size && with_working; ++i)
          REQUIRE(static_cast<double>(working(0, i)) == static_cast<double>(A(weight(0, i))));
        return std::vector<AnyGrid>{weight, first, second, working};
      },
      1);
}

TEST_CASE("AdamW's kernel agrees with the reference") {
  for (Index const size : {0, 1, 3, 4, 15, 100, 1024, 4099})
    for (Index const shift : {0, 1}) {
      if (size + shift == 0) continue;  // nothing to compare
      check_adamw<fp32>(size, shift, 0.5, false);
      check_adamw<fp64>(size, shift, 0.5, false);
      check_adamw<mixed>(size, shift, 0.5, true);
    }
}

TEST_CASE("AdamW's kernel writes nothing beyond its range") {
  for (Index const size : {1, 5, 1023, 1025}) {
    Grid<float> values(1, size + 8);
    for (Index i = 0; i < size + 8; ++i) values(0, i) = 0.5f;
    Grid<float> weight = values, first = values, second = values;
    double const scale = 1;
    auto const of = [&](auto& grid) { return grid.vector().slice(0, size); };
    testing::EmulatorContext context;
    run<Emulated<fp32>>(context,
                        test::third_adamw_step<fp32>(of(weight), of(values), of(first), of(second), scale));
    for (Index i = 0; i < size + 8; ++i)
      for (auto* grid : {&weight, &first, &second}) REQUIRE(((*grid)(0, i) == 0.5f) == (grid != &first ? i >= size : true));
  }
}

TEST_CASE("AdamW's kernel leaves everything untouched when the gradient's scale is not finite") {
  Grid<float> weight = Grid<float>::random(1, 40, 1), first = weight, second = weight;
  auto working = Grid<bfloat16>::random(1, 40, 2);
  Grid<float> const before = weight, gradient = weight;
  auto const working_before = working;
  testing::EmulatorContext context;
  for (double const scale : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    run<Emulated<mixed>>(context,
                         test::third_adamw_step<mixed>(weight.vector(), gradient.vector(), first.vector(), second.vector(),
                                                       scale, working.vector()));
    REQUIRE(weight.same_bits(before));
    REQUIRE(first.same_bits(before));
    REQUIRE(second.same_bits(before));
    REQUIRE(working.same_bits(working_before));
  }
}

template <class B, class M>
double sum_of_squares(typename B::Context& context, VectorView<M const> x) {
  std::vector<double> partials(static_cast<std::size_t>((x.size + norm_chunk - 1) / norm_chunk + 1), std::nan(""));
  double result = std::nan("");
  run<B>(context,
         SumOfSquares<typename B::Precision>{x, {partials.data(), static_cast<Index>(partials.size())}, {&result, 1}});
  return result;
}

template <class P>
void check_sum_of_squares(Index size) {
  using M = MasterOf<P>;
  INFO("size " << size);
  auto const x = Grid<M>::random(1, size + 1, 1);
  HostContext reference({1});
  VectorView<M const> const values = x.vector().slice(0, size);
  double const expected = sum_of_squares<Reference<P>, M>(reference, values);
  Grid<M> shifted(1, size + 1);  // the same values at an address that allows no access of 16 bytes
  for (Index i = 0; i < size; ++i) shifted(0, i + 1) = x(0, i);
  for (auto const order : testing::thread_orders) {
    testing::EmulatorContext context({.order = order});
    double const got = sum_of_squares<Emulated<P>, M>(context, values);
    REQUIRE(std::abs(got - expected) <= test::rounding_bound<double>(size, std::max(expected, 1.0)));
    REQUIRE(got == sum_of_squares<Emulated<P>, M>(context, shifted.vector().slice(1, size)));
    if (order != testing::ThreadOrder::forward) continue;
    testing::EmulatorContext again({.order = testing::ThreadOrder::shuffled});
    REQUIRE(got == sum_of_squares<Emulated<P>, M>(again, values));
  }
}

TEST_CASE("the sum of squares agrees with the reference, with the same bits for every alignment and order") {
  for (Index const size : {0, 1, 17, 16384, 16385, 70001}) {
    check_sum_of_squares<fp32>(size);
    check_sum_of_squares<fp64>(size);
    check_sum_of_squares<mixed>(size);
  }
}

TEST_CASE("a gradient that is not finite shows in the sum of squares") {
  Grid<float> x = Grid<float>::random(1, 20000, 1);
  testing::EmulatorContext context;
  x(0, 19999) = HUGE_VALF;
  REQUIRE(std::isinf(sum_of_squares<Emulated<fp32>, float>(context, x.vector())));
  x(0, 3) = std::nanf("");
  REQUIRE(std::isnan(sum_of_squares<Emulated<fp32>, float>(context, x.vector())));
}

/// Sums of ranges with these borders; what is not to be touched is NaN.
template <class B, class M>
std::vector<double> sums_of_ranges(typename B::Context& context, VectorView<M const> x, std::vector<Index> const& borders) {
  std::vector<double> partials(static_cast<std::size_t>((x.size + norm_chunk - 1) / norm_chunk)),
      sums(borders.size() / 2 + 1);
  std::vector<double> lanes(sums.size() * range_lanes, std::nan(""));
  sums.back() = -1;
  double all = 0;
  using P = typename B::Precision;
  run<B>(context, SumOfSquares<P>{x, {partials.data(), Index(partials.size())}, {&all, 1}});
  Index const count = Index(borders.size() / 2);
  run<B>(context, RangeSquares<P>{x,
                                  {partials.data(), Index(partials.size())},
                                  {borders.data(), Index(borders.size())},
                                  {lanes.data(), count * range_lanes},
                                  {sums.data(), count}});
  REQUIRE(sums.back() == -1);
  sums.pop_back();
  return sums;
}

TEST_CASE("the sums of squares of ranges agree with the reference, with the same bits for every order") {
  Index const chunk = norm_chunk, size = 5 * chunk + 123;
  auto const x = Grid<float>::random(1, size, 1);
  std::vector<Index> const borders{0,     1,         0,         chunk,         5,    chunk - 5, chunk,     2 * chunk,
                                   chunk, 2 * chunk, chunk - 3, 3 * chunk + 2, 7,    7,         4 * chunk, size,
                                   0,     size,      chunk + 1, 2 * chunk - 1, size, size,      size - 1,  size};
  HostContext reference({1});
  auto const expected = sums_of_ranges<Reference<fp32>, float>(reference, x.vector(), borders);
  std::vector<double> first;
  for (auto const order : testing::thread_orders) {
    testing::EmulatorContext context({.order = order});
    auto const got = sums_of_ranges<Emulated<fp32>, float>(context, x.vector(), borders);
    for (std::size_t r = 0; r < got.size(); ++r) {
      INFO("range " << borders[2 * r] << " to " << borders[2 * r + 1]);
      double sum = 0;
      for (Index i = borders[2 * r]; i < borders[2 * r + 1]; ++i) sum += double(x(0, i)) * double(x(0, i));
      double const bound = test::rounding_bound<double>(size, std::max(sum, 1.0));
      REQUIRE(std::abs(got[r] - sum) <= bound);
      REQUIRE(std::abs(expected[r] - sum) <= bound);
    }
    if (first.empty()) first = got;
    REQUIRE(got == first);
  }
}

TEST_CASE("the clip factor is the reference's") {
  HostContext reference({1});
  testing::EmulatorContext context;
  for (double const squares : {0.0, 0.25, 4.0, 1e30, HUGE_VAL, std::nan("")})
    for (double const max_norm : {0.0, 1.0, 3.0}) {
      double norm = -1, scale = -1, expected_norm = -1, expected_scale = -1;
      run<Reference<fp32>>(reference, ClipScale<fp32>{{&squares, 1}, max_norm, {&expected_norm, 1}, {&expected_scale, 1}});
      run<Emulated<fp32>>(context, ClipScale<fp32>{{&squares, 1}, max_norm, {&norm, 1}, {&scale, 1}});
      CHECK((norm == expected_norm || (std::isnan(norm) && std::isnan(expected_norm))));
      CHECK((scale == expected_scale || (std::isnan(scale) && std::isnan(expected_scale))));
    }
}

/// ChunkSquaresKernel whose threads do not wait for each other.
struct SquaresWithoutBarrier : detail::ChunkSquaresKernel<fp32, true> {
  template <class Thread>
  struct Hurried : Thread {
    void barrier() const {}
  };
  template <class Thread>
  void operator()(Thread const& thread) const {
    detail::ChunkSquaresKernel<fp32, true>::operator()(Hurried<Thread>{thread});
  }
};

TEST_CASE("a broken optimizer kernel is seen") {
  auto const x = Grid<float>::random(1, 5000, 1);
  double expected = 0;
  for (Index i = 0; i < 5000; ++i) expected += static_cast<double>(x(0, i)) * static_cast<double>(x(0, i));
  bool right = true, broken_right = true;
  for (auto const order : testing::thread_orders) {
    testing::EmulatorContext context({.order = order});
    double partial = 0, unused = 0;
    detail::ChunkSquaresKernel<fp32, true> const kernel{{x.vector(), {&partial, 1}, {&unused, 1}}};
    LaunchShape const shape{.blocks = 1, .blocks_y = 1, .shared_bytes = 8 * sizeof(double)};
    auto const is_right = [&] { return std::abs(partial - expected) <= test::rounding_bound<double>(5000, expected); };
    context.launch(shape, kernel);
    right = right && is_right();
    context.launch(shape, SquaresWithoutBarrier{kernel});
    broken_right = broken_right && is_right();
  }
  CHECK(right);
  CHECK_FALSE(broken_right);
}

}  // namespace
