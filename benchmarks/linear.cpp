// Linear layers at the shapes of MiniLM and bert-base, 4,500 tokens: forward, input gradient, weight gradient.
//
//   build/benchmarks/linear --benchmark_filter=forward
#include "peak.hpp"

namespace {

using namespace hone;

enum class Pass { forward, input, parameters };

template <class B>
void compute(HostContext& context, Pass pass, MatrixView<float> x, MatrixView<float> weight, MatrixView<float> y) {
  if (pass == Pass::forward) run<B>(context, LinearForward<fp32>{x, weight, {}, y});
  if (pass == Pass::input) run<B>(context, LinearBackwardInput<fp32>{y, weight, x, Write::assign});
  if (pass == Pass::parameters) run<B>(context, LinearBackwardParameters<fp32>{x, y, weight, {}, Write::assign});
}

/// The result of a small product on Cpu against the same on Reference.
bool right(benchmark::State& state, HostContext& context, Pass pass) {
  Index const rows = 130, inputs = 100, outputs = 70;
  std::vector<std::vector<float>> results[2];
  for (int reference = 0; reference < 2; ++reference) {
    auto x = bench::random_values(rows * inputs, 1), weight = bench::random_values(outputs * inputs, 2);
    auto y = bench::random_values(rows * outputs, 3);
    MatrixView<float> const xs(x.data(), rows, inputs), weights(weight.data(), outputs, inputs), ys(y.data(), rows, outputs);
    if (reference)
      compute<Reference<fp32>>(context, pass, xs, weights, ys);
    else
      compute<Cpu<fp32>>(context, pass, xs, weights, ys);
    results[reference] = {x, weight, y};
  }
  for (std::size_t i = 0; i < 3; ++i)
    if (!bench::agrees(state, results[0][i], results[1][i])) return false;
  return true;
}

void linear(benchmark::State& state, Pass pass) {
  HostContext context;
  if (!right(state, context, pass)) return;
  Index const rows = 4500, inputs = state.range(0), outputs = state.range(1);
  auto x = bench::random_values(rows * inputs, 1), weight = bench::random_values(outputs * inputs, 2);
  auto y = bench::random_values(rows * outputs, 3);
  double const peak = bench::peak_flops(context);
  bench::measure(state, "FLOP", 2.0 * static_cast<double>(rows * inputs * outputs), peak, [&] {
    compute<Cpu<fp32>>(context, pass, {x.data(), rows, inputs}, {weight.data(), outputs, inputs}, {y.data(), rows, outputs});
  });
}

void shapes(benchmark::internal::Benchmark* b) {
  for (Index const width : {384, 768})
    b->Args({width, 3 * width})->Args({width, width})->Args({width, 4 * width})->Args({4 * width, width});
  b->ArgNames({"inputs", "outputs"})->UseRealTime()->Unit(benchmark::kMillisecond)->MinTime(0.2);
}

BENCHMARK_CAPTURE(linear, forward, Pass::forward)->Apply(shapes);
BENCHMARK_CAPTURE(linear, input_gradient, Pass::input)->Apply(shapes);
BENCHMARK_CAPTURE(linear, weight_gradient, Pass::parameters)->Apply(shapes);

}  // namespace

BENCHMARK_MAIN();
