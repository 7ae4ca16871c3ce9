// The plan of a training's memory against what is taken, on a backend that counts.
#include <algorithm>
#include <cstddef>
#include <string>

#include "hone/train/memory_plan.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"
#include "support/small_bert.hpp"

namespace {

using namespace hone;

/// The host's memory, counted.
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
  static constexpr std::string_view name = "counting";
};

using Training = Recipe<AdamW, Constant, GlobalNormClip, WeightedSum<CrossEntropy, L1>>;

template <class P>
void check_plan(std::vector<Index> const& lengths) {
  using B = Counting<P>;
  using Model = BertClassifier<B>;
  INFO(P::name);
  BertConfig const config = test::small_config();
  Training const recipe;
  TrainerOptions options;
  options.batch_size = 3;
  options.step_every = 2;
  MemoryPlan const plan = training_memory_plan<Model>(config, recipe, options, 17, {{1}, 1, {}});
  INFO(plan.text());

  auto model = test::small_bert<B>();
  auto state = recipe.optimizer.template init<B>(model.context(), model.parameters());
  ClipState<B> clip(model.context(), model.parameters());
  auto const made = test::random_batch(lengths);
  model.begin_step(6);
  for (Index first : {0, 3}) {
    auto const some = test::part(made, first, 3);
    model.accumulate(some.batch, some.labels, recipe.losses, {});
  }
  model.end_step();
  recipe.clip.template apply<B>(model.context(), model.parameters(), clip);
  recipe.optimizer.template step<B>(model.context(), model.parameters(), state, clip.scale(), 1e-3);
  bool const longest = std::all_of(lengths.begin(), lengths.begin() + 3, [](Index length) { return length == 17; });
  if (longest)
    CHECK(model.context().peak == plan.total());
  else
    CHECK(model.context().peak < plan.total());
}

TEST_CASE("a training takes what was planned, to the byte, when its longest batch comes") {
  for (auto const& lengths : {std::vector<Index>{17, 17, 17, 17, 17, 17}, {17, 17, 17, 2, 3, 4}, {5, 17, 16, 3, 17, 1}}) {
    check_plan<fp32>(lengths);
    check_plan<fp64>(lengths);
    check_plan<mixed>(lengths);
  }
}

TEST_CASE("predicting takes less than training") {
  using Model = BertClassifier<Cpu<fp32>>;
  auto const nothing = [](auto const&, MemoryPlan&) {};
  auto const config = test::small_config();
  auto const training = Model::memory_plan(config, 100, 10, 10, true, nothing);
  auto const predicting = Model::memory_plan(config, 100, 10, 10, false, nothing);
  CHECK(predicting.total() < training.total());
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
