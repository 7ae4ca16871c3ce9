// The gradient check behind check_layer, for anything with forward and backward.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "hone/layers/layer.hpp"
#include "hone/testing/check_report.hpp"

namespace hone::testing {

/// What is checked: y = f(inputs, parameters), and backward defined by <y, dy> = f  =>  dx = df/dx.
template <Backend B>
struct Differentiable {
  /// One input: its name in messages, and its shape.
  struct Input {
    std::string name;
    Index rows, cols;
  };
  std::vector<Input> inputs{};
  Index output_rows = 0, output_cols = 0;
  std::function<void(Plan&)> plan{};
  std::function<void(Pass<B>&, std::span<ConstMatrix<B> const> inputs, Matrix<B> y)> forward{};
  /// Assigns the gradient of each input; dy may be used as scratch.
  std::function<void(Pass<B>&, Matrix<B> dy, std::span<Matrix<B> const> dinputs)> backward{};
};

namespace detail {

/// A matrix in the backend's memory between two stretches of NaN that must stay as they are.
template <Backend B>
class GuardedMatrix {
 public:
  GuardedMatrix(typename B::Context& context, Index rows, Index cols)
      : context_(&context), rows_(rows), cols_(cols), memory_(context, rows * cols + 2 * guard) {
    fill(memory_.data(), memory_.size());
  }
  void poison() { fill(view().data, rows_ * cols_); }
  void set(std::vector<double> const& values) {
    context_->upload(view().data, values.data(), values.size() * sizeof(double));
  }
  std::vector<double> values() const {
    std::vector<double> host(std::size_t(rows_ * cols_));
    context_->download(host.data(), view().data, host.size() * sizeof(double));
    context_->synchronize();
    return host;
  }
  bool guards_untouched() const {
    auto const all = memory_.download();
    auto is_nan = [](double v) { return std::isnan(v); };
    return std::all_of(all.begin(), all.begin() + guard, is_nan) && std::all_of(all.end() - guard, all.end(), is_nan);
  }
  Matrix<B> view() const { return {memory_.data() + guard, rows_, cols_}; }
  Index cols() const { return cols_; }

 private:
  static constexpr Index guard = 16;

  void fill(double* at, Index count) {
    std::vector<double> const nan(std::size_t(count), std::numeric_limits<double>::quiet_NaN());
    context_->upload(at, nan.data(), nan.size() * sizeof(double));
  }

