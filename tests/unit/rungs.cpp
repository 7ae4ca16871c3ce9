// The table operation x backend: on which rung of its ladder each operation runs. Printed, and fixed here, so that an
// operation that falls through to generic/ by accident fails a test.
#include <map>
#include <string>

#include "hone/cpu/backend.hpp"
#include "hone/cpu/eigen.hpp"
#include "hone/generic/backend.hpp"
#include "hone/heads/head.hpp"
#include "hone/loss/l1.hpp"
#include "support/backends.hpp"
#include "support/catch.hpp"

namespace {

using namespace hone;

/// The rung of every operation on backend B, by name.
template <class B>
std::map<std::string, std::string> rungs() {
  using P = typename B::Precision;
  auto rung = []<class Op>(std::type_identity<Op>) { return std::string(RungOf<B, Op>::name); };
  return {{"LinearForward", rung(std::type_identity<LinearForward<P>>{})},
          {"LinearBackwardInput", rung(std::type_identity<LinearBackwardInput<P>>{})},
          {"LinearBackwardParameters", rung(std::type_identity<LinearBackwardParameters<P>>{})},
          {"ActivationForward", rung(std::type_identity<ActivationForward<P>>{})},
          {"ActivationBackward", rung(std::type_identity<ActivationBackward<P>>{})},
          {"AttentionForward", rung(std::type_identity<AttentionForward<P>>{})},
          {"AttentionBackward", rung(std::type_identity<AttentionBackward<P>>{})},
          {"DropoutApply", rung(std::type_identity<DropoutApply<P>>{})},
          {"EmbeddingForward", rung(std::type_identity<EmbeddingForward<P>>{})},
          {"EmbeddingBackward", rung(std::type_identity<EmbeddingBackward<P>>{})},
          {"ResidualNormForward", rung(std::type_identity<ResidualNormForward<P>>{})},
          {"ResidualNormBackward", rung(std::type_identity<ResidualNormBackward<P>>{})},
          {"AdamWStep", rung(std::type_identity<AdamWStep<P>>{})},
          {"SumOfSquares", rung(std::type_identity<SumOfSquares<P>>{})},
          {"RangeSquares", rung(std::type_identity<RangeSquares<P>>{})},
          {"ClipScale", rung(std::type_identity<ClipScale<P>>{})},
          {"GuardScale", rung(std::type_identity<GuardScale<P>>{})},
          {"GatherRows", rung(std::type_identity<GatherRows<P>>{})},
          {"ScatterAddRows", rung(std::type_identity<ScatterAddRows<P>>{})},
          {"MapForward", rung(std::type_identity<MapForward<P, Identity>>{})},
          {"MapBackward", rung(std::type_identity<MapBackward<P, Identity>>{})},
          {"LossForwardBackward", rung(std::type_identity<LossForwardBackward<P, L1>>{})}};
}

/// Operations that are expected on one rung; the others on `otherwise`.
struct Expected {
  std::string otherwise;
  std::map<std::string, std::string> apart{};

  Expected with(std::string const& rung, std::initializer_list<char const*> names) const {
    Expected made = *this;
    for (char const* name : names) made.apart[name] = rung;
    return made;
  }
};

template <class B>
void check(Expected const& expected) {
  for (auto const& [name, rung] : rungs<B>()) {
    std::printf("%-12s %-6s %-26s %s\n", B::name.data(), B::Precision::name.data(), name.c_str(), rung.c_str());
    INFO(B::name << " " << B::Precision::name << ", " << name);
    auto const found = expected.apart.find(name);
    CHECK(rung == (found == expected.apart.end() ? expected.otherwise : found->second));
  }
  for (auto const& [name, rung] : expected.apart) CHECK(rungs<B>().count(name) == 1);
}

template <class P>
void check_all() {
  // What is small, or limited by memory in any case, has no kernel of its own.
  Expected const cpu = Expected{"cpu"}.with("generic", {"ClipScale", "GuardScale", "RangeSquares", "GatherRows",
                                                        "ScatterAddRows", "MapForward", "MapBackward", "LossForwardBackward"});
  check<Cpu<P>>(cpu);
  check<EigenCpu<P>>(cpu.with("eigen", {"LinearForward", "LinearBackwardInput", "LinearBackwardParameters"}));
  check<Reference<P>>({"generic"});
}

TEST_CASE("every operation runs on the rung that is meant for it") {
  check_all<fp32>();
  check_all<fp64>();
  check_all<mixed>();
}

TEMPLATE_TEST_CASE("every operation runs on the rung that is meant for it, kernels of the device", "", fp32, fp64, mixed) {
  // Products are cuBLASLt's.
  check<testing::CudaEmulator<TestType>>(
      Expected{"cuda"}.with("generic", {"LinearForward", "LinearBackwardInput", "LinearBackwardParameters", "GuardScale"}));
}

#if defined(HONE_TEST_THRUST)
TEMPLATE_TEST_CASE("every operation runs on the rung that is meant for it, Thrust", "", fp32, fp64, mixed) {
  // No fit: products and attention; one number; a functor a row, as generic/ has it.
  check<ThrustHost<TestType>>(Expected{"thrust"}.with(
      "generic", {"LinearForward", "LinearBackwardInput", "LinearBackwardParameters", "AttentionForward",
                  "AttentionBackward", "RangeSquares", "ClipScale", "GuardScale", "LossForwardBackward"}));
}
#endif

}  // namespace
