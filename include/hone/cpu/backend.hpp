#pragma once

#include <string_view>

#include "hone/core/host_context.hpp"
#include "hone/core/precision.hpp"
#include "hone/cpu/kernel_memory.hpp"
#include "hone/cpu/kernels.hpp"
#include "hone/generic/backend.hpp"

namespace hone {

/// The processor: vector code and threads where there are kernels, generic/ where there are none.
///
/// Which instruction set the kernels use is chosen when the program runs (core/instruction_set.hpp). `Cpu<mixed>` is as
/// exact as `mixed` is anywhere, and fast where the processor has tiles for bfloat16; elsewhere it computes in float what is
/// stored in bfloat16.
template <class P = fp32>
struct Cpu {
  using Precision = P;
  using Context = HostContext;
  using Options = HostOptions;
  using Ladder = hone::Ladder<CpuRung, GenericRung>;
  static constexpr std::string_view name = "cpu";
};

static_assert(Backend<Cpu<fp32>> && Backend<Cpu<fp64>> && Backend<Cpu<mixed>>);

}  // namespace hone
