// What the model does with a few texts before it is trained: its first losses, its gradients, a few steps on one batch.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/data/dataset.hpp"
#include "hone/train/doctor_exam.hpp"
#include "hone/train/doctor_options.hpp"
#include "hone/train/doctor_rates.hpp"
#include "hone/train/doctor_text.hpp"
#include "hone/train/finding.hpp"

#if HONE_BODIES
#include <nlohmann/json.hpp>
#endif

namespace hone {

namespace detail {

/// D20: cross entropy of new classifying heads, against ln K.
Finding first_loss_finding(std::string const& head, Index classes, double loss, bool loaded);

/// D21: whether a head that gives numbers begins anywhere near its labels.
Finding scale_finding(HeadLabels const& labels, double error, bool loaded);

/// examine_model for a model of any type.
///
/// @param warms_up  the schedule begins low
std::vector<Finding> examine_model(Exam& exam, std::span<HeadLabels const> heads,
                                   std::span<std::string const> heads_without_loss, bool warms_up, DoctorSpeed& speed);

#if HONE_BODIES

HONE_INLINE Finding first_loss_finding(std::string const& head, Index classes, double loss, bool loaded) {
  double const chance = std::log(static_cast<double>(classes));
  Finding finding{"D20", Severity::ok, "", "", "", {}};
  *finding.data = {{"head", head}, {"cross_entropy", loss}, {"ln_k", chance}};
  finding.title = head + ": first cross entropy " + number_text(loss) + ", by chance ln " + std::to_string(classes) + " = " +
                  number_text(chance);
  if (loaded && loss <= 1.5 * chance + 0.1) {
    finding.title = head + ": cross entropy " + number_text(loss) + " before training; the head was loaded, not new";
  } else if (!std::isfinite(loss)) {
    finding.severity = Severity::error;
    finding.title = head + ": the first cross entropy is not finite";
    finding.next = "look at the weights: the file may be damaged, or of another precision";
  } else if (loss > 1.5 * chance + 0.1) {
    finding.severity = loss > 4 * chance ? Severity::error : Severity::warning;
    finding.title += ": too high";
    finding.next = "check that class numbers mean what the head means, and that the [CLS] vector is of a usual size";
  } else if (loss < 0.6 * chance) {
    finding.severity = Severity::warning;
    finding.title += ": too low for a head that has learnt nothing";
    finding.next = "check whether the label can be read from the text, and whether the head is new";
  }
  return finding;
}

HONE_INLINE Finding scale_finding(HeadLabels const& labels, double error, bool loaded) {
  std::vector<double> sorted(labels.values.begin(), labels.values.end());
  std::sort(sorted.begin(), sorted.end());
  double const median = sorted[sorted.size() / 2];
  double spread = 0;
  for (double const v : sorted) spread += std::abs(v - median) / static_cast<double>(sorted.size());
  Finding finding{"D21", Severity::ok, "", "", "", {}};
  *finding.data = {{"head", labels.head}, {"error", error}, {"spread", spread}};
  finding.title = labels.head + ": first error " + number_text(error) + "; saying " + number_text(median) +
                  " every time would give " + number_text(spread);
  if (!std::isfinite(error)) {
    finding.severity = Severity::error;
    finding.title = labels.head + ": the first outputs are not finite";
    finding.next = "look at the weights: the file may be damaged, or of another precision";
  } else if (!loaded && error > 5 * spread && spread > 0) {
    finding.severity = Severity::warning;
    finding.title += ": the labels lie far from what the head gives";
    finding.next = "give the head a map onto the labels' range, as Affine<5, 5> for 1 to 10, or scale the labels";
  }
  return finding;
}

/// D20 and D21, on at most 16 texts of 64 tokens.
inline std::vector<Finding> first_outputs(Exam& exam, std::span<HeadLabels const> heads, DoctorSpeed& speed) {
  auto const sample = exam.sample(16, 1024, 64);
  auto const begin = exam.elapsed();
  exam.predict(sample);
  speed.predict_tokens_per_second = static_cast<double>(sample.batch.rows()) / std::max(exam.elapsed() - begin, 1e-9);
  std::vector<Finding> findings;
  auto const errors = exam.first_errors(sample);
  for (std::size_t i = 0; i < heads.size(); ++i) {
    if (!errors[i]) continue;
    bool const loaded = exam.head_is_loaded(heads[i].head);
    findings.push_back(heads[i].classes > 0 ? first_loss_finding(heads[i].head, heads[i].classes, *errors[i], loaded)
                                            : scale_finding(heads[i], *errors[i], loaded));
  }
  return findings;
}

/// D22: every tensor that is trained gets a finite gradient that is not zero. The gradients of a batch are in the store.
///
/// Left out: what is frozen; key.bias, whose gradient is zero in exact arithmetic (softmax does not see a shift); the
/// parameters of heads whose loss has weight 0, which are told apart. When a gradient is zero, those of one text alone are
/// looked at, where contributions of several texts cannot cancel (those of L1 to a bias are +1 and -1).
inline Finding gradient_finding(Exam& exam, std::span<std::string const> heads_without_loss) {
  std::vector<std::string> zero, broken, frozen;
  std::vector<std::size_t> zero_ids;
  std::string least_name, most_name;
  double least = std::numeric_limits<double>::infinity(), most = 0;
  std::size_t tensors = 0;
  auto const all = exam.tensor_gradients();
  for (std::size_t id = 0; id < all.size(); ++id) {
    auto const& info = all[id];
    if (info.frozen) {
      frozen.push_back(info.name);
      continue;
    }
    bool const no_loss = std::any_of(heads_without_loss.begin(), heads_without_loss.end(), [&](auto const& head) {
      return info.name == head + ".weight" || info.name == head + ".bias";
    });
    double const sum = info.sum_of_squares;
    tensors += 1;
    if (!std::isfinite(sum)) {
      broken.push_back(info.name);
    } else if (sum == 0) {
      if (!no_loss && !ends_with(info.name, "key.bias")) zero_ids.push_back(id);
    } else if (!ends_with(info.name, "key.bias")) {
      double const size = std::sqrt(sum / static_cast<double>(info.size));
      if (size < least) least = size, least_name = info.name;
      if (size > most) most = size, most_name = info.name;
    }
  }
  if (!zero_ids.empty()) exam.gradients(exam.sample(1, 512, 256));
  for (std::size_t const id : zero_ids)
    if (exam.is_gradient_zero(Index(id))) zero.push_back(all[id].name);
  Finding finding{"D22", Severity::ok, "", "", "", {}};
  *finding.data = {{"tensors", tensors}, {"frozen", frozen.size()}, {"zero", zero}, {"not_finite", broken}};
  finding.title = "each of " + std::to_string(tensors) + " trained tensors gets a gradient";
  if (!frozen.empty()) finding.title += "; " + std::to_string(frozen.size()) + " are frozen";
  if (!broken.empty()) {
    finding.severity = Severity::error;
    finding.title = "the gradient of " + counted(broken.size(), "tensor") + " is not finite";
    finding.detail = list_text(broken, 8);
    finding.next = "look at the weights and at the labels of the first batch; D50 tells how to find the layer";
  } else if (!zero.empty()) {
    finding.severity = Severity::error;
    finding.title = counted(zero.size(), "tensor") + (zero.size() == 1 ? " gets" : " get") + " no gradient";
    finding.detail = list_text(zero, 8);
    finding.next = "check that the layers before them pass their gradient on; what gets none is not trained";
  } else if (tensors == 0) {
    finding.severity = Severity::error;
    finding.title = "every tensor is frozen: nothing is trained";
    finding.next = "check the parameter groups of the optimizer";
  } else {
    (*finding.data)["largest"] = {{"tensor", most_name}, {"rms", most}};
    (*finding.data)["smallest"] = {{"tensor", least_name}, {"rms", least}};
    if (!heads_without_loss.empty()) {
      finding.severity = Severity::note;
      finding.detail = "not trained, for the weight of their loss is 0: " + list_text(heads_without_loss);
    }
  }
  return finding;
}

/// D60: what there was no time for.
inline Finding capped_finding(std::string const& what, double seconds) {
  return {"D60", Severity::note, what, "the time for it was " + seconds_text(seconds), "give the doctor more seconds", {}};
}

HONE_INLINE std::vector<Finding> examine_model(Exam& exam, std::span<HeadLabels const> heads,
                                               std::span<std::string const> heads_without_loss, bool warms_up,
                                               DoctorSpeed& speed) {
  std::vector<Finding> findings = first_outputs(exam, heads, speed);
  exam.freeze();
  auto const whole = exam.sample(static_cast<std::size_t>(std::max<Index>(exam.options().training.batch_size, 1)), 512, 256);
  double begin = exam.elapsed();
  exam.gradients(whole);
  if (exam.elapsed() - begin < 0.5) {  // again: the first time takes memory too
    begin = exam.elapsed();
    exam.gradients(whole);
  }
  speed.train_tokens_per_second = static_cast<double>(whole.batch.rows()) / std::max(exam.elapsed() - begin, 1e-9);
  exam.plan_time(speed.train_tokens_per_second);
  findings.push_back(gradient_finding(exam, heads_without_loss));

  auto const small = exam.sample(8, 192, 24);
  double const step = static_cast<double>(small.batch.rows()) / speed.train_tokens_per_second;
  if (gravest(findings) >= Severity::error) {  // more steps would say nothing new
  } else if (exam.time_for(6 * step)) {
    double const range_begin = exam.elapsed();
    auto const range = measure_range(exam, small, exam.time_for(12 * step) ? std::sqrt(10.0) : 10.0);
    double const range_seconds = exam.elapsed() - range_begin;
    speed.optimizer_seconds = std::max(0.0, range_seconds / static_cast<double>(range.losses.size()) - step);
    auto const texts = static_cast<std::size_t>(small.batch.size());
    double const lowest = *std::min_element(range.losses.begin(), range.losses.end());
    if (lowest < 0.7 * range.losses.front()) {  // growing rates have shown it already
      auto const at = std::find(range.losses.begin(), range.losses.end(), lowest) - range.losses.begin();
      findings.push_back(overfit_finding(range.losses.front(), lowest, std::size_t(at), 0, texts));
    } else {
      exam.restore();
      double const rate = range.best > 0 ? range.best : 1e-4;
      auto const run = measure_overfit(exam, small, rate, step);
      findings.push_back(overfit_finding(run.before, run.after, run.steps, rate, texts));
    }
    findings.push_back(rate_finding(range, exam.options().training.learning_rate, warms_up));
  } else {
    findings.push_back(
        capped_finding("no time for steps on one batch (D23) and for learning rates (D24)", exam.seconds()));
  }
  exam.restore();
  speed.run_seconds = exam.elapsed();
  return findings;
}

#endif

}  // namespace detail

/// D20 first cross entropies, D21 first errors, D22 gradients, D23 a few steps on one batch, D24 growing learning rates; D60
/// what there was no time for. All parameters, gradients included, are to the bit what they were, also after an error.
///
/// @param speed  gets what was measured on the way
template <class Model, class RecipeType>
std::vector<Finding> examine_model(Model& model, data::Dataset const& train, RecipeType const& recipe,
                                   DoctorOptions const& options, DoctorSpeed& speed) {
  using HeadList = typename Model::HeadsType;
  auto const heads = head_labels<HeadList>(train);
  detail::ModelExam<Model, RecipeType> exam(model, train, recipe, options);
  std::vector<std::string> without_loss;
  for (std::size_t i = 0; i < HeadList::count; ++i)
    if (recipe.losses.weights[i] == 0) without_loss.push_back(std::string(HeadList::names()[i]));
  bool const warms_up = recipe.schedule.factor(0, std::max<Index>(options.training.num_steps, 1)) < 0.2;
  return detail::examine_model(exam, heads, without_loss, warms_up, speed);
}

}  // namespace hone
