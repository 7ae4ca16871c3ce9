#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "hone/metrics/accuracy.hpp"
#include "hone/metrics/bootstrap.hpp"
#include "hone/metrics/calibration.hpp"
#include "hone/metrics/confusion.hpp"
#include "hone/metrics/f1.hpp"
#include "hone/metrics/holm.hpp"
#include "hone/metrics/interval.hpp"
#include "hone/metrics/kappa.hpp"
#include "hone/metrics/matthews.hpp"
#include "hone/metrics/mcnemar.hpp"
#include "hone/metrics/precision_recall_curve.hpp"
#include "hone/metrics/probability.hpp"
#include "hone/metrics/rank.hpp"
#include "hone/metrics/regression.hpp"
#include "hone/metrics/roc.hpp"
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

TEST_CASE("no examples give NaN and no crash") {
  std::vector<double> const none;
  CHECK(std::isnan(accuracy(none, none)));
  CHECK(std::isnan(mcc(none, none)));
  CHECK(std::isnan(mcc(ConfusionTable(2))));
  CHECK(std::isnan(mcc(ConfusionTable())));
  CHECK(std::isnan(f1(none, none)));
  CHECK(std::isnan(average_measures(ConfusionTable(3), Average::macro).f1));
  CHECK(std::isnan(class_measures(ConfusionTable(3), 2).recall));
  CHECK(std::isnan(roc_auc(none, none)));
  CHECK(std::isnan(roc_auc(none, none, 3)));
  CHECK(roc_curve(none, none).threshold.empty());
  CHECK(std::isnan(average_precision(none, none)));
  CHECK(pr_curve(none, none).precision.empty());
  CHECK(std::isnan(brier_score(none, none)));
  CHECK(std::isnan(log_loss(none, none, 2)));
  CHECK(calibration_bins(none, none, 2).size() == 15);
  CHECK(std::isnan(expected_calibration_error(none, none, 2)));
  CHECK(std::isnan(root_mean_square_error(none, none)));
  CHECK(std::isnan(spearman(none, none)));
  CHECK(average_ranks(none).empty());
  CHECK(std::isnan(quadratic_kappa(none, none)));
  CHECK(std::isnan(quadratic_kappa(none, none, 1, 10)));
  CHECK(std::isnan(bootstrap_interval(none).low));
  CHECK(std::isnan(bootstrap_interval(0, [](std::span<Index const>) { return 1.0; }).high));
  CHECK(std::isnan(paired_bootstrap(none, none).p_value));
  CHECK(mcnemar(none, none, none).p_value == 1);
}

TEST_CASE("one class alone, constants") {
  std::vector<double> const ones{1, 1, 1}, zeros{0, 0, 0}, score{0.2, 0.4, 0.9};
  CHECK(std::isnan(roc_auc(ones, score)));
  CHECK(std::isnan(roc_auc(zeros, score)));
  CHECK(average_precision(ones, score) == 1);
  CHECK(std::isnan(average_precision(zeros, score)));
  CHECK(std::isnan(roc_curve(ones, score).false_positive_rate.back()));
  CHECK(roc_curve(ones, score).true_positive_rate.back() == 1);
  CHECK(mcc(ones, ones) == 0);
  CHECK(f1(zeros, zeros) == 0);
  CHECK(f1(ones, zeros) == 0);
  CHECK(std::isnan(spearman(ones, score)));
  CHECK(std::isnan(pearson(std::vector<double>{0.1, 0.1, 0.1}, score)));  // the mean of 0.1 three times is not 0.1
  CHECK(std::isnan(quadratic_kappa(ones, ones)));
  CHECK(quadratic_kappa(ones, zeros, 0, 1) == 0);
  CHECK(std::isnan(spearman(std::vector<double>{1}, std::vector<double>{2})));
}

