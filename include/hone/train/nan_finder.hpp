// Where a number stopped being one: the first layer that made it, or the first gradient.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/ragged_batch.hpp"
#include "hone/loss/weighted_sum.hpp"
#include "hone/models/outputs.hpp"
#include "hone/train/doctor_text.hpp"
#include "hone/train/finding.hpp"

#if HONE_BODIES
#include <nlohmann/json.hpp>
#endif

namespace hone {

/// What numbers there are: the least and the largest finite one, and how many are not finite.
struct ValueRange {
  double least = 0, most = 0;
  std::size_t values = 0, not_finite = 0;

  template <class Values>
  static ValueRange of(Values const& values) {
    ValueRange range;
    bool any = false;
    for (auto const value : values) {
      auto const v = static_cast<double>(value);
      range.values += 1;
      if (!std::isfinite(v)) {
        range.not_finite += 1;
        continue;
      }
      range.least = any ? std::min(range.least, v) : v;
      range.most = any ? std::max(range.most, v) : v;
      any = true;
    }
    return range;
  }
  bool finite() const { return not_finite == 0; }
  /// "-3.1 to 4.2", with how many are not finite.
  std::string text() const {
    std::string text =
        not_finite == values ? "not one finite value" : detail::number_text(least) + " to " + detail::number_text(most);
    if (not_finite > 0 && not_finite < values)
      text += ", " + std::to_string(not_finite) + " of " + std::to_string(values) + " not finite";
    return text;
  }
};

namespace detail {

/// The parameters of a model and their gradients as ranges, whatever their type.
class StoreRanges {
 public:
  virtual Index count() const = 0;
  virtual std::string const& name(Index id) const = 0;
  virtual ValueRange values(Index id) const = 0;
  virtual ValueRange gradient(Index id) const = 0;

 protected:
  ~StoreRanges() = default;
};
template <class Store>
class RangesOf final : public StoreRanges {
 public:
  explicit RangesOf(Store const& store) : store_(store) {}
  Index count() const override { return store_.count(); }
  std::string const& name(Index id) const override { return store_.info(id).name; }
  ValueRange values(Index id) const override { return ValueRange::of(store_.get(id)); }
  ValueRange gradient(Index id) const override { return ValueRange::of(store_.get_gradient(id)); }

