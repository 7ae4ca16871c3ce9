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

/// sum + the dot products of a's pairs with b's.
HONE_SIMD_INLINE inline Vec<float> add_dots(Vec<float> sum, Vec<float> a, Vec<float> b) {
  __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(b), "v"(a));
  return sum;
}
/// For multiply_tile: what looks like float is a pair of bfloat16.
struct DotProducts {
  static constexpr int values = 2;
  template <class T>
  HONE_SIMD_INLINE static Vec<T> add(Vec<T> sum, Vec<T> a, Vec<T> b) {
    return add_dots(sum, a, b);
  }
};
/// A pair of values in all lanes.
HONE_SIMD_INLINE inline Vec<float> splat_pair(char const* pair) {
  float bits;
  std::memcpy(&bits, pair, sizeof bits);
  return splat(bits);
}

/// sums (+)= a b over `steps` steps, eight rows at a time: a left block's rows 16 h + r from a + h * half + r * row on, its
/// steps `step_bytes` apart.
template <class Beside>
HONE_SIMD_INLINE inline void multiply_by_dots(Index steps, char const* a, Index row, Index half, Index step_bytes,
                                              bfloat16 const* b, float* sums, Index sums_row, bool adds,
                                              Beside const& beside) {
  constexpr int rows = 8, pairs = static_cast<int>(packed_side) / 2;
  for (int first = 0; first < packed_side; first += rows, sums += rows * sums_row) {
    Vec<float> acc[rows][2] = {};
    if (adds)
      HONE_UNROLL for (int r = 0; r < rows; ++r)
        HONE_UNROLL for (int v = 0; v < 2; ++v) acc[r][v] = load(sums + r * sums_row + v * lanes<float>);
    char const* left = a + first / 16 * half + first % 16 * row;
    bfloat16 const* right = b;
    for (Index step = 0; step < steps; ++step, left += step_bytes, right += packed_step) {
      if (first == 0) beside(step, 0);
      char const* const place[3] = {left, left + 3 * row, left + 6 * row};  // of rows that an address reaches
      HONE_UNROLL for (int pair = 0; pair < pairs; ++pair) {
        Vec<float> column[2];
        HONE_UNROLL for (int v = 0; v < 2; ++v)
          column[v] = reinterpret_cast<Vec<float>>(load_line(right + v * (packed_step / 2) + pair * packed_side));
        HONE_UNROLL for (int r = 0; r < rows; ++r) {
          Vec<float> const value = splat_pair(place[r / 3] + r % 3 * row + 4 * pair);
          HONE_UNROLL for (int v = 0; v < 2; ++v) acc[r][v] = add_dots(acc[r][v], value, column[v]);
        }
      }
    }
    HONE_UNROLL for (int r = 0; r < rows; ++r)
      HONE_UNROLL for (int v = 0; v < 2; ++v) store(sums + r * sums_row + v * lanes<float>, acc[r][v]);
  }
}

}  // namespace hone::detail::HONE_SIMD
