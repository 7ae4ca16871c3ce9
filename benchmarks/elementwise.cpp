// What goes through memory once: activations, residual with dropout and layer norm, AdamW, the gradient's norm.
//
//   build/benchmarks/elementwise --benchmark_filter=adamw
#include "peak.hpp"

namespace {

using namespace hone;

/// Runs `compute(tag, context, size)`, which returns its outputs, on both backends at a small size, then times the large
/// one.
template <class Compute>
void time_it(benchmark::State& state, Index small, Index large, double bytes, Compute const& compute) {
  HostContext context;
  auto checked = compute(small), reference = compute(small);
  checked.template run_on<Cpu<fp32>>(context);
  reference.template run_on<Reference<fp32>>(context);
  for (std::size_t i = 0; i < checked.outputs().size(); ++i)
    if (!bench::agrees(state, *checked.outputs()[i], *reference.outputs()[i])) return;
  auto timed = compute(large);
  double const peak = bench::peak_bytes(context);
  bench::measure(state, "byte", bytes * static_cast<double>(large), peak,
                 [&] { timed.template run_on<Cpu<fp32>>(context); });
}

struct ActivationWork {
  static constexpr Index width = 1536;
  Activation kind;
  bool backward;
  std::vector<float> u, dh, out;
  ActivationWork(Activation k, bool b, Index rows)
      : kind(k),
        backward(b),
        u(bench::random_values(rows * width, 1)),
        dh(bench::random_values(rows * width, 2)),
        out(u.size()) {
    for (float& value : u) value *= 4;
  }
  template <class B>
  void run_on(HostContext& context) {
    auto const view = [](std::vector<float>& v) { return MatrixView<float>(v.data(), Index(v.size()) / width, width); };
    if (backward)
      run<B>(context, ActivationBackward<fp32>{kind, view(u), view(dh), view(out)});
    else
      run<B>(context, ActivationForward<fp32>{kind, view(u), view(out)});
  }
  std::vector<std::vector<float> const*> outputs() const { return {&out}; }
};

void activation(benchmark::State& state, Activation kind, bool backward) {
  double const bytes = (backward ? 3 : 2) * sizeof(float) * ActivationWork::width;
  time_it(state, 7, 4500, bytes, [&](Index rows) { return ActivationWork(kind, backward, rows); });
}

struct NormWork {
  static constexpr Index width = 384;
  bool backward;
  Index rows;
  std::vector<float> x, residual, z, y, dy, dz, dx, gamma, beta, mean, rstd, dgamma, dbeta;
  std::vector<std::int32_t> sequence, position;
  NormWork(bool b, Index n)
      : backward(b),
        rows(n),
        x(bench::random_values(n * width, 1)),
        residual(bench::random_values(n * width, 2)),
        z(x),
        y(x),
        dy(x),
        dz(x),
        dx(x),
        gamma(bench::random_values(width, 3)),
        beta(gamma),
        mean(std::size_t(n)),
        rstd(std::size_t(n)),
        dgamma(gamma),
        dbeta(beta),
        sequence(std::size_t(n)),
        position(std::size_t(n)) {
    for (Index i = 0; i < n; ++i) {
      sequence[std::size_t(i)] = std::int32_t(i / 300);
      position[std::size_t(i)] = std::int32_t(i % 300);
    }
    HostContext one({1});
    forward<Cpu<fp32>>(one);  // so that backward has mean and rstd
  }
  MatrixView<float> matrix(std::vector<float>& v) { return {v.data(), rows, width}; }
  static VectorView<float> vector(std::vector<float>& v) { return {v.data(), Index(v.size())}; }
  RowMap map() const { return {{sequence.data(), rows}, {position.data(), rows}, 0}; }
  static Dropout dropout() { return DropoutKey{true, 1, 1}.site(DropoutSite::feed_forward, 0, 0.1); }
  template <class B>
  void forward(HostContext& context) {
    run<B>(context, ResidualNormForward<fp32>{matrix(x), matrix(residual), dropout(), map(), vector(gamma), vector(beta),
                                              1e-12, matrix(z), matrix(y), vector(mean), vector(rstd)});
  }
  template <class B>
  void run_on(HostContext& context) {
    if (!backward) return forward<B>(context);
    run<B>(context, ResidualNormBackward<fp32>{matrix(dy), matrix(z), vector(mean), vector(rstd), vector(gamma), dropout(),
                                               map(), matrix(dz), matrix(dx), vector(dgamma), vector(dbeta), Write::assign});
  }
  std::vector<std::vector<float> const*> outputs() const {
    if (backward) return {&dz, &dx, &dgamma, &dbeta};
    return {&z, &y, &mean, &rstd};
  }
};

void residual_norm(benchmark::State& state, bool backward) {
  time_it(state, 70, 4500, 4 * sizeof(float) * NormWork::width, [&](Index rows) { return NormWork(backward, rows); });
}

struct AdamWWork {
  std::vector<float> weight, gradient, first, second;
  double scale = 0.5;
  explicit AdamWWork(Index size)
      : weight(bench::random_values(size, 1)),
        gradient(bench::random_values(size, 2)),
        first(bench::random_values(size, 3)),
        second(gradient) {
    for (float& v : second) v *= v;
  }
  template <class B>
  void run_on(HostContext& context) {
    Index const n = Index(weight.size());
    run<B>(context, AdamWStep<fp32>{{weight.data(), n},
                                    {gradient.data(), n},
                                    {first.data(), n},
                                    {second.data(), n},
                                    {&scale, 1},
                                    1e-5,
                                    0.01,
                                    0.9,
                                    0.999,
                                    1e-8,
                                    0.5,
                                    0.5});
  }
  std::vector<std::vector<float> const*> outputs() const { return {&weight, &first, &second}; }
};

void adamw(benchmark::State& state) {
  time_it(state, 40000, 22'700'000, 7 * sizeof(float), [](Index size) { return AdamWWork(size); });
}

struct SquaresWork {
  std::vector<float> x, result{0};
  std::vector<double> partials;
  explicit SquaresWork(Index size) : x(bench::random_values(size, 1)), partials(std::size_t(size / norm_chunk + 1)) {}
  template <class B>
  void run_on(HostContext& context) {
    double sum = 0;
    run<B>(context, SumOfSquares<fp32>{{x.data(), Index(x.size())}, {partials.data(), Index(partials.size())}, {&sum, 1}});
    result[0] = static_cast<float>(sum);
  }
  std::vector<std::vector<float> const*> outputs() const { return {&result}; }
};

void sum_of_squares(benchmark::State& state) {
  time_it(state, 40000, 22'700'000, sizeof(float), [](Index size) { return SquaresWork(size); });
}

void timing(benchmark::internal::Benchmark* b) { b->UseRealTime()->Unit(benchmark::kMillisecond)->MinTime(0.3); }

BENCHMARK_CAPTURE(activation, gelu_forward, Activation::gelu, false)->Apply(timing);
BENCHMARK_CAPTURE(activation, gelu_backward, Activation::gelu, true)->Apply(timing);
BENCHMARK_CAPTURE(activation, gelu_new_forward, Activation::gelu_new, false)->Apply(timing);
BENCHMARK_CAPTURE(activation, gelu_new_backward, Activation::gelu_new, true)->Apply(timing);
BENCHMARK_CAPTURE(residual_norm, forward, false)->Apply(timing);
BENCHMARK_CAPTURE(residual_norm, backward, true)->Apply(timing);
BENCHMARK(adamw)->Apply(timing);
BENCHMARK(sum_of_squares)->Apply(timing);

}  // namespace

BENCHMARK_MAIN();
