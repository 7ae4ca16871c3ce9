#pragma once

#include <algorithm>
#include <concepts>
#include <variant>

#include "hone/core/backend.hpp"

namespace hone {

/// The factor of the learning rate at a step: `factor(step, total)`, steps from 0; total is the number of steps of the run.
template <class S>
concept Schedule = requires(S const& schedule, Index step, Index total) {
  { schedule.factor(step, total) } -> std::convertible_to<double>;
};

/// factor = 1
struct Constant {
  double factor(Index, Index) const { return 1.0; }
};

/// factor = min(1, (step + 1) / warmup): a linear rise over `warmup` steps, then constant. 0: no rise.
/// Source of warm-up: Goyal et al. 2017, arXiv:1706.02677, section 2.2.
struct LinearWarmup {
  Index warmup = 0;
  double factor(Index step, Index) const {
    return warmup > 0 ? std::min(1.0, static_cast<double>(step + 1) / static_cast<double>(warmup)) : 1.0;
  }
};

/// factor = min(1, (step + 1) / warmup) * (total - step) / total: warm-up, then a linear fall to zero.
/// Source: Devlin et al. 2019, arXiv:1810.04805, appendix A.2.
struct LinearWarmupDecay {
  Index warmup = 0;
  double factor(Index step, Index total) const {
    return LinearWarmup{warmup}.factor(step, total) * static_cast<double>(total - step) / static_cast<double>(total);
  }
};

/// A choice of schedule at run time that costs no instantiation of the trainer: OneOf<Constant, LinearWarmup>.
template <Schedule... S>
struct OneOf {
  std::variant<S...> choice;
  double factor(Index step, Index total) const {
    return std::visit([&](auto const& schedule) -> double { return schedule.factor(step, total); }, choice);
  }
};

}  // namespace hone
