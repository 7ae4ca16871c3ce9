// Sums of columns under the block emulator, against sums in double.
#include "hone/cuda/column_sums.hpp"

#include "support/check_orders.hpp"

namespace {

using namespace hone;
using hone::test::Grid;

template <class A, class M>
void check(Index rows, Index cols, Index gap, Write write) {
  INFO("rows " << rows << ", columns " << cols << ", gap " << gap << ", adds " << (write == Write::add));
  auto const x = Grid<A>::random(rows, cols, 1, 1, gap);
  auto const before = Grid<M>::random(1, cols, 2);
  auto const got = test::check_orders([&](testing::EmulatorContext& context) {
    Grid<M> out = before;
    Index const room = detail::column_partials_size(rows, cols);
    auto* const partials = static_cast<M*>(context.scratch(static_cast<std::size_t>(room) * sizeof(M)));
    detail::column_sums<testing::EmulatorContext, A, M>(context, x.view(), out.vector(), write, partials);
    return std::vector<Grid<M>>{out};
  });
  Grid<M> expected(1, cols);
  for (Index c = 0; c < cols; ++c) {
    double sum = write == Write::add ? static_cast<double>(before(0, c)) : 0;
    for (Index n = 0; n < rows; ++n) sum += static_cast<double>(x(n, c));
    expected(0, c) = static_cast<M>(sum);
  }
  test::require_close<M>(got[0], expected, rows);
}

TEST_CASE("column sums are right at every size, in one order of additions") {
  for (Write const write : {Write::assign, Write::add})
    for (Index const rows : {1, 7, 128, 129, 300})
      for (Index const cols : {1, 31, 64, 65, 200}) {
        check<bfloat16, float>(rows, cols, 3, write);
        check<float, float>(rows, cols, 0, write);
      }
  check<double, double>(300, 65, 1, Write::add);
}

TEST_CASE("the rows of a block depend on their number alone, and there are never too many blocks") {
  for (Index const rows :
       {Index(0), Index(1), Index(128), Index(129), Index(65535) * 128, Index(65535) * 128 + 1, Index(1) << 40}) {
    INFO(rows);
    CHECK(detail::column_sum_blocks(rows) <= 65535);
    CHECK(detail::column_sum_blocks(rows) * detail::column_sum_rows(rows) >= rows);
  }
}

}  // namespace
