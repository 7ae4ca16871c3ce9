// The doctor's hands: a few texts of the training set, and what the model, the losses and the optimizer do with them.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/data/dataset.hpp"
#include "hone/io/ledger.hpp"
#include "hone/loss/cross_entropy.hpp"
#include "hone/models/outputs.hpp"
#include "hone/ops/gradient_norm.hpp"
#include "hone/optim/clip.hpp"
#include "hone/train/batch.hpp"
#include "hone/train/doctor_options.hpp"
#include "hone/train/head_evaluation.hpp"
#include "hone/train/parameter_snapshot.hpp"

namespace hone {

/// How fast the model computes, measured on a few texts.
struct DoctorSpeed {
  double train_tokens_per_second = 0, predict_tokens_per_second = 0;
  double optimizer_seconds = 0;  ///< one step of it
  double run_seconds = 0;        ///< that examine_model took in all
};

namespace detail {

/// The gradient of one tensor, as far as the doctor looks at it.
struct TensorGradient {
  std::string name{};
  Index size = 0;
  bool frozen = false;
  double sum_of_squares = 0;  ///< of a frozen one not computed
};

/// The doctor at work on one model, whatever its type. Everything here leaves the parameters changed, until `restore`.
class Exam {
  using Clock = std::chrono::steady_clock;

 public:
  /// A few texts: their tokens, and which of the data they are.
  struct Sample {
    RaggedBatch batch{};
    std::vector<std::size_t> rows{};
  };

  Exam(data::Dataset const& train, DoctorOptions const& options);
  Exam(Exam const&) = delete;
  Exam& operator=(Exam const&) = delete;
  virtual ~Exam() = default;

  double elapsed() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }
  bool time_for(double seconds) const { return elapsed() + seconds <= seconds_; }
  /// A long run may be looked at for longer: 0.2 % of its time.
  void plan_time(double train_tokens_per_second);
  double seconds() const { return seconds_; }
  DoctorOptions const& options() const { return options_; }

  /// The first texts of the order, at most so many and of so many tokens together; each keeps its first tokens and its last
  /// ([SEP]), `most_each` in all. One text at least.
  Sample sample(std::size_t texts, std::size_t tokens, std::size_t most_each) const;

  // What the types of model and recipe decide.

  virtual void predict(Sample const& sample) = 0;
  /// By head, of what was predicted: the mean cross entropy, the mean error of a number; none for another head.
  virtual std::vector<std::optional<double>> first_errors(Sample const& sample) const = 0;
  /// Forward and backward, no dropout; the weighted loss. The gradients stay in the store.
  virtual double gradients(Sample const& sample) = 0;
  virtual std::vector<TensorGradient> tensor_gradients() const = 0;
  virtual bool is_gradient_zero(Index id) const = 0;
  /// Freezes what the optimizer does not train.
  virtual void freeze() = 0;
  virtual void new_optimizer() = 0;
  virtual void end_optimizer() = 0;
  /// One step of that optimizer at a rate; the loss is the one before it.
  virtual double step(Sample const& sample, double rate) = 0;
  /// Whether a head's own parameters came from a file, so that it need not begin at chance.
  virtual bool head_is_loaded(std::string const& head) const = 0;
  /// All parameters, gradients included, are to the bit what they were. The end does it, too.
  virtual void restore() = 0;

 private:
  data::Dataset const& train_;
  DoctorOptions const& options_;
  std::vector<std::size_t> order_;
  double seconds_ = options_.seconds;
  Clock::time_point begin_ = Clock::now();
};

#if HONE_BODIES

HONE_INLINE Exam::Exam(data::Dataset const& train, DoctorOptions const& options)
    : train_(train), options_(options), order_(options.first_order(train.size())) {}

HONE_INLINE void Exam::plan_time(double train_tokens_per_second) {
  auto const& t = options_.training;
  double const mean = static_cast<double>(train_.tokens.tokens.size()) / static_cast<double>(train_.size());
  double const seen = std::min(static_cast<double>(t.num_steps) * static_cast<double>(t.batch_size * t.step_every),
                               static_cast<double>(t.epochs) * static_cast<double>(train_.size()));
  seconds_ = std::max(options_.seconds, 0.002 * seen * mean / train_tokens_per_second);
}

HONE_INLINE Exam::Sample Exam::sample(std::size_t texts, std::size_t tokens, std::size_t most_each) const {
  Sample made;
  for (std::size_t const row : order_) {
    auto ids = std::vector<std::int32_t>(train_.tokens[row].begin(), train_.tokens[row].end());
    if (ids.size() > most_each) ids.erase(ids.begin() + std::ptrdiff_t(most_each) - 1, ids.end() - 1);
    auto const taken = static_cast<std::size_t>(made.batch.rows());
    if (made.batch.size() > 0 && taken + ids.size() > tokens) break;
    made.batch.push_back(ids);
    made.rows.push_back(row);
    if (static_cast<std::size_t>(made.batch.size()) >= texts) break;
  }
  return made;
}

#endif

template <class Model, class RecipeType>
class ModelExam final : public Exam {
  using B = typename Model::BackendType;
  using HeadList = typename Model::HeadsType;
  using Labels = typename HeadList::Labels;
  using OptimizerState = typename RecipeType::OptimizerType::template State<B>;