 private:
  Store const& store_;
};

/// The first parameter that is not finite; empty: all are.
std::string first_weight_not_finite(StoreRanges const& store);
/// The first parameter, else the first gradient that is not finite, for the error of a step that is not.
std::string first_tensor_not_finite(StoreRanges const& store);

/// The first of the hidden states that is not finite. `last_range`: gets the last state's.
std::optional<Finding> first_state_not_finite(std::span<HostMatrix const> states, StoreRanges const& store,
                                              std::string& last_range);
/// The first head whose outputs are not finite. `last_range`: of the last hidden states.
std::optional<Finding> first_output_not_finite(std::span<HostMatrix const> outputs, std::span<std::string_view const> heads,
                                               StoreRanges const& store, std::string const& last_range);
std::optional<Finding> first_gradient_not_finite(StoreRanges const& store);

/// What is known of one head's losses: adds a line to `text`, and is a finding where they are not finite.
std::optional<Finding> loss_not_finite(std::string_view head, HostMatrix const& output, std::span<double const> labels,
                                       std::span<double const> losses, double weight, std::string& text);

/// D50 with a title and lines of detail.
Finding nan_finding(std::string title, std::string detail_lines);

/// Puts into a finding's data where a range was seen, as {"layer": 3, "output": {"least": ...}}.
void add_range(Finding& finding, char const* place, std::int64_t which, char const* what, ValueRange const& range);
void add_range(Finding& finding, char const* place, std::string const& which, char const* what, ValueRange const& range);

#if HONE_BODIES

HONE_INLINE Finding nan_finding(std::string title, std::string detail_lines) {
  Finding finding{"D50", Severity::error, std::move(title), std::move(detail_lines), "", {}};
  finding.next =
      "lower the learning rate or use warm-up; where the input ranges are large, look at the weights and the texts";
  return finding;
}

inline nlohmann::ordered_json to_json(ValueRange const& range) {
  return {{"least", range.least}, {"most", range.most}, {"not_finite", range.not_finite}, {"values", range.values}};
}

HONE_INLINE void add_range(Finding& finding, char const* place, std::int64_t which, char const* what,
                           ValueRange const& range) {
  *finding.data = {{place, which}, {what, to_json(range)}};
}

HONE_INLINE void add_range(Finding& finding, char const* place, std::string const& which, char const* what,
                           ValueRange const& range) {
  *finding.data = {{place, which}, {what, to_json(range)}};
}

HONE_INLINE std::string first_weight_not_finite(StoreRanges const& store) {
  for (Index id = 0; id < store.count(); ++id)
    if (!store.values(id).finite()) return store.name(id);
  return "";
}

HONE_INLINE std::string first_tensor_not_finite(StoreRanges const& store) {
  if (std::string const weight = first_weight_not_finite(store); !weight.empty()) return weight;
  for (Index id = 0; id < store.count(); ++id)
    if (!store.gradient(id).finite()) return store.name(id) + " (gradient)";
  return "none of the parameters: the loss itself overflowed";
}

/// The parameters of the embeddings (number -1) or of one encoder block: the first that is not finite, else the one with
/// the largest value, and its range.
inline std::string parameters_text(StoreRanges const& store, Index block) {
  std::string const part = block < 0 ? "embeddings." : ".layer." + std::to_string(block) + ".";
  std::string name;
  ValueRange shown;
  for (Index id = 0; id < store.count(); ++id) {
    if (store.name(id).find(part) == std::string::npos) continue;
    auto const range = store.values(id);
    auto const size = [](ValueRange const& r) { return std::max(std::abs(r.least), std::abs(r.most)); };
    bool const first = name.empty(), worse = shown.finite() && (!range.finite() || size(range) > size(shown));
    if (first || worse) name = store.name(id), shown = range;
  }
  return name.empty() ? "" : "its parameters: " + name + " " + shown.text();
}

HONE_INLINE std::optional<Finding> first_state_not_finite(std::span<HostMatrix const> states, StoreRanges const& store,
                                                          std::string& last_range) {
  for (std::size_t i = 0; i < states.size(); ++i) {
    auto const range = ValueRange::of(states[i].values);
    std::string const input = last_range;
    last_range = range.text();
    if (range.finite()) continue;
    Index const block = Index(i) - 1;
    std::string const layer = block < 0 ? "the embeddings" : "encoder layer " + std::to_string(block);
    auto finding = nan_finding("the first values that are not finite come from " + layer,
                               "its input: " + input + "\nits output: " + range.text());
    std::string const parameters = parameters_text(store, block);
    if (!parameters.empty()) finding.detail += "\n" + parameters;
    add_range(finding, "layer", block, "output", range);
    return finding;
  }
  return {};
}

HONE_INLINE std::optional<Finding> first_output_not_finite(std::span<HostMatrix const> outputs,
                                                           std::span<std::string_view const> heads,
                                                           StoreRanges const& store, std::string const& last_range) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    auto const range = ValueRange::of(outputs[i].values);
    if (range.finite()) continue;
    std::string const head(heads[i]);
    std::string lines = "its input, the last hidden states: " + last_range + "\nits output: " + range.text();
    for (Index id = 0; id < store.count(); ++id)
      if (store.name(id) == head + ".weight") lines += "\nits weights: " + store.values(id).text();
    auto finding = nan_finding("the first values that are not finite come from the head " + head, lines);
    add_range(finding, "head", head, "output", range);
    return finding;
  }
  return {};
}

HONE_INLINE std::optional<Finding> first_gradient_not_finite(StoreRanges const& store) {
  std::string before = "none";
  for (Index id = store.count(); id-- > 0;) {
    auto const& name = store.name(id);
    auto const range = store.gradient(id);
    if (!range.finite()) {
      auto finding = nan_finding("going back, the first gradient that is not finite is that of " + name,
                                 "its gradient: " + range.text() + "\nthe gradient before it: " + before +
                                     "\nits values: " + store.values(id).text());
      add_range(finding, "tensor", name, "gradient", range);
      return finding;
    }
    before = name + " " + range.text();
  }
  return {};
}

