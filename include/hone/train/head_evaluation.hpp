// The measures of one head of a model, whatever it predicts.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/heads/heads.hpp"
#include "hone/loss/cross_entropy.hpp"
#include "hone/loss/weighted_sum.hpp"
#include "hone/metrics/bootstrap.hpp"
#include "hone/metrics/calibration.hpp"
#include "hone/metrics/confusion.hpp"
#include "hone/metrics/f1.hpp"
#include "hone/metrics/interval.hpp"
#include "hone/metrics/kappa.hpp"
#include "hone/metrics/matthews.hpp"
#include "hone/metrics/precision_recall_curve.hpp"
#include "hone/metrics/probability.hpp"
#include "hone/metrics/rank.hpp"
#include "hone/metrics/regression.hpp"
#include "hone/metrics/roc.hpp"
#include "hone/models/outputs.hpp"

namespace hone {

/// Measures of one head. What a head does not have is NaN (or an empty table).
struct HeadEvaluation {
  std::string head{};
  bool classifies = false;
  std::string loss_name{};
  double loss = std::nan("");  ///< mean over the texts, not weighted

  // Classifying heads. "Class 1": of two classes; heads of more have the mean over classes, each against the rest.
  double accuracy = std::nan("");
  Interval accuracy_interval{0, 1};     ///< 95 %, Wilson
  double cross_entropy = std::nan("");  ///< whatever they were trained with
  ConfusionTable confusion{};
  ClassMeasures measures{};                          ///< precision, recall, F1 of class 1, or macro
  double mcc = std::nan("");                         ///< Matthews' correlation
  double roc_auc = std::nan("");                     ///< of class 1, or macro one-vs-rest; NaN for more than 50 classes
  double pr_auc = std::nan("");                      ///< average precision; the same
  double brier_score = std::nan("");                 ///< of class 1; of more than two classes the sum over them
  double expected_calibration_error = std::nan("");  ///< of the predicted class
  std::vector<CalibrationBin> calibration{};         ///< 15 bins

