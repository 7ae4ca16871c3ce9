// Work that is put off until it is all known, as in a CUDA graph: the same bits as done at once, and bodies that break the
// rules of run_step are found.
#include "hone/core/step.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "hone/train/trainer.hpp"
#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"
#include "support/small_bert.hpp"

namespace {

using namespace hone;
using testing::CudaEmulator;
using testing::EmulatorContext;

struct Trained {
  std::string weights;
  std::vector<double> losses;
  std::size_t recorded = 0;
};

/// Two epochs of 7 texts with dropout and clipping.
template <class P>
Trained train(Index batch_size, Index step_every, bool record) {
  using B = CudaEmulator<P>;
  auto config = test::small_config();
  config.num_hidden_layers = 1;
  auto model = BertClassifier<B>::from_config(config, {},
                                              {.backend = {.threads = 2, .record_steps = record}, .seed = 4, .dropout = {}});
  using Training = Recipe<AdamW, LinearWarmup, GlobalNormClip, test::SentimentLosses>;
  Training recipe;
  recipe.losses = test::SentimentLosses{{1, 0.02}};
  Trainer<BertClassifier<B>, Training> trainer(
      model, {.learning_rate = 1e-2, .batch_size = batch_size, .step_every = step_every, .epochs = 2, .seed = 3}, recipe);
  Trained trained;
  trainer.fit(test::random_dataset({9, 4, 7, 1, 5, 8, 2}, 9), [&](StepReport const& step) {
    for (auto const& loss : step.losses) trained.losses.push_back(loss.second);
    trained.losses.push_back(step.grad_norm);
  });
  trained.weights = test::weights_hash(model);
  trained.recorded = model.context().recorded_steps();
  return trained;
}

template <class P>
void check_training() {
  INFO(P::name);
  // A step of one batch is one piece of work; with two batches these are two and the rest a third.
  for (auto const& [size, every, pieces] :
       std::vector<std::tuple<Index, Index, std::size_t>>{{4, 1, 4}, {2, 2, 2 * (3 + 3)}}) {
    INFO("batches of " << size << ", " << every << " a step");
    auto const at_once = train<P>(size, every, false), recorded = train<P>(size, every, true);
    CHECK(at_once.recorded == 0);
    CHECK(recorded.recorded == pieces);
    CHECK(recorded.losses == at_once.losses);
    CHECK(recorded.weights == at_once.weights);
  }
  CHECK(train<P>(4, 1, true).weights != train<P>(3, 1, true).weights);  // another training is another result
}

TEST_CASE("training with its steps put off gives the bits of training at once, in mixed precision") {
  check_training<mixed>();
}
TEST_CASE("training with its steps put off gives the bits of training at once, in float") { check_training<fp32>(); }

/// A context with memory for eight numbers, all 1.
struct Eight {
  EmulatorContext context{{.hide_memory = false}};
  Buffer<CudaEmulator<fp32>, float> x{context, 8};
  Eight() { x.upload(std::vector<float>(8, 1.0f)); }
  std::vector<float> values() { return x.download(); }
};

struct AddNumber {
  float* x;
  float number;
  void operator()(Index i) const { x[i] += number; }
};

TEST_CASE("the work of a body is done when it has returned, once, in its order") {
  Eight eight;
  run_step(eight.context, {}, [&] {
    eight.context.for_each(8, AddNumber{eight.x.data(), 2});
    CHECK(eight.x.data()[0] == 1);  // nothing yet
    eight.x.fill_zero();
    eight.context.for_each(8, AddNumber{eight.x.data(), 5});
    run_step(eight.context, {}, [&] { eight.context.for_each(8, AddNumber{eight.x.data(), 0.5f}); });  // nested: the same
    CHECK(eight.x.data()[7] == 1);
  });
  CHECK(eight.values() == std::vector<float>(8, 5.5f));
  CHECK(eight.context.recorded_steps() == 1);
}

TEST_CASE("a body that uses what its work has not yet given comes to another result than at once") {
  auto const result = [](bool record) {
    EmulatorContext context({.record_steps = record, .hide_memory = false});
    Buffer<CudaEmulator<fp32>, float> x(context, 8);
    x.fill_zero();
    run_step(context, {}, [&] {
      context.for_each(8, AddNumber{x.data(), 2});
      context.for_each(8, AddNumber{x.data(), x.data()[0]});  // the host looks at the result: wrong
    });
    return x.download();
  };
  CHECK(result(false) == std::vector<float>(8, 4.0f));
  CHECK(result(true) == std::vector<float>(8, 2.0f));
}

TEST_CASE("what a body may not do is refused, and the context goes on") {
  Eight eight;
  auto& context = eight.context;
  float number = 3;
  std::vector<std::function<void()>> const wrong{
      [&] { context.download(&number, eight.x.data(), sizeof number); },
      [&] { context.upload(eight.x.data(), &number, sizeof number); },
      [&] { context.upload_pinned(eight.x.data(), &number, sizeof number); },
      [&] { context.synchronize(); },
      [&] { static_cast<void>(eight.x.download()); },
      [&] { Buffer<CudaEmulator<fp32>, float> const more(context, 1); },
  };
  for (auto const& body : wrong)
    CHECK(test::error_number([&] {
            run_step(context, {}, [&] {
              context.for_each(8, AddNumber{eight.x.data(), 1});
              body();
            });
          }) == 736);
  CHECK(eight.values() == std::vector<float>(8, 1.0f));  // nothing of them was done
  // Giving memory back cannot throw; the next thing that is run says it.
  Buffer<CudaEmulator<fp32>, float> gone(context, 4);
  run_step(context, {}, [&] { gone = {}; });
  CHECK(test::error_number([&] { context.synchronize(); }) == 736);
  context.synchronize();
}

TEST_CASE("a model that is asked for its losses within a step is refused") {
  using B = CudaEmulator<fp32>;
  auto model = test::small_bert<B>();
  auto const some = test::random_batch({3, 2});
  model.begin_step(2);
  BertClassifier<B>::Staged staged(model.context());
  model.stage(some.batch, some.labels, staged);
  model.upload(staged);
  test::SentimentLosses const losses{{1, 0.02}};
  CHECK(test::error_number([&] {
          run_step(model.context(), {}, [&] {
            model.accumulate(0, losses, {});
            static_cast<void>(model.step_results());
          });
        }) == 736);
}

TEST_CASE("pinned memory must stay as it is until its copy is done") {
  EmulatorContext context;
  using B = CudaEmulator<fp32>;
  Buffer<B, std::byte> there(context, 100);
  UploadMemory<B> memory(context);
  memory.resize(100);
  std::memset(memory.data(), 1, 100);
  memory.upload(there.data());
  memory.data()[50] = std::byte{2};
  CHECK(test::error_number([&] { context.synchronize(); }) == 737);
  memory.upload(there.data());
  context.synchronize();
  memory.data()[50] = std::byte{3};
  context.synchronize();
  memory.resize(100000);  // what was there stays
  CHECK(memory.data()[50] == std::byte{3});
}

TEST_CASE("the host cannot touch the memory of a device, kernels can") {
  EmulatorContext context;
  Buffer<CudaEmulator<fp32>, float> x(context, 8);
  x.upload(std::vector<float>(8, 1.0f));
  context.for_each(8, AddNumber{x.data(), 2});
  CHECK(x.download() == std::vector<float>(8, 3.0f));
  std::fflush(nullptr);
  pid_t const child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL);
    static_cast<void>(std::freopen("/dev/null", "w", stderr));
    _exit(*static_cast<float const volatile*>(x.data()) == 3 ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGSEGV);
}

TEST_CASE("scratch memory beyond the plan is refused, where there was a plan") {
  EmulatorContext context;
  static_cast<void>(context.scratch(5000));
  context.reserve_scratch(1000);
  static_cast<void>(context.scratch(1000));
  CHECK(test::error_number([&] { static_cast<void>(context.scratch(1001)); }) == 739);
  context.reserve_scratch(2000);
  static_cast<void>(context.scratch(1001));
}

}  // namespace
