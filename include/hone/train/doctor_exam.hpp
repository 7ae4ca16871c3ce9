// The doctor's hands: a few texts of the training set, and what the model, the losses and the optimizer do with them.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "hone/data/dataset.hpp"
#include "hone/io/ledger.hpp"
#include "hone/ops/gradient_norm.hpp"
#include "hone/optim/clip.hpp"
#include "hone/train/batch.hpp"
#include "hone/train/doctor_options.hpp"

namespace hone {

/// How fast the model computes, measured on a few texts.
struct DoctorSpeed {
  double train_tokens_per_second = 0, predict_tokens_per_second = 0;
  double optimizer_seconds = 0;  ///< one step of it
  double run_seconds = 0;        ///< that examine_model took in all
};

namespace detail {

/// The doctor at work on one model. Everything here leaves the parameters changed; examine_model puts them back.
template <class Model, class RecipeType>
class ModelExam {
  using B = typename Model::BackendType;
  using HeadList = typename Model::HeadsType;
  using Labels = typename HeadList::Labels;
  using Clock = std::chrono::steady_clock;

 public:
  struct Sample {
    RaggedBatch batch{};
    Labels labels{};
  };
  struct Losses {
    double total = 0;               ///< weighted
    std::vector<double> by_head{};  ///< means, not weighted
  };

  ModelExam(Model& model, data::Dataset const& train, RecipeType const& recipe, DoctorOptions const& options)
      : model_(model), train_(train), recipe_(recipe), options_(options), labels_(labels_for<HeadList>(train)) {
    order_ = options.first_order(train.size());
  }

  double elapsed() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }
  bool time_for(double seconds) const { return elapsed() + seconds <= seconds_; }
  /// A long run may be looked at for longer: 0.2 % of its time.
  void plan_time(double train_tokens_per_second) {
    auto const& t = options_.training;
    double const mean = static_cast<double>(train_.tokens.tokens.size()) / static_cast<double>(train_.size());
    double const seen = std::min(static_cast<double>(t.num_steps) * static_cast<double>(t.batch_size * t.step_every),
                                 static_cast<double>(t.epochs) * static_cast<double>(train_.size()));
    seconds_ = std::max(options_.seconds, 0.002 * seen * mean / train_tokens_per_second);
  }
  double seconds() const { return seconds_; }

  /// The first texts of the order, at most so many and of so many tokens together; each keeps its first tokens and its last
  /// ([SEP]), `most_each` in all. One text at least.
  Sample sample(std::size_t texts, std::size_t tokens, std::size_t most_each) const {
    Sample made;
    for (std::size_t const row : order_) {
      auto ids = std::vector<std::int32_t>(train_.tokens[row].begin(), train_.tokens[row].end());
      if (ids.size() > most_each) ids.erase(ids.begin() + std::ptrdiff_t(most_each) - 1, ids.end() - 1);
      auto const taken = static_cast<std::size_t>(made.batch.rows());
      if (made.batch.size() > 0 && taken + ids.size() > tokens) break;
      made.batch.push_back(ids);
      for_each_index<HeadList::count>([&](auto i) { std::get<i>(made.labels).push_back(std::get<i>(labels_)[row]); });
      if (static_cast<std::size_t>(made.batch.size()) >= texts) break;
    }
    return made;
  }

  /// Forward and backward, no dropout. The gradients stay in the store.
  Losses gradients(Sample const& sample) {
    model_.begin_step(sample.batch.size());
    model_.accumulate(sample.batch, sample.labels, recipe_.losses, DropoutKey{});
    model_.end_step();
    return losses(model_.step_results());
  }
  Losses losses(typename Model::StepResults const& results) const {
    Losses all;
    for (std::size_t i = 0; i < HeadList::count; ++i) {
      double sum = 0;
      for (double const loss : results.losses[i]) sum += loss;
      all.by_head.push_back(sum / static_cast<double>(results.losses[i].size()));
      all.total += recipe_.losses.weights[i] * all.by_head.back();
    }
    return all;
  }
  /// One optimizer step at a rate; the losses are those before it.
  template <class State>
  Losses step(Sample const& sample, State& state, ClipState<B>& clip, double rate) {
    model_.begin_step(sample.batch.size());
    model_.accumulate(sample.batch, sample.labels, recipe_.losses, DropoutKey{});
    model_.end_step();
    recipe_.clip.template apply<B>(model_.context(), model_.parameters(), clip);
    run<B>(model_.context(), GuardScale<typename B::Precision>{model_.step_losses(), clip.scale()});
    recipe_.optimizer.template step<B>(model_.context(), model_.parameters(), state, clip.scale(), rate);
    return losses(model_.step_results());
  }
  auto new_optimizer() { return recipe_.optimizer.template init<B>(model_.context(), model_.parameters()); }
  ClipState<B> new_clip() { return ClipState<B>(model_.context(), model_.parameters()); }

  /// Whether a head's own parameters came from a file, so that it need not begin at chance.
  bool head_is_loaded(std::string const& head) const {
    if constexpr (requires { model_.ledger(); })
      for (auto const& entry : model_.ledger().entries())
        if (entry.parameter == head + ".weight") return entry.state == LedgerState::loaded;
    return false;
  }

  Model& model() { return model_; }
  RecipeType const& recipe() const { return recipe_; }
  DoctorOptions const& options() const { return options_; }

 private:
  Model& model_;
  data::Dataset const& train_;
  RecipeType const& recipe_;
  DoctorOptions const& options_;
  Labels labels_;
  std::vector<std::size_t> order_{};
  double seconds_ = options_.seconds;
  Clock::time_point begin_ = Clock::now();
};

}  // namespace detail

}  // namespace hone