TEST_CASE("NaN in predictions gives NaN, never an order that depends on the sort") {
  double const nan = std::nan("");
  std::vector<double> truth, score, table;
  for (int i = 0; i < 100; ++i) {
    truth.push_back(i % 2);
    score.push_back(i % 3 == 0 ? nan : 0.01 * i);
    table.insert(table.end(), {1 - score.back(), score.back()});
  }
  CHECK(std::isnan(roc_auc(truth, score)));
  CHECK(std::isnan(pr_auc(truth, score)));
  CHECK(roc_curve(truth, score).threshold.empty());
  CHECK(pr_curve(truth, score).threshold.empty());
  CHECK(std::isnan(brier_score(truth, score)));
  CHECK(std::isnan(log_loss(truth, table, 2)));
  CHECK(std::isnan(expected_calibration_error(truth, table, 2)));
  Index counted = 0;
  for (auto const& bin : calibration_bins(truth, table, 2)) counted += bin.count;
  CHECK(counted == 66);
  CHECK(std::isnan(mean_absolute_error(truth, score)));
  CHECK(std::isnan(root_mean_square_error(truth, score)));
  CHECK(std::isnan(spearman(truth, score)));
  CHECK(std::isnan(quadratic_kappa(truth, score)));
  CHECK(std::isnan(mcc(truth, score)));
  CHECK(std::isnan(paired_bootstrap(truth, score).p_value));
  CHECK(std::isnan(bootstrap_interval(score).low));
  CHECK(accuracy(std::vector<double>{1, 0}, std::vector<double>{1, nan}) == 0.5);
  CHECK(std::isnan(average_ranks(std::vector<double>{3, nan, 1})[1]));
  CHECK(average_ranks(std::vector<double>{3, nan, 1})[0] == 2);
}

TEST_CASE("wrong input of measures has numbers") {
  std::vector<double> const two{0, 1}, three{0, 1, 1}, half{0.5, 0.5}, beyond{0, 2}, fraction{0.5, 1};
  CHECK(test::error_number([&] { accuracy(two, three); }) == 602);
  CHECK(test::error_number([&] { roc_auc(two, three); }) == 602);
  CHECK(test::error_number([&] { spearman(two, three); }) == 602);
  CHECK(test::error_number([&] { quadratic_kappa(two, three); }) == 602);
  CHECK(test::error_number([&] { paired_bootstrap(two, three); }) == 602);
  CHECK(test::error_number([&] { mcnemar(two, two, three); }) == 602);
  CHECK(test::error_number([&] { mcnemar(-1, 3); }) == 602);
  CHECK(test::error_number([&] { confusion_table(two, beyond, 2); }) == 602);
  CHECK(test::error_number([&] { confusion_table(fraction, two, 2); }) == 602);
  CHECK(test::error_number([&] { confusion_table(std::vector<double>{std::nan(""), 1}, two, 2); }) == 602);
  CHECK(test::error_number([&] { class_measures(ConfusionTable(2), 2); }) == 602);
  CHECK(test::error_number([&] { brier_score(two, half, 2); }) == 602);  // two probabilities for each of two examples
  CHECK(test::error_number([&] { log_loss(two, half, 0); }) == 602);
  CHECK(test::error_number([&] { roc_auc(beyond, half); }) == 603);
  CHECK(test::error_number([&] { pr_curve(std::vector<double>{std::nan(""), 1}, half); }) == 603);
  CHECK(test::error_number([&] { f1(two, half); }) == 603);
  CHECK(test::error_number([&] { brier_score(two, beyond); }) == 604);
  CHECK(test::error_number([&] { calibration_bins(two, std::vector<double>{-1, 2, 0, 1}, 2); }) == 604);
  CHECK(test::error_number([&] { calibration_bins(two, std::vector<double>{0, 1, 0, 1}, 2, 0); }) == 605);
  CHECK(test::error_number([&] { bootstrap_interval(two, {.resamples = 0}); }) == 605);
  CHECK(test::error_number([&] { bootstrap_interval(two, {.level = 1}); }) == 605);
  CHECK(test::error_number([&] { quadratic_kappa(fraction, two); }) == 606);
  CHECK(test::error_number([&] { quadratic_kappa(two, two, 1, 10); }) == 606);
}

