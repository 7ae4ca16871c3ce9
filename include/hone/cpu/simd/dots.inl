// What block_product.inl needs of tiles, on vectors: for processors whose dot products of bfloat16 pairs (VDPBF16PS) are
// fast. The operands are packed as for tiles.
namespace hone::detail::HONE_SIMD {

inline constexpr int tile_bytes = 64;
inline constexpr int tile_size = 16 * tile_bytes;

/// Vectors need no configuration.
class TileRegion {
 public:
  HONE_SIMD_INLINE TileRegion() {}
  TileRegion(TileRegion const&) = delete;
  TileRegion& operator=(TileRegion const&) = delete;
  HONE_SIMD_INLINE ~TileRegion() {}
};

/// sum += the dot products of `a`'s pair with each of b's 16 pairs.
HONE_SIMD_INLINE inline void add_dots(Vec<float>& sum, char const* a, Vec<float> b) {
  __asm__("vdpbf16ps %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(b), "m"(*reinterpret_cast<char const(*)[4]>(a)));
}

/// sums (+)= a b over `steps` steps: rows of the left block at a(row), their steps `step_bytes` apart; eight rows at a time.
template <class Row, class Beside>
HONE_SIMD_INLINE inline void multiply_by_dots(Index steps, Row const& a, Index step_bytes, bfloat16 const* b, float* sums,
                                              Index sums_row, bool adds, Beside const& beside) {
  constexpr int rows = 8;
  for (Index first = 0; first < packed_side; first += rows) {
    Vec<float> acc[rows][2] = {};
    char const* from[rows];
    HONE_UNROLL for (int r = 0; r < rows; ++r) {
      from[r] = a(first + r);
      if (!adds) continue;
      acc[r][0] = load(sums + (first + r) * sums_row);
      acc[r][1] = load(sums + (first + r) * sums_row + 16);
    }
    bfloat16 const* right = b;
    for (Index step = 0; step < steps; ++step, right += packed_step) {
      for (Index pair = 0; pair < packed_side / 2; ++pair) {
        auto const low = reinterpret_cast<Vec<float>>(load_line(right + pair * packed_side));
        auto const high = reinterpret_cast<Vec<float>>(load_line(right + packed_step / 2 + pair * packed_side));
        HONE_UNROLL for (int r = 0; r < rows; ++r) {
          add_dots(acc[r][0], from[r] + step * step_bytes + 4 * pair, low);
          add_dots(acc[r][1], from[r] + step * step_bytes + 4 * pair, high);
        }
      }
      if (first == 0) beside(step);
    }
    HONE_UNROLL for (int r = 0; r < rows; ++r) {
      store(sums + (first + r) * sums_row, acc[r][0]);
      store(sums + (first + r) * sums_row + 16, acc[r][1]);
    }
  }
}

}  // namespace hone::detail::HONE_SIMD
