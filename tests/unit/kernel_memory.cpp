// What the processor's kernels hold beside planned memory: counted, against plans, in whole runs and kernel by kernel.
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "hone/train/memory_plan.hpp"
#include "support/catch.hpp"
#include "support/emulated_dots.hpp"
#include "support/emulated_tiles.hpp"
#include "support/in_brief.hpp"
#include "support/small_bert.hpp"

namespace {

using namespace hone;

/// A host context that counts what goes through it.
struct CountingContext : HostContext {
  using HostContext::HostContext;
  std::size_t held = 0, peak = 0;
  void* allocate(std::size_t bytes) {
    held += bytes;
    peak = std::max(peak, held);
    return HostContext::allocate(bytes);
  }
  void deallocate(void* memory, std::size_t bytes) {
    held -= bytes;
    HostContext::deallocate(memory, bytes);
  }
};
template <class P>
struct Counting : Cpu<P> {
  using Context = CountingContext;
  static constexpr std::string_view name = "cpu";
};

/// `mixed` on emulated tiles, as on a processor that has them.
template <class Op>
struct TileKernel : NoKernel {};
template <class Op>
  requires(detail::is_kernel<detail::emulated::Kernel<Op>>)
struct TileKernel<Op> {
  static void run(HostContext& context, Op const& op) { detail::emulated::Kernel<Op>::run(context, op); }
};
struct TileRung {
  [[maybe_unused]] static constexpr std::string_view name = "tiles";
  template <class Op>
  using Kernel = TileKernel<Op>;
  template <class Op, class... Sizes>
  static void count(detail::KernelDemand& demand, Sizes... sizes) {
    CpuRung::count<Op>(demand, sizes...);
  }
};
struct TileContext : CountingContext {
  using CountingContext::CountingContext;
  InstructionSet instruction_set() const { return InstructionSet::amx; }
};
struct Tiles {
  using Precision = mixed;
  using Context = TileContext;
  using Options = HostOptions;
  using Ladder = hone::Ladder<TileRung, CpuRung, GenericRung>;
  static constexpr std::string_view name = "tiles";
};
static_assert(Linear<Tiles>::joins_residual);

/// Calls `work` in a thread of its own, whose scratch memory is empty.
template <class Work>
void in_new_thread(Work const& work) {
  std::thread(work).join();
}

BertConfig shape(Index width, Index heads, Index inner, Index layers, Index vocabulary, Index positions) {
  BertConfig config;
  config.hidden_size = width;
  config.num_attention_heads = heads;
  config.intermediate_size = inner;
  config.num_hidden_layers = layers;
  config.vocab_size = vocabulary;
  config.max_position_embeddings = positions;
  return config;
}

struct Run {
  BertConfig config;
  Index batch_size, length;  ///< of a step's texts, all of one length
  int threads;
  std::string name;
};

using Training = Recipe<AdamW, Constant, GlobalNormClip, test::SentimentLosses>;

/// Trains a step on long texts, one on a single short text, and predicts; after each the plan must hold.
///
/// @param closeness  how much of a plan is taken at least; what is not is scratch memory for larger blocks
template <class B>
void check_run(Run const& run, double closeness, HostOptions host = {}) {
  using Model = BertClassifier<B>;
  host.threads = run.threads;
  Training const recipe;
  TrainerOptions const options{.learning_rate = 1e-5, .batch_size = run.batch_size};
  EvaluationOptions evaluation;
  evaluation.batch_size = run.batch_size;
  typename Model::ModelOptions const model_options{host, 1, {}, {}};
  MemoryPlan const plan = training_memory_plan<Model>(run.config, recipe, options, run.length, model_options, evaluation);
  std::uint64_t const planned_scratch = plan.bytes("scratch of the threads' kernels");
  std::uint64_t const planned_copies = plan.bytes("packed copies of the weights");
  INFO(run.name << ", " << B::name << " " << B::Precision::name << ", " << run.threads << " threads\n" << plan.text());

  std::vector<Index> lengths(std::size_t(run.batch_size), run.length);
  lengths.push_back(run.length / 3);
  auto const data = test::random_dataset(lengths);
  auto model = Model::from_config(run.config, {}, model_options);
  Trainer<Model, Training> trainer(model, options, recipe);
  auto const labels = labels_for<typename Model::HeadsType>(data);
  std::vector<std::size_t> rows(lengths.size());
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = i;

  auto const check = [&](std::string const& after) {
    KernelBytes const kernels = kernel_bytes(model.context());
    std::size_t const taken = model.context().peak + kernels.total();
    INFO("after " << after << ": scratch " << kernels.scratch << " of " << planned_scratch << ", copies "
                  << kernels.packed_weights << " of " << planned_copies << ", in all " << taken << " of " << plan.total());
    CHECK(kernels.scratch <= planned_scratch);
    CHECK(kernels.packed_weights <= planned_copies);
    CHECK(taken - kernels.total() <= plan.total() - planned_scratch - planned_copies);
    // Close, but for the copies that a short text's batch makes.
    std::uint64_t const with_copies = taken - kernels.packed_weights + planned_copies;
    CHECK(static_cast<double>(with_copies) >= closeness * static_cast<double>(plan.total()));
    if (std::getenv("HONE_SHOW_MEMORY"))
      std::printf("%s, %s, %d threads, after %s: %zu of scratch %zu, %zu of copies %zu, in all %zu of %zu\n",
                  run.name.c_str(), std::string(B::Precision::name).c_str(), run.threads, after.c_str(), kernels.scratch,
                  std::size_t(planned_scratch), kernels.packed_weights, std::size_t(planned_copies), taken,
                  std::size_t(plan.total()));
  };
  trainer.step(data, labels, std::span(rows).first(std::size_t(run.batch_size)), 10);
  check("a step");
  trainer.step(data, labels, std::span(rows).last(1), 10);
  check("a short step");
  CHECK(kernel_bytes(model.context()).packed_weights == planned_copies);  // of all weights, to the byte
  evaluate(model, data, recipe.losses, evaluation);
  check("a test");
}

TEST_CASE("a run takes what was planned, scratch memory of kernels and copies of weights included") {
  BertConfig const minilm = shape(384, 12, 1536, 6, 30522, 512), tiny = shape(128, 2, 512, 2, 30522, 512);
  for (int const threads : {1, 3})
    for (Run const& run : {Run{minilm, 5, 240, threads, "MiniLM"}, Run{tiny, 16, 128, threads, "tiny"}}) {
      if (test::sanitized && threads == 1 && run.name == "MiniLM") continue;
      in_new_thread([&] { check_run<Counting<fp32>>(run, 0.95); });
      in_new_thread([&] { check_run<Counting<mixed>>(run, 0.95); });
    }
}

TEST_CASE("so it does with vectors that every processor has, and on tiles") {
  Run const run{shape(64, 2, 160, 2, 3000, 128), 4, 70, 2, "small"};
  in_new_thread([&] { check_run<Counting<fp32>>(run, 0.5, {0, InstructionSet::portable}); });
  in_new_thread([&] { check_run<Counting<mixed>>(run, 0.5, {0, InstructionSet::portable}); });
  in_new_thread([&] { check_run<Counting<fp64>>(run, 0.5, {0, InstructionSet::portable}); });
  in_new_thread([&] { check_run<Tiles>(run, 0.95); });
}

/// Memory of one operation's operands: as many values as there may be in any of them.
template <class T>
struct Values {
  std::vector<T> values;
  explicit Values(Index count) : values(std::size_t(count)) {}
  MatrixView<T> matrix(Index rows, Index cols) { return {values.data(), rows, cols}; }
};

/// What a kernel takes of scratch memory for one thread, by use.
template <template <class> class Kernel, class Op>
detail::ScratchBytes scratch_of(Op const& op, detail::KernelDemand const& demand) {
  detail::ScratchBytes taken{};
  in_new_thread([&] {
    HostContext context(HostOptions{1, std::min(demand.instruction_set(), processor_features().best)});
    Kernel<Op>::run(context, op);
    taken = detail::scratch_bytes(context);
  });
  return taken;
}
/// It takes what it was said to.
template <template <class> class Kernel, class Op>
void check_kernel(Op const& op, detail::KernelDemand const& demand) {
  CHECK(scratch_of<Kernel>(op, demand) == demand.scratch_bytes(1));
}
/// It takes no more, whatever its blocks are. @param exact  of this use it takes what it was said to
template <class Op>
void check_bound(Op const& op, detail::KernelDemand const& demand, std::optional<detail::Scratch> exact = {}) {
  auto const taken = scratch_of<CpuKernel>(op, demand), planned = demand.scratch_bytes(1);
  for (std::size_t use = 0; use < taken.size(); ++use) {
    INFO("use " << use);
    CHECK(taken[use] <= planned[use]);
  }
  if (exact) CHECK(taken[std::size_t(*exact)] == planned[std::size_t(*exact)]);
}

template <template <class> class Kernel, class P>
void check_attention(InstructionSet set, bool fast_dots, Index length, Index width) {
  INFO("attention in " << P::name << " for " << name(set) << ", " << length << " tokens, heads of " << width);
  using A = ActivationOf<P>;
  using S = StatisticOf<P>;
  constexpr Index heads = 3, sequences = 2;
  Index const rows = length + length / 2 + 1, all = heads * width;
  std::vector<std::int32_t> const offsets{0, std::int32_t(length), std::int32_t(rows)};
  VectorView<std::int32_t const> const ends{offsets.data(), sequences + 1};
  Values<A> q(rows * all), k(rows * all), v(rows * all), y(rows * all), dq(rows * all), dk(rows * all), dv(rows * all);
  Values<S> lse(rows * heads), delta(rows * heads);
  auto const of = [&](Values<A>& values) { return values.matrix(rows, all); };
  detail::KernelDemand forward(set, fast_dots, true, sequences, length), backward = forward;
  detail::KernelMemory<AttentionForward<P>>::count(forward, rows, all, heads);
  detail::KernelMemory<AttentionForward<P>>::count(backward, rows, all, heads);
  detail::KernelMemory<AttentionBackward<P>>::count(backward, rows, all, heads);
  auto const of_queries = [&](Values<S>& values) { return values.matrix(rows, heads); };
  check_kernel<Kernel>(
      AttentionForward<P>{of(q), of(k), of(v), ends, ends, heads, 0.5, {}, 0, of(y), of_queries(lse)}, forward);
  check_kernel<Kernel>(AttentionBackward<P>{of(q), of(k), of(v), of(y), of(y), of_queries(lse), ends, ends, heads, 0.5, {},
                                            0, of_queries(delta), of(dq), of(dk), of(dv)},
                       backward);
}

template <template <class> class Kernel>
void check_squares(InstructionSet set, bool fast_dots, Index rows, Index inputs, Index outputs) {
  INFO("products for " << name(set) << ", " << rows << " rows, " << inputs << " to " << outputs);
  Values<bfloat16> x(rows * inputs), weight(inputs * outputs), y(rows * outputs);
  Values<float> dweight(inputs * outputs), dbias(outputs);
  detail::KernelDemand forward(set, fast_dots, false, 1, 1), parameters(set, fast_dots, true, 1, 1);
  detail::KernelMemory<LinearForward<mixed>>::count(forward, rows, outputs, inputs);
  check_kernel<Kernel>(
      LinearForward<mixed>{x.matrix(rows, inputs), weight.matrix(outputs, inputs), {}, y.matrix(rows, outputs), 1}, forward);
  detail::KernelMemory<LinearBackwardParameters<mixed>>::count(parameters, rows, outputs, inputs);
  check_kernel<Kernel>(LinearBackwardParameters<mixed>{x.matrix(rows, inputs), y.matrix(rows, outputs),
                                                       dweight.matrix(outputs, inputs), {dbias.values.data(), outputs},
                                                       Write::assign},
                       parameters);
}

/// Products by vectors, whose blocks may change as long as they stay within what is counted; norms.
template <class P>
void check_vectors(InstructionSet set, Index rows, Index inputs, Index outputs) {
  INFO(P::name << " for " << name(set) << ", " << rows << " rows, " << inputs << " to " << outputs);
  using A = ActivationOf<P>;
  using M = MasterOf<P>;
  detail::KernelDemand const none(set, false, true, 1, 1);
  Values<A> x(rows * inputs), weight(inputs * outputs), y(rows * outputs);
  Values<M> dweight(inputs * outputs), dbias(outputs), statistic(rows);
  auto forward = none, input = none, parameters = none, norm = none;
  detail::KernelMemory<LinearForward<P>>::count(forward, rows, outputs, inputs);
  detail::KernelMemory<LinearBackwardInput<P>>::count(input, rows, outputs, inputs);
  detail::KernelMemory<LinearBackwardParameters<P>>::count(parameters, rows, outputs, inputs);
  detail::KernelMemory<ResidualNormBackward<P>>::count(norm, rows, inputs);
  MatrixView<A> const in = x.matrix(rows, inputs), w = weight.matrix(outputs, inputs), out = y.matrix(rows, outputs);
  VectorView<M> const bias{dbias.values.data(), outputs}, gamma{dweight.values.data(), inputs};
  VectorView<M> const statistics{statistic.values.data(), rows};
  check_bound(LinearForward<P>{in, w, {}, out}, forward, detail::Scratch::shared_panels);
  check_bound(LinearBackwardInput<P>{out, w, in}, input, detail::Scratch::shared_panels);
  check_bound(LinearBackwardParameters<P>{in, out, dweight.matrix(outputs, inputs), bias, Write::assign}, parameters);
  check_bound(ResidualNormBackward<P>{in, in, statistics, statistics, {weight.values.data(), inputs}, {}, {}, in, {}, gamma,
                                      gamma, Write::assign},
              norm, detail::Scratch::reduction);
}

TEST_CASE("vector kernels take no more than is counted for them, however they are blocked") {
  for (InstructionSet const set : {InstructionSet::portable, InstructionSet::avx2, InstructionSet::avx512}) {
    if (set > processor_features().best) continue;
    for (Index const inputs : {20, 400}) {
      check_vectors<fp32>(set, 1100, inputs, 130);
      check_vectors<fp64>(set, 1100, inputs, 130);
      if (set < InstructionSet::avx512 || !bfloat16_dots().fast) check_vectors<mixed>(set, 1100, inputs, 130);
    }
    check_vectors<fp32>(set, 4000, 1000, 30);  // more than the right operand may take at once
  }
}

TEST_CASE("kernels take the scratch memory that is counted for them, to the byte") {
  for (Index const length : test::some_of<Index>({1, 31, 70}, {1, 70}))
    for (Index const width : test::some_of<Index>({5, 32, 40}, {5, 40})) {
      for (InstructionSet const set : {InstructionSet::portable, InstructionSet::avx2, InstructionSet::avx512}) {
        if (set > processor_features().best) continue;
        check_attention<CpuKernel, fp32>(set, false, length, width);
        check_attention<CpuKernel, fp64>(set, false, length, width);
        bool const fast_dots = set == InstructionSet::avx512 && bfloat16_dots().fast;
        check_attention<CpuKernel, mixed>(set, fast_dots, length, width);
      }
      check_attention<detail::emulated::Kernel, mixed>(InstructionSet::amx, false, length, width);
      check_attention<detail::emulated_dots::Kernel, mixed>(InstructionSet::avx512, true, length, width);
    }
  for (Index const rows : {1, 70, 1100}) {
    check_squares<detail::emulated::Kernel>(InstructionSet::amx, false, rows, 40, 100);
    check_squares<detail::emulated::Kernel>(InstructionSet::amx, false, rows, 1000, 33);
    check_squares<detail::emulated_dots::Kernel>(InstructionSet::avx512, true, rows, 40, 100);
  }
}

}  // namespace