  // Regressing heads.
  double mean_absolute_error = std::nan("");
  Interval mean_absolute_error_interval{std::nan(""), std::nan("")};  ///< 95 %, bootstrap of 1000 resamples
  double root_mean_square_error = std::nan("");
  double spearman = std::nan("");         ///< rank correlation with the truth
  double quadratic_kappa = std::nan("");  ///< of labels that are all whole numbers, over their range
};

namespace detail {

/// One number an example and labels to compare it with.
template <class H>
inline constexpr bool regressing_head =
    !ClassifyingHead<H> && H::width == 1 && std::is_convertible_v<typename H::Label, double>;

/// Fills in all measures of a head that has its name, its kind and the name of its loss.
///
/// @param truth  labels (N); null where these are no numbers
/// @param loss   of an example, from its outputs and its place
void measure_head(HeadEvaluation& head, HostMatrix const& output, std::vector<double> const* truth, std::size_t examples,
                  std::function<double(double const* row, std::size_t example)> const& loss);

/// Fills in the measures of a classifying head from labels and probabilities. Shapes: truth (N), probabilities (N, K).
void measure_classes(HeadEvaluation& head, std::span<double const> truth, std::span<double const> probabilities);

/// Fills in the measures of a regressing head. Shapes: truth (N), predicted (N).
void measure_numbers(HeadEvaluation& head, std::span<double const> truth, std::span<double const> predicted);

#if HONE_BODIES

HONE_INLINE void measure_head(HeadEvaluation& head, HostMatrix const& output, std::vector<double> const* truth,
                              std::size_t examples,
                              std::function<double(double const* row, std::size_t example)> const& loss) {
  double const count = static_cast<double>(examples);
  double sum = 0, cross_entropy = 0;
  std::vector<double> said;  // probabilities or predicted numbers
  if (head.classifies) head.confusion = ConfusionTable(output.cols);
  for (std::size_t r = 0; r < examples; ++r) {
    double const* const row = output.row(Index(r));
    sum += loss(row, r);
    if (head.classifies) {
      cross_entropy += CrossEntropy::row<double>(row, output.cols, static_cast<std::int32_t>((*truth)[r]), nullptr);
      head.confusion.add(Index((*truth)[r]), output.argmax(Index(r)));
      auto const shares = softmax(std::span<double const>(row, std::size_t(output.cols)));
      said.insert(said.end(), shares.begin(), shares.end());
    } else if (truth) {
      said.push_back(row[0]);
    }
  }
  head.loss = sum / count;  // 0 / 0 with no examples: NaN
  if (head.classifies) {
    head.cross_entropy = cross_entropy / count;
    measure_classes(head, *truth, said);
  } else if (truth) {
    measure_numbers(head, *truth, said);
  }
}

HONE_INLINE void measure_classes(HeadEvaluation& head, std::span<double const> truth,
                                 std::span<double const> probabilities) {
  Index const classes = head.confusion.classes;
  head.accuracy = head.confusion.accuracy();
  head.accuracy_interval = wilson_interval(head.confusion.right(), head.confusion.total());
  head.measures = classes == 2 ? class_measures(head.confusion, 1) : average_measures(head.confusion, Average::macro);
  head.mcc = mcc(head.confusion);
  head.calibration = calibration_bins(truth, probabilities, classes);
  head.expected_calibration_error = any_nan(probabilities) ? std::nan("") : expected_calibration_error(head.calibration);
  if (classes == 2) {
    std::vector<double> score;
    for (std::size_t i = 1; i < probabilities.size(); i += 2) score.push_back(probabilities[i]);
    head.roc_auc = roc_auc(truth, score);
    head.pr_auc = pr_auc(truth, score);
    head.brier_score = brier_score(truth, score);
  } else {
    if (classes <= 50) {  // a sort for every class
      head.roc_auc = roc_auc(truth, probabilities, classes);
      head.pr_auc = pr_auc(truth, probabilities, classes);
    }
    head.brier_score = brier_score(truth, probabilities, classes);
  }
}

HONE_INLINE void measure_numbers(HeadEvaluation& head, std::span<double const> truth, std::span<double const> predicted) {
  std::vector<double> errors;
  for (std::size_t i = 0; i < truth.size(); ++i) errors.push_back(std::abs(predicted[i] - truth[i]));
  head.mean_absolute_error = mean_absolute_error(truth, predicted);
  head.mean_absolute_error_interval = bootstrap_interval(errors);
  head.root_mean_square_error = root_mean_square_error(truth, predicted);
  head.spearman = spearman(truth, predicted);
  if (std::all_of(truth.begin(), truth.end(), [](double t) { return t == std::floor(t); }))
    head.quadratic_kappa = quadratic_kappa(truth, predicted);
}

#endif

}  // namespace detail

/// Measures of outputs (in the order of the data) by head; losses are computed here in double from the outputs. Of 25,000
/// texts it takes a tenth of a second, most of it for the bootstrap of the mean absolute error.
template <class HeadList, class... L>
std::vector<HeadEvaluation> measure(Outputs<HeadList> const& outputs, typename HeadList::Labels const& labels,
                                    WeightedSum<L...> const&) {
  static_assert(sizeof...(L) == HeadList::count,
                "[hone-E131] The recipe has not one loss for each head of the model. See docs/errors.md#e131.");
  std::vector<HeadEvaluation> measures;
  for_each_index<HeadList::count>([&](auto i) {
    using H = typename HeadList::template At<i>;
    using Loss = typename WeightedSum<L...>::template At<i>;
    auto const& output = outputs.heads[i];
    auto const& truth = std::get<i>(labels);
    HeadEvaluation head;
    head.head = std::string(H::name());
    head.classifies = ClassifyingHead<H>;
    head.loss_name = Loss::name;
    constexpr bool has_numbers = ClassifyingHead<H> || detail::regressing_head<H>;
    std::vector<double> numbers;
    if constexpr (has_numbers)
      for (auto const& label : truth) numbers.push_back(static_cast<double>(label));
    detail::measure_head(head, output, has_numbers ? &numbers : nullptr, truth.size(),
                         [&](double const* row, std::size_t r) {
                           return Loss::template row<double>(row, H::width, truth[r], nullptr);
                         });
    measures.push_back(std::move(head));
  });
  return measures;
}

}  // namespace hone