 public:
  ModelExam(Model& model, data::Dataset const& train, RecipeType const& recipe, DoctorOptions const& options)
      : Exam(train, options),
        model_(model),
        recipe_(recipe),
        labels_(labels_for<HeadList>(train)),
        snapshot_(model.context(), model.parameters()) {}

  void predict(Sample const& sample) override { outputs_ = model_.predict(sample.batch); }
  std::vector<std::optional<double>> first_errors(Sample const& sample) const override {
    Labels const labels = labels_of(sample);
    std::vector<std::optional<double>> errors(HeadList::count);
    for_each_index<HeadList::count>([&](auto i) {
      using H = typename HeadList::template At<i>;
      auto const& output = outputs_.heads[i];
      auto const& truth = std::get<i>(labels);
      double sum = 0;
      for (std::size_t r = 0; r < truth.size(); ++r) {
        if constexpr (ClassifyingHead<H>)
          sum += CrossEntropy::row<double>(output.row(Index(r)), H::width, std::int32_t(truth[r]), nullptr);
        else if constexpr (regressing_head<H>)
          sum += std::abs(output(Index(r), 0) - static_cast<double>(truth[r]));
      }
      if constexpr (ClassifyingHead<H> || regressing_head<H>) errors[i] = sum / static_cast<double>(truth.size());
    });
    return errors;
  }
  double gradients(Sample const& sample) override {
    accumulate(sample);
    return loss();
  }
  std::vector<TensorGradient> tensor_gradients() const override {
    auto const& store = model_.parameters();
    std::vector<TensorGradient> all;
    for (Index id = 0; id < store.count(); ++id) {
      TensorGradient one{store.info(id).name, store.info(id).size, store.is_frozen(id), 0};
      if (!one.frozen)
        for (auto const v : store.get_gradient(id)) one.sum_of_squares += static_cast<double>(v) * static_cast<double>(v);
      all.push_back(std::move(one));
    }
    return all;
  }
  bool is_gradient_zero(Index id) const override {
    auto const values = model_.parameters().get_gradient(id);
    return std::all_of(values.begin(), values.end(), [](auto v) { return v == 0; });
  }
  void freeze() override { static_cast<void>(recipe_.optimizer.template init<B>(model_.context(), model_.parameters())); }
  void new_optimizer() override {
    optimizer_.reset(new OptimizerState(recipe_.optimizer.template init<B>(model_.context(), model_.parameters())));
    clip_.emplace(model_.context(), model_.parameters());
  }
  void end_optimizer() override {
    clip_.reset();
    optimizer_.reset();
  }
  double step(Sample const& sample, double rate) override {
    accumulate(sample);
    recipe_.clip.template apply<B>(model_.context(), model_.parameters(), *clip_);
    run<B>(model_.context(), GuardScale<typename B::Precision>{model_.step_losses(), clip_->scale()});
    recipe_.optimizer.template step<B>(model_.context(), model_.parameters(), *optimizer_, clip_->scale(), rate);
    return loss();
  }
  bool head_is_loaded(std::string const& head) const override {
    if constexpr (requires { model_.ledger(); })
      for (auto const& entry : model_.ledger().entries())
        if (entry.parameter == head + ".weight") return entry.state == LedgerState::loaded;
    return false;
  }
  void restore() override { snapshot_.restore(); }

 private:
  Labels labels_of(Sample const& sample) const {
    Labels labels;
    for_each_index<HeadList::count>([&](auto i) {
      for (std::size_t const row : sample.rows) std::get<i>(labels).push_back(std::get<i>(labels_)[row]);
    });
    return labels;
  }
  void accumulate(Sample const& sample) {
    model_.begin_step(sample.batch.size());
    model_.accumulate(sample.batch, labels_of(sample), recipe_.losses, DropoutKey{});
    model_.end_step();
  }
  /// The sum of the heads' mean losses, weighted.
  double loss() {
    auto const results = model_.step_results();
    double total = 0;
    for (std::size_t i = 0; i < HeadList::count; ++i) {
      double sum = 0;
      for (double const one : results.losses[i]) sum += one;
      total += recipe_.losses.weights[i] * (sum / static_cast<double>(results.losses[i].size()));
    }
    return total;
  }

  Model& model_;
  RecipeType const& recipe_;
  Labels labels_;
  Outputs<HeadList> outputs_{};
  std::unique_ptr<OptimizerState> optimizer_{};
  std::optional<ClipState<B>> clip_{};
  ParameterSnapshot<B> snapshot_;
};

}  // namespace detail

}  // namespace hone
