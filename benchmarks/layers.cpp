// Layers at the shapes of MiniLM and bert-base, on a batch of 16 reviews, in `mixed` and fp32, with dropout: forward alone,
// and forward with backward. All threads.
//
//   build/benchmarks/layers --benchmark_filter='mixed/encoder_block'
//
// Every layer is compared to Reference<P> before it is timed: its output and all its gradients. share_of_peak is of what
// all threads together could do at this moment in registers alone (AMX tiles or dot products for `mixed`, else
// multiply-adds). What is counted are the products of matrices and of attention, of real tokens.
#include <chrono>
#include <numeric>
#include <string>
#include <utility>

#include "hone/layers/encoder_block.hpp"
#include "hone/testing/check_report.hpp"
#include "peak.hpp"

namespace {

using namespace hone;

struct Shape {
  char const* model;
  Index width, heads, inner;
};
constexpr Shape minilm{"MiniLM", 384, 12, 1536}, bert_base{"bert-base", 768, 12, 3072};

struct MakeSelfAttention {
  template <class B>
  static SelfAttention<B> make(ParameterStore<B>& store, Shape const& shape) {
    return {store, "attention", shape.width, shape.heads, 0, 0.1, 0.05};
  }
  static double flops(Shape const& shape, double tokens, double pairs) {
    double const width = static_cast<double>(shape.width);
    return 8 * width * width * tokens + 4 * width * pairs;
  }
};
struct MakeFeedForward {
  template <class B>
  static FeedForward<B> make(ParameterStore<B>& store, Shape const& shape) {
    return {store, "in", "out", shape.width, shape.inner, Activation::gelu, 0.05};
  }
  static double flops(Shape const& shape, double tokens, double) {
    return 4 * static_cast<double>(shape.width * shape.inner) * tokens;
  }
};
struct MakeEncoderBlock {
  template <class B>
  static EncoderBlock<B> make(ParameterStore<B>& store, Shape const& shape) {
    return {store, "block", {shape.width, shape.heads, shape.inner, Activation::gelu, 1e-12, 0.1, 0.1, 0.05}, 0};
  }
  static double flops(Shape const& shape, double tokens, double pairs) {
    return MakeSelfAttention::flops(shape, tokens, pairs) + MakeFeedForward::flops(shape, tokens, pairs);
  }
};

/// A layer with all that one pass needs.
template <class B, class Make>
class Passes {
  using A = ActivationOf<typename B::Precision>;
  using L = decltype(Make::make(std::declval<ParameterStore<B>&>(), std::declval<Shape>()));

 public:
  Passes(HostContext& context, Shape const& shape, std::vector<Index> const& lengths)
      : context_(context), store_(context), layer_(Make::make(store_, shape)), workspace_(context), memory_(context) {
    store_.allocate();
    for (Index id = 0; id < store_.count(); ++id) store_.initialize(id, 1);
    batch_ = memory_.upload(testing::some_batch(lengths));
    rows_ = std::accumulate(lengths.begin(), lengths.end(), Index{0});
    width_ = shape.width;
    x_ = values(2);
    slope_ = values(3);
    y_ = dy_ = dx_ = x_;
    workspace_.plan([&](Plan& plan) { cache_ = layer_.plan(plan, rows_); });
  }
  void forward() {
    Pass<B> pass{context_, store_, batch_, {true, 1, 1}};
    layer_.forward(pass, view(x_), view(y_), cache_);
  }
  /// The gradient that comes in is written anew, since layers use its memory.
  void forward_and_backward() {
    forward();
    std::copy(slope_.begin(), slope_.end(), dy_.begin());
    Pass<B> pass{context_, store_, batch_, {true, 1, 1}};
    store_.begin_step();
    layer_.backward(pass, view(dy_), view(dx_), cache_);
  }
  /// y, dx and the gradients of all parameters, one after the other.
  std::vector<std::vector<float>> results() {
    forward_and_backward();
    std::vector<std::vector<float>> all{{y_.begin(), y_.end()}, {dx_.begin(), dx_.end()}};
    for (Index id = 0; id < store_.count(); ++id)
      if (store_.info(id).name != "attention.self.key.bias" && store_.info(id).name != "block.attention.self.key.bias")
        all.push_back(store_.get_gradient(id));  // the gradient of the keys' bias is zero: nothing but rounding
    return all;
  }

