#include "hone/train/metrics.hpp"

#include <cmath>
#include <vector>

#include "support/catch.hpp"
#include "support/error_matcher.hpp"

using namespace hone;

TEST_CASE("Wilson's interval has the values that its definition gives") {
  // Roots x of (p - x)^2 = z^2 x (1 - x) / n, which defines the interval, solved with 40 digits.
  struct Known {
    Index right, total;
    double low, high;
  };
  for (Known const known : {Known{8, 10, 0.4901624715, 0.9433178485}, Known{50, 100, 0.4038315304, 0.5961684696},
                            Known{9223, 10000, 0.9168895367, 0.9273861382}, Known{1, 3, 0.0614919447, 0.7923403992}}) {
    INFO(known.right << " of " << known.total);
    Interval const interval = wilson_interval(known.right, known.total);
    CHECK(interval.low == Approx(known.low).epsilon(1e-8));
    CHECK(interval.high == Approx(known.high).epsilon(1e-8));
  }
}

TEST_CASE("Wilson's interval at its ends: never empty, never beyond 0 and 1") {
  CHECK(wilson_interval(0, 0).low == 0);
  CHECK(wilson_interval(0, 0).high == 1);
  CHECK(wilson_interval(0, 20).low == 0);
  CHECK(wilson_interval(0, 20).high == Approx(0.1611252).epsilon(1e-5));
  CHECK(wilson_interval(20, 20).high == 1);
  CHECK(wilson_interval(20, 20).low == Approx(1 - 0.1611252).epsilon(1e-5));
}

TEST_CASE("a confusion table counts truth by row and prediction by column") {
  ConfusionTable table(3);
  CHECK(std::isnan(table.accuracy()));
  table.add(0, 0);
  table.add(0, 2);
  table.add(0, 2);
  table.add(2, 2);
  CHECK(table(0, 2) == 2);
  CHECK(table(2, 0) == 0);
  CHECK(table.total() == 4);
  CHECK(table.right() == 2);
  CHECK(table.accuracy() == 0.5);
  CHECK(test::error_number([&] { table.add(3, 0); }) == 602);
  CHECK(test::error_number([&] { table.add(0, -1); }) == 602);
}

TEST_CASE("mean absolute error") {
  std::vector<double> const predicted{1.5, 9, 4}, truth{1, 10, 4};
  CHECK(mean_absolute_error(predicted, truth) == Approx(0.5));
  CHECK(std::isnan(mean_absolute_error({}, {})));
  CHECK(test::error_number([&] { mean_absolute_error(predicted, std::vector<double>{1}); }) == 602);
}

TEST_CASE("softmax adds up to one, also for scores that exp cannot take") {
  auto const shares = softmax(std::vector<double>{1000, 1000 + std::log(3.0)});
  CHECK(shares[0] == Approx(0.25));
  CHECK(shares[1] == Approx(0.75));
}
