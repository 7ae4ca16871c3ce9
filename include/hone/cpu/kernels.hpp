#pragma once

#include <type_traits>

#include "hone/core/host_context.hpp"
#include "hone/core/precision.hpp"
#include "hone/cpu/rung.hpp"
#include "hone/ops/activation.hpp"
#include "hone/ops/adamw.hpp"
#include "hone/ops/attention.hpp"
#include "hone/ops/dropout.hpp"
#include "hone/ops/embedding.hpp"
#include "hone/ops/gradient_norm.hpp"
#include "hone/ops/linear.hpp"
#include "hone/ops/linear_activation.hpp"
#include "hone/ops/linear_residual.hpp"
#include "hone/ops/residual_norm.hpp"

#if !defined(HONE_KERNELS_ELSEWHERE)
#include "hone/cpu/bfloat16_dots.hpp"
#include "hone/cpu/simd.hpp"
#include "hone/cpu/simd_tiles.hpp"
#endif

namespace hone {
namespace detail {

template <class Kernel>
inline constexpr bool is_kernel = !std::is_base_of_v<NoKernel, Kernel>;

#if defined(HONE_KERNELS_ELSEWHERE)

/// Whether the operation has vector kernels: HONE_CPU_KERNELS, below, names those that have.
template <class Op>
inline constexpr bool has_kernel = false;

template <class Op>
void run_kernel(HostContext& context, Op const& op);

#else

template <class Op>
inline constexpr bool has_kernel = is_kernel<portable::Kernel<Op>>;

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

#endif

}  // namespace detail

/// Runs the operation's vector kernel for the instruction set of the context.
template <class Op>
  requires(detail::has_kernel<Op>)
struct CpuKernel<Op> {
  static constexpr bool keeps_used_rows = true;  ///< matters for EmbeddingBackward
  static void run(HostContext& context, Op const& op) { detail::run_kernel(context, op); }
};

// A program may compile the kernels once, apart from the rest: with HONE_KERNELS_ELSEWHERE headers only declare them, and do
// not read what they are made of; a file has HONE_CPU_KERNELS(HONE_KERNEL_HERE, fp32) and so on, for each precision. The
// CMake target hone::kernels is that file and that definition (cmake/hone_kernels.cmake); it has the bodies that
// core/config.hpp tells of, too. Where kernels are elsewhere, operations in another precision run on generic/.
#define HONE_CPU_KERNELS(SAY, PRECISION)         \
  SAY(LinearForward<PRECISION>);                 \
  SAY(LinearBackwardInput<PRECISION>);           \
  SAY(LinearBackwardParameters<PRECISION>);      \
  SAY(LinearActivationForward<PRECISION>);       \
  SAY(LinearActivationBackwardInput<PRECISION>); \
  SAY(ActivationForward<PRECISION>);             \
  SAY(ActivationBackward<PRECISION>);            \
  SAY(AttentionForward<PRECISION>);              \
  SAY(AttentionBackward<PRECISION>);             \
  SAY(DropoutApply<PRECISION>);                  \
  SAY(ResidualNormForward<PRECISION>);           \
  SAY(ResidualNormBackward<PRECISION>);          \
  SAY(EmbeddingForward<PRECISION>);              \
  SAY(EmbeddingBackward<PRECISION>);             \
  SAY(AdamWStep<PRECISION>);                     \
  SAY(SumOfSquares<PRECISION>)
#define HONE_CPU_KERNELS_OF_MIXED(SAY) SAY(LinearResidualForward<mixed>)
#define HONE_KERNEL_HERE(OPERATION) template void detail::run_kernel(HostContext&, OPERATION const&)
#if defined(HONE_KERNELS_ELSEWHERE)
#define HONE_KERNEL_ELSEWHERE(OPERATION)                                   \
  extern template void detail::run_kernel(HostContext&, OPERATION const&); \
  template <>                                                              \
  inline constexpr bool detail::has_kernel<OPERATION> = true
HONE_CPU_KERNELS(HONE_KERNEL_ELSEWHERE, fp32);
HONE_CPU_KERNELS(HONE_KERNEL_ELSEWHERE, fp64);
HONE_CPU_KERNELS(HONE_KERNEL_ELSEWHERE, mixed);
HONE_CPU_KERNELS_OF_MIXED(HONE_KERNEL_ELSEWHERE);
#undef HONE_KERNEL_ELSEWHERE
#endif

}  // namespace hone
