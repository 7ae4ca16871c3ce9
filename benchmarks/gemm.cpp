// Matrix products at the shapes of bert-base and MiniLM, 4,491 tokens (a batch of 16 reviews), in `mixed` and fp32, on one
// core and on all: forward, gradient of the input, gradient of the weight and bias; with activation, with dropout and
// residual.
//
//   build/benchmarks/gemm --benchmark_filter='mixed.*forward'
//
// Every result is checked before it is timed. share_of_peak is of what all threads together could do at this moment in
// registers alone (AMX tiles or dot products for `mixed`, multiply-adds for fp32), by the clock on the wall.
#include <chrono>
#include <numeric>
#include <string>

#include "peak.hpp"

namespace {

using namespace hone;

enum class Form { forward, input, parameters, activation, derivative, residual };

struct Shape {
  char const* model;
  Index inputs, outputs;
};
constexpr Shape shapes[] = {{"bert-base", 768, 2304}, {"bert-base", 768, 768},  {"bert-base", 768, 3072},
                            {"bert-base", 3072, 768}, {"MiniLM", 384, 1152},    {"MiniLM", 384, 384},
                            {"MiniLM", 384, 1536},    {"MiniLM", 1536, 384}};

/// Operands of all forms.
template <class P>
struct Problem {
  using A = ActivationOf<P>;
  Index rows, inputs, outputs;
  std::vector<A> x, weight, bias, y, h, residual, dx;
  std::vector<float> dweight, dbias;
  std::vector<std::int32_t> positions, sequences;

