// Tiles of AMX: eight registers of 16 rows x 64 bytes. In namespace amx the processor's, in namespace emulated plain C++
// with the same bits, so that one kernel source is tested on every processor.
//
//   TileRegion const region;              // this thread may use tiles from here on
//   tile_zero<0>();                       // fp32 16 x 16
//   tile_load<4>(a, a_stride_in_bytes);   // bf16 16 x 32, row-major
//   tile_load<6>(b, 64);                  // bf16 32 x 16, pairs of rows interleaved: row k holds b(2k, n), b(2k + 1, n)
//   tile_multiply<0, 4, 6>();             // 0 += 4 * 6
//   tile_store<0>(sums, stride_in_bytes);
//
// Source: Intel SDM 2, LDTILECFG, TILELOADD, TDPBF16PS.
namespace hone::detail::HONE_SIMD {

inline constexpr int tile_rows = 16;         ///< of every tile
inline constexpr int tile_bytes = 64;        ///< of a row of a tile
inline constexpr int tile_depth = 32;        ///< bf16 values in a row of a tile: the inner dimension of one multiplication
inline constexpr int tile_cols = 16;         ///< fp32 values in a row of a tile
inline constexpr int tile_size = tile_rows * tile_bytes;  ///< bytes of a tile

#if HONE_SIMD_AMX

/// What LDTILECFG reads: palette 1, all eight tiles of 16 rows x 64 bytes.
struct alignas(64) TileConfiguration {
  std::uint8_t palette = 1, start_row = 0, reserved[14]{};
  std::uint16_t row_bytes[16]{64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16]{16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfiguration) == 64);
inline constexpr TileConfiguration tile_configuration{};

/// While it lives its thread may use tiles; they begin as zeros. A few tens of cycles, so once for a chunk of work, inside
/// the body that the thread pool runs. The configuration does not survive calls of other people's code.
class TileRegion {
 public:
  HONE_SIMD_INLINE TileRegion() { __asm__ volatile("ldtilecfg %0" : : "m"(tile_configuration) : "memory"); }
  TileRegion(TileRegion const&) = delete;
  TileRegion& operator=(TileRegion const&) = delete;
  HONE_SIMD_INLINE ~TileRegion() { __asm__ volatile("tilerelease" : : : "memory"); }
};

/// tile = 0
template <int tile>
HONE_SIMD_INLINE inline void tile_zero() {
  __asm__ volatile("tilezero %%tmm%c0" : : "i"(tile));
}
/// tile = 16 rows of 64 bytes, `stride` bytes apart
template <int tile>
HONE_SIMD_INLINE inline void tile_load(void const* from, Index stride) {
  __asm__ volatile("tileloadd (%1,%2,1), %%tmm%c0" : : "i"(tile), "r"(from), "r"(stride) : "memory");
}
/// The same, of what is read once before it leaves the nearest cache, where it shall take no place of what stays.
template <int tile>
HONE_SIMD_INLINE inline void tile_load_passing(void const* from, Index stride) {
  __asm__ volatile("tileloaddt1 (%1,%2,1), %%tmm%c0" : : "i"(tile), "r"(from), "r"(stride) : "memory");
}
/// 16 rows of 64 bytes, `stride` bytes apart = tile
template <int tile>
HONE_SIMD_INLINE inline void tile_store(void* to, Index stride) {
  __asm__ volatile("tilestored %%tmm%c0, (%1,%2,1)" : : "i"(tile), "r"(to), "r"(stride) : "memory");
}
/// sums += a * b: bf16 products summed in fp32
template <int sums, int a, int b>
HONE_SIMD_INLINE inline void tile_multiply() {
  __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(sums), "i"(a), "i"(b));
}

#else

/// The eight tiles of a thread, as the processor has them.
struct EmulatedTiles {
  alignas(64) unsigned char bytes[8][tile_size];
  int regions = 0;
};
inline EmulatedTiles& emulated_tiles() {
  static thread_local EmulatedTiles tiles;
  return tiles;
}
/// Tiles that are used outside of a region: an illegal instruction.
inline EmulatedTiles& configured_tiles() {
  if (emulated_tiles().regions != 1) std::abort();
  return emulated_tiles();
}

class TileRegion {
 public:
  TileRegion() {
    std::memset(emulated_tiles().bytes, 0, sizeof emulated_tiles().bytes);
    ++emulated_tiles().regions;
    configured_tiles();
  }
  TileRegion(TileRegion const&) = delete;
  TileRegion& operator=(TileRegion const&) = delete;
  ~TileRegion() { --emulated_tiles().regions; }
};

template <int tile>
inline void tile_zero() {
  std::memset(configured_tiles().bytes[tile], 0, tile_size);
}
template <int tile>
inline void tile_load(void const* from, Index stride) {
  for (int r = 0; r < tile_rows; ++r)
    std::memcpy(configured_tiles().bytes[tile] + r * tile_bytes, static_cast<char const*>(from) + r * stride, tile_bytes);
}
template <int tile>
inline void tile_load_passing(void const* from, Index stride) {
  tile_load<tile>(from, stride);
}
template <int tile>
inline void tile_store(void* to, Index stride) {
  for (int r = 0; r < tile_rows; ++r)
    std::memcpy(static_cast<char*>(to) + r * stride, configured_tiles().bytes[tile] + r * tile_bytes, tile_bytes);
}
/// The products of even and of odd positions are summed apart, in ascending order and with one rounding each (FMA); their
/// sum is added to what was there. Denormal numbers count as zero, and results that would be become zero.
template <int sums, int a, int b>
inline void tile_multiply() {
  EmulatedTiles& tiles = configured_tiles();
  for (int m = 0; m < tile_rows; ++m)
    for (int n = 0; n < tile_cols; ++n) {
      float parts[2] = {0, 0}, sum;
      for (int k = 0; k < tile_depth; ++k) {
        bfloat16 x, y;
        std::memcpy(&x, tiles.bytes[a] + m * tile_bytes + 2 * k, sizeof x);
        std::memcpy(&y, tiles.bytes[b] + k / 2 * tile_bytes + 4 * n + 2 * (k % 2), sizeof y);
        parts[k % 2] = without_denormals(std::fma(without_denormals(x), without_denormals(y), parts[k % 2]));
      }
      unsigned char* const place = tiles.bytes[sums] + m * tile_bytes + 4 * n;
      std::memcpy(&sum, place, sizeof sum);
      sum = without_denormals(without_denormals(sum) + without_denormals(parts[0] + parts[1]));
      std::memcpy(place, &sum, sizeof sum);
    }
}

#endif

}  // namespace hone::detail::HONE_SIMD
