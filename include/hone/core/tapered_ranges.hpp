#pragma once

#include <algorithm>

#include "hone/core/matrix.hpp"

namespace hone {

/// Cuts 0 .. count - 1 into ranges for threads that take one after the other: of `most`, and at the end as many as there are
/// threads of half of it, of a quarter, ..., of 1, so that they end together however fast each of them is. With few things
/// there are smaller ranges only. For work whose results do not depend on where it is cut.
class TaperedRanges {
 public:
  /// @param most  a power of two
  TaperedRanges(Index count, Index most, Index threads) : count_(count), most_(most), threads_(threads > 1 ? threads : 0) {
    while (most_ > 1 && threads_ * (2 * most_ - 1) > count_) most_ /= 2;
    whole_ = std::max<Index>(0, count_ - threads_ * (most_ - 1));
    whole_ranges_ = (whole_ + most_ - 1) / most_;
  }
  /// How many ranges there are.
  Index size() const {
    Index sizes = 0;
    for (Index each = most_; each > 1; each /= 2) ++sizes;
    return whole_ranges_ + sizes * threads_;
  }
  /// Where range i begins; begin(size()) is `count`.
  Index begin(Index i) const {
    if (i <= whole_ranges_) return std::min(i * most_, whole_);
    Index first = whole_;
    i -= whole_ranges_;
    for (Index each = most_ / 2; each > 0; each /= 2) {
      Index const here = std::min(i, threads_);
      first += here * each;
      i -= here;
    }
    return first;
  }

 private:
  Index count_, most_, threads_, whole_, whole_ranges_;
};

}  // namespace hone
