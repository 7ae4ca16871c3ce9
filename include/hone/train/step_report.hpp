#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/core/matrix.hpp"

namespace hone {

/// How often each class of a head was predicted in a step, and how often it was right to.
struct ClassCounts {
  std::string head{};
  std::vector<Index> predicted{}, truth{};  ///< (K) each
};

/// What one optimizer step did. Losses are means over its examples, not weighted.
struct StepReport {
  Index step = 0;         ///< from 1
  Index total_steps = 0;  ///< of the run
  Index epoch = 0;        ///< from 0
  std::vector<std::pair<std::string, double>> losses{};  ///< by head
  double accuracy = 0;       ///< of the first classifying head, over the step's examples; NaN when there is none
  double learning_rate = 0;
  double grad_norm = 0;      ///< before clipping
  std::vector<std::pair<std::string, double>> group_norms{};  ///< of it, by layer: "embeddings", "layer.0", ..., each head
  Index examples = 0, tokens = 0;  ///< of this step; tokens are real ones
  double seconds = 0;        ///< this step took
  double elapsed = 0;        ///< seconds in training steps since the run began, this one included
  Index total_tokens = 0;    ///< trained since the run began
  std::vector<ClassCounts> classes{};  ///< of the classifying heads, over the step's examples, before the step
};

/// What a run of the trainer came to.
struct FitReport {
  Index steps = 0, examples = 0, tokens = 0;
  double train_seconds = 0;  ///< in training steps: without tokenising, evaluation and logs
  bool interrupted = false;  ///< ended early because it was asked to
};

}  // namespace hone
