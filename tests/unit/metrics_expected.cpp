// Every measure against the values of scikit-learn and scipy that are stored in tests/data/metrics_expected.json
// (made by tests/readback/make_metrics_expected.py).
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hone/io/json.hpp"
#include "hone/metrics/accuracy.hpp"
#include "hone/metrics/bootstrap.hpp"
#include "hone/metrics/calibration.hpp"
#include "hone/metrics/confusion.hpp"
#include "hone/metrics/f1.hpp"
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

using namespace hone;

namespace {

nlohmann::json const& expected() {
  static auto const document =
      read_json_file(std::filesystem::path(HONE_SOURCE_DIR) / "tests" / "data" / "metrics_expected.json");
  return document;
}

double number(nlohmann::json const& value) { return value.is_null() ? std::nan("") : value.get<double>(); }
std::vector<double> numbers(nlohmann::json const& values) {
  std::vector<double> all;
  for (auto const& value : values) all.push_back(number(value));
  return all;
}

/// Equal but for rounding, or both NaN.
void check_same(std::string const& what, double ours, nlohmann::json const& theirs) {
  double const wanted = number(theirs);
  INFO(what << ": " << ours << ", expected " << wanted);
  if (std::isnan(wanted))
    CHECK(std::isnan(ours));
  else
    CHECK(std::abs(ours - wanted) <= 1e-12 * std::max(1.0, std::abs(wanted)));
}
void check_same(std::string const& what, std::vector<double> const& ours, nlohmann::json const& theirs) {
  INFO(what);
  REQUIRE(ours.size() == theirs.size());
  for (std::size_t i = 0; i < ours.size(); ++i) check_same(what + " " + std::to_string(i), ours[i], theirs[i]);
}
void check_same(std::string const& what, ClassMeasures const& ours, nlohmann::json const& theirs) {
  check_same(what + " precision", ours.precision, theirs.at(0));
  check_same(what + " recall", ours.recall, theirs.at(1));
  check_same(what + " F1", ours.f1, theirs.at(2));
}

/// Column k of a table of `classes` columns.
std::vector<double> column(std::vector<double> const& table, std::size_t classes, std::size_t k) {
  std::vector<double> all;
  for (std::size_t i = k; i < table.size(); i += classes) all.push_back(table[i]);
  return all;
}

}  // namespace

