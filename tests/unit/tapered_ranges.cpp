#include "hone/core/tapered_ranges.hpp"

#include <algorithm>
#include <vector>

#include "support/catch.hpp"

using hone::Index;
using hone::TaperedRanges;

namespace {
std::vector<Index> sizes(Index count, Index most, Index threads) {
  TaperedRanges const ranges(count, most, threads);
  std::vector<Index> sizes;
  for (Index i = 0; i < ranges.size(); ++i) sizes.push_back(ranges.begin(i + 1) - ranges.begin(i));
  return sizes;
}
}  // namespace

TEST_CASE("tapered ranges cover everything once") {
  for (Index count = 0; count < 200; ++count)
    for (Index most : {1, 2, 8, 16})
      for (Index threads : {1, 2, 3, 16, 64}) {
        TaperedRanges const ranges(count, most, threads);
        INFO(count << " things, " << most << " at most, " << threads << " threads");
        CHECK(ranges.begin(0) == 0);
        CHECK(ranges.begin(ranges.size()) == count);
        auto const all = sizes(count, most, threads);
        CHECK(std::all_of(all.begin(), all.end(), [&](Index size) { return size > 0 && size <= most; }));
      }
}

TEST_CASE("tapered ranges end with small ones, as many as there are threads") {
  CHECK(sizes(46, 8, 2) == std::vector<Index>{8, 8, 8, 8, 4, 4, 2, 2, 1, 1});
  CHECK(sizes(45, 8, 2) == std::vector<Index>{8, 8, 8, 7, 4, 4, 2, 2, 1, 1});  // what does not divide stands before them
  CHECK(sizes(20, 8, 4) == std::vector<Index>{2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1});  // few things: no large ones
  CHECK(sizes(3, 8, 4) == std::vector<Index>{1, 1, 1});
  CHECK(sizes(20, 8, 1) == std::vector<Index>{8, 8, 4});  // a thread alone waits for nobody
}
