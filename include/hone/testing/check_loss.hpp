// Gradient checks of heads and losses.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "hone/generic/backend.hpp"
#include "hone/heads/head.hpp"
#include "hone/layers/linear.hpp"
#include "hone/loss/loss.hpp"
#include "hone/ops/loss.hpp"
#include "hone/testing/check_gradients.hpp"

namespace hone::testing {

/// Proves a head: y = Map(W x + b), K = width outputs. What is checked: see check_gradients.
template <class H, Backend B = Reference<fp64>>
requires Head<H> CheckReport check_head(Index input_width, CheckOptions const& options = {}) {
  using P = typename B::Precision;
  typename B::Context context({options.threads});
  ParameterStore<B> store(context);
  Linear<B> const linear(store, std::string(H::name()), input_width, H::width, Initializer::uniform(0.5),
                         Initializer::uniform(0.5));
  store.allocate();
  typename Linear<B>::Cache cache{};
  Matrix<B> x, dx;
  Index const rows = options.batch.size();
  Differentiable<B> problem{{{"x", rows, input_width}}, rows, H::width, {}, {}, {}};
  problem.plan = [&](Plan& plan) {
    x = plan.saved.matrix<double>(rows, H::width);
    dx = plan.saved.matrix<double>(rows, H::width);
    cache = linear.plan(plan, rows);
  };
  problem.forward = [&](Pass<B>& pass, auto inputs, Matrix<B> y) {
    linear.forward(pass, inputs[0], x, cache);
    run<B>(pass.context, MapForward<P, typename H::Map>{x, y});
  };
  problem.backward = [&](Pass<B>& pass, Matrix<B> dy, auto dinputs) {
    run<B>(pass.context, MapBackward<P, typename H::Map>{x, dy, dx});
    linear.backward(pass, dx, dinputs[0], cache);
  };
  return check_gradients<B>(context, store, std::move(problem), options);
}

/// Proves a loss: what it writes to doutput is its derivative by the outputs, for one example per label.
///
/// Also: the loss is the same when no gradient is asked for, and doutput is assigned.
/// @param labels  the examples' labels  @param width  K, outputs of an example; they are random in +-4
template <class L, Backend B = Reference<fp64>>
requires Loss<L> CheckReport check_loss(std::vector<typename L::Label> labels, Index width,
                                        CheckOptions const& options = {}) {
  using P = typename B::Precision;
  using Label = typename L::Label;
  constexpr double factor = 0.25;  // the loss's weight over the step's examples
  typename B::Context context({options.threads});
  Index const rows = Index(labels.size());
  auto const outputs = detail::random_values(rows * width, options.seed, 200, 4);
  Buffer<B, Label> label_memory(context, rows);
  label_memory.upload(labels);
  detail::GuardedMatrix<B> x(context, rows, width), dx(context, rows, width), losses(context, rows, 1);
  auto evaluate = [&](std::vector<double> const& at, Matrix<B> doutputs) {
    x.set(at);
    losses.poison();
    run<B>(context, LossForwardBackward<P, L>{x.view(), label_memory.view(), factor, {losses.view().data, rows}, doutputs});
    return losses.values();
  };
  CheckReport report;
  auto const at_rest = evaluate(outputs, dx.view());
  auto const gradient = dx.values();
  if (!detail::same_bits(at_rest, evaluate(outputs, {})))
    report.failures.push_back("the loss is another one when no gradient is asked for");
  if (!dx.guards_untouched() || !losses.guards_untouched())
    report.failures.push_back("memory beside the outputs was written");
  double scale = 0, size = 0;
  for (double const loss : at_rest) size = std::max(size, std::abs(loss));
  std::vector<double> differences;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    std::size_t const row = i / std::size_t(width);
    auto f = [&](double t) {
      auto moved = outputs;
      moved[i] += t;
      return evaluate(moved, {})[row] - at_rest[row];
    };
    double const h = options.step, one = f(h) - f(-h), two = f(2 * h) - f(-2 * h);
    differences.push_back(factor * (8 * one - two) / (12 * h));
    scale = std::max(scale, std::abs(differences.back()));
  }
  double const rounding = 32 * std::numeric_limits<double>::epsilon() * size / options.step;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    double const error = std::abs(gradient[i] - differences[i]) / (scale + rounding / options.tolerance);
    ++report.values;
    std::string const where =
        "doutput(" + std::to_string(i / std::size_t(width)) + ", " + std::to_string(i % std::size_t(width)) + ")";
    if (!(error <= report.largest_error)) {
      report.largest_error = error;
      report.where = where;
      report.got = gradient[i];
      report.expected = differences[i];
    }
    if (!(error <= options.tolerance))
      report.failures.push_back(where + " is " + CheckReport::number(gradient[i]) + " and should be " +
                                CheckReport::number(differences[i]));
  }
  return report;
}

}  // namespace hone::testing