TEST_CASE("measures of classes are those of scikit-learn") {
  REQUIRE(expected().at("classes").size() >= 10);
  for (auto const& given : expected().at("classes")) {
    INFO("case: " << given.at("name"));
    auto const truth = numbers(given.at("truth")), probabilities = numbers(given.at("probabilities")),
               predicted = numbers(given.at("predicted"));
    auto const classes = given.at("classes").get<Index>();
    auto const table = confusion_table(truth, predicted, classes);
    check_same("accuracy", accuracy(truth, predicted), given.at("accuracy"));
    check_same("accuracy of the table", table.accuracy(), given.at("accuracy"));
    for (Index t = 0; t < classes; ++t)
      for (Index p = 0; p < classes; ++p) CHECK(table(t, p) == given.at("confusion").at(std::size_t(t)).at(std::size_t(p)));
    check_same("MCC", mcc(truth, predicted), given.at("mcc"));
    check_same("MCC of the table", mcc(table), given.at("mcc"));
    check_same("macro", average_measures(table, Average::macro), given.at("macro"));
    check_same("micro", average_measures(table, Average::micro), given.at("micro"));
    check_same("weighted", average_measures(table, Average::weighted), given.at("weighted"));
    check_same("log loss", log_loss(truth, probabilities, classes), given.at("log_loss"));
    for (Index const bins : {10, 15}) {
      auto const& wanted = given.at("calibration_" + std::to_string(bins));
      std::vector<double> rates, means, counts;
      for (auto const& bin : calibration_bins(truth, probabilities, classes, bins))
        if (bin.count > 0) {
          rates.push_back(bin.accuracy);
          means.push_back(bin.confidence);
          counts.push_back(double(bin.count));
        }
      check_same("bin's accuracy", rates, wanted.at("accuracy"));
      check_same("bin's confidence", means, wanted.at("confidence"));
      check_same("bin's count", counts, wanted.at("counts"));
      check_same("ECE", expected_calibration_error(truth, probabilities, classes, bins), wanted.at("error"));
    }
    if (classes == 2) {
      auto const score = column(probabilities, 2, 1);
      check_same("binary", binary_measures(truth, predicted), given.at("binary"));
      check_same("F1", f1(truth, predicted), given.at("binary").at(2));
      check_same("class 1 of the table", class_measures(table, 1), given.at("binary"));
      check_same("AUC", roc_auc(truth, score), given.at("roc_auc"));
      check_same("average precision", average_precision(truth, score), given.at("average_precision"));
      check_same("PR AUC", pr_auc(truth, score), given.at("average_precision"));
      check_same("Brier", brier_score(truth, score), given.at("brier"));
      CHECK(brier_score(truth, probabilities, 2) == Approx(2 * number(given.at("brier"))).margin(1e-12));
      auto const roc = roc_curve(truth, score), all = roc_curve(truth, score, true);
      check_same("false positive rate", roc.false_positive_rate, given.at("roc_curve").at("fpr"));
      check_same("true positive rate", roc.true_positive_rate, given.at("roc_curve").at("tpr"));
      check_same("every false positive rate", all.false_positive_rate, given.at("roc_curve").at("fpr_all"));
      check_same("every true positive rate", all.true_positive_rate, given.at("roc_curve").at("tpr_all"));
      REQUIRE_FALSE(roc.threshold.empty());
      CHECK(std::isinf(roc.threshold.front()));
      check_same("threshold", {roc.threshold.begin() + 1, roc.threshold.end()}, given.at("roc_curve").at("threshold"));
      auto const curve = pr_curve(truth, score);
      check_same("precision", curve.precision, given.at("pr_curve").at("precision"));
      check_same("recall", curve.recall, given.at("pr_curve").at("recall"));
      check_same("PR threshold", curve.threshold, given.at("pr_curve").at("threshold"));
    } else {
      check_same("AUC", roc_auc(truth, probabilities, classes), given.at("roc_auc"));
      check_same("PR AUC", pr_auc(truth, probabilities, classes), given.at("average_precision"));
      check_same("Brier", brier_score(truth, probabilities, classes), given.at("brier"));
    }
  }
}

TEST_CASE("measures of numbers are those of scikit-learn and scipy") {
  REQUIRE(expected().at("numbers").size() >= 5);
  for (auto const& given : expected().at("numbers")) {
    INFO("case: " << given.at("name"));
    auto const truth = numbers(given.at("truth")), predicted = numbers(given.at("predicted"));
    check_same("MAE", mean_absolute_error(truth, predicted), given.at("mean_absolute_error"));
    check_same("RMSE", root_mean_square_error(truth, predicted), given.at("root_mean_square_error"));
    check_same("Pearson", pearson(truth, predicted), given.at("pearson"));
    check_same("Spearman", spearman(truth, predicted), given.at("spearman"));
    check_same("ranks", average_ranks(predicted), given.at("ranks"));
    check_same("kappa", quadratic_kappa(truth, predicted, number(given.at("low")), number(given.at("high"))),
               given.at("quadratic_kappa"));
  }
}

TEST_CASE("Wilson's interval, McNemar's test and quantiles are those of scipy and numpy") {
  for (auto const& given : expected().at("wilson")) {
    auto const interval = wilson_interval(given.at("right"), given.at("total"));
    check_same("low", interval.low, given.at("low"));
    check_same("high", interval.high, given.at("high"));
  }
  for (auto const& given : expected().at("mcnemar")) {
    auto const test = mcnemar(given.at("only_first").get<Index>(), given.at("only_second").get<Index>());
    INFO(test.only_first << " and " << test.only_second);
    check_same("statistic", test.statistic, given.at("statistic"));
    check_same("p", test.p_value, given.at("p_value"));
    CHECK(test.exact == (test.only_first + test.only_second < 25));
  }
  auto const& given = expected().at("quantiles");
  auto const values = numbers(given.at("values"));
  for (std::size_t i = 0; i < given.at("shares").size(); ++i)
    check_same("quantile", detail::quantile(values, given.at("shares").at(i)), given.at("expected").at(i));
}
