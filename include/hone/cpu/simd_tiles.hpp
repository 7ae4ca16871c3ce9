#pragma once

// Kernels of `mixed` for processors with AMX, in namespace hone::detail::amx, and its products for those whose AVX-512 has
// fast dot products of bfloat16, in hone::detail::avx512_bf16: cpu/simd.hpp says why files are included so. Operations that
// have no kernel here run on those of namespace avx512.

#include <cstdlib>

#include "hone/cpu/packed_weights.hpp"
#include "hone/cpu/simd.hpp"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

#if defined(HONE_X86_64_KERNELS)
#define HONE_SIMD amx
#define HONE_SIMD_BYTES 64
#define HONE_SIMD_AVX512 1
#define HONE_SIMD_BF16 1
#define HONE_SIMD_AMX 1
#define HONE_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")))
#include "hone/cpu/simd/tile_kernels.inl"
#undef HONE_SIMD
#undef HONE_SIMD_BYTES
#undef HONE_SIMD_AVX512
#undef HONE_SIMD_BF16
#undef HONE_SIMD_AMX
#undef HONE_TARGET

#define HONE_SIMD avx512_bf16
#define HONE_SIMD_BYTES 64
#define HONE_SIMD_AVX512 1
#define HONE_SIMD_BF16 1
#define HONE_SIMD_DOTS 1
#define HONE_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")))
#include "hone/cpu/simd/dot_kernels.inl"
#undef HONE_SIMD
#undef HONE_SIMD_BYTES
#undef HONE_SIMD_AVX512
#undef HONE_SIMD_BF16
#undef HONE_SIMD_DOTS
#undef HONE_TARGET
#endif

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
