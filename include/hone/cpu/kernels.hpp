#pragma once

#include <type_traits>

#include "hone/cpu/bfloat16_dots.hpp"
#include "hone/cpu/rung.hpp"
#include "hone/cpu/simd.hpp"
#include "hone/cpu/simd_tiles.hpp"

namespace hone {
namespace detail {

template <class Kernel>
inline constexpr bool is_kernel = !std::is_base_of_v<NoKernel, Kernel>;

/// Namespaces amx and avx512_bf16 have kernels for the sake of bfloat16: for other formats they would be avx512's once more.
template <class Op>
inline constexpr bool is_in_bfloat16 = false;
template <template <class> class Operation, class P>
inline constexpr bool is_in_bfloat16<Operation<P>> = std::is_same_v<ActivationOf<P>, bfloat16>;

/// Chooses the operation's vector kernel for the instruction set of the context: with tiles where there is such a kernel.
/// Not inline, so that it can be compiled elsewhere.
template <class Op>
void run_kernel(HostContext& context, Op const& op) {
#if defined(HONE_X86_64_KERNELS)
  InstructionSet const set = context.instruction_set();
  constexpr auto compiled = [](InstructionSet of) { return of <= best_compiled; };
  if constexpr (compiled(InstructionSet::amx) && is_in_bfloat16<Op> && is_kernel<amx::Kernel<Op>>)
    if (set == InstructionSet::amx) return amx::Kernel<Op>::run(context, op);
  if constexpr (compiled(InstructionSet::avx512) && is_in_bfloat16<Op> && is_kernel<avx512_bf16::Kernel<Op>>)
    if (set == InstructionSet::avx512 && bfloat16_dots().fast) return avx512_bf16::Kernel<Op>::run(context, op);
  if constexpr (compiled(InstructionSet::avx512))
    if (set >= InstructionSet::avx512) return avx512::Kernel<Op>::run(context, op);
  if constexpr (compiled(InstructionSet::avx2))
    if (set == InstructionSet::avx2) return avx2::Kernel<Op>::run(context, op);
#endif
  portable::Kernel<Op>::run(context, op);
}

}  // namespace detail

/// Runs the operation's vector kernel for the instruction set of the context.
template <class Op>
  requires(detail::is_kernel<detail::portable::Kernel<Op>>)
struct CpuKernel<Op> {
  static void run(HostContext& context, Op const& op) { detail::run_kernel(context, op); }
};

// A program may compile the kernels once, apart from the rest: with HONE_KERNELS_ELSEWHERE headers only declare them, and a
// file has HONE_CPU_KERNELS(template, fp32) and so on, for each precision. The CMake target hone::kernels is that file and
// that definition (cmake/hone_kernels.cmake); it has the bodies that core/config.hpp tells of, too.
#define HONE_CPU_KERNELS(KEYWORD, PRECISION)                                                      \
  KEYWORD void detail::run_kernel(HostContext&, LinearForward<PRECISION> const&);                 \
  KEYWORD void detail::run_kernel(HostContext&, LinearBackwardInput<PRECISION> const&);           \
  KEYWORD void detail::run_kernel(HostContext&, LinearBackwardParameters<PRECISION> const&);      \
  KEYWORD void detail::run_kernel(HostContext&, LinearActivationForward<PRECISION> const&);       \
  KEYWORD void detail::run_kernel(HostContext&, LinearActivationBackwardInput<PRECISION> const&); \
  KEYWORD void detail::run_kernel(HostContext&, ActivationForward<PRECISION> const&);             \
  KEYWORD void detail::run_kernel(HostContext&, ActivationBackward<PRECISION> const&);            \
  KEYWORD void detail::run_kernel(HostContext&, AttentionForward<PRECISION> const&);              \
  KEYWORD void detail::run_kernel(HostContext&, AttentionBackward<PRECISION> const&);             \
  KEYWORD void detail::run_kernel(HostContext&, DropoutApply<PRECISION> const&);                  \
  KEYWORD void detail::run_kernel(HostContext&, ResidualNormForward<PRECISION> const&);           \
  KEYWORD void detail::run_kernel(HostContext&, ResidualNormBackward<PRECISION> const&);          \
  KEYWORD void detail::run_kernel(HostContext&, EmbeddingForward<PRECISION> const&);              \
  KEYWORD void detail::run_kernel(HostContext&, EmbeddingBackward<PRECISION> const&);             \
  KEYWORD void detail::run_kernel(HostContext&, AdamWStep<PRECISION> const&);                     \
  KEYWORD void detail::run_kernel(HostContext&, SumOfSquares<PRECISION> const&)
#define HONE_CPU_KERNELS_OF_MIXED(KEYWORD) \
  KEYWORD void detail::run_kernel(HostContext&, LinearResidualForward<mixed> const&)
#if defined(HONE_KERNELS_ELSEWHERE)
HONE_CPU_KERNELS(extern template, fp32);
HONE_CPU_KERNELS(extern template, fp64);
HONE_CPU_KERNELS(extern template, mixed);
HONE_CPU_KERNELS_OF_MIXED(extern template);
#endif

}  // namespace hone