TEST_CASE("calibration: bins have their upper edge, the first its lower too, and the table shows both sides") {
  // Confidences 0.5 (of equals the first is predicted), 0.75, 0.75, 1.
  std::vector<double> const truth{0, 1, 0, 1}, probabilities{0.5, 0.5, 0.25, 0.75, 0.25, 0.75, 0, 1};
  auto const bins = calibration_bins(truth, probabilities, 2, 4);
  REQUIRE(bins.size() == 4);
  CHECK(bins[0].count == 0);
  CHECK(std::isnan(bins[0].accuracy));
  CHECK(bins[1].count == 1);
  CHECK(bins[1].accuracy == 1);
  CHECK(bins[2].count == 2);
  CHECK(bins[2].low == 0.5);
  CHECK(bins[2].high == 0.75);
  CHECK(bins[2].accuracy == 0.5);
  CHECK(bins[2].confidence == 0.75);
  CHECK(bins[3].count == 1);
  CHECK(expected_calibration_error(bins) == Approx((0.5 + 2 * 0.25 + 0) / 4));
  CHECK(calibration_bins(std::vector<double>{0}, std::vector<double>{0}, 1, 3)[0].count == 1);
}

TEST_CASE("a bootstrap is the same for the same seed, and its two forms are one") {
  std::vector<double> values;
  PhiloxStream random(5, 5);
  for (int i = 0; i < 400; ++i) values.push_back(random.uniform());
  auto const mean = [&](std::span<Index const> rows) {
    double sum = 0;
    for (Index const row : rows) sum += values[std::size_t(row)];
    return sum / double(rows.size());
  };
  auto const direct = bootstrap_interval(values, {.resamples = 300, .seed = 3});
  auto const called = bootstrap_interval(400, mean, {.resamples = 300, .seed = 3});
  CHECK(direct.low == called.low);
  CHECK(direct.high == called.high);
  CHECK(bootstrap_interval(values, {.resamples = 300, .seed = 4}).low != direct.low);
  // Near the interval of the normal distribution: mean 0.5, deviation 0.2887, of the mean 0.01443.
  auto const wide = bootstrap_interval(values, {.resamples = 4000});
  double const centre = (wide.low + wide.high) / 2, half = (wide.high - wide.low) / 2;
  CHECK(centre == Approx(std::accumulate(values.begin(), values.end(), 0.0) / 400).margin(0.003));
  CHECK(half == Approx(1.96 * 0.01443).epsilon(0.12));
  auto const narrow = bootstrap_interval(values, {.resamples = 4000, .level = 0.5});
  CHECK((narrow.high - narrow.low) / 2 == Approx(0.6745 * 0.01443).epsilon(0.15));
}

TEST_CASE("a bootstrap draws every row as often as any other, and fresh ones for each resample") {
  std::vector<Index> drawn(7, 0);
  std::vector<std::vector<Index>> sets;
  bootstrap_interval(7,
                     [&](std::span<Index const> rows) {
                       for (Index const row : rows) ++drawn.at(std::size_t(row));
                       sets.emplace_back(rows.begin(), rows.end());
                       return 0.0;
                     },
                     {.resamples = 2000});
  for (Index const count : drawn) CHECK(std::abs(double(count) - 2000) < 5 * std::sqrt(2000.0 * 6 / 7));
  std::sort(sets.begin(), sets.end());
  CHECK(std::unique(sets.begin(), sets.end()) - sets.begin() > 1990);
}

