// expected-error: \[hone-E110\]
// An op runs on a backend whose ladder has no rung with a kernel for it. Repaired: generic/ ends the ladder.
#include "hone/core/host_context.hpp"
#include "hone/core/precision.hpp"
#include "hone/cpu/rung.hpp"
#include "hone/generic/linear.hpp"

struct Bare {
  using Precision = hone::fp32;
  using Context = hone::HostContext;
  using Options = hone::HostOptions;
#ifdef HONE_REPAIRED
  using Ladder = hone::Ladder<hone::CpuRung, hone::GenericRung>;
#else
  using Ladder = hone::Ladder<hone::CpuRung>;
#endif
  static constexpr std::string_view name = "bare";
};

void multiply(hone::HostContext& context, hone::LinearForward<hone::fp32> const& op) { hone::run<Bare>(context, op); }
