#include "hone/cpu/backend.hpp"

#include <cmath>
#include <cstring>

#include "hone/cpu/simd.hpp"
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
      check<mixed>(kind, rows, cols);
      check<fp64>(kind, rows, cols);
    }
}

/// The vector functions as functions of one number, for one instruction set.
struct Functions {
  InstructionSet set;
  float (*exp)(float);
  float (*logistic)(float);
  std::pair<float, float> (*normal)(float);        // cdf, density
  std::pair<float, float> (*gelu_factors)(float);  // for bfloat16: cdf, derivative of gelu
};
#define HONE_TEST_FUNCTIONS(SET, ...)                                                                             \
  Functions {                                                                                                     \
    InstructionSet::SET,                                                                                          \
        [](float x) __VA_ARGS__ { return detail::SET::vector_exp<float>(detail::SET::splat(x))[0]; },             \
        [](float x) __VA_ARGS__ { return detail::SET::vector_logistic<float>(detail::SET::splat(x))[0]; },        \
        [](float x) __VA_ARGS__ {                                                                                 \
          auto const normal = detail::SET::vector_normal<float>(detail::SET::splat(x));                           \
          return std::pair<float, float>{normal.cdf[0], normal.density[0]};                                       \
        },                                                                                                        \
        [](float x) __VA_ARGS__ {                                                                                 \
          auto const factors = detail::SET::vector_gelu_factors(detail::SET::splat(x));                           \
          return std::pair<float, float>{factors.cdf[0], factors.density[0]};                                     \
        }                                                                                                         \
  }
Functions const functions[] = {
    HONE_TEST_FUNCTIONS(portable),
#if defined(HONE_X86_64)
    HONE_TEST_FUNCTIONS(avx2, __attribute__((target("avx2,fma")))),
    HONE_TEST_FUNCTIONS(avx512, __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))),
#endif
};

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

TEST_CASE("vector functions are within their bounds on every instruction set") {
  for (auto const& on : functions) {
    if (on.set > choose_instruction_set()) continue;
    INFO("instruction set " << name(on.set));

    double worst = 0;
    sweep(-87.3f, 88.3f, [&](float x) {
      double const exact = std::exp(static_cast<double>(x));
      worst = std::max(worst, std::abs(static_cast<double>(on.exp(x)) - exact) / exact);
    });
    std::printf("%s exp: largest relative error %.3g\n", name(on.set).data(), worst);
    CHECK(worst <= 2e-7);
    CHECK(on.exp(0.0f) == 1.0f);
    CHECK(on.exp(-100.0f) == 0.0f);
    CHECK(on.exp(-HUGE_VALF) == 0.0f);
    CHECK(on.exp(HUGE_VALF) > 2e38f);
    CHECK(std::isnan(on.exp(std::nanf(""))));

    double worst_relative = 0, worst_absolute = 0, worst_density = 0;
    sweep(-12, 12, [&](float u) {
      double const exact = std::erfc(-static_cast<double>(u) / std::sqrt(2.0)) / 2;
      auto const [cdf, got_density] = on.normal(u);
      double const difference = std::abs(static_cast<double>(cdf) - exact);
      worst_relative = std::max(worst_relative, difference / exact / (5e-7 + 1e-7 * u * u));
      worst_absolute = std::max(worst_absolute, difference);
      double const density = std::exp(-0.5 * u * u) / std::sqrt(2 * 3.14159265358979323846);
      worst_density = std::max(worst_density, std::abs(static_cast<double>(got_density) - density));
    });
    std::printf("%s normal cdf: error %.3g of the relative bound, %.3g absolute; density %.3g absolute\n",
                name(on.set).data(), worst_relative, worst_absolute, worst_density);
    CHECK(worst_relative <= 1);
    CHECK(worst_absolute <= 2e-7);
    CHECK(worst_density <= 1e-7);
    double worst_cdf = 0, worst_slope = 0;
    sweep(-1000, 1000, [&](float u) {
      double const x = u, cdf = std::erfc(-x / std::sqrt(2.0)) / 2;
      double const slope = cdf + x * std::exp(-0.5 * x * x) / std::sqrt(2 * 3.14159265358979323846);
      auto const [got_cdf, got_slope] = on.gelu_factors(u);
      worst_cdf = std::max(worst_cdf, std::abs(static_cast<double>(got_cdf) - cdf));
      worst_slope = std::max(worst_slope, std::abs(static_cast<double>(got_slope) - slope));
    });
    std::printf("%s gelu for bfloat16: cdf %.3g, derivative %.3g absolute\n", name(on.set).data(), worst_cdf, worst_slope);
    CHECK(worst_cdf <= 1e-5);
    CHECK(worst_slope <= 1e-4);
    CHECK(std::isnan(on.gelu_factors(std::nanf("")).first));

    CHECK(on.normal(1e30f).first == 1.0f);
    CHECK(on.normal(-1e30f).first == 0.0f);
    CHECK(std::isnan(on.normal(std::nanf("")).first));

    worst = 0;
    sweep(-87, 87, [&](float x) {
      double const exact = 1 / (1 + std::exp(-static_cast<double>(x)));
      worst = std::max(worst, std::abs(static_cast<double>(on.logistic(x)) - exact) / exact);
    });
    std::printf("%s logistic: largest relative error %.3g\n", name(on.set).data(), worst);
    CHECK(worst <= 4e-7);
  }
}

}  // namespace
