#pragma once

#include <concepts>
#include <vector>

#include "hone/core/parameter_store.hpp"

namespace hone {

/// How one parameter is trained: factors of the optimizer's learning rate and weight decay. A rate of 0 freezes it.
struct ParameterSetting {
  double learning_rate_factor = 1;
  double weight_decay_factor = 1;
  bool operator==(ParameterSetting const&) const = default;
};

/// A policy that gives every parameter its setting.
template <class G>
concept ParameterGroups = requires(G const& groups, ParameterInfo const& info) {
  { groups.setting(info) } -> std::convertible_to<ParameterSetting>;
};

/// One group: everything is trained and decayed.
struct OneGroup {
  ParameterSetting setting(ParameterInfo const&) const { return {}; }
};

/// Biases and LayerNorm parameters are not decayed, as in the code of Devlin et al. 2019.
struct NoDecayForBiasAndNorm {
  ParameterSetting setting(ParameterInfo const& info) const {
    bool const plain =
        info.kind == ParameterKind::bias || info.kind == ParameterKind::norm_weight || info.kind == ParameterKind::norm_bias;
    return {1, plain ? 0.0 : 1.0};
  }
};

/// A stretch of the flat buffers whose parameters share a setting.
struct ParameterRange {
  Index begin = 0, size = 0;
  ParameterSetting setting{};
};

/// The ranges of a store under a grouping, in order, as long as possible; gaps (zeros) are taken along.
template <Backend B, ParameterGroups G>
std::vector<ParameterRange> parameter_ranges(ParameterStore<B> const& store, G groups) {
  std::vector<ParameterRange> ranges;
  for (auto const& info : store.infos()) {
    ParameterSetting const setting = groups.setting(info);
    if (ranges.empty() || !(ranges.back().setting == setting)) ranges.push_back({info.offset, 0, setting});
    ranges.back().size = info.offset + info.size - ranges.back().begin;
  }
  return ranges;
}

}  // namespace hone
