// The norm of the gradient, layer by layer.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/core/backend.hpp"
#include "hone/core/buffer.hpp"
#include "hone/core/config.hpp"
#include "hone/core/parameter_store.hpp"
#include "hone/ops/gradient_norm.hpp"

namespace hone {

/// The group of a parameter, for people: "layer.3" of bert.encoder.layer.3.output.dense.weight, "embeddings" of
/// bert.embeddings.LayerNorm.bias, else the name without its last part: "is_positive" of is_positive.weight.
std::string parameter_group(std::string_view name);

namespace detail {

/// Stretches of the flat buffer whose parameters are of one group: names, and begin and end of each.
std::pair<std::vector<std::string>, std::vector<Index>> group_ranges(std::span<ParameterInfo const> infos);

/// Norms by group from the sums of squares of ranges, in the order of the ranges. `norms`: those of an earlier call.
std::vector<std::pair<std::string, double>> group_norms(std::vector<std::string> const& names, std::span<double const> sums,
                                                        std::vector<std::pair<std::string, double>> norms);

}  // namespace detail

/// The groups of a store's parameters and, where the backend's memory is, the sum of squares of each group's gradients.
template <Backend B>
class GradientGroups {
 public:
  GradientGroups(typename B::Context& context, ParameterStore<B> const& store)
      : names_(ranges_of(store).first), borders_(context, Index(2 * names_.size())), lanes_(context, lanes(names_.size())) {
    borders_.upload(ranges_of(store).second);
  }
  /// Bytes that one takes.
  static std::uint64_t bytes(ParameterStore<B> const& store) {
    auto const count = ranges_of(store).first.size();
    return 2 * count * sizeof(Index) + static_cast<std::uint64_t>(lanes(count)) * sizeof(double);
  }
  /// How many sums there are: a group whose parameters do not lie together has several.
  static Index count(ParameterStore<B> const& store) { return Index(ranges_of(store).first.size()); }
  Index count() const { return Index(names_.size()); }

  /// Enqueues sums[r] = the sum of squares of range r. `partials` are those of SumOfSquares over the same gradients.
  void add_up(typename B::Context& context, ParameterStore<B> const& store, VectorView<double const> partials,
              VectorView<double> sums) const {
    run<B>(context,
           RangeSquares<typename B::Precision>{store.read_gradients(), partials, borders_.view(), lanes_.view(), sums});
  }
  /// The norms by group, in the order of the parameters, from the sums on the host. `norms`: what an
  /// earlier call gave, whose memory is used again.
  std::vector<std::pair<std::string, double>> norms(std::span<double const> sums,
                                                    std::vector<std::pair<std::string, double>> norms = {}) const {
    return detail::group_norms(names_, sums, std::move(norms));
  }

 private:
  static Index lanes(std::size_t count) { return Index(count) * range_lanes; }

  static std::pair<std::vector<std::string>, std::vector<Index>> ranges_of(ParameterStore<B> const& store) {
    return detail::group_ranges(store.infos());
  }

  std::vector<std::string> names_;
  Buffer<B, Index> borders_;
  Buffer<B, double> lanes_;
};

#if HONE_BODIES

HONE_INLINE std::string parameter_group(std::string_view name) {
  std::size_t end = 0;
  for (std::size_t begin = 0; begin < name.size(); begin = end + 1) {
    end = std::min(name.find('.', begin), name.size());
    auto const part = name.substr(begin, end - begin);
    if (part == "embeddings" && end < name.size()) return "embeddings";
    if (part != "layer" || end == name.size()) continue;
    auto const number = name.substr(end + 1, name.find('.', end + 1) - end - 1);
    if (!number.empty() && number.find_first_not_of("0123456789") == number.npos) return "layer." + std::string(number);
  }
  auto const last = name.rfind('.');
  return std::string(last == name.npos ? name : name.substr(0, last));
}

namespace detail {

HONE_INLINE std::pair<std::vector<std::string>, std::vector<Index>> group_ranges(std::span<ParameterInfo const> infos) {
  std::pair<std::vector<std::string>, std::vector<Index>> ranges;
  auto& [names, borders] = ranges;
  for (auto const& info : infos) {
    std::string group = parameter_group(info.name);
    if (names.empty() || names.back() != group) {
      names.push_back(std::move(group));
      borders.insert(borders.end(), {info.offset, 0});
    }
    borders.back() = info.offset + info.size;
  }
  return ranges;
}

HONE_INLINE std::vector<std::pair<std::string, double>> group_norms(std::vector<std::string> const& names,
                                                                    std::span<double const> sums,
                                                                    std::vector<std::pair<std::string, double>> norms) {
  for (auto& [name, norm] : norms) norm = 0;
  for (std::size_t r = 0; r < names.size(); ++r) {
    auto at = norms.begin();
    while (at != norms.end() && at->first != names[r]) ++at;
    if (at == norms.end()) at = norms.insert(at, {names[r], 0.0});
    at->second += sums[r];
  }
  for (auto& [name, norm] : norms) norm = std::sqrt(norm);
  return norms;
}

}  // namespace detail

#endif

}  // namespace hone
