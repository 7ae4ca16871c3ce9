// The plan of a training's memory against what is taken, on a backend that counts.
#include <algorithm>
#include <cstddef>
#include <string>

#include "hone/train/memory_plan.hpp"
#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"
#include "support/small_bert.hpp"

namespace {

using namespace hone;

/// A host context whose memory is counted.
template <class Context>
struct CountingContext : Context {
  using Context::Context;
  std::size_t held = 0, peak = 0;
  std::size_t peak_bytes() const { return peak + temporary_bytes(); }
  void* allocate(std::size_t bytes) {
    held += bytes;
    peak = std::max(peak, held);
    return Context::allocate(bytes);
  }
  void deallocate(void* memory, std::size_t bytes) {
    held -= bytes;
    Context::deallocate(memory, bytes);
  }

 private:
  /// Of Thrust's algorithms: what is held is never given back.
  std::size_t temporary_bytes() const {
    if constexpr (requires { this->temporary().bytes(); })
      return this->temporary().bytes();
    else
      return 0;
  }
};
template <class B>
struct Counting : B {
  using Context = CountingContext<typename B::Context>;
  static constexpr std::string_view name = "counting";
};

using Training = Recipe<AdamW, Constant, GlobalNormClip, WeightedSum<CrossEntropy, L1>>;

/// One step of the trainer, of two batches of three texts each, against the plan of texts of 17 tokens.
template <class B>
void check_plan(std::vector<Index> const& lengths) {
  using Model = BertClassifier<B>;
  INFO(B::name << " " << B::Precision::name);
  Training const recipe;
  TrainerOptions options;
  options.batch_size = 3;
  options.step_every = 2;
  typename Model::ModelOptions const model_options{{1}, 1, {}};
  MemoryPlan const plan = training_memory_plan<Model>(test::small_config(), recipe, options, 17, model_options);
  std::uint64_t total = plan.total();  // of what goes through the context; unit.kernel_memory looks at the rest
  for (char const* own : {"scratch of the threads' kernels", "packed copies of the weights"}) total -= plan.bytes(own);
  INFO(plan.text());

  auto model = test::small_bert<B>();
  Trainer<Model, Training> trainer(model, options, recipe);
  auto const made = test::random_batch(lengths);
  data::Dataset data;
  data.labels = {{"is_positive", {}}, {"star_rating", {}}};
  std::vector<std::size_t> rows;
  for (std::size_t b = 0; b < lengths.size(); ++b) {
    data.sources.push_back(std::to_string(b));
    data.texts.push_back("");
    data.tokens.push_back(std::span(made.batch.tokens).subspan(std::size_t(made.batch.offsets[b]), std::size_t(lengths[b])));
    rows.push_back(b);
  }
  for (int step = 0; step < 2; ++step) {
    trainer.step(data, made.labels, rows, 10);
    INFO("step " << step);
    if (lengths == std::vector<Index>(6, 17))
      CHECK(model.context().peak_bytes() == total);
    else
      CHECK(model.context().peak_bytes() < total);
  }
}

std::vector<std::vector<Index>> const batches{{17, 17, 17, 17, 17, 17}, {17, 17, 17, 2, 3, 4}, {5, 17, 16, 3, 17, 1}};

TEST_CASE("a training takes what was planned, to the byte, when its longest batches come") {
  for (auto const& lengths : batches) {
    check_plan<Counting<Cpu<fp32>>>(lengths);
    check_plan<Counting<Cpu<fp64>>>(lengths);
    check_plan<Counting<Cpu<mixed>>>(lengths);
  }
}

TEST_CASE("a device's kernels take the scratch memory that was planned, to the byte") {
  for (auto const& lengths : batches) {
    check_plan<testing::CudaEmulator<mixed>>(lengths);
    check_plan<testing::CudaEmulator<fp32>>(lengths);
#if defined(HONE_TEST_THRUST)
    check_plan<Counting<ThrustHost<mixed>>>(lengths);
    check_plan<Counting<ThrustHost<fp64>>>(lengths);
#endif
  }
}

TEST_CASE("predicting takes less than training") {
  using Model = BertClassifier<Cpu<fp32>>;
  auto const nothing = [](auto const&, MemoryPlan&) {};
  auto const config = test::small_config();
  auto const training = Model::memory_plan(config, 100, 10, 10, 1, true, nothing);
  auto const predicting = Model::memory_plan(config, 100, 10, 10, 1, false, nothing);
  CHECK(predicting.total() < training.total());
  auto const with_test = Model::memory_plan(config, 100, 10, 10, 1, true, nothing, {}, {0, 50, 5});
  CHECK(with_test.total() > training.total());  // by the test's batch
  CHECK(with_test.bytes("activations and their scratch") == training.bytes("activations and their scratch"));
  auto const with_long_test = Model::memory_plan(config, 100, 10, 10, 1, true, nothing, {}, {0, 5000, 500});
  auto const long_test = Model::memory_plan(config, 5000, 500, 500, 1, false, nothing);
  CHECK(with_long_test.bytes("activations and their scratch") == long_test.bytes("activations and their scratch"));
  CHECK(training.parts().front().name == "weights");
  CHECK(training.available > 0);  // of this machine
  training.require();
}

TEST_CASE("a plan that does not fit says by how much, and what is the largest part") {
  MemoryPlan plan;
  plan.add("weights", std::uint64_t{3} << 30);
  plan.add("activations", std::uint64_t{9} << 30);
  plan.require();  // nobody knows what there is
  plan.available = std::uint64_t{12} << 30;
  plan.require();
  plan.available = std::uint64_t{10} << 30;
  try {
    plan.require();
    FAIL("nothing was thrown");
  } catch (Error const& error) {
    CHECK(error.number() == 712);
    std::string const said = error.what();
    CHECK(said.find("12.0 GiB planned, of which activations 9.0 GiB") != said.npos);
    CHECK(said.find("2.0 GiB less") != said.npos);
    CHECK(said.find("smaller batch size") != said.npos);
  }
  CHECK(plan.text() == "  weights" + std::string(42, ' ') + "3.0 GiB\n  activations" + std::string(38, ' ') +
                           "9.0 GiB\n  in all" + std::string(42, ' ') + "12.0 GiB");
  CHECK(MemoryPlan::size_text(900) == "900 bytes");
  CHECK(MemoryPlan::size_text(1536) == "1.5 KiB");
  CHECK(MemoryPlan::size_text(std::uint64_t{250} << 20) == "250 MiB");
}

}  // namespace