  Problem(Index n, Index c, Index o)
      : rows(n),
        inputs(c),
        outputs(o),
        x(values(n * c, 1)),
        weight(values(o * c, 2, 2 / std::sqrt(static_cast<double>(c)))),  // outputs of size 1, as in a model
        bias(values(o, 3)),
        y(values(n * o, 4)),
        h(y),
        residual(y),
        dx(x),
        dweight(static_cast<std::size_t>(o * c)),
        dbias(static_cast<std::size_t>(o)),
        positions(static_cast<std::size_t>(n)),
        sequences(static_cast<std::size_t>(n)) {
    std::iota(positions.begin(), positions.end(), 0);
  }
  static std::vector<A> values(Index count, std::uint64_t seed, double size = 1) {
    auto random = bench::random_values(count, seed);
    for (float& value : random) value *= static_cast<float>(size);
    return {random.begin(), random.end()};
  }
  /// @param version  of the weight: packed once, as in a step
  template <class B>
  void compute(HostContext& context, Form form, std::uint64_t version) {
    MatrixView<A> const xs(x.data(), rows, inputs), ws(weight.data(), outputs, inputs), ys(y.data(), rows, outputs),
        hs(h.data(), rows, outputs), dxs(dx.data(), rows, inputs), rs(residual.data(), rows, outputs);
    VectorView<A> const bs{bias.data(), outputs};
    switch (form) {
      case Form::forward:
        return run<B>(context, LinearForward<P>{xs, ws, bs, ys, version});
      case Form::input:
        return run<B>(context, LinearBackwardInput<P>{rs, ws, dxs, Write::assign, version});
      case Form::parameters:
        return run<B>(context, LinearBackwardParameters<P>{
                                   xs, rs, {dweight.data(), outputs, inputs}, {dbias.data(), outputs}, Write::assign});
      case Form::activation:
        return run<B>(context, LinearActivationForward<P>{Activation::gelu, xs, ws, bs, ys, hs, version});
      case Form::derivative:
        return run<B>(context, LinearActivationBackwardInput<P>{Activation::gelu, rs, ws, xs, dxs, version});
      case Form::residual: {
        RowMap const rows_of{{sequences.data(), rows}, {positions.data(), rows}, 0};
        Dropout const dropout = DropoutKey{true, 1, 2}.site(DropoutSite::feed_forward, 3, 0.1);
        if constexpr (std::is_same_v<P, mixed>)
          return run<B>(context, LinearResidualForward<P>{xs, ws, bs, rs, dropout, rows_of, ys, version});
      }
    }
  }
  std::vector<float> result(Form form) const {
    if (form == Form::input || form == Form::derivative) return {dx.begin(), dx.end()};
    if (form == Form::parameters) {
      std::vector<float> all = dweight;
      all.insert(all.end(), dbias.begin(), dbias.end());
      return all;
    }
    std::vector<float> all(y.begin(), y.end());
    if (form == Form::activation) all.insert(all.end(), h.begin(), h.end());
    return all;
  }
};

/// A small product against the reference's.
template <class P>
bool right(benchmark::State& state, HostContext& context, Form form) {
  Problem<P> got(130, 100, 70), expected(130, 100, 70);
  got.template compute<Cpu<P>>(context, form, 0);
  expected.template compute<Reference<P>>(context, form, 0);
  double const bound = std::is_same_v<P, mixed> ? 0.01 : 1e-4;  // bfloat16 is rounded by up to 2^-9 of a value
  if (bench::difference(got.result(form), expected.result(form)) < bound) return true;
  state.SkipWithError("the result is not the reference's");
  return false;
}

template <class P>
void product(benchmark::State& state, Form form) {
  HostContext context({.threads = static_cast<int>(state.range(1))});
  if (!right<P>(state, context, form)) return;
  Shape const shape = shapes[state.range(0)];
  Problem<P> problem(4491, shape.inputs, shape.outputs);
  auto const peak_now = [&] { return bench::peak_product_flops<P>(context) * context.threads(); };
  problem.template compute<Cpu<P>>(context, form, 1);  // takes the memory, packs the weight
  double peak = peak_now();
  using Clock = std::chrono::steady_clock;
  std::vector<double> seconds;
  for (auto _ : state) {
    auto const start = Clock::now();
    problem.template compute<Cpu<P>>(context, form, 1);
    seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  peak = std::max(peak, peak_now());
  std::nth_element(seconds.begin(), seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2), seconds.end());
  double const flops = 2.0 * static_cast<double>(problem.rows * shape.inputs * shape.outputs);
  double const rate = flops / seconds[seconds.size() / 2];
  state.counters["GFLOP/s"] = rate / 1e9;
  state.counters["peak"] = peak / 1e9;
  state.counters["share_of_peak"] = rate / peak;
  state.SetLabel(std::string(shape.model) + ' ' + std::to_string(shape.inputs) + " -> " + std::to_string(shape.outputs) +
                 ", " + std::string(name(context.instruction_set())));
}

void in_mixed(benchmark::State& state, Form form) { product<mixed>(state, form); }
void in_fp32(benchmark::State& state, Form form) { product<fp32>(state, form); }

void all_shapes(benchmark::internal::Benchmark* b) {
  std::vector<std::int64_t> threads{1};
  if (available_threads() > 1) threads.push_back(available_threads());
  for (std::int64_t shape = 0; shape < static_cast<std::int64_t>(std::size(shapes)); ++shape)
    for (auto const count : threads) b->Args({shape, count});
  b->ArgNames({"shape", "threads"})->UseRealTime()->Unit(benchmark::kMillisecond)->MinTime(0.1);
}

BENCHMARK_CAPTURE(in_mixed, forward, Form::forward)->Apply(all_shapes);
BENCHMARK_CAPTURE(in_mixed, input_gradient, Form::input)->Apply(all_shapes);
BENCHMARK_CAPTURE(in_mixed, weight_gradient, Form::parameters)->Apply(all_shapes);
BENCHMARK_CAPTURE(in_mixed, forward_gelu, Form::activation)->Apply(all_shapes);
BENCHMARK_CAPTURE(in_mixed, input_gradient_gelu, Form::derivative)->Apply(all_shapes);
BENCHMARK_CAPTURE(in_mixed, forward_dropout_residual, Form::residual)->Apply(all_shapes);
BENCHMARK_CAPTURE(in_fp32, forward, Form::forward)->Apply(all_shapes);
BENCHMARK_CAPTURE(in_fp32, input_gradient, Form::input)->Apply(all_shapes);
BENCHMARK_CAPTURE(in_fp32, weight_gradient, Form::parameters)->Apply(all_shapes);

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  {
    HostContext context;
    benchmark::AddCustomContext("bytes_per_second_of_one_core_copying",
                                std::to_string(bench::peak_bytes(context) / 1e9) + " GB/s");
    benchmark::AddCustomContext("instruction_set", std::string(name(context.instruction_set())));
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
