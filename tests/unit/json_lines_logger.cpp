// A run as lines of JSON through Loggers: what is in the files, and what becomes of them at the ends.
#include "hone/report/json_lines_logger.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hone/report/loggers.hpp"
#include "hone/report/run_folder.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"
#include "support/temporary_folder.hpp"

using namespace hone;
using test::error_number, test::read_file, test::write_file;
namespace fs = std::filesystem;

namespace {

StepReport report(Index step) {
  StepReport made;
  made.step = step;
  made.losses = {{"is_positive", 0.5}, {"star_rating", 2.0}};
  made.grad_norm = 5;
  made.group_norms = {{"embeddings", 3}, {"layer.0", 4}, {"is_positive", std::nan("")}};
  return made;
}
RunStart start_of(fs::path folder) {
  RunStart made;
  made.folder = std::move(folder);
  return made;
}
std::vector<nlohmann::json> lines_of(fs::path const& path) {
  std::vector<nlohmann::json> lines;
  std::istringstream text(read_file(path));
  for (std::string line; std::getline(text, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

}  // namespace

TEST_CASE("steps, evaluations and tables are lines of three files") {
  test::TemporaryFolder const folder;
  Loggers<JsonLinesLogger> loggers;
  loggers.emplace<JsonLinesLogger>();
  loggers.start(start_of(folder.path()));
  loggers.step(report(1));
  loggers.flush();
  CHECK_FALSE(fs::exists(folder / "evaluations.jsonl"));
  CHECK_FALSE(fs::exists(folder / "tables.jsonl"));
  EvaluationRecord evaluation;
  evaluation.step = 1;
  evaluation.measures = {{"accuracy", 0.75}, {"heads", {{"is_positive", {{"accuracy", 0.75}}}}}};
  loggers.evaluation(evaluation);
  TextTable table;
  table.key = "train/examples";
  table.step = 1;
  table.columns = {"text", "truth"};
  table.rows = {{"a\nb \xff", 1}, {"<script>", nullptr}};
  loggers.table(table);
  loggers.step(report(2));
  evaluation.is_last = true;
  loggers.evaluation(evaluation);
  loggers.finish({});

  auto const metrics = lines_of(folder / "metrics.jsonl");
  REQUIRE(metrics.size() == 2);
  CHECK(metrics[1].at("step") == 2);
  CHECK(metrics[1].at("star_rating_loss") == 2.0);
  CHECK(metrics[0].at("group_norms").at("embeddings") == 3);
  CHECK(metrics[0].at("group_norms").at("is_positive").is_null());
  auto const evaluations = lines_of(folder / "evaluations.jsonl");
  REQUIRE(evaluations.size() == 2);
  CHECK(evaluations[0].at("step") == 1);
  CHECK(evaluations[0].at("accuracy") == 0.75);
  CHECK(evaluations[0].at("heads").at("is_positive").at("accuracy") == 0.75);
  CHECK(evaluations[0].at("is_last") == false);
  CHECK(evaluations[1].at("is_last") == true);
  auto const tables = lines_of(folder / "tables.jsonl");
  REQUIRE(tables.size() == 1);
  CHECK(tables[0].at("rows").at(0).at(0) == "a\nb \xEF\xBF\xBD");
  CHECK(tables[0].at("rows").at(1).at(0) == "<script>");
  CHECK(tables[0].at("columns") == nlohmann::json{"text", "truth"});
}

TEST_CASE("with the folder of a run, its promises hold") {
  test::TemporaryFolder const folder;
  {
    RunFolder run = RunFolder::named(folder / "out", false);
    Loggers<JsonLinesLogger> loggers;
    loggers.emplace<JsonLinesLogger>(run.metrics());
    loggers.start(start_of(run.path()));
    CHECK(error_number([&] { JsonLinesFile other(run / "metrics.jsonl"); }) == 708);
    loggers.message("nothing is logged");
    loggers.finish({});
  }
  CHECK_FALSE(fs::exists(folder / "out"));
  {
    RunFolder run = RunFolder::named(folder / "out", false);
    Loggers<JsonLinesLogger> loggers;
    loggers.emplace<JsonLinesLogger>(run.metrics());
    loggers.start(start_of(run.path()));
    loggers.step(report(1));
  }
  CHECK(lines_of(folder / "out" / "metrics.jsonl").size() == 1);
  CHECK(error_number([&] { RunFolder::named(folder / "out", false); }) == 910);

  for (char const* old : {"tables.jsonl", "evaluations.jsonl", "report.html", "tensorboard/events.out.tfevents.1.a.2"})
    write_file(folder / "out" / old, "old");
  write_file(folder / "out" / "tensorboard" / "mine.txt", "mine");
  RunFolder const run = RunFolder::named(folder / "out", true);
  for (char const* old : {"tables.jsonl", "evaluations.jsonl", "report.html", "tensorboard/events.out.tfevents.1.a.2"})
    CHECK_FALSE(fs::exists(run.path() / old));
  CHECK(fs::exists(run.path() / "tensorboard" / "mine.txt"));
}

TEST_CASE("files of an earlier run are continued behind their last whole line") {
  test::TemporaryFolder const folder;
  write_file(folder / "metrics.jsonl", "{\"step\":1}\n{\"step\":2}\n{\"st");
  write_file(folder / "tables.jsonl", "{\"step\":1}\n{\"step\":2");
  Loggers<JsonLinesLogger> loggers;
  loggers.emplace<JsonLinesLogger>(JsonLinesFile::Open::append);
  loggers.start(start_of(folder.path()));
  loggers.step(report(3));
  loggers.table({});
  loggers.finish({});
  CHECK(lines_of(folder / "metrics.jsonl").size() == 3);
  CHECK(lines_of(folder / "tables.jsonl").size() == 2);
}

TEST_CASE("a folder that does not exist is an error of the first call that can tell it") {
  test::TemporaryFolder const folder;
  Loggers<JsonLinesLogger> loggers;
  loggers.emplace<JsonLinesLogger>();
  loggers.start(start_of(folder / "absent"));
  CHECK(error_number([&] { loggers.flush(); }) == 703);
  loggers.step(report(1));
  CHECK(error_number([&] { loggers.finish({}); }) == 0);
}