  typename B::Context* context_;
  Index rows_, cols_;
  Buffer<B, double> memory_;
};

inline std::vector<double> random_values(Index count, std::uint64_t seed, std::uint64_t stream, double size) {
  PhiloxStream random(seed, stream);
  std::vector<double> values(static_cast<std::size_t>(count));
  for (double& v : values) v = size * (2 * random.uniform() - 1);
  return values;
}
inline double largest(std::vector<double> const& values) {
  double most = 0;
  for (double const v : values) most = std::max(most, std::abs(v));
  return most;
}
inline bool same_bits(std::vector<double> const& a, std::vector<double> const& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

template <Backend B>
class GradientChecker {
 public:
  GradientChecker(typename B::Context& context, ParameterStore<B>& store, Differentiable<B> problem,
                  CheckOptions const& options)
      : context_(context),
        store_(store),
        problem_(std::move(problem)),
        options_(options),
        workspace_(context),
        memory_(context),
        y_(context, problem_.output_rows, problem_.output_cols),
        dy_(context, problem_.output_rows, problem_.output_cols) {
    for (std::size_t i = 0; i < problem_.inputs.size(); ++i) {
      auto const& input = problem_.inputs[i];
      values_.push_back(random_values(input.rows * input.cols, options.seed, 100 + i, 1.5));
      inputs_.emplace_back(context, input.rows, input.cols);
      dinputs_.emplace_back(context, input.rows, input.cols);
      inputs_.back().set(values_.back());
    }
    for (auto const& x : inputs_) input_views_.push_back(x.view());
    for (auto const& dx : dinputs_) dinput_views_.push_back(dx.view());
    for (Index id = 0; id < store.count();
         ++id) {  // as initialised, and a random number, since zeros and ones hide mistakes
      store.initialize(id, options.seed);
      auto const noise = random_values(store.info(id).size, options.seed, 1000 + std::uint64_t(id), 0.5);
      weights_.push_back(store.get(id));
      for (std::size_t i = 0; i < noise.size(); ++i) weights_.back()[i] += noise[i];
      store.set(id, weights_.back());
    }
    projection_ = random_values(problem_.output_rows * problem_.output_cols, options.seed, 1, 1);
    workspace_.poison(true);
  }

  CheckReport check() {
    batch_ = memory_.upload(options_.batch);
    check_with({}, "");
    std::vector<double> const plain = baseline_;
    check_with({true, options_.seed, 7}, ", with dropout");
    report_.dropout_acts = !same_bits(plain, baseline_);
    return std::move(report_);
  }

 private:
  void fail(std::string const& sentence) { report_.failures.push_back(sentence + how_); }

  void forward() {
    Pass<B> pass{context_, store_, batch_, key_};
    problem_.forward(pass, input_views_, y_.view());
  }
  void backward(double factor) {
    for (auto& dx : dinputs_) dx.poison();
    auto dy = projection_;
    for (double& v : dy) v *= factor;
    dy_.set(dy);
    Pass<B> pass{context_, store_, batch_, key_};
    problem_.backward(pass, dy_.view(), dinput_views_);
  }
  void poison_gradients() {
    for (Index id = 0; id < store_.count(); ++id) {
      std::vector<double> const nan(std::size_t(store_.info(id).size), std::numeric_limits<double>::quiet_NaN());
      context_.upload(store_.gradient_vector(id).data, nan.data(), nan.size() * sizeof(double));
    }
  }
  bool finite(std::string const& name, std::vector<double> const& values, Index cols, char const* what) {
    for (std::size_t i = 0; i < values.size(); ++i)
      if (!std::isfinite(values[i])) {
        fail(place(name, Index(i), cols) + " " + what);
        return false;
      }
    return true;
  }
  static std::string place(std::string const& name, Index i, Index cols) {
    return name + "(" + std::to_string(i / cols) + ", " + std::to_string(i % cols) + ")";
  }

  void check_with(DropoutKey key, std::string how) {
    key_ = key;
    how_ = std::move(how);
    if (problem_.plan) workspace_.plan(problem_.plan);
    y_.poison();
    forward();
    baseline_ = y_.values();
    if (!finite("y", baseline_, y_.cols(), "is not finite: forward did not assign it, or read what was never written"))
      return;

    // First contribution: assigned, over NaN.
    store_.begin_step();
    poison_gradients();
    backward(1);
    std::vector<std::vector<double>> dx, dw;
    bool complete = true;
    for (std::size_t i = 0; i < dinputs_.size(); ++i) {
      dx.push_back(dinputs_[i].values());
      complete &=
          finite("d" + problem_.inputs[i].name, dx[i], dinputs_[i].cols(), "is not finite: backward must assign it (=)");
    }
    for (Index id = 0; id < store_.count(); ++id) {
      dw.push_back(store_.get_gradient(id));
      complete &= finite("d" + store_.info(id).name, dw.back(), store_.info(id).cols(),
                         "is not finite: backward forgot it, or added to it where the first contribution assigns");
    }
    check_second_contribution(dx, dw);
    check_untouched();
    if (!complete) return;

    double sum = 0;
    for (std::size_t i = 0; i < baseline_.size(); ++i) sum += std::abs(baseline_[i] * projection_[i]);
    rounding_ = 32 * std::numeric_limits<double>::epsilon() * sum / options_.step;
    for (std::size_t i = 0; i < dx.size(); ++i)
      compare("d" + problem_.inputs[i].name, dx[i], values_[i], dinputs_[i].cols(),
              [&](std::vector<double> const& x) { inputs_[i].set(x); });
    for (Index id = 0; id < store_.count(); ++id)
      compare("d" + store_.info(id).name, dw[std::size_t(id)], weights_[std::size_t(id)], store_.info(id).cols(),
              [&](std::vector<double> const& w) { store_.set(id, w); });
  }

  /// A second backward with -dy / 2 in the same step: activation gradients are assigned anew, those of parameters add up.
  void check_second_contribution(std::vector<std::vector<double>> const& dx, std::vector<std::vector<double>> const& dw) {
    y_.poison();
    forward();
    if (!same_bits(y_.values(), baseline_)) fail("forward gives other values the second time");
    backward(-0.5);
    double scale = 0;
    for (auto const& values : dx) scale = std::max(scale, largest(values));
    for (auto const& values : dw) scale = std::max(scale, largest(values));
    auto differ = [&](std::vector<double> const& got, std::vector<double> const& before, double factor) -> Index {
      for (std::size_t i = 0; i < got.size(); ++i)
        if (!(std::abs(got[i] - factor * before[i]) <= 1e-12 * scale) && std::isfinite(before[i])) return Index(i);
      return -1;
    };
    for (std::size_t i = 0; i < dx.size(); ++i)
      if (Index const at = differ(dinputs_[i].values(), dx[i], -0.5); at >= 0)
        fail(place("d" + problem_.inputs[i].name, at, dinputs_[i].cols()) + " is not linear in dy");
    for (Index id = 0; id < store_.count(); ++id)
      if (Index const at = differ(store_.get_gradient(id), dw[std::size_t(id)], 0.5); at >= 0)
        fail(place("d" + store_.info(id).name, at, store_.info(id).cols()) +
             " is wrong after a second contribution: it must be added (+=) where gradient_write says so");
    std::vector<std::vector<double>> before;
    for (Index id = 0; id < store_.count(); ++id) before.push_back(store_.get_gradient(id));
    store_.end_step();
    for (Index id = 0; id < store_.count(); ++id)
      if (largest(before[std::size_t(id)]) > 0 && !same_bits(before[std::size_t(id)], store_.get_gradient(id)))
        fail("d" + store_.info(id).name + " was written without asking gradient_write, so that the step's end clears it");
  }

  void check_untouched() {
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      if (!same_bits(inputs_[i].values(), values_[i])) fail(problem_.inputs[i].name + " was changed");
      if (!dinputs_[i].guards_untouched()) fail("memory beside d" + problem_.inputs[i].name + " was written");
    }
    if (!y_.guards_untouched()) fail("memory beside y was written");
    if (!dy_.guards_untouched()) fail("memory beside dy was written");
    for (Index id = 0; id < store_.count(); ++id)
      if (!same_bits(store_.get(id), weights_[std::size_t(id)])) fail(store_.info(id).name + " was changed");
  }

  /// <y, dy> - <y of the unchanged values, dy>, which keeps more digits of a small change.
  double objective() {
    forward();
    auto const y = y_.values();
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += (y[i] - baseline_[i]) * projection_[i];
    return sum;
  }

  /// Central differences of fourth order along `direction`; `set` puts changed values into place.
  template <class Set>
  double difference(std::vector<double> const& at, std::vector<double> const& direction, Set const& set) {
    double const h = options_.step;
    auto f = [&](double t) {
      auto moved = at;
      for (std::size_t i = 0; i < moved.size(); ++i) moved[i] += t * direction[i];
      set(moved);
      return objective();
    };
    double const one = f(h) - f(-h), two = f(2 * h) - f(-2 * h);
    set(at);
    return (8 * one - two) / (12 * h);
  }

  template <class Set>
  void compare(std::string const& name, std::vector<double> const& got, std::vector<double> const& at, Index cols,
               Set const& set) {
    Index const size = Index(at.size()), most = options_.most_values;
    std::vector<std::pair<Index, double>> differences;  // place and value
    PhiloxStream random(options_.seed, 55);
    for (Index n = 0; n < (most > 0 && most < size ? most : size); ++n) {
      Index const i = most > 0 && most < size ? Index(random.below(std::uint64_t(size))) : n;
      std::vector<double> direction(at.size());
      direction[std::size_t(i)] = 1;
      differences.emplace_back(i, difference(at, direction, set));
    }
    double scale = 0;
    for (auto const& [i, value] : differences) scale = std::max(scale, std::abs(value));
    bool failed = false;
    auto judge = [&](std::string const& where, double value, double expected, double size_of_it) {
      double const error = std::abs(value - expected) / (size_of_it + rounding_ / options_.tolerance);
      ++report_.values;
      if (!(error <= report_.largest_error)) {
        report_.largest_error = error;
        report_.where = where + how_;
        report_.got = value;
        report_.expected = expected;
      }
      if (!(error <= options_.tolerance) && !failed) {
        failed = true;
        fail(where + " is " + CheckReport::number(value) + " and should be " + CheckReport::number(expected));
      }
    };
    for (auto const& [i, value] : differences) judge(place(name, i, cols), got[std::size_t(i)], value, scale);
    if (Index(differences.size()) < size) {
      auto const direction = random_values(size, options_.seed, 56, 1);
      double along = 0, length = 0;
      for (std::size_t i = 0; i < got.size(); ++i) along += got[i] * direction[i], length += std::abs(got[i] * direction[i]);
      judge(name + " along a random direction", along, difference(at, direction, set), length);
    }
  }

  typename B::Context& context_;
  ParameterStore<B>& store_;
  Differentiable<B> problem_;
  CheckOptions const& options_;
  Workspace<B> workspace_;
  BatchMemory<B> memory_;
  BatchView batch_;
  GuardedMatrix<B> y_, dy_;
  std::vector<GuardedMatrix<B>> inputs_, dinputs_;
  std::vector<ConstMatrix<B>> input_views_;
  std::vector<Matrix<B>> dinput_views_;
  std::vector<std::vector<double>> values_, weights_;
  std::vector<double> projection_, baseline_;
  DropoutKey key_;
  std::string how_;
  double rounding_ = 0;  ///< what the rounding of y may do to a difference
  CheckReport report_;
};

}  // namespace detail

/// Checks backward against central differences of f = <y, dy>, dy random, in double precision: for every value of every
/// input and of every parameter of the store, without and with dropout (one fixed key). Nothing is tried twice.
///
/// A gradient is right when |backward - difference| <= tolerance * (largest of its tensor) + the rounding of f / h; the
/// second term matters where the true gradient is zero (key.bias of attention). Besides: y and dx are assigned (they start
/// as NaN, as does planned memory), a parameter's gradient is assigned by the first contribution of a step and added to by
/// the second, backward is linear in dy, inputs and parameters stay as they are, nothing is written beside a matrix.
///
/// The store is allocated; its parameters get random values.
template <Backend B>
CheckReport check_gradients(typename B::Context& context, ParameterStore<B>& store, Differentiable<B> problem,
                            CheckOptions const& options = {}) {
  static_assert(std::is_same_v<ActivationOf<typename B::Precision>, double>,
                "[hone-E150] Gradients are checked in double precision: use a backend with fp64. See docs/errors.md#e150.");
  return detail::GradientChecker<B>(context, store, std::move(problem), options).check();
}

}  // namespace hone::testing
