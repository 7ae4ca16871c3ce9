#pragma once

#include <type_traits>
#include <utility>

#include "hone/generic/backend.hpp"
#include "hone/layers/layer.hpp"
#include "hone/testing/check_gradients.hpp"

namespace hone::testing {

/// A layer that reads the tokens of the batch and has no input matrix: Embedding.
template <class L, class B>
concept TokenLayer = Backend<B> &&
    requires(L const& layer, Plan& plan, Pass<B>& pass, typename L::Cache& cache, Matrix<B> y, Index rows) {
  { layer.plan(plan, rows) } -> std::same_as<typename L::Cache>;
  { layer.forward(pass, y, cache) } -> std::same_as<void>;
  { layer.backward(pass, y, cache) } -> std::same_as<void>;
  { layer.output_width() } -> std::convertible_to<Index>;
};

/// Proves a layer: its backward is the derivative of its forward. What is checked: see check_gradients.
///
///   auto report = hone::testing::check_layer([](auto& store) { return MyLayer<Reference<>>(store, "mine", 5, 7); });
///   std::cout << report.text();   // 1232 values compared, largest relative error 3.1e-11 at dmine.weight(2, 4)
///   report.require();             // throws E650 unless passed
///
/// @tparam B     a backend in double precision: Reference<fp64>, Cpu<fp64>
/// @param make   called as make(ParameterStore<B>&), returns the layer: any type that satisfies Layer, or TokenLayer
/// With options.first_rows, y has one row a sequence; the layer has plan(plan, rows, outputs), as EncoderBlock has.
template <Backend B = Reference<fp64>, class Make>
CheckReport check_layer(Make&& make, CheckOptions const& options = {}) {
  using L = std::remove_cvref_t<decltype(make(std::declval<ParameterStore<B>&>()))>;
  constexpr bool reads_tokens = TokenLayer<L, B>;
  static_assert(Layer<L, B> || reads_tokens,
                "[hone-E151] check_layer: what was made is not a layer: it needs a Cache, plan, forward, "
                "backward, input_width and output_width. See docs/errors.md#e151.");
  if constexpr (Layer<L, B> || reads_tokens) {
    typename B::Context context({options.threads});
    ParameterStore<B> store(context);
    L const layer = make(store);
    store.allocate();
    typename L::Cache cache{};
    Index const rows = options.batch.rows(), outputs = options.first_rows ? options.batch.size() : rows;

    Differentiable<B> problem;
    problem.output_rows = outputs;
    problem.output_cols = layer.output_width();
    problem.plan = [&](Plan& plan) {
      if constexpr (requires { layer.plan(plan, rows, outputs); })
        cache = layer.plan(plan, rows, outputs);
      else
        cache = layer.plan(plan, rows);
    };
    if constexpr (reads_tokens) {
      problem.forward = [&](Pass<B>& pass, auto, Matrix<B> y) { layer.forward(pass, y, cache); };
      problem.backward = [&](Pass<B>& pass, Matrix<B> dy, auto) { layer.backward(pass, dy, cache); };
    } else {
      problem.inputs = {{"x", rows, layer.input_width()}};
      problem.forward = [&](Pass<B>& pass, auto inputs, Matrix<B> y) { layer.forward(pass, inputs[0], y, cache); };
      problem.backward = [&](Pass<B>& pass, Matrix<B> dy, auto dinputs) { layer.backward(pass, dy, dinputs[0], cache); };
    }
    return check_gradients<B>(context, store, std::move(problem), options);
  } else {
    return {};
  }
}

}  // namespace hone::testing
