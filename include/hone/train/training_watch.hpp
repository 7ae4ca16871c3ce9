// Looks at the steps of a run as they come, and says when something is wrong.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/train/doctor_text.hpp"
#include "hone/train/finding.hpp"
#include "hone/train/step_report.hpp"

#if HONE_BODIES
#include <nlohmann/json.hpp>
#endif

namespace hone {

/// How far the watch looks back.
struct WatchOptions {
  std::size_t steps = 40;  ///< of the window, at least
  Index examples = 300;    ///< in the window, at least
};

/// Warnings while a model trains. D40: for a whole window of steps every prediction was of one class, or all those of each
/// step were, and the labels were not; D41: the loss of a head is well above where it began, or above what the shares of the
/// labels alone give.
///
///   TrainingWatch watch;
///   trainer.fit(data, [&](StepReport const& step) { if (auto const finding = watch.step(step)) show(*finding); });
///
/// Each is told once, and again only after it was over for a window. It costs a few additions a step.
class TrainingWatch {
 public:
  explicit TrainingWatch(WatchOptions options = {});
  TrainingWatch(TrainingWatch const& other);
  TrainingWatch(TrainingWatch&& other);
  TrainingWatch& operator=(TrainingWatch const& other);
  TrainingWatch& operator=(TrainingWatch&& other);
  ~TrainingWatch();

  /// Takes a step; gives a warning when there is a new one (the first of several).
  std::optional<Finding> step(StepReport const& report);

 private:
  std::optional<Finding> one_class(std::size_t h) const;

  std::optional<Finding> rising(std::size_t h);

  /// The place of a head among those that classify; behind them when it does not.
  std::size_t h_of(std::string const& head) const;
  /// Of the labels in the window: the cross entropy of a model that knows their shares and nothing else; infinite for a head
  /// that does not classify.
  double entropy_of(std::size_t h) const;
  double mean_loss(std::string const& head) const;

