#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/host_context.hpp"
#include "hone/core/step.hpp"
#include "hone/cpu/scratch.hpp"
#include "hone/data/dataset.hpp"
#include "hone/data/sampler.hpp"
#include "hone/models/bert_classifier.hpp"
#include "hone/ops/gradient_norm.hpp"
#include "hone/train/batch.hpp"
#include "hone/train/finding.hpp"
#include "hone/train/nan_finder.hpp"
#include "hone/train/prefetch.hpp"
#include "hone/train/recipe.hpp"
#include "hone/train/step_report.hpp"

namespace hone {

/// Settings of a run. The defaults are those of the sentiment and star-rating task.
struct TrainerOptions {
  double learning_rate = 1e-5;
  Index batch_size = 16;   ///< examples in one forward and backward pass
  Index step_every = 1;    ///< batches in one optimizer step
  Index epochs = 1;
  Index num_steps = 9600;  ///< at most so many optimizer steps; whichever of epochs and steps ends first
  std::uint64_t seed = 0;  ///< of the order of examples and of dropout
};

namespace detail {

/// Throws E601 for a setting that is out of range.
void check_training(TrainerOptions const& options);
/// The number of steps that a training with so many examples has.
Index total_steps(TrainerOptions const& options, std::size_t examples);
/// Adds a step to what the run came to, and to the step what came before it.
void add_step(FitReport& report, StepReport& step);
/// What a head said of a step's examples, into `report`, whose memory is used again. `place`: of this head among those that
/// classify. The report's accuracy is that of the first of them.
void count_classes(StepReport& report, std::size_t place, HeadInfo const& head, HostMatrix const& output,
                   std::span<Index const> truth);
/// The name of the first head whose loss is not finite; "": all are.
std::string head_not_finite(StepReport const& report);
/// Throws E620 or E621, naming the step, the head and the first tensor that was not finite, and what `problem` tells.
[[noreturn]] void throw_not_finite(Index step, StepReport const& report, std::string const& tensor,
                                   std::optional<Finding> const& problem);

#if HONE_BODIES

HONE_INLINE void check_training(TrainerOptions const& options) {
  auto const check = [](bool right, char const* option, double value, char const* allowed) {
    if (!right)
      throw Error(601, "a training setting is out of range",
                  {.value = std::string(option) + " = " + std::to_string(value), .allowed = allowed},
                  "choose a value in the allowed range");
  };
  check(options.batch_size >= 1, "batch_size", double(options.batch_size), "1 or more");
  check(options.step_every >= 1, "step_every", double(options.step_every), "1 or more");
  check(options.epochs >= 0, "epochs", double(options.epochs), "0 or more");
  check(options.num_steps >= 0, "num_steps", double(options.num_steps), "0 or more");
  check(std::isfinite(options.learning_rate) && options.learning_rate >= 0, "learning_rate", options.learning_rate,
        "0 or more");
}

HONE_INLINE Index total_steps(TrainerOptions const& options, std::size_t examples) {
  Index const per_step = options.batch_size * options.step_every;
  Index const per_epoch = (Index(examples) + per_step - 1) / per_step;
  return std::min(options.num_steps, options.epochs * per_epoch);
}

HONE_INLINE void add_step(FitReport& report, StepReport& step) {
  report.steps += 1;
  report.examples += step.examples;
  report.tokens += step.tokens;
  report.train_seconds += step.seconds;
  step.elapsed = report.train_seconds;
  step.total_tokens = report.tokens;
}

HONE_INLINE void count_classes(StepReport& report, std::size_t place, HeadInfo const& head, HostMatrix const& output,
                               std::span<Index const> truth) {
  if (report.classes.size() == place) report.classes.emplace_back();
  ClassCounts& counts = report.classes[place];
  counts.head = head.name;
  counts.predicted.assign(std::size_t(head.width), 0);
  counts.truth.assign(std::size_t(head.width), 0);
  double right = 0;
  for (std::size_t r = 0; r < truth.size(); ++r) {
    auto const predicted = output.argmax(Index(r)), label = truth[r];
    counts.predicted[std::size_t(predicted)] += 1;
    counts.truth[std::size_t(label)] += 1;
    right += predicted == label ? 1 : 0;
  }
  if (std::isnan(report.accuracy)) report.accuracy = right / double(truth.size());
}

HONE_INLINE std::string head_not_finite(StepReport const& report) {
  for (auto const& [name, loss] : report.losses)
    if (!std::isfinite(loss)) return name;
  return "";
}

HONE_INLINE void throw_not_finite(Index step, StepReport const& report, std::string const& tensor,
                                  std::optional<Finding> const& problem) {
  std::string const head = head_not_finite(report);
  std::string place = "step " + std::to_string(step) +
                      (head.empty() ? ", gradient norm " + std::to_string(report.grad_norm) : ", head " + head);
  if (problem) place += "; " + problem->title;
  throw Error(head.empty() ? 621 : 620, head.empty() ? "the gradient is not finite" : "a loss is not finite",
              {.tensor = tensor, .value = place},
              "lower the learning rate or use warm-up, and check the weights and labels; the parameters are those before "
              "this step");
}

#endif

}  // namespace detail

/// Trains a model by a recipe: batches from a seeded permutation per epoch, accumulation, clipping, optimizer.
///
/// A step's loss is the mean over all its examples; batches are cut from the step's examples in order, so that 16 x 1,
/// 8 x 2 and 4 x 4 (batch size x step_every) are the same step, dropout included.
template <class Model, class RecipeType>
class Trainer {
  using B = typename Model::BackendType;
  using HeadList = typename Model::HeadsType;

