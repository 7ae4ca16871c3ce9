#include "hone/cpu/activation.hpp"

#include <cmath>
#include <cstring>

#include "hone/generic/activation.hpp"
#include "support/compare_rungs.hpp"

namespace {

using namespace hone;
using hone::test::Grid;

template <class P>
void check(Activation kind, Index rows, Index cols) {
  using T = ActivationOf<P>;
  INFO("kind " << static_cast<int>(kind) << ", rows " << rows << ", columns " << cols);
  auto const u = Grid<T>::random(rows, cols, 1, 6, 3), dh = Grid<T>::random(rows, cols, 2, 1, 1);
  test::check_against_reference<P>(
      [&]<class B>(std::type_identity<B>, HostContext& context) {
        Grid<T> h(rows, cols, 2), du(rows, cols, 4), in_place = dh;
        run<B>(context, ActivationForward<P>{kind, u.view(), h.view()});
        run<B>(context, ActivationBackward<P>{kind, u.view(), dh.view(), du.view()});
        run<B>(context, ActivationBackward<P>{kind, u.view(), in_place.view(), in_place.view()});
        return std::vector<Grid<T>>{h, du, in_place};
      },
      1);
}

TEST_CASE("activations agree with the reference") {
  auto const kind = GENERATE(Activation::gelu, Activation::gelu_new, Activation::relu);
  for (Index const rows : {1, 17, 130})
    for (Index const cols : {15, 24, 64, 100}) {
      check<fp32>(kind, rows, cols);
      check<fp64>(kind, rows, cols);
    }
}

/// Calls check(x) for about two million floats of every size and both signs.
template <class Check>
void sweep(float low, float high, Check const& check) {
  for (std::uint32_t bits = 0; bits < 0x7F800000u; bits += 997) {
    float x;
    std::memcpy(&x, &bits, sizeof x);
    if (x <= high) check(x);
    if (-x >= low) check(-x);
  }
}

TEST_CASE("vector exp is within its bound of the library's") {
  double worst = 0;
  sweep(-87.3f, 88.3f, [&](float x) {
    double const exact = std::exp(static_cast<double>(x));
    worst = std::max(worst, std::abs(static_cast<double>(detail::vector_exp<float>(detail::splat(x))[0]) - exact) / exact);
  });
  std::printf("exp: largest relative error %.3g\n", worst);
  REQUIRE(worst <= 2e-7);
  REQUIRE(detail::vector_exp<float>(detail::splat(0.0f))[0] == 1.0f);
  REQUIRE(detail::vector_exp<float>(detail::splat(-100.0f))[0] == 0.0f);
  REQUIRE(detail::vector_exp<float>(detail::splat(-HUGE_VALF))[0] == 0.0f);
  REQUIRE(detail::vector_exp<float>(detail::splat(HUGE_VALF))[0] > 2e38f);
  REQUIRE(std::isnan(detail::vector_exp<float>(detail::splat(std::nanf("")))[0]));
}

TEST_CASE("the normal distribution is within its bound") {
  double worst_relative = 0, worst_absolute = 0, worst_density = 0;
  sweep(-12, 12, [&](float u) {
    double const exact = std::erfc(-static_cast<double>(u) / std::sqrt(2.0)) / 2;
    auto const got = detail::vector_normal<float>(detail::splat(u));
    double const difference = std::abs(static_cast<double>(got.cdf[0]) - exact);
    worst_relative = std::max(worst_relative, difference / exact / (5e-7 + 1e-7 * u * u));
    worst_absolute = std::max(worst_absolute, difference);
    double const density = std::exp(-0.5 * u * u) / std::sqrt(2 * 3.14159265358979323846);
    worst_density = std::max(worst_density, std::abs(static_cast<double>(got.density[0]) - density));
  });
  std::printf("normal cdf: error %.3g of the relative bound, %.3g absolute; density %.3g absolute\n", worst_relative,
              worst_absolute, worst_density);
  REQUIRE(worst_relative <= 1);
  REQUIRE(worst_absolute <= 2e-7);
  REQUIRE(worst_density <= 1e-7);
  REQUIRE(detail::vector_normal<float>(detail::splat(1e30f)).cdf[0] == 1.0f);
  REQUIRE(detail::vector_normal<float>(detail::splat(-1e30f)).cdf[0] == 0.0f);
  REQUIRE(std::isnan(detail::vector_normal<float>(detail::splat(std::nanf(""))).cdf[0]));
}

TEST_CASE("the logistic function is within its bound") {
  double worst = 0;
  sweep(-87, 87, [&](float x) {
    double const exact = 1 / (1 + std::exp(-static_cast<double>(x)));
    worst =
        std::max(worst, std::abs(static_cast<double>(detail::vector_logistic<float>(detail::splat(x))[0]) - exact) / exact);
  });
  std::printf("logistic: largest relative error %.3g\n", worst);
  REQUIRE(worst <= 4e-7);
}

}  // namespace
