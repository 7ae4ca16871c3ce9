// The table operation x backend: on which rung of its ladder each operation runs. Printed, and fixed here, so that an
// operation that falls through to generic/ by accident fails a test.
#include <map>
#include <string>

#include "hone/cpu/backend.hpp"
#include "hone/cpu/eigen.hpp"
#include "hone/generic/backend.hpp"
#include "support/catch.hpp"

namespace {

using namespace hone;

template <class B, template <class> class Op>
std::string rung() {
  return std::string(RungOf<B, Op<typename B::Precision>>::name);
}

struct Line {
  std::string cpu, eigen, reference;
};

template <template <class> class Op, class P>
Line line() {
  return {rung<Cpu<P>, Op>(), rung<EigenCpu<P>, Op>(), rung<Reference<P>, Op>()};
}

template <class P>
std::map<std::string, Line> table() {
  return {{"LinearForward", line<LinearForward, P>()},
          {"LinearBackwardInput", line<LinearBackwardInput, P>()},
          {"LinearBackwardParameters", line<LinearBackwardParameters, P>()},
          {"ActivationForward", line<ActivationForward, P>()},
          {"ActivationBackward", line<ActivationBackward, P>()},
          {"AttentionForward", line<AttentionForward, P>()},
          {"AttentionBackward", line<AttentionBackward, P>()},
          {"DropoutApply", line<DropoutApply, P>()},
          {"EmbeddingForward", line<EmbeddingForward, P>()},
          {"EmbeddingBackward", line<EmbeddingBackward, P>()},
          {"ResidualNormForward", line<ResidualNormForward, P>()},
          {"ResidualNormBackward", line<ResidualNormBackward, P>()},
          {"AdamWStep", line<AdamWStep, P>()},
          {"SumOfSquares", line<SumOfSquares, P>()},
          {"ClipScale", line<ClipScale, P>()},
          {"GatherRows", line<GatherRows, P>()},
          {"ScatterAddRows", line<ScatterAddRows, P>()}};
}

/// What is small, or limited by memory in any case, and so has no kernel of its own.
bool small(std::string const& name) {
  return name == "ClipScale" || name == "GatherRows" || name == "ScatterAddRows";
}

template <class P>
void check() {
  for (auto const& [name, rungs] : table<P>()) {
    std::printf("%-26s %-5s cpu: %-8s eigen: %-8s reference: %s\n", name.c_str(), P::name.data(), rungs.cpu.c_str(),
                rungs.eigen.c_str(), rungs.reference.c_str());
    INFO(name);
    CHECK(rungs.cpu == (small(name) ? "generic" : "cpu"));
    CHECK(rungs.eigen == (name.rfind("Linear", 0) == 0 ? "eigen" : rungs.cpu));
    CHECK(rungs.reference == "generic");
  }
}

TEST_CASE("every operation runs on the rung that is meant for it") {
  check<fp32>();
  check<fp64>();
}

}  // namespace
