namespace hone::detail::HONE_SIMD {

/// How many rows the kernels of norms take at a time, so that a processor has several sums to work at.
inline constexpr int strip_height = 4;

/// Dropout's random words for a strip of rows of tokens: lane i belongs to row i / blocks of it and to the eight columns of
/// block i % blocks of those asked for.
///
/// Of Philox's ten rounds the first two need no work for each row and column: in them no word depends on both. What they
/// leave is made once for some columns and once for some rows:
///   Words words[4];
///   philox.join(columns, rows, words);
///   philox.rounds<0, StripPhilox::late_rounds>(words);
///   philox.in_order(words, bits);
class StripPhilox {
 public:
  static constexpr int blocks = word_lanes / strip_height, late_rounds = 8;
  struct Columns {
    Words word0, word1, word2;
  };
  struct Rows {
    Words word0, word2, word3;
  };

  HONE_TARGET explicit StripPhilox(Dropout const& dropout) : dropout_(dropout) {
    for (int round = 0; round < late_rounds; ++round) {
      auto const before = static_cast<std::uint32_t>(round + 2);
      keys_[round][0] = Words{} + (dropout.key0 + before * step0);
      keys_[round][1] = Words{} + (dropout.key1 + before * step1);
    }
  }

  Dropout const& dropout() const { return dropout_; }

  /// Of columns 8 * block and on.
  HONE_SIMD_INLINE Columns columns(std::uint32_t block) const {
    Words first{}, low0, high0, low1, high1;
    for (int lane = 0; lane < word_lanes; ++lane) first[lane] = static_cast<std::uint32_t>(lane % blocks);
    multiply_wide(first + block, factor0, low0, high0);
    multiply_wide(high0 ^ dropout_.step ^ dropout_.key1, factor1, low1, high1);
    return {high1 ^ (dropout_.key0 + step0), low1, low0 ^ (dropout_.key1 + step1)};
  }
  /// Of rows n .. n + count - 1; what else a strip has repeats the last of them.
  HONE_SIMD_INLINE Rows rows(RowMap const& map, Index n, int count) const {
    // Lane by lane, not by memory: what reads several stores at once waits for them behind all stores before.
    Words position{}, example{}, low0, high0, low1, high1;
    for (int lane = 0; lane < word_lanes; ++lane) {
      Index const row = n + std::min(lane / blocks, count - 1);
      position[lane] = static_cast<std::uint32_t>(map.position[row]);
      example[lane] = static_cast<std::uint32_t>(map.example(row));
    }
    multiply_wide(example, factor1, low1, high1);
    multiply_wide(high1 ^ position ^ dropout_.key0, factor0, low0, high0);
    return {low1, high0, low0};
  }
  HONE_SIMD_INLINE static void join(Columns const& columns, Rows const& rows, Words (&words)[4]) {
    words[0] = rows.word0 ^ columns.word0;
    words[1] = columns.word1;
    words[2] = rows.word2 ^ columns.word2;
    words[3] = rows.word3;
  }
  /// Rounds `first` .. `last` - 1 of late_rounds.
  template <int first, int last>
  HONE_SIMD_INLINE void rounds(Words (&words)[4]) const {
    HONE_UNROLL for (int round = first; round < last; ++round) {
      Words low0, high0, low1, high1;
      multiply_wide(words[0], factor0, low0, high0);
      multiply_wide(words[2], factor1, low1, high1);
      words[0] = high1 ^ words[1] ^ keys_[round][0];
      words[2] = high0 ^ words[3] ^ keys_[round][1];
      words[1] = low1;
      words[3] = low0;
    }
  }
  /// After the last round: vector r has the random bits of row r, sixteen a column, in order.
  HONE_SIMD_INLINE static void in_order(Words const (&words)[4], Vec<float> (&rows)[strip_height]) {
    HONE_UNROLL for (int w = 0; w < 4; ++w) rows[w] = reinterpret_cast<Vec<float>>(words[w]);
    interleave<float>(rows[0], rows[2]);
    interleave<float>(rows[1], rows[3]);
    interleave<float>(rows[0], rows[1]);
    interleave<float>(rows[2], rows[3]);
  }

 private:
  static_assert(strip_height == 4, "a lane has as many words as a strip has rows, so that they can change places");
  static constexpr std::uint32_t factor0 = 0xD2511F53u, factor1 = 0xCD9E8D57u;
  static constexpr std::uint32_t step0 = 0x9E3779B9u, step1 = 0xBB67AE85u;

  Dropout dropout_;
  Words keys_[late_rounds][2];
};

}  // namespace hone::detail::HONE_SIMD
