#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "hone/core/backend.hpp"
#include "hone/core/buffer.hpp"
#include "hone/core/error.hpp"
#include "hone/core/memory_plan.hpp"
#include "hone/core/philox.hpp"
#include "hone/core/used_rows.hpp"

namespace hone {

/// What a parameter is; groups (weight decay, freezing) are chosen by it or by name.
enum class ParameterKind : std::uint8_t { weight, embedding, bias, norm_weight, norm_bias };

/// How a new parameter is filled: constant, normal (standard deviation) or uniform (bound).
struct Initializer {
  enum class Kind : std::uint8_t { constant, normal, uniform } kind = Kind::constant;
  double value = 0;  ///< the constant, the standard deviation, or the bound of [-bound, bound)

  static constexpr Initializer constant(double v) { return {Kind::constant, v}; }
  static constexpr Initializer normal(double deviation) { return {Kind::normal, deviation}; }
  static constexpr Initializer uniform(double bound) { return {Kind::uniform, bound}; }
};

/// One named parameter: where it lies in the flat buffers, its shape (1 or 2 sizes), what it is.
struct ParameterInfo {
  std::string name{};
  std::vector<Index> shape{};
  ParameterKind kind = ParameterKind::weight;
  Initializer initializer{};
  Index offset = 0, size = 0;  ///< in values, not bytes

  Index rows() const { return shape.size() == 2 ? shape[0] : 1; }
  Index cols() const { return shape.back(); }
};

/// All parameters of a model in one flat buffer for weights and one for gradients, with named views.
///
/// Where the precision's activations have another format than its master weights (`mixed`), a third buffer of the same
/// layout holds the working copy that the layers read; `set` and the optimizer write both.
/// Parameters are declared first (layers do it when they are constructed), then `allocate` lays them out. Every parameter
/// begins on a cache line, unless it was declared as a neighbour of the one before; gaps stay zero, so that the norm and
/// the optimizer may run over the whole buffer.
///
/// Of one table (`track_rows`) it is known which rows of the gradient may differ from zero. Whoever asks for a view to write
/// gradients through, but its layer, makes all rows count as such; who keeps one for longer asks again before writing.
///
/// A step's gradients: `begin_step`, any number of contributions (each op asks `gradient_write(id)`: the first assigns, the
/// later ones add), `end_step` (what got no contribution, or is frozen, becomes zero).
template <Backend B>
class ParameterStore {
 public:
  using A = ActivationOf<typename B::Precision>;
  using M = MasterOf<typename B::Precision>;

  explicit ParameterStore(typename B::Context& context) : context_(&context) {}

  /// Declares a parameter and returns its id. Throws E530 when the name is taken.
  Index add(std::string name, std::vector<Index> shape, ParameterKind kind, Initializer initializer) {
    if (find(name) >= 0)
      throw Error(530, "two parameters have one name", {.tensor = name}, "give every head and layer a name of its own");
    Index size = 1;
    for (Index const s : shape) size *= s;
    end_ = (end_ + alignment - 1) / alignment * alignment;
    infos_.push_back({std::move(name), std::move(shape), kind, initializer, end_, size});
    end_ += size;
    return Index(infos_.size()) - 1;
  }
  /// Declares a parameter that begins right behind the one declared before, so that both can be one matrix.
  Index add_neighbour(std::string name, std::vector<Index> shape, ParameterKind kind, Initializer initializer) {
    Index const behind = end_, id = add(std::move(name), std::move(shape), kind, initializer);
    auto& info = infos_[std::size_t(id)];
    info.offset = behind;
    end_ = behind + info.size;
    return id;
  }

  /// Declares that the layer of this table tells which rows of its gradient it used (tracked_gradient). One table at most:
  /// of others nothing is known.
  void track_rows(Index id) {
    if (tracked_ < 0) tracked_ = id;
  }

