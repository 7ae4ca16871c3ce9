// The numbers of report.html: a run of any length in a document of bounded size.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/metrics/calibration.hpp"
#include "hone/metrics/confusion.hpp"
#include "hone/metrics/interval.hpp"
#include "hone/metrics/precision_recall_curve.hpp"
#include "hone/metrics/probability.hpp"
#include "hone/metrics/roc.hpp"
#include "hone/report/report_data.hpp"

namespace hone::detail {

/// Bounds of what a page holds, whatever the run.
struct PageLimits {
  static constexpr std::size_t curve_points = 1200;        // a curve of training: more steps are means of neighbours
  static constexpr std::size_t roc_points = 300;           // a curve over thresholds
  static constexpr std::size_t evaluations = 1000;         // the last ones
  static constexpr std::size_t text_bytes = 12000;         // of one text
  static constexpr std::size_t examples_bytes = 6u << 20;  // of all texts with their tokens
  static constexpr std::size_t values = 30;                // different true values that get a bar of their own
  static constexpr Index classes = 30;                     // a larger confusion table is left out
  static constexpr Index curves = 8;                       // classes that get a ROC curve
  static constexpr std::size_t findings = 200, ledger = 5000;
};

/// An exponential moving average with the weight of the first values put right (as Adam does): memory of about `memory`
/// values.
std::vector<double> smoothed(std::vector<double> const& values, double memory);

/// The curves of training.
nlohmann::ordered_json steps_json(std::vector<StepReport> const& steps);

/// Errors by length of the text: groups of equally many texts, [from, to, texts, mean, low, high] each.
nlohmann::ordered_json errors_by_length(std::vector<Index> const& lengths, std::vector<double> const& errors, bool share);

#if HONE_BODIES

/// A number with five digits: what a chart shows. Not finite: null.
inline nlohmann::ordered_json short_number(double value) {
  if (!std::isfinite(value)) return nullptr;
  char text[32];
  std::snprintf(text, sizeof text, "%.5g", value);
  return std::strtod(text, nullptr);
}
inline nlohmann::ordered_json short_numbers(std::span<double const> values) {
  auto json = nlohmann::ordered_json::array();
  for (double const value : values) json.push_back(short_number(value));
  return json;
}

/// A time as ISO 8601, UTC.
inline std::string iso_time(std::chrono::system_clock::time_point time) {
  std::time_t const seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[40];
  std::size_t const size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text, size};
}

/// What a head's classes are called: negative and positive, "not x" and "x" for a head is_x, else their numbers.
inline std::vector<std::string> page_class_names(std::string const& head, Index classes) {
  if (classes == 2 && head == "is_positive") return {"negative", "positive"};
  if (classes == 2 && head.rfind("is_", 0) == 0 && head.size() > 3) return {"not " + head.substr(3), head.substr(3)};
  std::vector<std::string> names;
  for (Index k = 0; k < classes; ++k) names.push_back(std::to_string(k));
  return names;
}

/// Means of neighbouring values, NaN left out, so that there are at most curve_points.
class Thinned {
 public:
  explicit Thinned(std::size_t count)
      : width_(std::max<std::size_t>(1, (count + PageLimits::curve_points - 1) / PageLimits::curve_points)), count_(count) {}

  std::size_t width() const { return width_; }
  /// One value for each group of `width` neighbours.
  template <class Value>
  nlohmann::ordered_json means(Value&& value) const {
    auto json = nlohmann::ordered_json::array();
    for (std::size_t first = 0; first < count_; first += width_) {
      double sum = 0, n = 0;
      for (std::size_t i = first; i < std::min(count_, first + width_); ++i)
        if (double const v = value(i); std::isfinite(v)) sum += v, n += 1;
      json.push_back(short_number(n > 0 ? sum / n : std::nan("")));
    }
    return json;
  }
  /// The last value of each group.
  template <class Value>
  nlohmann::ordered_json last(Value&& value) const {
    auto json = nlohmann::ordered_json::array();
    for (std::size_t first = 0; first < count_; first += width_)
      json.push_back(short_number(value(std::min(count_, first + width_) - 1)));
    return json;
  }

 private:
  std::size_t width_, count_;
};

HONE_INLINE std::vector<double> smoothed(std::vector<double> const& values, double memory) {
  double const keep = 1 - 1 / std::max(1.0, memory);
  double sum = 0, weight = 0;
  std::vector<double> result;
  for (double const value : values) {
    if (std::isfinite(value)) {
      sum = keep * sum + (1 - keep) * value;
      weight = keep * weight + (1 - keep);
    }
    result.push_back(weight > 0 ? sum / weight : std::nan(""));
  }
  return result;
}

