// Kernels on tiles of bfloat16, for the instruction set that the macros name: see cpu/simd_tiles.hpp. No include guard, on
// purpose.

#include "hone/cpu/simd/vector.inl"
#include "hone/cpu/simd/vector_math.inl"
#include "hone/cpu/simd/transpose.inl"
#include "hone/cpu/simd/dropout_mask.inl"
#include "hone/cpu/simd/column_sums.inl"
#include "hone/cpu/simd/tiles.inl"
#include "hone/cpu/simd/pack_bfloat16.inl"
#include "hone/cpu/simd/block_product.inl"
#include "hone/cpu/simd/linear_bfloat16.inl"