 public:
  /// The model stays the caller's, and outlives the trainer. Errors: E601 a setting is out of range, and those of memory.
  Trainer(Model& model, TrainerOptions options, RecipeType recipe = {});

  TrainerOptions const& options() const { return options_; }
  RecipeType const& recipe() const { return recipe_; }
  /// Steps done.
  Index steps() const { return step_; }
  /// The examples of the last step, as rows of the data; outputs and losses of them, in this order, before the step changed
  /// the parameters. Empty before the first step.
  std::span<std::size_t const> last_rows() const { return last_rows_; }
  typename Model::StepResults const& last_results() const { return last_results_; }
  /// After E620 or E621: where the numbers went wrong (D50).
  std::optional<Finding> const& problem() const { return problem_; }
  /// The number of steps that `fit` will do with so many examples.
  Index total_steps(std::size_t examples) const { return detail::total_steps(options_, examples); }

  /// Trains until the epochs or the steps end, or until `stop` becomes true (the current step is finished). Called again
  /// with the same data it continues where it was stopped.
  ///
  /// @param on_step  called as on_step(StepReport const&) after every step
  /// Errors: before the first step E401, E420, E421 (labels), E422 (not tokenised), E408 (no examples); E620 a loss is not
  /// finite, E621 the gradient's norm is not finite: the parameters are then those before the step; the optimizer has
  /// counted it, so go on with a new trainer.
  template <class OnStep>
  FitReport fit(data::Dataset const& train, OnStep&& on_step, std::atomic<bool> const* stop = nullptr) {
    return fit_steps(train, std::ref(on_step), stop);
  }

  /// One optimizer step on these examples, cut into batches of batch_size. The report is valid until the next step.
  StepReport const& step(data::Dataset const& data, typename HeadList::Labels const& labels,
                         std::span<std::size_t const> rows, Index total);

 private:
  /// What a step is made of, on the host.
  struct Prepared {
    explicit Prepared(Model& model) : staged(model.context()) {}
    /// With room for every step, so that no memory is taken later.
    Prepared(Model& model, TrainerOptions const& options, data::Dataset const& data);
    typename Model::Staged staged;
    std::pair<RaggedBatch, typename HeadList::Labels> made{};  ///< the batch that is staged at the moment
    std::vector<std::size_t> rows{};
    Index tokens = 0, epoch = 0;
    data::Dataset const* data = nullptr;
  };
  /// Makes the batches of a step, in any thread.
  void prepare(data::Dataset const& data, typename HeadList::Labels const& labels, std::span<std::size_t const> rows,
               Prepared& to) const;

