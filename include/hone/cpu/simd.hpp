#pragma once

// The vector kernels of cpu/simd/, compiled once for each instruction set, in a namespace each. They are included again and
// again because a function's target is an attribute that no template argument can set, and because inline code that depended
// on the compiler's flags would differ between the files of one program.

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <thread>
#include <type_traits>
#include <utility>

#include "hone/core/bfloat16.hpp"
#include "hone/core/config.hpp"
#include "hone/core/dropout.hpp"
#include "hone/core/host_context.hpp"
#include "hone/core/matrix.hpp"
#include "hone/core/precision.hpp"
#include "hone/core/row_map.hpp"
#include "hone/core/tapered_ranges.hpp"
#include "hone/core/used_rows.hpp"
#include "hone/cpu/attention_items.hpp"
#include "hone/cpu/packed_weights.hpp"
#include "hone/cpu/scratch.hpp"
#include "hone/cpu/vector_sizes.hpp"
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

namespace hone::detail {

/// A step known to the compiler.
template <Index value>
using Step = std::integral_constant<Index, value>;

}  // namespace hone::detail

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"  // vectors are passed between functions of one target alone, and inlined
#endif

#define HONE_SIMD portable
#define HONE_SIMD_BYTES 16
#define HONE_SIMD_AVX512 0
#define HONE_TARGET
#include "hone/cpu/simd/kernels.inl"
#undef HONE_SIMD
#undef HONE_SIMD_BYTES
#undef HONE_SIMD_AVX512
#undef HONE_TARGET

#if defined(HONE_X86_64_KERNELS)
#define HONE_SIMD avx2
#define HONE_SIMD_BYTES 32
#define HONE_SIMD_AVX512 0
#define HONE_TARGET __attribute__((target("avx2,fma")))
#include "hone/cpu/simd/kernels.inl"
#undef HONE_SIMD
#undef HONE_SIMD_BYTES
#undef HONE_SIMD_AVX512
#undef HONE_TARGET

#define HONE_SIMD avx512
#define HONE_SIMD_BYTES 64
#define HONE_SIMD_AVX512 1
#define HONE_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#include "hone/cpu/simd/kernels.inl"
#undef HONE_SIMD
#undef HONE_SIMD_BYTES
#undef HONE_SIMD_AVX512
#undef HONE_TARGET
#endif

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

namespace hone::detail {

static_assert(vector_sizes<float>(InstructionSet::portable).lanes == portable::lanes<float>);
#if defined(HONE_X86_64_KERNELS)
static_assert(vector_sizes<float>(InstructionSet::avx2).lanes == avx2::lanes<float>);
static_assert(vector_sizes<float>(InstructionSet::avx512).lanes == avx512::lanes<float>);
#endif

}  // namespace hone::detail