HONE_INLINE nlohmann::ordered_json steps_json(std::vector<StepReport> const& steps) {
  nlohmann::ordered_json json;
  std::size_t const count = steps.size();
  Thinned const thinned(count);
  double const memory = std::clamp(static_cast<double>(count) / 20, 5.0, 200.0);
  json["count"] = count;
  json["total"] = steps.empty() ? 0 : steps.back().total_steps;
  json["mean_of"] = thinned.width();
  json["memory"] = std::round(memory);
  json["step"] = thinned.last([&](std::size_t i) { return static_cast<double>(steps[i].step); });
  auto both = [&](nlohmann::ordered_json& into, auto&& value) {
    std::vector<double> values;
    for (auto const& step : steps) values.push_back(value(step));
    if (std::none_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); })) return;
    auto const smooth = smoothed(values, memory);
    into["raw"] = thinned.means([&](std::size_t i) { return values[i]; });
    into["smooth"] = thinned.last([&](std::size_t i) { return smooth[i]; });
  };
  // Names in the order in which they first occur; a step may lack one.
  auto each_name = [&](auto&& list, auto&& add) {
    std::vector<std::string> names;
    for (auto const& step : steps)
      for (auto const& [name, value] : list(step))
        if (std::find(names.begin(), names.end(), name) == names.end() && names.size() < 200) names.push_back(name);
    for (auto const& name : names)
      add(name, [&](StepReport const& step) {
        for (auto const& [own, value] : list(step))
          if (own == name) return value;
        return std::nan("");
      });
  };
  auto& losses = json["losses"] = nlohmann::ordered_json::object();
  each_name(
      [](StepReport const& step) -> auto const& { return step.losses; },
      [&](std::string const& name, auto&& value) { both(losses[name], value); });
  both(json["accuracy"], [](StepReport const& step) { return step.accuracy; });
  both(json["grad_norm"], [](StepReport const& step) { return step.grad_norm; });
  both(json["tokens_per_second"], [](StepReport const& step) {
    return step.seconds > 0 ? static_cast<double>(step.tokens) / step.seconds : std::nan("");
  });
  json["learning_rate"] = thinned.last([&](std::size_t i) { return steps[i].learning_rate; });
  auto& groups = json["group_norms"] = nlohmann::ordered_json::object();
  each_name(
      [](StepReport const& step) -> auto const& { return step.group_norms; },
      [&](std::string const& name, auto&& value) {
        std::vector<double> values;
        for (auto const& step : steps) values.push_back(value(step));
        auto const smooth = smoothed(values, memory);
        groups[name] = thinned.last([&](std::size_t i) { return smooth[i]; });
      });
  if (!steps.empty()) {
    json["elapsed"] = short_number(steps.back().elapsed);
    json["tokens"] = steps.back().total_tokens;
    json["epochs"] = steps.back().epoch + 1;
  }
  return json;
}

/// The position of the `i`-th of `count` points when at most `most` are kept, first and last among them.
inline std::vector<std::size_t> kept_points(std::size_t count, std::size_t most) {
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < std::min(count, most); ++i) kept.push_back(count <= most ? i : i * (count - 1) / (most - 1));
  return kept;
}

/// Mean and 95 % interval of it (normal) of values.
struct MeanOf {
  double sum = 0, squares = 0, count = 0;
  void add(double value) { sum += value, squares += value * value, count += 1; }
  double mean() const { return count > 0 ? sum / count : std::nan(""); }
  double half() const {
    if (count < 2) return std::nan("");
    double const variance = std::max(0.0, (squares - sum * sum / count) / (count - 1));
    return 1.959963984540054 * std::sqrt(variance / count);
  }
};

HONE_INLINE nlohmann::ordered_json errors_by_length(std::vector<Index> const& lengths, std::vector<double> const& errors,
                                                    bool share) {
  auto json = nlohmann::ordered_json::array();
  if (lengths.size() != errors.size() || errors.empty()) return json;
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < lengths.size(); ++i)
    if (std::isfinite(errors[i])) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return lengths[a] < lengths[b]; });
  std::size_t const groups = std::clamp<std::size_t>(order.size() / 20, 1, 12);
  std::size_t const size = std::max<std::size_t>(1, order.size() / groups);
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = order.size() - begin < size + size / 2 ? order.size() : begin + size;
    while (end < order.size() && lengths[order[end]] == lengths[order[end - 1]]) ++end;  // one length, one group
    MeanOf mean;
    for (std::size_t i = begin; i < end; ++i) mean.add(errors[order[i]]);
    double low = mean.mean() - mean.half(), high = mean.mean() + mean.half();
    if (share) {
      auto const wilson = wilson_interval(Index(mean.sum + 0.5), Index(mean.count));
      low = wilson.low, high = wilson.high;
    }
    json.push_back({lengths[order[begin]], lengths[order[end - 1]], end - begin, short_number(mean.mean()),
                    short_number(std::max(0.0, low)), short_number(high)});
    begin = end;
  }
  return json;
}

