// What a run will take of memory, disk and time, told before it begins.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/data/dataset.hpp"
#include "hone/train/doctor_model.hpp"
#include "hone/train/doctor_options.hpp"
#include "hone/train/doctor_text.hpp"
#include "hone/train/finding.hpp"
#include "hone/train/memory_plan.hpp"

#if HONE_BODIES
#include <nlohmann/json.hpp>
#endif

namespace hone {

namespace detail {

/// D30. What the model holds already (weights and gradients) is part of the plan, and of what is taken now.
Finding memory_finding(MemoryPlan const& plan, std::uint64_t held);

/// The free space where a folder is or will be; 0: not known.
std::uint64_t free_disk_space(std::filesystem::path folder);

/// D31.
Finding disk_finding(std::uint64_t needed, std::uint64_t available);
/// D32.
Finding time_finding(double train_seconds, double test_seconds, Index steps);

/// D31 and D32, for a model of so many values.
void add_disk_and_time(std::vector<Finding>& findings, std::uint64_t values, data::Dataset const& train,
                       data::Dataset const* test, DoctorOptions const& options, DoctorSpeed const& speed);

#if HONE_BODIES

HONE_INLINE Finding memory_finding(MemoryPlan const& plan, std::uint64_t held) {
  std::uint64_t const total = plan.total(), more = total > held ? total - held : 0;
  Finding finding{"D30", Severity::ok, "", "", "", {}};
  *finding.data = {{"planned", total}, {"available", plan.available}};
  finding.title = "memory: " + MemoryPlan::size_text(total) + " for training";
  if (plan.available > 0) finding.title += ", " + MemoryPlan::size_text(plan.available) + " free";
  if (plan.available == 0 || more < plan.available - plan.available / 10) return finding;
  finding.severity = more > plan.available ? Severity::error : Severity::warning;
  finding.title += more > plan.available ? ": not enough" : ": little more than that";
  finding.detail = plan.text();
  finding.next =
      "give a smaller batch size and take more batches for a step (the step stays the same), or cut texts shorter";
  return finding;
}

HONE_INLINE std::uint64_t free_disk_space(std::filesystem::path folder) {
  std::error_code failure;
  folder = std::filesystem::absolute(folder, failure);
  while (!folder.empty() && !std::filesystem::exists(folder, failure) && folder != folder.parent_path())
    folder = folder.parent_path();
  auto const space = std::filesystem::space(folder, failure);
  return failure ? 0 : static_cast<std::uint64_t>(space.available);
}

HONE_INLINE Finding disk_finding(std::uint64_t needed, std::uint64_t available) {
  Finding finding{"D31", Severity::ok, "", "", "", {}};
  *finding.data = {{"planned", needed}, {"available", available}};
  finding.title = "disk: about " + MemoryPlan::size_text(needed) + " for the model and the logs, " +
                  (available > 0 ? MemoryPlan::size_text(available) + " free" : "free space not known");
  if (available == 0 || needed < available - available / 10) return finding;
  finding.severity = needed > available ? Severity::error : Severity::warning;
  finding.title += needed > available ? ": not enough" : ": little more than that";
  finding.next = "make room, or choose a folder on another disk";
  return finding;
}

HONE_INLINE Finding time_finding(double train_seconds, double test_seconds, Index steps) {
  Finding finding{"D32", Severity::ok, "", "", "", {}};
  *finding.data = {{"train_seconds", train_seconds}, {"test_seconds", test_seconds}};
  finding.title = "time: about " + seconds_text(train_seconds) + " for " + counted(std::size_t(steps), "step");
  if (test_seconds > 0) finding.title += ", " + seconds_text(test_seconds) + " for testing";
  if (train_seconds + test_seconds < 24 * 3600) return finding;
  finding.severity = Severity::note;
  finding.detail = "measured on a few texts just now; other work on this machine makes it longer";
  finding.next = "fewer examples, shorter texts (max_length), a smaller model or a GPU";
  return finding;
}

HONE_INLINE void add_disk_and_time(std::vector<Finding>& findings, std::uint64_t values, data::Dataset const& train,
                                   data::Dataset const* test, DoctorOptions const& options, DoctorSpeed const& speed) {
  auto const& training = options.training;
  if (!options.folder.empty()) {
    // The model is written beside its last version and renamed; logs take some hundred bytes a step.
    std::uint64_t const model_bytes = values * sizeof(float);
    std::uint64_t const logs = static_cast<std::uint64_t>(std::max<Index>(training.num_steps, 0)) * 600;
    findings.push_back(disk_finding(2 * model_bytes + std::min<std::uint64_t>(logs, std::uint64_t{1} << 30),
                                            free_disk_space(options.folder)));
  }
  if (speed.train_tokens_per_second <= 0) return;
  Index const per_step = std::max<Index>(training.batch_size * training.step_every, 1);
  Index const per_epoch = (Index(train.size()) + per_step - 1) / per_step;
  Index const steps = std::min(training.num_steps, training.epochs * per_epoch);
  double const mean = static_cast<double>(train.tokens.tokens.size()) / static_cast<double>(train.size());
  double const examples = std::min(double(steps) * double(per_step), double(training.epochs) * double(train.size()));
  double const train_seconds =
      examples * mean / speed.train_tokens_per_second + static_cast<double>(steps) * speed.optimizer_seconds;
  double test_seconds = 0;
  if (test && speed.predict_tokens_per_second > 0)
    test_seconds = static_cast<double>(options.evaluations) * static_cast<double>(test->tokens.tokens.size()) /
                   speed.predict_tokens_per_second;
  findings.push_back(time_finding(train_seconds, test_seconds, steps));
}

#endif

}  // namespace detail

/// D30 memory, D31 disk, D32 time of the run.
///
/// Memory is planned where the model can (Model::memory_plan); the disk is looked at where the options name a folder. Time
/// follows from `speed` and the tokens that the run sees; it is left out where nothing was measured.
template <class Model, class RecipeType>
std::vector<Finding> examine_resources(Model& model, data::Dataset const& train, data::Dataset const* test,
                                       RecipeType const& recipe, DoctorOptions const& options, DoctorSpeed const& speed) {
  std::vector<Finding> findings;
  auto const& training = options.training;
  auto const& store = model.parameters();
  std::size_t longest = 1;
  for (std::size_t i = 0; i < train.tokens.size(); ++i) longest = std::max(longest, train.tokens[i].size());
  if constexpr (requires {
                  training_memory_plan<Model>(model.config(), recipe, training, Index(longest));
                  model.context().available_bytes();
                }) {
    auto largest = training;
    largest.batch_size = std::min(training.batch_size, std::max(Index(train.size()), Index{1}));
    std::optional<EvaluationOptions> evaluation;
    if (test && options.evaluations > 0) {
      for (std::size_t i = 0; i < test->tokens.size(); ++i) longest = std::max(longest, test->tokens[i].size());
      evaluation.emplace().batch_size = std::min(EvaluationOptions{}.batch_size, std::max(Index(test->size()), Index{1}));
    }
    typename Model::ModelOptions model_options;
    if constexpr (requires { model.context().threads(); }) model_options.backend.threads = model.context().threads();
    MemoryPlan plan =
        training_memory_plan<Model>(model.config(), recipe, largest, Index(longest), model_options, evaluation);
    plan.available = model.context().available_bytes();
    MemoryPlan held;
    store.plan_memory(held);
    findings.push_back(detail::memory_finding(plan, held.total()));
  }
  detail::add_disk_and_time(findings, static_cast<std::uint64_t>(store.values()), train, test, options, speed);
  return findings;
}

}  // namespace hone
