#pragma once

#include <type_traits>

#include "hone/cpu/rung.hpp"
#include "hone/cpu/simd.hpp"
#include "hone/cpu/simd_tiles.hpp"

namespace hone {
namespace detail {

template <class Kernel>
inline constexpr bool is_kernel = !std::is_base_of_v<NoKernel, Kernel>;

}  // namespace detail

/// Runs the operation's vector kernel for the instruction set of the context: with tiles where there is such a kernel.
template <class Op>
  requires(detail::is_kernel<detail::portable::Kernel<Op>>)
struct CpuKernel<Op> {
  static void run(HostContext& context, Op const& op);
};

// Not inline, so that it can be compiled elsewhere.
template <class Op>
  requires(detail::is_kernel<detail::portable::Kernel<Op>>)
void CpuKernel<Op>::run(HostContext& context, Op const& op) {
#if defined(HONE_X86_64)
  InstructionSet const set = context.instruction_set();
  if constexpr (detail::is_kernel<detail::amx::Kernel<Op>>)
    if (set == InstructionSet::amx) return detail::amx::Kernel<Op>::run(context, op);
  if (set >= InstructionSet::avx512) return detail::avx512::Kernel<Op>::run(context, op);
  if (set == InstructionSet::avx2) return detail::avx2::Kernel<Op>::run(context, op);
#endif
  detail::portable::Kernel<Op>::run(context, op);
}

// A program of many files compiles the kernels once: with HONE_KERNELS_ELSEWHERE headers only declare them, and a file of the
// program's has HONE_CPU_KERNELS(template, fp32) and so on, for each precision. hone's own tests do so (cmake/hone_kernels.cmake).
#define HONE_CPU_KERNELS(KEYWORD, PRECISION)                          \
  KEYWORD struct CpuKernel<LinearForward<PRECISION>>;                 \
  KEYWORD struct CpuKernel<LinearBackwardInput<PRECISION>>;           \
  KEYWORD struct CpuKernel<LinearBackwardParameters<PRECISION>>;      \
  KEYWORD struct CpuKernel<LinearActivationForward<PRECISION>>;       \
  KEYWORD struct CpuKernel<LinearActivationBackwardInput<PRECISION>>; \
  KEYWORD struct CpuKernel<ActivationForward<PRECISION>>;             \
  KEYWORD struct CpuKernel<ActivationBackward<PRECISION>>;            \
  KEYWORD struct CpuKernel<AttentionForward<PRECISION>>;              \
  KEYWORD struct CpuKernel<AttentionBackward<PRECISION>>;             \
  KEYWORD struct CpuKernel<DropoutApply<PRECISION>>;                  \
  KEYWORD struct CpuKernel<ResidualNormForward<PRECISION>>;           \
  KEYWORD struct CpuKernel<ResidualNormBackward<PRECISION>>;          \
  KEYWORD struct CpuKernel<EmbeddingForward<PRECISION>>;              \
  KEYWORD struct CpuKernel<EmbeddingBackward<PRECISION>>;             \
  KEYWORD struct CpuKernel<AdamWStep<PRECISION>>;                     \
  KEYWORD struct CpuKernel<SumOfSquares<PRECISION>>
#if defined(HONE_KERNELS_ELSEWHERE)
HONE_CPU_KERNELS(extern template, fp32);
HONE_CPU_KERNELS(extern template, fp64);
HONE_CPU_KERNELS(extern template, mixed);
extern template struct CpuKernel<LinearResidualForward<mixed>>;
#endif

}  // namespace hone
