// Kernels are chosen when a program runs, not by how it was compiled.
#include "hone/core/instruction_set.hpp"

#include <cstdlib>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "hone/core/philox.hpp"
#include "hone/cpu/backend.hpp"
#include "hone/cpu/precision_choice.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"

namespace {

using namespace hone;

/// Sets an environment variable while it lives.
class Variable {
 public:
  Variable(char const* name, char const* value) : name_(name) {
    if (char const* const before = std::getenv(name)) before_ = before;
    ::setenv(name, value, 1);
  }
  ~Variable() {
    if (before_) ::setenv(name_, before_->c_str(), 1);
    else ::unsetenv(name_);
  }

 private:
  char const* name_;
  std::optional<std::string> before_;
};

std::vector<InstructionSet> sets() {
  std::vector<InstructionSet> all;
  for (auto const set : {InstructionSet::portable, InstructionSet::avx2, InstructionSet::avx512, InstructionSet::amx})
    if (set <= processor_features().best) all.push_back(set);
  return all;
}

/// One long product of numbers that do not add up exactly: its bits tell kernels apart.
template <class P>
std::vector<float> product(InstructionSet set) {
  using A = ActivationOf<P>;
  Index const rows = 40, inner = 1000, outputs = 64;
  PhiloxStream random(5, 6);
  std::vector<A> x, weight;
  for (Index i = 0; i < rows * inner; ++i) x.push_back(A(static_cast<float>(random.uniform() - 0.5)));
  for (Index i = 0; i < outputs * inner; ++i) weight.push_back(A(static_cast<float>(random.uniform() - 0.5)));
  std::vector<float> sums(static_cast<std::size_t>(rows * inner));
  std::vector<A> dy(static_cast<std::size_t>(rows * outputs), A(0.3f));
  HostContext context({1, set});
  // The weight's gradient: float in every precision.
  std::vector<float> gradient(static_cast<std::size_t>(outputs * inner));
  for (std::size_t i = 0; i < dy.size(); ++i) dy[i] = weight[i];
  run<Cpu<P>>(context, LinearBackwardParameters<P>{{x.data(), rows, inner}, {dy.data(), rows, outputs},
                                                   {gradient.data(), outputs, inner}, {}, Write::assign});
  return gradient;
}

TEST_CASE("the best instruction set is taken, however the program was compiled") {
  Variable const none("HONE_INSTRUCTION_SET", "");
  HostContext context({1});
  REQUIRE(context.instruction_set() == processor_features().best);
#if defined(HONE_X86_64) && !defined(__AVX__)
  WARN("compiled without AVX, runs on " << name(context.instruction_set()));
  auto const at_least = [&](InstructionSet set) { return context.instruction_set() >= std::min(set, best_compiled); };
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) REQUIRE(at_least(InstructionSet::avx2));
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    REQUIRE(at_least(InstructionSet::avx512));
#endif
}

/// The means and deviations of long rows, whose values are added lane by lane: their bits tell the width of vectors.
std::vector<float> statistics(InstructionSet set) {
  Index const rows = 40, width = 1000;
  PhiloxStream random(7, 8);
  std::vector<float> x, ones(static_cast<std::size_t>(width), 1.0f);
  for (Index i = 0; i < rows * width; ++i) x.push_back(static_cast<float>(random.uniform()));
  std::vector<float> y(x.size()), both(static_cast<std::size_t>(2 * rows));
  HostContext context({1, set});
  MatrixView<float> const z{x.data(), rows, width};
  run<Cpu<fp32>>(context, ResidualNormForward<fp32>{z, {}, {}, {}, {ones.data(), width}, {ones.data(), width}, 1e-12, z,
                                                    {y.data(), rows, width}, {both.data(), rows}, {both.data() + rows, rows}});
  return both;
}

TEST_CASE("another instruction set is another kernel") {
  std::set<std::vector<float>> seen;
  auto const portable = statistics(InstructionSet::portable);
  for (InstructionSet const set : sets()) {
    INFO(name(set));
    auto const found = statistics(set);
    if (set == InstructionSet::amx) {  // tiles are for bfloat16
      REQUIRE(seen.count(found) == 1);
      REQUIRE(product<mixed>(set) != product<mixed>(InstructionSet::avx512));
      continue;
    }
    REQUIRE(seen.insert(found).second);
    for (std::size_t i = 0; i < found.size(); ++i) REQUIRE(std::abs(found[i] - portable[i]) < 1e-5f);
  }
}

TEST_CASE("the environment lowers the instruction set, options go before it") {
  for (InstructionSet const set : sets()) {
    Variable const named("HONE_INSTRUCTION_SET", name(set).data());
    REQUIRE(HostContext({1}).instruction_set() == set);
    REQUIRE(HostContext({1, InstructionSet::portable}).instruction_set() == InstructionSet::portable);
  }
  Variable const wrong("HONE_INSTRUCTION_SET", "avx1024");
  REQUIRE(test::error_number([] { HostContext({1}); }) == 713);
  if (processor_features().best < InstructionSet::amx)
    REQUIRE(test::error_number([] { HostContext({1, InstructionSet::amx}); }) == 714);
}

TEST_CASE("the precision that is chosen by itself is the fastest that is safe, and it is said why") {
  REQUIRE(choose_precision("auto", InstructionSet::amx).name == "mixed");
  for (auto const set : {InstructionSet::portable, InstructionSet::avx2, InstructionSet::avx512})
    REQUIRE(choose_precision("auto", set, Bfloat16Dots{}).name == "fp32");
  // AVX-512's dot products of bfloat16, where they were measured to be fast; what was measured is said either way.
  Bfloat16Dots const slow{1e11, 2e11, false}, fast{4e11, 2e11, true};
  REQUIRE(choose_precision("auto", InstructionSet::avx512, slow).name == "fp32");
  REQUIRE(choose_precision("auto", InstructionSet::avx512, slow).why.find("100 GFLOP/s") != std::string::npos);
  REQUIRE(choose_precision("auto", InstructionSet::avx512, fast).name == "mixed");
  REQUIRE(choose_precision("auto", InstructionSet::avx2, fast).name == "fp32");
  for (auto const set : sets())
    for (char const* const wanted : {"auto", "fp32", "mixed"}) REQUIRE(!choose_precision(wanted, set).why.empty());
  REQUIRE(choose_precision("mixed", InstructionSet::portable).name == "mixed");
  REQUIRE(choose_precision("fp32", InstructionSet::amx).name == "fp32");
  REQUIRE(test::error_number([] { choose_precision("fp16", InstructionSet::amx); }) == 715);
}

}  // namespace