  StepReport& step(typename HeadList::Labels const& labels, Prepared const& prepared, Index total,
                   std::chrono::steady_clock::time_point begin);
  /// fit, whatever the type of `on_step`.
  FitReport fit_steps(data::Dataset const& train, std::function<void(StepReport const&)> const& on_step,
                      std::atomic<bool> const* stop);

  /// Whether the optimizer's work may be begun again: its count of steps changes apart from it.
  static constexpr bool is_split = requires(typename RecipeType::OptimizerType const& optimizer,
                                            typename RecipeType::OptimizerType::template State<B>& state, Model& model,
                                            VectorView<double const> scale) {
    optimizer.template advance<B>(state);
    optimizer.template apply<B>(model.context(), model.parameters(), state, scale, 0.0);
  };
  /// From the gradients of all batches to new parameters. Where a loss or the norm is not finite the scale becomes NaN, and
  /// the optimizer changes nothing.
  void finish(double learning_rate);

  void summarise(typename Model::StepResults const& results, typename HeadList::Labels const& labels,
                 std::span<std::size_t const> rows, StepReport& report);

  /// Throws E620 or E621 (detail::throw_not_finite), after a search for what went wrong.
  void check_finite(StepReport const& report, typename HeadList::Labels const& labels, Prepared const& prepared);
  /// Looks for the layer or the gradient that was the first to go wrong (D50).
  void find_problem(typename HeadList::Labels const& labels, Prepared const& prepared);

