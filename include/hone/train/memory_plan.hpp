#pragma once

#include <algorithm>
#include <optional>

#include "hone/core/memory_plan.hpp"
#include "hone/optim/clip.hpp"
#include "hone/train/evaluate.hpp"
#include "hone/train/trainer.hpp"

namespace hone {

/// What training by a recipe takes of the backend's memory: parameters, gradients, the optimizer's state, and the
/// activations of the largest batch that can come. Nothing of it is taken.
///
/// All that goes through the backend's context is counted: also scratch memory that kernels take (partial sums, sorted ids)
/// and the workspace of cuBLASLt. Not counted on a GPU: what CUDA itself holds there (its context, code, and the parameters
/// of graphs, some hundred KiB each), and the memory in which matrix products are measured, which is given back at once;
/// where it does not fit, nothing is measured.
///
/// On a processor also what the kernels hold themselves, as an upper bound (kernel_bytes tells what they do hold): scratch
/// memory of every thread, and the packed copies of weights, both forms of all of them. In fp32 copies are made for batches
/// of 1024 tokens and fewer alone, so that a run without such a batch takes less. Not counted: texts and their tokens, the
/// batches that are made while a step runs (some 60 bytes a token), stacks, and the program.
///
/// @param max_length  tokens of the longest text
/// @param evaluation  how the model is evaluated between steps or at the end; empty: never
/// `plan.require()` then says, before anything is allocated, whether it fits.
template <class Model, class RecipeType>
MemoryPlan training_memory_plan(BertConfig const& config, RecipeType const& recipe, TrainerOptions const& options,
                                Index max_length, typename Model::ModelOptions const& model_options = {},
                                std::optional<EvaluationOptions> const& evaluation = {}) {
  using B = typename Model::BackendType;
  Index const length = std::min(max_length, config.max_position_embeddings);
  auto const extra = [&recipe](ParameterStore<B> const& store, MemoryPlan& plan) {
    if constexpr (requires { recipe.optimizer.template state_bytes<B>(store); })
      plan.add("optimizer", recipe.optimizer.template state_bytes<B>(store));
    plan.add("gradient norm", ClipState<B>::bytes(store));
    plan.add_most("scratch of kernels", with_reserve(ClipState<B>::scratch_bytes(store)));
  };
  PlannedBatches batches{length, 0, 0};
  if (evaluation && evaluation->batch_size > 0) {
    batches.predict_size = evaluation->batch_size;
    batches.predict_rows = evaluation->batch_size * length;
    if (batches.predict_rows > evaluation->max_tokens)
      batches.predict_rows = std::max<Index>(length, evaluation->max_tokens);  // a text has a batch however long it is
  }
  return Model::memory_plan(config, options.batch_size * length, options.batch_size, options.batch_size * options.step_every,
                            options.step_every, true, extra, model_options, batches);
}

}  // namespace hone