HONE_INLINE std::optional<Finding> loss_not_finite(std::string_view head, HostMatrix const& output,
                                                   std::span<double const> labels, std::span<double const> losses,
                                                   double weight, std::string& text) {
  text += "\n" + std::string(head) + ": outputs " + ValueRange::of(output.values).text() + ", labels " +
          ValueRange::of(labels).text() + ", loss weight " + number_text(weight);
  if (ValueRange::of(losses).finite()) return {};
  return nan_finding("outputs are finite, and the loss of " + std::string(head) + " is not", "");
}

#endif

}  // namespace detail

/// Looks for the first layer of a forward pass whose output is not finite, by the hidden states of a batch, then at the
/// heads' outputs; nothing when all is finite. Without dropout: what dropout's factor alone makes overflow is not seen.
template <class Model>
std::optional<Finding> first_layer_not_finite(Model& model, RaggedBatch const& batch) {
  detail::RangesOf const ranges(model.parameters());
  std::string last_range = "token ids";
  if constexpr (requires { model.hidden_states(batch); })
    if (auto found = detail::first_state_not_finite(model.hidden_states(batch), ranges, last_range)) return found;
  auto const outputs = model.predict(batch);
  return detail::first_output_not_finite(outputs.heads, Model::HeadsType::names(), ranges, last_range);
}

/// Looks at the gradients that the last backward pass left, in its order, from the heads down to the embeddings: the first
/// tensor whose gradient is not finite, and the last before it whose gradient is; nothing when all are finite.
template <class Store>
std::optional<Finding> first_gradient_not_finite(Store const& store) {
  return detail::first_gradient_not_finite(detail::RangesOf(store));
}

/// D50: where a step went wrong whose loss or gradient is not finite: weights, then the forward pass by layers, then the
/// losses, then the backward pass by tensors. The parameters and their gradients are those that the step left; both stay.
///
/// @param batches  of the step, each worked through until something is found
template <class Model, class... L>
Finding find_not_finite(Model& model, std::span<std::pair<RaggedBatch, typename Model::Labels> const> batches,
                        WeightedSum<L...> const& losses) {
  using HeadList = typename Model::HeadsType;
  detail::RangesOf const ranges(model.parameters());
  std::string const weights = detail::first_weight_not_finite(ranges);
  std::string outputs_text;
  for (auto const& part : batches) {
    RaggedBatch const& batch = part.first;
    auto const& labels = part.second;  // not a structured binding: clang 14 cannot capture one
    if (auto found = first_layer_not_finite(model, batch)) {
      if (!weights.empty()) found->detail += "\nweights that are not finite: " + weights;
      return *found;
    }
    auto const outputs = model.predict(batch);
    std::optional<Finding> of_loss;
    for_each_index<HeadList::count>([&](auto i) {
      using Loss = typename WeightedSum<L...>::template At<i>;
      auto const& output = outputs.heads[i];
      auto const& truth = std::get<i>(labels);
      std::vector<double> rows, targets(truth.begin(), truth.end());
      for (std::size_t r = 0; r < truth.size(); ++r)
        rows.push_back(Loss::template row<double>(output.row(Index(r)), output.cols, truth[r], nullptr));
      auto found =
          detail::loss_not_finite(HeadList::names()[i], output, targets, rows, losses.weights[i], outputs_text);
      if (!of_loss) of_loss = std::move(found);
    });
    if (of_loss) {
      of_loss->detail = outputs_text.substr(1);
      return *of_loss;
    }
  }
  if (auto found = detail::first_gradient_not_finite(ranges)) {
    found->detail += outputs_text;
    return *found;
  }
  return detail::nan_finding(
      "without dropout every value of this step is finite",
      "dropout's factor, or the sum of the losses, went beyond the range of the numbers" + outputs_text);
}

}  // namespace hone