TEST_CASE("a bootstrap leaves sets out of which a measure is not defined") {
  std::vector<double> const truth{0, 1, 1, 0, 1}, score{0.1, 0.9, 0.8, 0.2, 0.7};
  Index undefined = 0;
  auto const interval = bootstrap_interval(5, [&](std::span<Index const> rows) {
    std::vector<double> t, s;
    for (Index const row : rows) t.push_back(truth[std::size_t(row)]), s.push_back(score[std::size_t(row)]);
    double const area = roc_auc(t, s);
    undefined += std::isnan(area) ? 1 : 0;
    return area;
  });
  CHECK(undefined > 0);
  CHECK(interval.low == 1);
  CHECK(interval.high == 1);
}

TEST_CASE("a paired bootstrap sees a difference that single intervals hide") {
  std::vector<double> first, second, same;
  PhiloxStream random(9, 9);
  for (int i = 0; i < 500; ++i) {
    double const hard = 5 * random.uniform(), noise = 0.2 * (random.uniform() - 0.5);
    first.push_back(hard);
    second.push_back(hard + 0.02 + noise);
    same.push_back(hard + noise);
  }
  auto const a = bootstrap_interval(first), b = bootstrap_interval(second);
  CHECK(a.high > b.low);  // they overlap widely
  auto const better = paired_bootstrap(first, second, {.resamples = 2000});
  CHECK(better.difference == Approx(0.02).margin(0.01));
  CHECK(better.interval.low > 0);
  CHECK(better.p_value < 0.01);
  auto const back = paired_bootstrap(second, first, {.resamples = 2000});
  CHECK(back.difference == Approx(-better.difference));
  CHECK(back.p_value == Approx(better.p_value));
  CHECK(paired_bootstrap(first, first).p_value == 1);
  auto const none = paired_bootstrap(first, same, {.resamples = 2000});
  CHECK(none.interval.low < 0);
  CHECK(none.interval.high > 0);
  CHECK(none.p_value > 0.05);
}

TEST_CASE("McNemar counts the examples that only one gets right") {
  std::vector<double> const truth{0, 1, 1, 0, 1}, first{0, 1, 0, 1, 0}, second{0, 0, 1, 0, 0};
  auto const test = mcnemar(truth, first, second);
  CHECK(test.only_first == 1);
  CHECK(test.only_second == 2);
  CHECK(test.p_value == 1);
  CHECK(mcnemar(0, 6).p_value == Approx(2.0 / 64));
  CHECK(mcnemar(6, 0).p_value == Approx(2.0 / 64));
  CHECK(mcnemar(Index{1} << 40, Index{1} << 40).p_value == 1);
}

TEST_CASE("quadratic kappa rounds and clamps, and counts far misses more") {
  std::vector<double> const truth{1, 5, 10, 7};
  CHECK(quadratic_kappa(truth, std::vector<double>{1.4, 4.6, 99, 7.49}, 1, 10) == 1);
  CHECK(quadratic_kappa(truth, std::vector<double>{2, 5, 10, 7}, 1, 10) >
        quadratic_kappa(truth, std::vector<double>{4, 5, 10, 7}, 1, 10));
  double const infinite = std::numeric_limits<double>::infinity();
  CHECK(quadratic_kappa(truth, std::vector<double>{-infinite, 5, infinite, 7}, 1, 10) == 1);
}

TEST_CASE("Holm's adjustment multiplies the smallest p by the number of tests, and keeps the order") {
  // The example of the paper's procedure written out: 0.01 x 4, 0.02 x 3, 0.03 x 2 (not below the one before), 0.9.
  auto const adjusted = holm_adjusted(std::vector<double>{0.03, 0.01, 0.9, 0.02});
  CHECK(adjusted[1] == Approx(0.04));
  CHECK(adjusted[3] == Approx(0.06));
  CHECK(adjusted[0] == Approx(0.06));
  CHECK(adjusted[2] == Approx(0.9));
  CHECK(holm_adjusted(std::vector<double>{0.7, 0.8})[0] == 1);
  auto const with_nan = holm_adjusted(std::vector<double>{std::nan(""), 0.02});
  CHECK(std::isnan(with_nan[0]));
  CHECK(with_nan[1] == 0.02);
  CHECK(holm_adjusted({}).empty());
}
