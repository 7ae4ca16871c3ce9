// Every kernel of a training step alone, at the shapes of a model, against what the device reaches in the same run.
#pragma once

#include <hone/cuda/backend.cuh>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "hone/core/buffer.hpp"
#include "hone/core/philox.hpp"

namespace hone::benchmarks {

using Clock = std::chrono::steady_clock;
using OnDevice = Cuda<mixed>;

inline double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// The median of `count` timings of body(), each ended by a synchronisation, in seconds.
template <class Body>
double median_seconds(CudaContext& context, int count, Body const& body) {
  std::vector<double> times;
  for (int i = 0; i < count; ++i) {
    context.synchronize();
    auto const begin = Clock::now();
    body();
    context.synchronize();
    times.push_back(seconds_since(begin));
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

/// What the device reaches at most: a product of 8192 x 8192 x 8192 in bf16, a copy of 1 GiB.
struct Peaks {
  double flops = 0, bytes = 0;  ///< a second; bytes are those read and those written
};
inline Peaks measure_peaks(CudaContext& context) {
  using B = OnDevice;
  Index const n = 8192;
  Buffer<B, bfloat16> a(context, n * n), b(context, n * n), c(context, n * n);
  for (auto* buffer : {&a, &b}) context.for_each(n * n, detail::FillNoise<bfloat16>{buffer->data()});
  auto const multiply = [&] {
    MatrixView<bfloat16 const> const x{a.data(), n, n}, weight{b.data(), n, n};
    run<B>(context, LinearForward<mixed>{x, weight, {}, MatrixView<bfloat16>{c.data(), n, n}});
  };
  multiply();
  double const cube = double(n) * double(n) * double(n);
  Peaks peaks;
  peaks.flops = 2 * cube / median_seconds(context, 20, multiply);
  Index const bytes = Index(1) << 30;
  Buffer<B, std::byte> from(context, bytes), to(context, bytes);
  from.fill_zero();
  auto const copy = [&] {
    detail::check_cuda(
        cudaMemcpyAsync(to.data(), from.data(), std::size_t(bytes), cudaMemcpyDeviceToDevice, context.stream()),
        "cudaMemcpyAsync");
  };
  copy();
  peaks.bytes = 2 * double(bytes) / median_seconds(context, 20, copy);
  return peaks;
}

struct KernelShapes {
  char const* lengths_name;
  std::vector<Index> lengths;
  Index width, heads, inner, vocabulary;
};

/// Memory of one set of operands, filled with values between -1 and 1 unless said otherwise.
class Operands {
 public:
  explicit Operands(CudaContext& context) : context_(&context) {}
  template <class T>
  MatrixView<T> matrix(Index rows, Index cols) {
    auto const& memory = take(rows * cols * Index(sizeof(T)));
    T* const data = reinterpret_cast<T*>(memory.data());
    context_->for_each(rows * cols, detail::FillNoise<T>{data});
    return {data, rows, cols};
  }
  template <class T>
  VectorView<T> vector(Index size) {
    return {matrix<T>(1, size).data, size};
  }
  template <class T>
  VectorView<T> vector(std::vector<T> const& values) {
    auto const& memory = take(Index(values.size() * sizeof(T)));
    context_->upload(memory.data(), values.data(), values.size() * sizeof(T));
    return {reinterpret_cast<T*>(memory.data()), Index(values.size())};
  }
  Index bytes() const { return bytes_; }

 private:
  Buffer<OnDevice, std::byte> const& take(Index bytes) {
    bytes_ += bytes;
    return memory_.emplace_back(*context_, bytes);
  }
  CudaContext* context_;
  std::vector<Buffer<OnDevice, std::byte>> memory_{};
  Index bytes_ = 0;
};

/// Times operations one after the other and prints a line for each.
class KernelTable {
 public:
  using Print = std::function<void(nlohmann::ordered_json const&)>;
  KernelTable(CudaContext& context, std::string lengths, Peaks const& peaks, Print print)
      : context_(&context), lengths_(std::move(lengths)), peaks_(peaks), print_(std::move(print)) {
    int size = 0;
    detail::check_cuda(cudaDeviceGetAttribute(&size, cudaDevAttrL2CacheSize, context.device().index),
                       "cudaDeviceGetAttribute");
    cache_ = size;
  }

  /// @param bytes  that must be moved at least: each operand read or written once  @param flops  of products
  /// @param make   make(Operands&) gives a function that runs the operation on operands of its own. There are so many sets,
  ///               used in turn, that they do not fit into the device's cache: in a step they are not there either.
  template <class Make>
  void time(char const* name, int count_a_step, double bytes, double flops, Make const& make) {
    std::vector<Operands> sets;
    std::vector<std::function<void()>> runs;
    sets.reserve(most_sets);
    Index held = 0;
    do {
      sets.emplace_back(*context_);
      runs.push_back(make(sets.back()));
      held += sets.back().bytes();
    } while (held < 4 * cache_ && sets.size() < most_sets);
    for (auto const& run : runs) run();  // algorithms are chosen, memory is taken
    int const launches = int(std::max<std::size_t>(runs.size(), 20));
    std::size_t at = 0;
    double const seconds = median_seconds(*context_, 9,
                                          [&] {
                                            for (int i = 0; i < launches; ++i) runs[at++ % runs.size()]();
                                          }) /
                           launches;
    nlohmann::ordered_json line;
    line["what"] = "kernel";
    line["kernel"] = name;
    line["lengths"] = lengths_;
    line["us"] = seconds * 1e6;
    line["count"] = count_a_step;
    line["gbytes_per_s"] = bytes / seconds / 1e9;
    if (flops > 0) line["tflops"] = flops / seconds / 1e12;
    line["share_of_limit"] = std::max(bytes / peaks_.bytes, flops / peaks_.flops) / seconds;
    line["limit"] = bytes / peaks_.bytes > flops / peaks_.flops ? "bandwidth" : "products";
    sum_ += seconds * count_a_step;
    print_(line);
  }
  /// Seconds of a step's kernels, each as often as it comes in one.
  double sum() const { return sum_; }

 private:
  static constexpr std::size_t most_sets = 64;
  CudaContext* context_;
  std::string lengths_;
  Peaks peaks_;
  Print print_;
  Index cache_ = 0;
  double sum_ = 0;
};

/// All kernels of a step of bert-base's 12 blocks. False: one gave a value that is not finite.
inline bool time_kernels(CudaContext& context, KernelShapes const& shapes, Peaks const& peaks, KernelTable::Print print) {
  using P = mixed;
  using B = OnDevice;
  using A = bfloat16;
  Index const D = shapes.width, F = shapes.inner, H = shapes.heads, V = shapes.vocabulary, L = 12;
  Index N = 0;
  double square = 0;
  std::vector<std::int32_t> offsets{0}, sequence, position, tokens, segments;
  PhiloxStream random(1, 7);
  for (Index const length : shapes.lengths) {
    for (Index i = 0; i < length; ++i) {
      sequence.push_back(std::int32_t(offsets.size()) - 1);
      position.push_back(std::int32_t(i));
      tokens.push_back(std::int32_t(random.below(std::uint64_t(V))));
      segments.push_back(0);
    }
    N += length;
    square += double(length) * double(length);
    offsets.push_back(std::int32_t(N));
  }
  DropoutKey const key{true, 5, 3};
  double const n = double(N), d = double(D), f = double(F);
  auto const rows_of = [&](Operands& memory) { return RowMap{memory.vector(sequence), memory.vector(position), 0}; };
  KernelTable table(context, shapes.lengths_name, peaks, std::move(print));

  table.time("embedding_forward", 1, n * d * 2 * 4, 0, [&](Operands& m) -> std::function<void()> {
    EmbeddingForward<P> const op{m.vector(tokens),
                                 m.vector(position),
                                 m.vector(segments),
                                 m.matrix<A>(V, D),
                                 m.matrix<A>(512, D),
                                 m.matrix<A>(2, D),
                                 m.vector<A>(D),
                                 m.vector<A>(D),
                                 1e-12,
                                 key.site(DropoutSite::embedding, 0, 0.1),
                                 rows_of(m),
                                 m.matrix<A>(N, D),
                                 m.matrix<A>(N, D),
                                 m.vector<float>(N),
                                 m.vector<float>(N)};
    return [&context, op] { run<B>(context, op); };
  });
  table.time("embedding_backward", 1, n * d * 2 * 3 + double(V + 514) * d * 4, 0, [&](Operands& m) -> std::function<void()> {
    EmbeddingBackward<P> const op{m.vector(tokens),
                                  m.vector(position),
                                  m.vector(segments),
                                  m.matrix<A>(N, D),
                                  m.matrix<A>(N, D),
                                  m.vector<float>(N),
                                  m.vector<float>(N),
                                  m.vector<A>(D),
                                  key.site(DropoutSite::embedding, 0, 0.1),
                                  rows_of(m),
                                  m.matrix<A>(N, D),
                                  m.matrix<float>(V, D),
                                  m.matrix<float>(512, D),
                                  m.matrix<float>(2, D),
                                  m.vector<float>(D),
                                  m.vector<float>(D),
                                  Write::assign};
    return [&context, op] { run<B>(context, op); };
  });
  table.time("residual_norm_forward", int(2 * L), n * d * 2 * 4, 0, [&](Operands& m) -> std::function<void()> {
    ResidualNormForward<P> const op{m.matrix<A>(N, D),
                                    m.matrix<A>(N, D),
                                    key.site(DropoutSite::feed_forward, 1, 0.1),
                                    rows_of(m),
                                    m.vector<A>(D),
                                    m.vector<A>(D),
                                    1e-12,
                                    m.matrix<A>(N, D),
                                    m.matrix<A>(N, D),
                                    m.vector<float>(N),
                                    m.vector<float>(N)};
    return [&context, op] { run<B>(context, op); };
  });
  table.time("residual_norm_backward", int(2 * L), n * d * 2 * 4, 0, [&](Operands& m) -> std::function<void()> {
    ResidualNormBackward<P> const op{m.matrix<A>(N, D),  m.matrix<A>(N, D),  m.vector<float>(N),
                                     m.vector<float>(N), m.vector<A>(D),     key.site(DropoutSite::feed_forward, 1, 0.1),
                                     rows_of(m),         m.matrix<A>(N, D),  m.matrix<A>(N, D),
                                     m.vector<float>(D), m.vector<float>(D), Write::assign};
    return [&context, op] { run<B>(context, op); };
  });
  table.time("gelu_forward", int(L), n * f * 2 * 2, 0, [&](Operands& m) -> std::function<void()> {
    ActivationForward<P> const op{Activation::gelu, m.matrix<A>(N, F), m.matrix<A>(N, F)};
    return [&context, op] { run<B>(context, op); };
  });
  table.time("gelu_backward", int(L), n * f * 2 * 3, 0, [&](Operands& m) -> std::function<void()> {
    auto const dh = m.matrix<A>(N, F);
    ActivationBackward<P> const op{Activation::gelu, m.matrix<A>(N, F), dh, dh};
    return [&context, op] { run<B>(context, op); };
  });
  double const mean_length = square / n, scale = 1 / std::sqrt(d / double(H));
  // Two products forward, and five backward with the scores done again; of all keys for all queries.
  table.time("attention_forward", int(L), n * d * 2 * 4, 4 * d * n * mean_length, [&](Operands& m) -> std::function<void()> {
    auto const qkv = m.matrix<A>(N, 3 * D);
    auto const at = m.vector(offsets);
    AttentionForward<P> const op{qkv.column_block(0, D),
                                 qkv.column_block(D, D),
                                 qkv.column_block(2 * D, D),
                                 at,
                                 at,
                                 H,
                                 scale,
                                 key.site(DropoutSite::attention, 1, 0.1),
                                 0,
                                 m.matrix<A>(N, D),
                                 m.matrix<float>(N, H)};
    return [&context, op] { run<B>(context, op); };
  });
  table.time("attention_backward", int(L), n * d * 2 * 8, 10 * d * n * mean_length,
             [&](Operands& m) -> std::function<void()> {
               auto const qkv = m.matrix<A>(N, 3 * D), dqkv = m.matrix<A>(N, 3 * D);
               auto const at = m.vector(offsets);
               auto const y = m.matrix<A>(N, D), dy = m.matrix<A>(N, D);
               auto const lse = m.matrix<float>(N, H), delta = m.matrix<float>(N, H);
               auto const q = qkv.column_block(0, D), k = qkv.column_block(D, D), v = qkv.column_block(2 * D, D);
               Dropout const dropout = key.site(DropoutSite::attention, 1, 0.1);
               run<B>(context, AttentionForward<P>{q, k, v, at, at, H, scale, dropout, 0, y, lse});
               AttentionBackward<P> const op{q,
                                             k,
                                             v,
                                             y,
                                             dy,
                                             lse,
                                             at,
                                             at,
                                             H,
                                             scale,
                                             dropout,
                                             0,
                                             delta,
                                             dqkv.column_block(0, D),
                                             dqkv.column_block(D, D),
                                             dqkv.column_block(2 * D, D)};
               return [&context, op] { run<B>(context, op); };
             });
  struct Product {
    char const* name;
    Index in, out;
  };
  for (auto const& [name, in, out] : {Product{"qkv", D, 3 * D}, {"projection", D, D}, {"up", D, F}, {"down", F, D}}) {
    double const i = double(in), o = double(out), flops = 2 * n * i * o;
    table.time((std::string("linear_forward_") + name).c_str(), int(L), (n * i + n * o + i * o) * 2, flops,
               [&, in = in, out = out](Operands& m) -> std::function<void()> {
                 LinearForward<P> const op{m.matrix<A>(N, in), m.matrix<A>(out, in), m.vector<A>(out), m.matrix<A>(N, out)};
                 return [&context, op] { run<B>(context, op); };
               });
    table.time((std::string("linear_backward_input_") + name).c_str(), int(L), (n * i + n * o + i * o) * 2, flops,
               [&, in = in, out = out](Operands& m) -> std::function<void()> {
                 LinearBackwardInput<P> const op{m.matrix<A>(N, out), m.matrix<A>(out, in), m.matrix<A>(N, in)};
                 return [&context, op] { run<B>(context, op); };
               });
    table.time((std::string("linear_backward_parameters_") + name).c_str(), int(L), (n * i + n * o) * 2 + i * o * 4, flops,
               [&, in = in, out = out](Operands& m) -> std::function<void()> {
                 LinearBackwardParameters<P> const op{m.matrix<A>(N, in), m.matrix<A>(N, out), m.matrix<float>(out, in),
                                                      m.vector<float>(out), Write::assign};
                 return [&context, op] { run<B>(context, op); };
               });
  }
  Index const parameters = V * D + 514 * D + 2 * D + L * (4 * D * D + 2 * D * F + 9 * D + F);
  table.time("sum_of_squares", 1, double(parameters) * 4, 0, [&](Operands& m) -> std::function<void()> {
    SumOfSquares<P> const op{m.vector<float>(parameters), m.vector<double>((parameters + norm_chunk - 1) / norm_chunk),
                             m.vector<double>(1)};
    return [&context, op] { run<B>(context, op); };
  });
  bool right = true;
  table.time("adamw", 1, double(parameters) * 30, 0, [&](Operands& m) -> std::function<void()> {
    auto const second = m.vector<float>(parameters);
    context.fill_zero(second.data, std::size_t(parameters) * sizeof(float));  // a square is not negative
    AdamWStep<P> const op{m.vector<float>(parameters),
                          m.vector<float>(parameters),
                          m.vector<float>(parameters),
                          second,
                          m.vector(std::vector<double>{0.5}),
                          1e-5,
                          0.01,
                          0.9,
                          0.999,
                          1e-8,
                          0.1,
                          0.001,
                          m.vector<A>(parameters)};
    run<B>(context, op);
    std::vector<float> some(1000);
    context.download(some.data(), op.weight.data, some.size() * sizeof(float));
    context.synchronize();
    for (float const weight : some) right = right && std::isfinite(weight);
    return [&context, op] { run<B>(context, op); };
  });
  std::fprintf(stderr, "kernels of a step, %s: %.2f ms one after the other\n", shapes.lengths_name, table.sum() * 1e3);
  return right;
}

}  // namespace hone::benchmarks