  Model& model_;
  TrainerOptions options_;
  RecipeType recipe_;
  typename RecipeType::OptimizerType::template State<B> optimizer_;
  ClipState<B> clip_;
  std::optional<Prepared> own_{};  ///< of step(data, ...)
  Index step_ = 0;
  StepReport report_{};              ///< of the last step
  std::vector<bool> contributions_{};
  std::vector<std::size_t> last_rows_{};
  std::vector<Index> truth_{};  ///< of one head in a step
  typename Model::StepResults last_results_{};
  std::optional<Finding> problem_{};
};

template <class Model, class RecipeType>
Trainer<Model, RecipeType>::Trainer(Model& model, TrainerOptions options, RecipeType recipe)
    : model_(model),
      options_(options),
      recipe_(std::move(recipe)),
      optimizer_(recipe_.optimizer.template init<B>(model.context(), model.parameters())),
      clip_(model.context(), model.parameters()) {
  detail::check_training(options_);
}

template <class Model, class RecipeType>
FitReport Trainer<Model, RecipeType>::fit_steps(data::Dataset const& train,
                                                std::function<void(StepReport const&)> const& on_step,
                                                std::atomic<bool> const* stop) {
  typename HeadList::Labels const labels = labels_for<HeadList>(train);
  require_tokens(train);
  Index const total = total_steps(train.size());
  FitReport report;
  std::size_t const per_step = std::size_t(options_.batch_size * options_.step_every);
  data::EpochSampler sampler(train.size(), per_step, options_.seed);
  Index const per_epoch = Index(sampler.batches_per_epoch());
  sampler.seek({static_cast<std::uint32_t>(step_ / per_epoch), std::size_t(step_ % per_epoch) * per_step});
  // While a step runs, the next one's batches are made, where they will be copied from.
  Index to_make = total - step_;
  OneAhead<Prepared> ahead(Prepared(model_, options_, train), Prepared(model_, options_, train), [&](Prepared& next) {
    if (to_make-- <= 0) return false;
    prepare(train, labels, sampler.next(), next);
    next.epoch = Index(sampler.position().epoch);
    return true;
  });
  while (step_ < total) {
    if (stop && stop->load()) {
      report.interrupted = true;
      break;
    }
    auto const begin = std::chrono::steady_clock::now();
    Prepared const& prepared = *ahead.next();
    StepReport& done = step(labels, prepared, total, begin);
    done.epoch = prepared.epoch;
    detail::add_step(report, done);
    on_step(done);
  }
  return report;
}

template <class Model, class RecipeType>
StepReport const& Trainer<Model, RecipeType>::step(data::Dataset const& data, typename HeadList::Labels const& labels,
                                                   std::span<std::size_t const> rows, Index total) {
  auto const begin = std::chrono::steady_clock::now();
  if (!own_) own_.emplace(model_);
  prepare(data, labels, rows, *own_);
  return step(labels, *own_, total, begin);
}

template <class Model, class RecipeType>
Trainer<Model, RecipeType>::Prepared::Prepared(Model& model, TrainerOptions const& options, data::Dataset const& data)
    : staged(model.context()) {
  Index const count = Index(data.size()), size = std::min(options.batch_size, count);
  Index longest = 0;
  for (std::size_t i = 0; i < data.size(); ++i) longest = std::max(longest, Index(data.tokens[i].size()));
  staged.reserve(std::min(options.step_every, (count + size - 1) / size), size * longest, size);
  made.first.reserve(size * longest, size);
  for_each_index<HeadList::count>([&](auto i) { std::get<i>(made.second).reserve(std::size_t(size)); });
  rows.reserve(std::size_t(std::min(options.batch_size * options.step_every, count)));
}

template <class Model, class RecipeType>
void Trainer<Model, RecipeType>::prepare(data::Dataset const& data, typename HeadList::Labels const& labels,
                                         std::span<std::size_t const> rows, Prepared& to) const {
  to.data = &data;
  to.rows.assign(rows.begin(), rows.end());
  to.staged.clear();
  to.tokens = 0;
  for (std::size_t first = 0; first < rows.size(); first += std::size_t(options_.batch_size)) {
    auto const some = rows.subspan(first, std::min(rows.size() - first, std::size_t(options_.batch_size)));
    to.made = make_batch<HeadList>(data, labels, some, Index(first), std::move(to.made));
    to.tokens += to.made.first.rows();
    model_.stage(to.made.first, to.made.second, to.staged);
  }
}

template <class Model, class RecipeType>
auto Trainer<Model, RecipeType>::step(typename HeadList::Labels const& labels, Prepared const& prepared, Index total,
                                      std::chrono::steady_clock::time_point begin) -> StepReport& {
  StepReport& report = report_;  // its memory is used again: a step after the first takes none
  report.epoch = report.total_tokens = 0;
  report.elapsed = 0;
  report.total_steps = total;
  report.examples = Index(prepared.rows.size());
  report.tokens = prepared.tokens;
  report.learning_rate = options_.learning_rate * recipe_.schedule.factor(step_, total);
  DropoutKey const key{true, options_.seed, std::uint64_t(step_)};
  model_.begin_step(report.examples);
  model_.upload(prepared.staged);
  if constexpr (is_split) recipe_.optimizer.template advance<B>(optimizer_);
  // The whole step is on its way before anything is waited for: one piece of work where it has one batch.
  auto const& parts = prepared.staged.parts();
  contributions_ = model_.parameters().contributions();
  auto const all = [&] {
    model_.parameters().set_contributions(contributions_);
    model_.accumulate(0, recipe_.losses, key);
    finish(report.learning_rate);
  };
  if (parts.size() == 1) {
    run_step(model_.context(), StepKey{StepKey::Work::step, parts[0].rows, parts[0].size}, all);
  } else {
    for (std::size_t part = 0; part < parts.size(); ++part) model_.accumulate(part, recipe_.losses, key);
    run_step(model_.context(), StepKey{StepKey::Work::end}, [&] { finish(report.learning_rate); });
  }
  if constexpr (!is_split)
    recipe_.optimizer.template step<B>(model_.context(), model_.parameters(), optimizer_, clip_.scale(),
                                       report.learning_rate);
  if constexpr (std::is_base_of_v<HostContext, typename B::Context>) detail::level_scratch(model_.context());
  last_results_ = model_.step_results(std::move(last_results_));
  last_rows_ = prepared.rows;
  auto norms = clip_.fetch_norms({0, std::move(report.group_norms)});
  report.grad_norm = norms.norm;
  report.group_norms = std::move(norms.groups);
  summarise(last_results_, labels, prepared.rows, report);
  check_finite(report, labels, prepared);
  report.step = ++step_;
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return report;
}

template <class Model, class RecipeType>
void Trainer<Model, RecipeType>::finish(double learning_rate) {
  model_.end_step();
  recipe_.clip.template apply<B>(model_.context(), model_.parameters(), clip_);
  run<B>(model_.context(), GuardScale<typename B::Precision>{model_.step_losses(), clip_.scale()});
  if constexpr (is_split)
    recipe_.optimizer.template apply<B>(model_.context(), model_.parameters(), optimizer_, clip_.scale(), learning_rate);
}

template <class Model, class RecipeType>
void Trainer<Model, RecipeType>::summarise(typename Model::StepResults const& results,
                                           typename HeadList::Labels const& labels,
                                           std::span<std::size_t const> rows, StepReport& report) {
  report.accuracy = std::nan("");
  report.losses.resize(HeadList::count);
  std::size_t classifying = 0;
  for_each_index<HeadList::count>([&](auto i) {
    using H = typename HeadList::template At<i>;
    double sum = 0;
    for (double const loss : results.losses[i]) sum += loss;
    report.losses[i].first = H::name();
    report.losses[i].second = sum / double(rows.size());
    if constexpr (ClassifyingHead<H>) {
      truth_.clear();
      for (std::size_t const row : rows) truth_.push_back(Index(std::get<i>(labels)[row]));
      detail::count_classes(report, classifying++, {H::name(), H::width, true}, results.outputs.heads[i], truth_);
    }
  });
}

template <class Model, class RecipeType>
void Trainer<Model, RecipeType>::check_finite(StepReport const& report, typename HeadList::Labels const& labels,
                                              Prepared const& prepared) {
  if (std::isfinite(report.grad_norm) && detail::head_not_finite(report).empty()) return;
  std::string const tensor = detail::first_tensor_not_finite(detail::RangesOf(std::as_const(model_.parameters())));
  find_problem(labels, prepared);
  detail::throw_not_finite(step_ + 1, report, tensor, problem_);
}

template <class Model, class RecipeType>
void Trainer<Model, RecipeType>::find_problem(typename HeadList::Labels const& labels, Prepared const& prepared) {
  try {
    std::vector<std::pair<RaggedBatch, typename HeadList::Labels>> batches;
    std::span<std::size_t const> const rows(prepared.rows);
    for (std::size_t first = 0; first < rows.size(); first += std::size_t(options_.batch_size))
      batches.push_back(make_batch<HeadList>(
          *prepared.data, labels, rows.subspan(first, std::min(rows.size() - first, std::size_t(options_.batch_size)))));
    problem_ = find_not_finite(model_, std::span(std::as_const(batches)), recipe_.losses);
  } catch (Error const&) {  // no memory for the search: the error at hand is more important
  }
}

// A program may compile the training of models with the usual heads once, apart from the rest, as it may these models
// (models/bert_classifier.hpp): by a warm-up, or a choice of it with and without decay. Others are compiled where they are
// used.
#if defined(HONE_KERNELS_ELSEWHERE)
extern template class Trainer<BertClassifier<Cpu<fp32>>, Recipe<>>;
extern template class Trainer<BertClassifier<Cpu<mixed>>, Recipe<>>;
extern template class Trainer<BertClassifier<Cpu<fp32>>, Recipe<AdamW, OneOf<LinearWarmup, LinearWarmupDecay>>>;
extern template class Trainer<BertClassifier<Cpu<mixed>>, Recipe<AdamW, OneOf<LinearWarmup, LinearWarmupDecay>>>;
#endif

}  // namespace hone
