// What logging costs the thread that trains: Loggers::step with every logger of the library, against a step's time.
//
//   build/benchmarks/loggers                      nanoseconds of a call; what the background thread takes for a step
//   build/benchmarks/loggers --share              the share of a real step of a small model: printed, and 1 when over 0.5 %
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "hone/models/bert_classifier.hpp"
#include "hone/report/json_lines_logger.hpp"
#include "hone/report/loggers.hpp"
#include "hone/report/tensorboard_logger.hpp"
#include "hone/report/wandb_logger.hpp"
#include "hone/train/trainer.hpp"

namespace {

using namespace hone;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct Folder {
  fs::path path = fs::temp_directory_path() / "hone-bench-XXXXXX";
  Folder() {
    std::string name = path.string();
    if (!::mkdtemp(name.data())) std::abort();
    path = name;
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

using Logs = Loggers<JsonLinesLogger, TensorBoardLogger, WandbLogger>;

void begin(Logs& loggers, fs::path const& folder) {
  loggers.emplace<JsonLinesLogger>();
  loggers.emplace<TensorBoardLogger>();
  loggers.emplace<WandbLogger>();
  RunStart start;
  start.name = "benchmark";
  start.folder = folder;
  start.heads = {"is_positive", "star_rating"};
  loggers.start(start);
}

/// A step of a model with 12 layers.
StepReport step_report(Index step) {
  StepReport made;
  made.step = step;
  made.losses = {{"is_positive", 0.5 / double(step)}, {"star_rating", 2.5}};
  made.accuracy = 0.75;
  made.learning_rate = 1e-5;
  made.grad_norm = 3.25;
  made.group_norms = {{"embeddings", 1}};
  for (int layer = 0; layer < 12; ++layer) made.group_norms.emplace_back("layer." + std::to_string(layer), 0.5);
  made.group_norms.emplace_back("is_positive", 0.25);
  made.group_norms.emplace_back("star_rating", 0.125);
  made.tokens = 4400;
  made.seconds = 0.02;
  return made;
}

/// A call, as it is made while the queue has room.
void step_call(benchmark::State& state) {
  Folder const folder;
  Logs loggers;
  begin(loggers, folder.path);
  Index step = 0;
  for (auto _ : state) {
    auto const report = step_report(++step);
    auto const begin = Clock::now();
    loggers.step(report);
    state.SetIterationTime(std::chrono::duration<double>(Clock::now() - begin).count());
    if (step % 1000 == 0) loggers.flush();  // not timed: the queue never fills
  }
  loggers.finish({});
  if (loggers.waited_seconds() > 0) state.SkipWithError("the queue was full");
}
BENCHMARK(step_call)->UseManualTime()->Iterations(20000)->Unit(benchmark::kNanosecond);

/// What the background thread does for a step: the time until everything is written, over the number of steps.
void step_written(benchmark::State& state) {
  Folder const folder;
  Logs loggers;
  begin(loggers, folder.path);
  Index step = 0;
  for (auto _ : state) {
    for (int i = 0; i < 1000; ++i) loggers.step(step_report(++step));
    loggers.flush();
  }
  state.SetItemsProcessed(state.iterations() * 1000);
  loggers.finish({});
}
BENCHMARK(step_written)->Iterations(10)->UseRealTime()->Unit(benchmark::kMillisecond);

/// 64 examples of 24 to 63 tokens each.
data::Dataset examples() {
  data::Dataset data;
  for (int i = 0; i < 64; ++i) {
    std::vector<std::int32_t> ids;
    for (int t = 0; t < 24 + i * 37 % 40; ++t) ids.push_back((i * 131 + t * 17) % 1000);
    data.tokens.push_back(ids);
    data.texts.emplace_back();
    data.sources.emplace_back();
  }
  data.labels = {{"is_positive", {}}, {"star_rating", {}}};
  for (int i = 0; i < 64; ++i) {
    data.labels[0].values.push_back(i % 2);
    data.labels[1].values.push_back(1 + i % 10);
  }
  return data;
}

/// Trains a model with 4 layers of width 128 and logs every step with all loggers; the share of the calls to them.
int share() {
  using Model = BertClassifier<Cpu<fp32>>;
  BertConfig config;
  config.vocab_size = 1000;
  config.hidden_size = 128;
  config.num_hidden_layers = 4;
  config.num_attention_heads = 2;
  config.intermediate_size = 512;
  config.max_position_embeddings = 64;
  auto model = Model::from_config(config, {}, {.backend = {1}, .seed = 1, .dropout = {}});
  Trainer<Model, Recipe<>> trainer(model, {.batch_size = 16, .epochs = 1000, .num_steps = 200});
  auto const data = examples();
  Folder const folder;
  Logs loggers;
  begin(loggers, folder.path);
  double logging = 0;
  auto const fitted = trainer.fit(data, [&](StepReport const& step) {
    auto const begin = Clock::now();
    loggers.step(step);
    logging += std::chrono::duration<double>(Clock::now() - begin).count();
  });
  loggers.finish({});
  double const steps = static_cast<double>(fitted.steps), percent = 100 * logging / fitted.train_seconds;
  std::printf("%.0f steps of %.2f ms; logging takes %.2f us of a step: %.4f %%\n", steps, 1e3 * fitted.train_seconds / steps,
              1e6 * logging / steps, percent);
  return percent < 0.5 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count == 2 && std::string_view(arguments[1]) == "--share") return share();
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
