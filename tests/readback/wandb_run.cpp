// Writes a run for Weights & Biases with known content: wandb_sync.py reads it back with the real package.
//
//   wandb_run FOLDER [whole | incremental | killed | resumed | repair | minimal]
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <string>
#include <string_view>

#include "hone/report/wandb_logger.hpp"

namespace {

namespace fs = std::filesystem;

hone::RunStart start_of(fs::path const& folder) {
  hone::RunStart start;
  start.name = "the <b>name</b> of \xf0\x9f\x8e\xac / .. \xff";  // the last byte is not UTF-8
  start.folder = folder;
  start.command = {"finetune_imdb", "--seed", "7"};
  start.config["settings"] = {{"lr", 2e-5}, {"epochs", 1}, {"model", "all-MiniLM-L6-v2"}, {"none", nullptr}};
  start.config["with/slash.and dot"] = "\"quoted\" \xe2\x82\xac";
  start.config["_wandb"] = "mine";
  start.config[""] = 1;
  start.config["bad \xfe bytes"] = std::numeric_limits<double>::quiet_NaN();
  return start;
}

hone::StepReport step_of(hone::Index number) {
  hone::StepReport step;
  step.step = number;
  step.total_steps = 20;
  step.epoch = number / 10;
  step.losses = {{"is_positive", number == 5 ? std::numeric_limits<double>::quiet_NaN() : 1.0 / static_cast<double>(number)},
                 {"star_rating", number == 6 ? std::numeric_limits<double>::infinity() : 2.5}};
  step.accuracy = number % 2 == 0 ? 0.75 : 1.0 / 3;
  step.learning_rate = 1e-5;
  step.grad_norm = 1.25;
  step.group_norms = {{"embeddings", 0.5}, {"layer.0", 0.25}};
  step.examples = 16;
  step.tokens = 1000;
  step.seconds = 0.5;
  step.elapsed = 0.5 * static_cast<double>(number);
  step.total_tokens = 1000 * number;
  return step;
}

hone::TextTable texts_of(hone::Index step) {
  hone::TextTable table;
  table.key = "train/../examples";
  table.step = step;
  table.columns = {"text", "is_positive", "stars", "right", "text", "mixed"};
  table.rows = {
      {"[CLS] <script>alert(1)</script> & \"quotes\" \\ \xf0\x9f\x8d\xbf [SEP]", 1, 7.5, true, "twice", 1},
      {"two\nlines\tand a tab", 0, std::nan(""), false, nullptr, "text"},
      {std::string("byte \xc3( and NUL \0 inside", 24), step, -std::numeric_limits<double>::infinity(), true, "", false},
      {std::string(300000, 'x'), std::numeric_limits<std::int64_t>::max(), 1e300, nullptr, "long", nullptr},
  };
  return table;
}

void events(hone::WandbLogger& logger, hone::Index from, hone::Index to) {
  for (hone::Index step = from; step <= to; ++step) {
    logger.step(step_of(step));
    logger.message("step " + std::to_string(step));
    if (step % 5 == 0) logger.table(texts_of(step));
    if (step % 4 == 0) logger.flush();
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  fs::path const folder = argv[1];
  std::string_view const kind = argc > 2 ? argv[2] : "whole";
  fs::create_directories(folder);
  if (kind == "repair") {
    for (auto const& log : hone::repair_wandb_runs(folder)) std::cout << log.file.string() << "\n";
    return 0;
  }
  hone::WandbOptions options;
  options.project = "a project";
  options.entity = "team";
  options.group = "group";
  options.job_type = "train";
  options.notes = "two\nlines";
  options.tags = {"imdb", "tag two"};
  options.run_id = "hone1234";
  if (kind == "minimal") {
    options.entity.clear();
    options.run_id.clear();
    hone::WandbLogger logger(options);
    hone::RunStart start;
    start.folder = folder;
    logger.start(start);
    logger.finish({});
    std::cout << logger.folder().string() << "\n";
    return 0;
  }
  options.incremental_tables = kind == "incremental" || kind == "resumed";
  options.resume = kind == "resumed";
  hone::WandbLogger logger(options);
  logger.message("before the start");
  logger.start(start_of(folder));
  std::cout << logger.folder().string() << std::endl;
  if (kind == "resumed") {
    events(logger, 11, 20);
  } else {
    logger.findings({{"D12", hone::Severity::warning, "labels are sorted", "detail", "shuffle", {}}});
    events(logger, 1, 10);
    hone::SystemSample sample;
    sample.time = std::chrono::system_clock::now();
    sample.cpu_percent = 150;
    sample.machine_cpu_percent = 80;
    sample.processors = 2;
    sample.threads = 3;
    sample.resident_bytes = std::uint64_t{512} << 20;
    sample.memory_bytes = std::uint64_t{4} << 30;
    sample.memory_available_bytes = std::uint64_t{1} << 30;
    sample.disk_bytes = std::uint64_t{100} << 30;
    sample.disk_free_bytes = std::uint64_t{25} << 30;
    logger.system(sample);
    if (kind == "killed") std::raise(SIGKILL);
    events(logger, 11, 20);
  }
  logger.message(std::string(200000, 'y'));

  hone::EvaluationRecord evaluation;
  evaluation.step = 20;
  evaluation.is_last = true;
  evaluation.measures = {{"accuracy", 0.875},
                         {"accuracy_interval", {0.8, 0.9}},
                         {"heads", {{"is_positive", {{"f1", 0.5}, {"confusion", {{1, 0}, {1, 2}}}}}}},
                         {"nan", std::nan("")}};
  evaluation.heads = {{"is_positive", 2, {0, 1, 1, 1}, {0, 0, 1, 1}, {}}, {"star_rating", 0, {1, 2}, {1.5, 2.5}, {}}};
  logger.evaluation(evaluation);

  std::ofstream(folder / "model.safetensors") << std::string(100000, 'w');
  std::ofstream(folder / "config.json") << "{}";
  hone::RunEnd end;
  end.exit_code = 3;
  end.error = "ended \xff early";
  end.results = {{"steps", 20},
                 {"accuracy", 0.875},
                 {"seed", 7},
                 {"name", "n"},
                 {"worst_mistakes", {{"is_positive", {{{"text", "<i>bad</i>"}, {"confidence", 0.99}}}}}}};
  end.model = {folder / "model.safetensors", folder / "config.json"};
  logger.finish(end);
}
