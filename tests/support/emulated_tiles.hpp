// The kernels for tiles with tiles emulated in plain C++, in namespace hone::detail::emulated: they run on every processor.
#pragma once

#include "hone/cpu/simd_tiles.hpp"

#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wpsabi"  // to the end of the file that includes this, where templates are instantiated
#endif
#define HONE_SIMD emulated
#define HONE_SIMD_BYTES 64
#define HONE_SIMD_AVX512 0
#define HONE_SIMD_BF16 0
#define HONE_SIMD_AMX 0
#define HONE_TARGET
#include "hone/cpu/simd/tile_kernels.inl"
#undef HONE_SIMD
#undef HONE_SIMD_BYTES
#undef HONE_SIMD_AVX512
#undef HONE_SIMD_BF16
#undef HONE_SIMD_AMX
#undef HONE_TARGET