  /// Takes the memory (zeroed). No parameter can be declared afterwards.
  void allocate() {
    end_ = flat_size();
    weights_ = Buffer<B, M>(*context_, end_);
    gradients_ = Buffer<B, M>(*context_, end_);
    weights_.fill_zero();
    gradients_.fill_zero();
    if constexpr (has_working_copy) {
      working_ = Buffer<B, A>(*context_, end_);
      working_.fill_zero();
    }
    contributed_.assign(infos_.size(), false);
    frozen_.resize(infos_.size(), false);
    if (tracked_ >= 0) used_.assign(std::size_t(info(tracked_).rows()), 0);
  }

  /// Fills one parameter from its initializer; the values depend on the seed and the name alone.
  void initialize(Index id, std::uint64_t seed) {
    auto const& info = infos_[std::size_t(id)];
    std::uint64_t stream = 1469598103934665603u;  // FNV-1a of the name
    for (char const c : info.name) stream = (stream ^ static_cast<unsigned char>(c)) * 1099511628211u;
    PhiloxStream random(seed, stream);
    std::vector<M> values(std::size_t(info.size), M(info.initializer.value));
    if (info.initializer.kind == Initializer::Kind::uniform)
      for (M& v : values) v = M((2 * random.uniform() - 1) * info.initializer.value);
    if (info.initializer.kind == Initializer::Kind::normal)
      for (M& v : values) {  // Box and Muller 1958; one number of each pair
        double const radius = std::sqrt(-2 * std::log(1 - random.uniform()));
        v = M(radius * std::cos(6.283185307179586 * random.uniform()) * info.initializer.value);
      }
    set(id, values);
  }

  Index count() const { return Index(infos_.size()); }
  ParameterInfo const& info(Index id) const { return infos_[std::size_t(id)]; }
  std::span<ParameterInfo const> infos() const { return {infos_.data(), infos_.size()}; }
  /// The id of a name, or -1.
  Index find(std::string_view name) const {
    for (std::size_t i = 0; i < infos_.size(); ++i)
      if (infos_[i].name == name) return Index(i);
    return -1;
  }
  /// The number of trained values, without gaps.
  Index values() const {
    Index sum = 0;
    for (auto const& info : infos_) sum += info.size;
    return sum;
  }

  MatrixView<A const> matrix(Index id) const {
    auto const& i = infos_[std::size_t(id)];
    return {read() + i.offset, i.rows(), i.cols()};
  }
  VectorView<A const> vector(Index id) const {
    auto const& i = infos_[std::size_t(id)];
    return {read() + i.offset, i.size};
  }
  MatrixView<M> gradient_matrix(Index id) const {
    auto const& i = infos_[std::size_t(id)];
    if (id == tracked_) rows_changed();
    return {gradients_.data() + i.offset, i.rows(), i.cols()};
  }
  VectorView<M> gradient_vector(Index id) const {
    auto const& i = infos_[std::size_t(id)];
    if (id == tracked_) rows_changed();
    return {gradients_.data() + i.offset, i.size};
  }
  /// A table's gradient for its layer, and a byte for each row that says whether it may differ from zero, which the layer
  /// keeps so; null where rows are not tracked.
  std::pair<MatrixView<M>, std::uint8_t*> tracked_gradient(Index id) const {
    auto const& i = infos_[std::size_t(id)];
    return {{gradients_.data() + i.offset, i.rows(), i.cols()}, id == tracked_ ? used_.data() : nullptr};
  }
  /// Which rows of read_gradients() need be read.
  UsedRows used_rows() const {
    if (used_.empty()) return {};
    return {info(tracked_).offset, info(tracked_).rows(), info(tracked_).cols(), used_.data()};
  }

  /// Values in one flat buffer, gaps included. Known as soon as everything is declared.
  Index flat_size() const { return (end_ + alignment - 1) / alignment * alignment; }
  /// Bytes that `allocate` takes, by part.
  void plan_memory(MemoryPlan& plan) const {
    auto const size = static_cast<std::uint64_t>(flat_size());
    plan.add("weights", size * sizeof(M));
    if (has_working_copy) plan.add("working copy of the weights", size * sizeof(A));
    plan.add("gradients", size * sizeof(M));
  }

