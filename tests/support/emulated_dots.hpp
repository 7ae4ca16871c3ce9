// The kernels for dot products of bfloat16 with the instruction in plain C++, in namespace hone::detail::emulated_dots: they
// run on every processor.
#pragma once

#include "hone/cpu/simd_tiles.hpp"

#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wpsabi"  // to the end of the file that includes this, where templates are instantiated
#endif
#define HONE_SIMD emulated_dots
#define HONE_SIMD_BYTES 64
#define HONE_SIMD_AVX512 0
#define HONE_SIMD_BF16 0
#define HONE_SIMD_DOTS 1
#define HONE_TARGET
#include "hone/cpu/simd/vector.inl"
#include "hone/cpu/simd/vector_math.inl"
#include "hone/cpu/simd/transpose.inl"
#include "hone/cpu/simd/dropout_mask.inl"
#include "hone/cpu/simd/lane_instructions.inl"
#include "hone/cpu/simd/strip_philox.inl"
#include "hone/cpu/simd/column_sums.inl"
#include "hone/cpu/simd/gemm.inl"
#include "hone/cpu/simd/activation.inl"
#include "hone/cpu/simd/pack_bfloat16.inl"

namespace hone::detail::emulated_dots {

inline constexpr int tile_bytes = 64, tile_size = 16 * tile_bytes;

class TileRegion {
 public:
  TileRegion() {}
  ~TileRegion() {}
};

inline Vec<float> add_dots(Vec<float> sum, Vec<float> a, Vec<float> b) {
  for (int i = 0; i < lanes<float>; ++i) {
    bfloat16 left[2], right[2];
    std::memcpy(left, reinterpret_cast<float const*>(&a) + i, sizeof left);
    std::memcpy(right, reinterpret_cast<float const*>(&b) + i, sizeof right);
    sum[i] += float(left[0]) * float(right[0]) + float(left[1]) * float(right[1]);
  }
  return sum;
}
struct DotProducts {
  static constexpr int values = 2;
  template <class T>
  static Vec<T> add(Vec<T> sum, Vec<T> a, Vec<T> b) {
    return add_dots(sum, a, b);
  }
};
template <class Beside>
void multiply_by_dots(Index steps, char const* a, Index row, Index half, Index step_bytes, bfloat16 const* b, float* sums,
                      Index sums_row, bool adds, Beside const& beside) {
  for (Index r = 0; r < packed_side; ++r)
    for (Index c = 0; c < packed_side; ++c) {
      float sum = adds ? sums[r * sums_row + c] : 0;
      for (Index step = 0; step < steps; ++step) {
        if (r == 0 && c == 0) beside(step, 0);
        for (Index k = 0; k < packed_side; ++k) {
          bfloat16 left;
          std::memcpy(&left, a + r / 16 * half + r % 16 * row + step * step_bytes + 2 * k, sizeof left);
          bfloat16 const* const tile = b + step * packed_step + c / 16 * (packed_step / 2);
          bfloat16 const right = tile[k / 2 * packed_side + c % 16 * 2 + k % 2];
          sum += float(left) * float(right);
        }
      }
      sums[r * sums_row + c] = sum;
    }
}

}  // namespace hone::detail::emulated_dots

#include "hone/cpu/simd/block_product.inl"
#include "hone/cpu/simd/linear_bfloat16.inl"
#include "hone/cpu/simd/linear_gradient_bfloat16.inl"
#include "hone/cpu/simd/attention_block.inl"
#include "hone/cpu/simd/attention_bfloat16.inl"
#undef HONE_SIMD
#undef HONE_SIMD_BYTES
#undef HONE_SIMD_AVX512
#undef HONE_SIMD_BF16
#undef HONE_SIMD_DOTS
#undef HONE_TARGET