  WatchOptions options_;
  std::deque<StepReport> steps_{};
  Index examples_ = 0;
  std::set<std::string> told_{};
  std::map<std::string, double> first_loss_{};  ///< mean of the first window, by head
};

#if HONE_BODIES

HONE_INLINE TrainingWatch::TrainingWatch(WatchOptions options) : options_(options) {}
HONE_INLINE TrainingWatch::TrainingWatch(TrainingWatch const& other) = default;
HONE_INLINE TrainingWatch::TrainingWatch(TrainingWatch&& other) = default;
HONE_INLINE TrainingWatch& TrainingWatch::operator=(TrainingWatch const& other) = default;
HONE_INLINE TrainingWatch& TrainingWatch::operator=(TrainingWatch&& other) = default;
HONE_INLINE TrainingWatch::~TrainingWatch() = default;

HONE_INLINE std::optional<Finding> TrainingWatch::step(StepReport const& report) {
  steps_.push_back(report);
  examples_ += report.examples;
  while (steps_.size() > options_.steps && examples_ - steps_.front().examples >= options_.examples) {
    examples_ -= steps_.front().examples;
    steps_.pop_front();
  }
  if (steps_.size() < options_.steps || examples_ < options_.examples) return {};
  std::optional<Finding> first;
  auto const tell = [&](std::string const& key, std::optional<Finding> finding) {
    if (!finding) {
      told_.erase(key);
    } else if (!first && told_.insert(key).second) {
      first = std::move(finding);
    }
  };
  for (std::size_t h = 0; h < report.classes.size(); ++h) tell("D40 " + report.classes[h].head, one_class(h));
  for (std::size_t h = 0; h < report.losses.size(); ++h) tell("D41 " + report.losses[h].first, rising(h));
  return first;
}

HONE_INLINE std::optional<Finding> TrainingWatch::one_class(std::size_t h) const {
  auto const& last = steps_.back().classes[h];
  std::vector<Index> predicted(last.predicted.size()), truth(last.truth.size());
  double norm = 0;
  bool by_step = true;  // every step's predictions agree, maybe on another class each time
  for (auto const& step : steps_) {
    by_step = by_step && step.examples >= 8 &&
              *std::max_element(step.classes[h].predicted.begin(), step.classes[h].predicted.end()) == step.examples;
    for (std::size_t k = 0; k < predicted.size(); ++k) predicted[k] += step.classes[h].predicted[k];
    for (std::size_t k = 0; k < truth.size(); ++k) truth[k] += step.classes[h].truth[k];
    norm += step.grad_norm / static_cast<double>(steps_.size());
  }
  auto const most = std::max_element(predicted.begin(), predicted.end());
  auto const k = static_cast<std::size_t>(most - predicted.begin());
  auto const all = static_cast<double>(examples_);
  double const share = static_cast<double>(truth[k]) / all;
  if ((*most != examples_ && !by_step) || share > 0.95) return {};  // of 19 in 20 labels it is a good answer
  double const entropy = entropy_of(h), loss = mean_loss(last.head);
  Finding finding{"D40", Severity::warning, "", "", "", {}};
  finding.title = last.head + ": every prediction of the last " + std::to_string(steps_.size()) + " steps is class " +
                  std::to_string(k) + "; of the labels " + detail::percent_text(share) + " are";
  if (*most != examples_)
    finding.title = last.head + ": in each of the last " + std::to_string(steps_.size()) +
                    " steps all predictions are of one class, now this, now that";
  std::vector<std::string> causes;
  double const rate = steps_.back().learning_rate;
  bool const too_high = rate > 1e-4 || loss > 1.1 * entropy + 0.02;
  if (too_high) causes.push_back("the learning rate " + detail::number_text(rate) + " is too high");
  if (share > 0.75) causes.push_back("the classes are not balanced (D10)");
  if (norm < 1e-3) causes.push_back("the gradient is almost zero (mean norm " + detail::number_text(norm) + ")");
  if (steps_.back().step < 3 * static_cast<Index>(options_.steps) && !too_high)
    causes.push_back("it is early, and the learning rate " + detail::number_text(rate) + " is low");
  causes.push_back("labels that do not belong to their texts, or an order sorted by them (D11)");
  causes.push_back("weights that are not pretrained (D02)");
  finding.detail = "loss " + detail::number_text(loss) + "; knowing the shares of the labels alone gives " +
                   detail::number_text(entropy) + "\nlikely causes, the likeliest first:";
  for (std::size_t i = 0; i < causes.size(); ++i) finding.detail += (i == 0 ? " " : "; ") + causes[i];
  finding.next = too_high ? "stop, and begin again with a tenth of the learning rate, or with warm-up"
                          : "if this stays so for as many steps again, stop and ask the doctor (D02, D10, D11, D24)";
  *finding.data = {{"step", steps_.back().step}, {"head", last.head}, {"class", k}, {"label_share", share}, {"loss", loss},
                   {"entropy", entropy},         {"causes", causes}};
  return finding;
}

HONE_INLINE std::optional<Finding> TrainingWatch::rising(std::size_t h) {
  std::string const& head = steps_.back().losses[h].first;
  double const now = mean_loss(head);
  auto const [entry, is_first] = first_loss_.emplace(head, now);
  double const began = entry->second, shares = entropy_of(h_of(head));
  bool const above_shares = steps_.back().step >= 2 * static_cast<Index>(options_.steps) && now > 1.5 * shares + 0.05;
  if (!above_shares && (is_first || !(now > 1.25 * began + 1e-6))) return {};
  Finding finding{"D41", Severity::warning, "", "", "", {}};
  finding.title = head + ": the loss rises, from " + detail::number_text(began) + " to " + detail::number_text(now);
  if (now <= 1.25 * began)
    finding.title = head + ": the loss is " + detail::number_text(now) + "; knowing the shares of the labels alone gives " +
                    detail::number_text(shares);
  finding.title += " (mean of " + std::to_string(steps_.size()) + " steps)";
  finding.detail = "learning rate " + detail::number_text(steps_.back().learning_rate) + ", norm of the gradient " +
                   detail::number_text(steps_.back().grad_norm);
  finding.next = "stop, and begin again with a tenth of the learning rate, or with warm-up";
  *finding.data = {{"step", steps_.back().step}, {"head", head}, {"first", began}, {"now", now}};
  return finding;
}

HONE_INLINE std::size_t TrainingWatch::h_of(std::string const& head) const {
  auto const& classes = steps_.back().classes;
  return static_cast<std::size_t>(
      std::find_if(classes.begin(), classes.end(), [&](auto const& c) { return c.head == head; }) - classes.begin());
}

HONE_INLINE double TrainingWatch::entropy_of(std::size_t h) const {
  if (h >= steps_.back().classes.size()) return std::numeric_limits<double>::infinity();
  std::vector<Index> truth(steps_.back().classes[h].truth.size());
  for (auto const& step : steps_)
    for (std::size_t k = 0; k < truth.size(); ++k) truth[k] += step.classes[h].truth[k];
  double entropy = 0;
  for (Index const count : truth) {
    double const share = static_cast<double>(count) / static_cast<double>(examples_);
    if (count > 0) entropy -= share * std::log(share);
  }
  return entropy;
}

HONE_INLINE double TrainingWatch::mean_loss(std::string const& head) const {
  double sum = 0, examples = 0;
  for (auto const& step : steps_)
    for (auto const& [name, loss] : step.losses)
      if (name == head) sum += loss * static_cast<double>(step.examples), examples += static_cast<double>(step.examples);
  return examples > 0 ? sum / examples : std::numeric_limits<double>::quiet_NaN();
}

#endif

}  // namespace hone