/// What is drawn of a head that classifies.
inline void add_classifying(nlohmann::ordered_json& json, HeadPredictions const& head, std::vector<Index> const& lengths) {
  Index const classes = head.classes;
  std::vector<double> truth, predicted, probabilities, wrong;
  std::vector<Index> own_lengths;
  for (std::size_t i = 0; i < head.truth.size() && i < head.predicted.size(); ++i) {
    double const t = head.truth[i], p = head.predicted[i];
    if (!(t >= 0 && t < double(classes) && p >= 0 && p < double(classes))) continue;  // no label, or no number
    auto const row = std::span(head.probabilities).subspan(i * std::size_t(classes), std::size_t(classes));
    if (std::any_of(row.begin(), row.end(), [](double v) { return !(v >= 0 && v <= 1 + 1e-9); })) continue;
    truth.push_back(t);
    predicted.push_back(p);
    probabilities.insert(probabilities.end(), row.begin(), row.end());
    wrong.push_back(t == p ? 0 : 1);
    if (lengths.size() == head.truth.size()) own_lengths.push_back(lengths[i]);
  }
  json["count"] = truth.size();
  if (truth.empty()) return;
  ConfusionTable table(classes);
  for (std::size_t i = 0; i < truth.size(); ++i) table.add(Index(truth[i]), Index(predicted[i]));
  auto const interval = wilson_interval(table.right(), table.total());
  json["accuracy"] = {short_number(table.accuracy()), short_number(interval.low), short_number(interval.high)};
  if (classes <= PageLimits::classes) {
    auto& rows = json["confusion"] = nlohmann::ordered_json::array();
    for (Index t = 0; t < classes; ++t) {
      rows.push_back(nlohmann::ordered_json::array());
      for (Index p = 0; p < classes; ++p) rows.back().push_back(table(t, p));
    }
  }
  auto const bins = calibration_bins(truth, probabilities, classes, 15);
  json["ece"] = short_number(expected_calibration_error(bins));
  auto& calibration = json["calibration"] = nlohmann::ordered_json::array();
  for (auto const& bin : bins)
    calibration.push_back({short_number(bin.low), short_number(bin.high), bin.count, short_number(bin.confidence),
                           short_number(bin.accuracy)});
  std::vector<std::array<Index, 2>> histogram(20);  // of the confidence: right, wrong
  for (std::size_t i = 0; i < truth.size(); ++i) {
    double const confidence = probabilities[i * std::size_t(classes) + std::size_t(predicted[i])];
    auto const bin = std::min<std::size_t>(histogram.size() - 1, std::size_t(confidence * double(histogram.size())));
    ++histogram[bin][wrong[i] > 0 ? 1 : 0];
  }
  json["confidence"] = histogram;
  auto& curves = json["curves"] = nlohmann::ordered_json::array();
  for (Index k = classes == 2 ? 1 : 0; k < std::min(classes, PageLimits::curves); ++k) {
    auto const [is_k, score] = one_against_rest(truth, probabilities, classes, k);
    auto const positives = std::count(is_k.begin(), is_k.end(), 1.0);
    if (positives == 0 || positives == std::ptrdiff_t(is_k.size())) continue;
    nlohmann::ordered_json curve{{"class", k}, {"share", short_number(double(positives) / double(is_k.size()))}};
    auto const roc = roc_curve(is_k, score);
    curve["auc"] = short_number(roc_auc(is_k, score));
    auto& points = curve["roc"] = nlohmann::ordered_json::array();
    for (std::size_t const i : kept_points(roc.threshold.size(), PageLimits::roc_points))
      points.push_back({short_number(roc.false_positive_rate[i]), short_number(roc.true_positive_rate[i]),
                        short_number(roc.threshold[i])});
    auto const pr = pr_curve(is_k, score);
    curve["average_precision"] = short_number(average_precision(is_k, score));
    auto& pr_points = curve["pr"] = nlohmann::ordered_json::array();
    for (std::size_t const i : kept_points(pr.precision.size(), PageLimits::roc_points))
      pr_points.push_back({short_number(pr.recall[i]), short_number(pr.precision[i]),
                           i < pr.threshold.size() ? short_number(pr.threshold[i]) : nlohmann::ordered_json()});
    curves.push_back(std::move(curve));
  }
  json["by_length"] = errors_by_length(own_lengths, wrong, true);
}

