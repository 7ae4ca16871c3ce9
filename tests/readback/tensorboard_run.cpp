// Writes runs for TensorBoard into the folder that is given: a whole one (whole/), one that was killed and continued
// (continued/), and the numbers that a reader must find (expected.json).
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "hone/core/philox.hpp"
#include "hone/report/loggers.hpp"
#include "hone/report/tensorboard_logger.hpp"

namespace {

using namespace hone;
namespace fs = std::filesystem;

StepReport step_report(Index step) {
  StepReport made;
  made.step = step;
  made.total_steps = 40;
  made.losses = {{"is_positive", 0.7 / double(step)}, {"star_rating", step == 7 ? std::nan("") : 3.0 - 0.05 * double(step)}};
  made.accuracy = 1 - 0.5 / double(step);
  made.learning_rate = 1e-5;
  made.grad_norm = 5;
  made.group_norms = {{"embeddings", 3}, {"layer.0", 4}};
  made.tokens = 4000;
  made.seconds = 2;
  return made;
}

EvaluationRecord evaluation(Index step, std::size_t count) {
  EvaluationRecord made;
  made.step = step;
  made.measures = {{"accuracy", 0.875},
                   {"accuracy_interval", {0.8, 0.9}},
                   {"star_mae", std::nan("")},
                   {"test_examples", count},
                   {"heads", {{"is_positive", {{"f1", 0.5}, {"confusion", {{1, 2}, {3, 4}}}}}}}};
  HeadPredictions two{"is_positive", 2, {}, {}, {}}, three{"topic", 3, {}, {}, {}}, stars{"star_rating", 0, {}, {}, {}};
  PhiloxStream random(1, 1);
  for (std::size_t i = 0; i < count; ++i) {
    double const truth = random.uniform() < 0.5 ? 0 : 1, p = 0.5 * (truth + random.uniform()), q = random.uniform() / 2;
    two.truth.push_back(truth);
    two.predicted.push_back(p > 0.5 ? 1 : 0);
    two.probabilities.insert(two.probabilities.end(), {1 - p, p});
    three.truth.push_back(double(i % 3));
    three.predicted.push_back(0);
    three.probabilities.insert(three.probabilities.end(), {q, q, 1 - 2 * q});
    stars.truth.push_back(double(1 + i % 10));
    stars.predicted.push_back(1 + 9 * random.uniform());
  }
  two.probabilities[0] = 0, two.probabilities[1] = 1;  // the ends of the scale
  made.heads = {two, three, stars};
  return made;
}

TextTable table(Index step) {
  TextTable made;
  made.key = "train/examples";
  made.step = step;
  made.columns = {"text", "is_positive", "is_positive_predicted", "probability"};
  made.rows = {{"plain", 1, 1, 0.875},
               {"<script>alert(1)</script> | a *b* _c_ `d` [e](http://f) ![g](h)\n\n# i\\ &amp; <!-- x -->", 0, 1, 0.5},
               {"caf\xc3\xa9 \xe2\x98\x85 \xff", nullptr, true, 1}};
  return made;
}

RunStart start(fs::path const& folder, double rate) {
  RunStart made;
  made.name = folder.filename().string();
  made.folder = folder;
  made.heads = {"is_positive", "star_rating"};
  made.command = {"finetune_imdb", "--out", "<a>\n*b*"};
  made.config = {{"settings", {{"lr", rate}, {"batch_size", 16}, {"data", "a|b"}, {"dropout", nullptr}, {"demo", true}}},
                 {"precision", "fp32"},
                 {"host", {{"cpu", "mine"}}}};
  return made;
}

using Logs = Loggers<TensorBoardLogger>;

void write_run(fs::path const& folder, double rate, int exit_code) {
  fs::create_directories(folder);
  Logs loggers(LoggersOptions{.capacity = 100, .flush_seconds = 1, .system_seconds = 0.01});
  loggers.emplace<TensorBoardLogger>();
  loggers.start(start(folder, rate));
  loggers.findings({Finding{"D7", Severity::warning, "sorted <labels>", "a\nb", "shuffle", {}}});
  for (Index step = 1; step <= 40; ++step) {
    loggers.step(step_report(step));
    if (step % 20 == 1) loggers.table(table(step));
    if (step % 20 == 0) loggers.evaluation(evaluation(step, 300));
  }
  loggers.finish({exit_code, false, exit_code == 0 ? "" : "disk <full>", {}, {}});
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  fs::path const root = arguments[1];
  write_run(root / "whole", 1e-5, 0);
  write_run(root / "failed", 3e-5, 1);

  fs::path const continued = root / "continued";
  fs::create_directories(continued);
  auto write_steps = [&](Index from, Index to) {
    Logs loggers;
    loggers.emplace<TensorBoardLogger>();
    loggers.start(start(continued, 2e-5));
    for (Index step = from; step <= to; ++step) loggers.step(step_report(step));
    loggers.finish({});
  };
  write_steps(1, 30);
  for (auto const& file : fs::directory_iterator(continued / "tensorboard"))  // killed while it wrote
    fs::resize_file(file.path(), fs::file_size(file.path()) - 5);
  write_steps(21, 40);

  nlohmann::ordered_json expected;
  auto const record = evaluation(40, 300);
  for (auto const& head : record.heads)
    expected[head.head] = {{"truth", head.truth}, {"predicted", head.predicted}, {"probabilities", head.probabilities}};
  for (auto const& row : table(21).rows)
    expected["cells"].push_back(row[0].dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
  std::ofstream(root / "expected.json") << expected.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return 0;
}