 private:
  std::vector<A> values(std::uint64_t seed) const {
    auto const random = bench::random_values(rows_ * width_, seed);
    return {random.begin(), random.end()};
  }
  MatrixView<A> view(std::vector<A>& of) { return {of.data(), rows_, width_}; }

  HostContext& context_;
  ParameterStore<B> store_;
  L layer_;
  Workspace<B> workspace_;
  BatchMemory<B> memory_;
  BatchView batch_{};
  typename L::Cache cache_{};
  Index rows_ = 0, width_ = 0;
  std::vector<A> x_, slope_, y_, dy_, dx_;
};

template <class P, class Make>
bool right(benchmark::State& state, HostContext& context) {
  Shape const shape{"", 64, 2, 96};
  std::vector<Index> const lengths{37, 5, 64};
  auto const got = Passes<Cpu<P>, Make>(context, shape, lengths).results();
  auto const expected = Passes<Reference<P>, Make>(context, shape, lengths).results();
  double const bound = std::is_same_v<P, mixed> ? 0.04 : 1e-4;  // bfloat16 is rounded by 2^-9, several times in a row
  for (std::size_t i = 0; i < got.size(); ++i)
    if (double const apart = bench::difference(got[i], expected[i]); !(apart < bound)) {
      state.SkipWithError(("result " + std::to_string(i) + " is not the reference's: " + std::to_string(apart)).c_str());
      return false;
    }
  return true;
}

template <class P, class Make>
void time_layer(benchmark::State& state, Shape const& shape, bool backward) {
  HostContext context;
  if (!right<P, Make>(state, context)) return;
  Passes<Cpu<P>, Make> passes(context, shape, bench::review_lengths);
  auto const peak_now = [&] { return bench::peak_product_flops<P>(context) * context.threads(); };
  double tokens = 0, pairs = 0;
  for (Index const length : bench::review_lengths) {
    tokens += static_cast<double>(length);
    pairs += static_cast<double>(length * length);
  }
  double const flops = (backward ? 3 : 1) * Make::flops(shape, tokens, pairs);
  passes.forward_and_backward();  // takes memory, packs weights
  double peak = peak_now();
  std::vector<double> seconds;
  for (auto _ : state) {
    auto const start = std::chrono::steady_clock::now();
    backward ? passes.forward_and_backward() : passes.forward();
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  peak = std::max(peak, peak_now());
  std::nth_element(seconds.begin(), seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2), seconds.end());
  double const typical = seconds[seconds.size() / 2];
  state.counters["tokens/s"] = tokens / typical;
  state.counters["GFLOP/s"] = flops / typical / 1e9;
  state.counters["peak"] = peak / 1e9;
  state.counters["share_of_peak"] = flops / typical / peak;
  state.SetLabel(std::string(shape.model) + ", " + std::string(name(context.instruction_set())));
}

template <class P, class Make>
void add(std::string const& name) {
  for (Shape const& shape : {minilm, bert_base})
    for (bool const backward : {false, true})
      benchmark::RegisterBenchmark(
          (name + '/' + shape.model + (backward ? "/forward_and_backward" : "/forward")).c_str(),
          [shape, backward](benchmark::State& state) { time_layer<P, Make>(state, shape, backward); })
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond)
          ->MinTime(0.3);
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  add<mixed, MakeSelfAttention>("mixed/self_attention");
  add<mixed, MakeFeedForward>("mixed/feed_forward");
  add<mixed, MakeEncoderBlock>("mixed/encoder_block");
  add<fp32, MakeSelfAttention>("fp32/self_attention");
  add<fp32, MakeFeedForward>("fp32/feed_forward");
  add<fp32, MakeEncoderBlock>("fp32/encoder_block");
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