/// What is drawn of a head that gives a number.
inline void add_regressing(nlohmann::ordered_json& json, HeadPredictions const& head, std::vector<Index> const& lengths) {
  std::vector<double> truth, predicted, errors;
  std::vector<Index> own_lengths;
  for (std::size_t i = 0; i < head.truth.size() && i < head.predicted.size(); ++i) {
    if (!std::isfinite(head.truth[i]) || !std::isfinite(head.predicted[i])) continue;
    truth.push_back(head.truth[i]);
    predicted.push_back(head.predicted[i]);
    errors.push_back(std::abs(head.truth[i] - head.predicted[i]));
    if (lengths.size() == head.truth.size()) own_lengths.push_back(lengths[i]);
  }
  json["count"] = truth.size();
  if (truth.empty()) return;
  MeanOf all;
  for (double const error : errors) all.add(error);
  json["mae"] = {short_number(all.mean()), short_number(all.mean() - all.half()), short_number(all.mean() + all.half())};
  // The true values themselves where they are few, else 20 equal parts of their range.
  auto const [least, most] = std::minmax_element(truth.begin(), truth.end());
  double const low = *least, high = *most;
  std::map<double, std::size_t> values;
  for (double const t : truth)
    if (values.size() <= PageLimits::values) values.emplace(t, 0);
  bool const few = values.size() <= PageLimits::values;
  double const part = high > low ? (high - low) / 20 : 1;
  if (!few) {
    values.clear();
    for (int i = 0; i < 20; ++i) values.emplace(low + (i + 0.5) * part, 0);
  }
  std::vector<double> names;
  for (auto& [value, place] : values) place = names.size(), names.push_back(value);
  auto column_of = [&](double t) {
    return few ? values.at(t) : std::min<std::size_t>(19, std::size_t(std::max(0.0, (t - low) / part)));
  };
  std::vector<MeanOf> absolute(names.size()), signs(names.size());
  // The grid: predicted values by row, in steps of the spacing of nice numbers, over the range of both.
  double bottom = low, top = high;
  {
    auto sorted = predicted;
    std::sort(sorted.begin(), sorted.end());
    auto const n = sorted.size();
    bottom = std::min(bottom, sorted[n / 500]);
    top = std::max(top, sorted[n - 1 - n / 500]);
  }
  double step = 0.5;
  if (top - bottom > 25 || top - bottom < 3) {
    double const wanted = top > bottom ? (top - bottom) / 20 : 1;
    double const power = std::pow(10.0, std::floor(std::log10(wanted)));
    step = wanted / power > 5 ? 10 * power : wanted / power > 2 ? 5 * power : wanted / power > 1 ? 2 * power : power;
  }
  double const base = std::floor(bottom / step) * step;
  auto const rows = std::max<std::size_t>(1, std::min<std::size_t>(60, std::size_t(std::ceil((top - base) / step + 1e-9))));
  std::vector<std::vector<Index>> grid(names.size(), std::vector<Index>(rows, 0));
  for (std::size_t i = 0; i < truth.size(); ++i) {
    auto const column = column_of(truth[i]);
    absolute[column].add(errors[i]);
    signs[column].add(predicted[i] - truth[i]);
    double const row = std::floor((predicted[i] - base) / step);
    ++grid[column][std::size_t(std::clamp(row, 0.0, double(rows - 1)))];
  }
  auto& by_truth = json["by_truth"] = nlohmann::ordered_json::array();
  for (std::size_t c = 0; c < names.size(); ++c)
    by_truth.push_back({short_number(names[c]), Index(absolute[c].count), short_number(absolute[c].mean()),
                        short_number(std::max(0.0, absolute[c].mean() - absolute[c].half())),
                        short_number(absolute[c].mean() + absolute[c].half()), short_number(signs[c].mean())});
  json["grid"] = {{"values", short_numbers(names)},
                  {"parts", !few},
                  {"width", few ? nlohmann::ordered_json() : short_number(part)},
                  {"base", short_number(base)},
                  {"step", short_number(step)},
                  {"counts", grid}};
  json["by_length"] = errors_by_length(own_lengths, errors, false);
}

/// What a guess of a head's value may be: [least, most, whole numbers only].
inline nlohmann::ordered_json value_range(HeadPredictions const& head) {
  double low = 0, high = 0;
  bool any = false, whole = true;
  for (double const t : head.truth) {
    if (!std::isfinite(t)) continue;
    low = any ? std::min(low, t) : t;
    high = any ? std::max(high, t) : t;
    whole = whole && t == std::floor(t);
    any = true;
  }
  if (!any) return nullptr;
  return {short_number(low), short_number(high), whole};
}

#endif

}  // namespace hone::detail
