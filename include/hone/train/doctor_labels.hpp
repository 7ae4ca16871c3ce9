// Labels: how many of each, and whether the order of the examples mixes them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/train/doctor_options.hpp"
#include "hone/train/doctor_text.hpp"
#include "hone/train/finding.hpp"

#if HONE_BODIES
#include <nlohmann/json.hpp>
#endif

namespace hone {

/// How far windows of an order differ from the whole: the labels of each window of w examples against all labels.
///
/// For K classes the sum over classes of (count - w share)^2 / (w share), chi-squared in an order by chance; for numbers
/// w (mean of the window - mean)^2 / variance. The score is that of the sum over all windows.
struct OrderMixing {
  std::size_t window = 0, windows = 0;  ///< examples in one, and how many
  std::size_t of_one_class = 0;         ///< windows that hold one class alone
  double excess = 1;                    ///< mean of the statistic, divided by what chance gives
  double score = 0;                     ///< standard score of the sum

  /// No order by chance looks like this.
  bool sorted() const { return score > 8 && excess > 3; }
};

/// Measures windows of `window` examples along an order (positions into labels).
OrderMixing order_mixing(HeadLabels const& labels, std::span<std::size_t const> order, std::size_t window);

/// D10 how many of each label, D11 whether the order of training mixes them, D12 whether the data lies sorted by them.
///
/// @param labels  checked: classes are whole numbers from 0 to K - 1
/// @param steps   optimizer steps of the run: of a shorter run only the examples that it sees are looked at
std::vector<Finding> examine_labels(std::span<HeadLabels const> labels, DoctorOptions const& options);

#if HONE_BODIES

HONE_INLINE OrderMixing order_mixing(HeadLabels const& labels, std::span<std::size_t const> order, std::size_t window) {
  OrderMixing mixing;
  mixing.window = window;
  mixing.windows = window > 0 ? order.size() / window : 0;
  if (mixing.windows < 2) return mixing;
  double const w = static_cast<double>(window), count = static_cast<double>(order.size());
  std::vector<double> share(static_cast<std::size_t>(std::max<Index>(labels.classes, 0)));
  double mean = 0, variance = 0;
  for (std::size_t const row : order) {
    if (labels.classes > 0) share[static_cast<std::size_t>(labels.values[row])] += 1 / count;
    mean += labels.values[row] / count;
  }
  for (std::size_t const row : order) variance += (labels.values[row] - mean) * (labels.values[row] - mean) / count;
  double present = 0, inverse = 0;  // classes that occur, and the sum of 1 / share
  for (double const s : share) present += s > 0 ? 1 : 0, inverse += s > 0 ? 1 / s : 0;
  if (variance <= 0) return mixing;
  double const expected = labels.classes > 0 ? present - 1 : 1;
  // Variance of Pearson's statistic of one window, exact for independent draws (Haldane 1937, Biometrika 29, page 135).
  double const spread = labels.classes > 0 ? 2 * (present - 1) + (inverse - present * present - 2 * present + 2) / w : 2;
  double sum = 0;
  for (std::size_t i = 0; i < mixing.windows; ++i) {
    auto const rows = order.subspan(i * window, window);
    double window_mean = 0;
    std::vector<double> counts(share.size());
    for (std::size_t const row : rows) {
      window_mean += labels.values[row] / w;
      if (labels.classes > 0) counts[static_cast<std::size_t>(labels.values[row])] += 1;
    }
    if (labels.classes == 0) sum += w * (window_mean - mean) * (window_mean - mean) / variance;
    for (std::size_t k = 0; k < share.size(); ++k) {
      double const all = w * share[k];
      if (all > 0) sum += (counts[k] - all) * (counts[k] - all) / all;
      mixing.of_one_class += counts[k] == w ? 1 : 0;
    }
  }
  double const windows = static_cast<double>(mixing.windows);
  mixing.excess = sum / (windows * expected);
  mixing.score = (sum - windows * expected) / std::sqrt(windows * std::max(spread, 1e-9));
  return mixing;
}

namespace detail {

/// Examples in a window: those of a step, not fewer than 32 where there are enough.
inline std::size_t mixing_window(std::size_t examples, std::size_t per_step) {
  std::size_t const wanted = std::max<std::size_t>(per_step, 32);
  return std::max<std::size_t>(std::min(wanted, examples / 4), 4);
}

inline Finding balance_of_classes(HeadLabels const& labels) {
  std::vector<std::size_t> counts(static_cast<std::size_t>(labels.classes));
  for (double const v : labels.values) counts[static_cast<std::size_t>(v)] += 1;
  auto const [least, most] = std::minmax_element(counts.begin(), counts.end());
  std::size_t const present = counts.size() - static_cast<std::size_t>(std::count(counts.begin(), counts.end(), 0u));
  std::string shown;
  for (std::size_t k = 0; k < counts.size() && k < 10; ++k)
    shown += (k == 0 ? "" : ", ") + std::to_string(counts[k]) + " of class " + std::to_string(k);
  if (counts.size() > 10) shown += ", ...";
  Finding finding{"D10", Severity::ok, labels.head + ": " + shown, "", "", {}};
  *finding.data = {{"head", labels.head}, {"counts", counts}};
  std::string const rarest = "class " + std::to_string(least - counts.begin());
  double const ratio = static_cast<double>(*least) / static_cast<double>(std::max<std::size_t>(*most, 1));
  if (present <= 1) {
    finding.severity = Severity::error;
    finding.title = labels.head + ": all labels are of one class";
  } else if (*least == 0) {
    finding.severity = Severity::warning;
    finding.title = labels.head + ": " + rarest + " has no example";
  } else if (ratio < 0.1 || ratio < 0.5) {
    finding.severity = ratio < 0.1 ? Severity::warning : Severity::note;
    finding.title = labels.head + ": the classes are not balanced";
  } else {
    return finding;
  }
  finding.detail = shown;
  finding.next = present <= 1 ? "check how the labels were read: there is nothing to learn"
                              : "judge by measures of each class, not by accuracy alone; get more examples of " + rarest;
  return finding;
}

inline Finding balance_of_numbers(HeadLabels const& labels) {
  std::vector<double> sorted(labels.values.begin(), labels.values.end());
  std::sort(sorted.begin(), sorted.end());
  double const median = sorted.empty() ? 0 : sorted[sorted.size() / 2];
  Finding finding{"D10", Severity::ok, "", "", "", {}};
  *finding.data = {{"head", labels.head}};
  if (sorted.empty()) return finding;
  finding.data->update({{"least", sorted.front()}, {"median", median}, {"most", sorted.back()}});
  finding.title = labels.head + ": " + number_text(sorted.front()) + " to " + number_text(sorted.back()) + ", median " +
                  number_text(median);
  if (sorted.front() == sorted.back()) {
    finding.severity = Severity::error;
    finding.title = labels.head + ": all labels are " + number_text(median);
    finding.next = "check how the labels were read: there is nothing to learn";
  }
  return finding;
}

inline nlohmann::ordered_json to_data(std::string const& head, OrderMixing const& mixing) {
  return {{"head", head},
          {"window", mixing.window},
          {"windows", mixing.windows},
          {"of_one_class", mixing.of_one_class},
          {"score", mixing.score}};
}

}  // namespace detail

HONE_INLINE std::vector<Finding> examine_labels(std::span<HeadLabels const> labels, DoctorOptions const& options) {
  std::vector<Finding> findings;
  for (auto const& head : labels)
    findings.push_back(head.classes > 0 ? detail::balance_of_classes(head) : detail::balance_of_numbers(head));
  std::size_t const examples = labels.empty() ? 0 : labels.front().values.size();
  auto const per_step =
      static_cast<std::size_t>(std::max<Index>(options.training.batch_size * options.training.step_every, 1));
  if (examples < 8) return findings;

  auto order = options.first_order(examples);
  auto const steps = static_cast<std::size_t>(std::max<Index>(options.training.num_steps, 0));
  if (steps < order.size() / per_step + 1) order.resize(std::min(order.size(), std::max<std::size_t>(steps * per_step, 8)));
  std::size_t const window = detail::mixing_window(order.size(), per_step);
  Finding mixed{"D11",
                Severity::ok,
                "the order of training mixes the labels, in every window of " + std::to_string(window) + " examples",
                "",
                "",
                nlohmann::ordered_json::array()};
  for (auto const& head : labels) {
    auto const mixing = order_mixing(head, order, window);
    mixed.data->push_back(detail::to_data(head.head, mixing));
    if (!mixing.sorted()) continue;
    bool const pure = 2 * mixing.of_one_class > mixing.windows;
    mixed.severity = pure || mixed.severity == Severity::error ? Severity::error : Severity::warning;
    mixed.title = "the order of training does not mix the labels";
    mixed.detail += (mixed.detail.empty() ? "" : "\n") + head.head + ": windows of " + std::to_string(window) +
                    " examples differ from the whole " + detail::number_text(mixing.excess) + " times more than by chance";
    if (mixing.of_one_class > 0)
      mixed.detail +=
          "; " + std::to_string(mixing.of_one_class) + " of " + std::to_string(mixing.windows) + " hold one class alone";
    mixed.next = "shuffle the examples: a model forgets the class that it has not seen for many steps";
  }
  bool const shuffled = mixed.severity == Severity::ok;
  findings.push_back(std::move(mixed));

  std::vector<std::size_t> as_it_lies(examples);
  std::iota(as_it_lies.begin(), as_it_lies.end(), std::size_t{0});
  for (auto const& head : labels) {
    auto const mixing = order_mixing(head, as_it_lies, detail::mixing_window(examples, per_step));
    if (!mixing.sorted()) continue;
    Finding finding{
        "D12", Severity::note, "the data lies in the order of " + head.head, "", "", detail::to_data(head.head, mixing)};
    finding.detail = shuffled ? "the order of training shuffles it, so nothing is lost" : "";
    finding.next = "take parts of it at random, never the first so many";
    findings.push_back(std::move(finding));
    return findings;
  }
  findings.push_back({"D12", Severity::ok, "the data is not sorted by its labels", "", "", {}});
  return findings;
}

#endif

}  // namespace hone
