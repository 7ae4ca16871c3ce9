// Products of bfloat16 by dot products, for the instruction set that the macros name: see cpu/simd_tiles.hpp.

#include "hone/cpu/simd/vector.inl"
#include "hone/cpu/simd/vector_math.inl"
#include "hone/cpu/simd/transpose.inl"
#include "hone/cpu/simd/dropout_mask.inl"
#include "hone/cpu/simd/activation.inl"
#include "hone/cpu/simd/pack_bfloat16.inl"
#include "hone/cpu/simd/dots.inl"
#include "hone/cpu/simd/block_product.inl"
#include "hone/cpu/simd/linear_bfloat16.inl"
#include "hone/cpu/simd/linear_gradient_bfloat16.inl"