  /// The whole flat buffers, gaps (zeros) included. Who writes to the weights through a view that is older than the last
  /// forward or backward pass calls `weights_changed` afterwards.
  VectorView<M> weights() const {
    weights_changed();
    return weights_.view();
  }
  /// The copy that the layers read, laid out as the weights; empty where they read the weights themselves.
  VectorView<A> working() const {
    weights_changed();
    return working_.view();
  }
  /// A number that no other weights of this process have or had: another one whenever these may have been written to.
  /// Kernels keep what they make of the weights (packed copies) as long as it stays.
  std::uint64_t weights_version() const { return version_; }
  void weights_changed() const { version_ = next_version(); }
  /// All gradients, to write through: every row of the tracked table then counts as used.
  VectorView<M> gradients() const {
    rows_changed();
    return gradients_.view();
  }
  /// The same to read; used_rows() stays as it is.
  VectorView<M const> read_gradients() const { return gradients_.view(); }

  void begin_step() { contributed_.assign(infos_.size(), false); }
  /// Which gradients have got a contribution in this step, by id: for work that may be begun again (run_step).
  std::vector<bool> const& contributions() const { return contributed_; }
  void set_contributions(std::vector<bool> const& contributions) { contributed_ = contributions; }
  /// How the next contribution to a gradient is written.
  Write gradient_write(Index id) {
    bool const later = contributed_[std::size_t(id)];
    contributed_[std::size_t(id)] = true;
    return later ? Write::add : Write::assign;
  }
  void end_step() {
    for (std::size_t i = 0; i < infos_.size(); ++i)
      if (!contributed_[i] || frozen_[i])
        context_->fill_zero(gradients_.data() + infos_[i].offset, std::size_t(infos_[i].size) * sizeof(M));
  }

  /// Whether a parameter keeps its value in training: then a step leaves it no gradient, and the norm does not count it.
  void freeze(Index id, bool on) { frozen_[std::size_t(id)] = on; }
  bool is_frozen(Index id) const { return frozen_[std::size_t(id)]; }

  /// Copies one parameter from or to the host.
  void set(Index id, std::span<M const> values) {
    Index const offset = infos_[std::size_t(id)].offset;
    weights_changed();
    context_->upload(weights_.data() + offset, values.data(), values.size_bytes());
    if constexpr (has_working_copy) {
      std::vector<A> const rounded(values.begin(), values.end());
      context_->upload(working_.data() + offset, rounded.data(), rounded.size() * sizeof(A));
    }
  }
  std::vector<M> get(Index id) const { return download(weights_, id); }
  std::vector<M> get_gradient(Index id) const { return download(gradients_, id); }

 private:
  static constexpr Index alignment = 64 / Index(sizeof(M));
  static constexpr bool has_working_copy = !std::is_same_v<A, M>;

  void rows_changed() const { std::fill(used_.begin(), used_.end(), std::uint8_t{1}); }

  static std::uint64_t next_version() {
    static std::atomic<std::uint64_t> last{0};
    return ++last;
  }

  /// What the layers read.
  A const* read() const {
    if constexpr (has_working_copy)
      return working_.data();
    else
      return weights_.data();
  }

  std::vector<M> download(Buffer<B, M> const& from, Index id) const {
    auto const& info = infos_[std::size_t(id)];
    std::vector<M> host(std::size_t(info.size));
    context_->download(host.data(), from.data() + info.offset, host.size() * sizeof(M));
    context_->synchronize();
    return host;
  }

  typename B::Context* context_;
  std::vector<ParameterInfo> infos_;
  std::vector<bool> contributed_, frozen_;
  Buffer<B, M> weights_, gradients_;
  Buffer<B, A> working_;  ///< empty unless has_working_copy
  Index end_ = 0;
  mutable std::uint64_t version_ = next_version();
  Index tracked_ = -1;
  mutable std::vector<std::uint8_t> used_{};  ///< of the tracked table's rows
};

}  // namespace hone
