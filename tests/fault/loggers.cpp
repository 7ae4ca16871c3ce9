// A run that is killed: what it logged more than a second before is in every file, and files that are opened again are
// whole.
#include "hone/report/loggers.hpp"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "hone/report/json_lines_logger.hpp"
#include "hone/report/tensorboard_logger.hpp"
#include "hone/report/wandb_logger.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"
#include "support/temporary_folder.hpp"

using namespace hone;
namespace fs = std::filesystem;

namespace {

using Logs = Loggers<JsonLinesLogger, TensorBoardLogger, WandbLogger>;

StepReport step_report(Index step) {
  StepReport made;
  made.step = step;
  made.losses = {{"is_positive", 0.5}, {"star_rating", 2.5}};
  made.group_norms = {{"embeddings", 1}, {"layer.0", 2}};
  made.tokens = 4000;
  made.seconds = 0.02;
  return made;
}
void begin(Logs& loggers, fs::path const& folder, JsonLinesFile::Open how) {
  loggers.emplace<JsonLinesLogger>(how);
  loggers.emplace<TensorBoardLogger>();
  loggers.emplace<WandbLogger>();
  RunStart start;
  start.name = "killed";
  start.folder = folder;
  start.heads = {"is_positive", "star_rating"};
  loggers.start(start);
}

/// The last step that was logged so many seconds before the end, as the process that is killed writes it down.
struct Progress {
  static constexpr int most = 100000;
  std::atomic<int> steps{0};
  std::atomic<std::int64_t> nanoseconds[most]{};  // when step i + 1 was logged

  static std::int64_t now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
  int logged_before(std::int64_t time) const {
    int step = 0;
    while (step < steps && nanoseconds[step] < time) ++step;
    return step;
  }
};

std::vector<Index> steps_of_lines(fs::path const& path) {
  std::vector<Index> steps;
  std::istringstream text(test::read_file(path));
  for (std::string line; std::getline(text, line);) steps.push_back(nlohmann::json::parse(line).at("step").get<Index>());
  return steps;
}
/// The steps of the events in all files; every record must be whole.
std::set<Index> steps_of_events(fs::path const& folder) {
  std::set<Index> steps;
  for (auto const& entry : fs::directory_iterator(folder)) {
    InputFile const file(entry.path());
    auto const found = detail::tensorboard::FileScanner(file).scan([&](std::string_view record) {
      detail::ProtobufReader fields(record);
      bool is_summary = false;
      Index step = 0;
      while (auto const field = fields.next()) {
        if (field->number == 2) step = Index(field->value);
        is_summary = is_summary || field->number == 5;
      }
      REQUIRE_FALSE(fields.broken());
      if (is_summary && step > 0) steps.insert(step);
    });
    REQUIRE(found.end == found.size);
  }
  return steps;
}
bool counts_to(std::set<Index> const& steps, Index last) {
  return !steps.empty() && *steps.rbegin() == last && Index(steps.size()) == last;
}

}  // namespace

TEST_CASE("a run that is killed loses its last second at most, and can be continued") {
  test::TemporaryFolder const folder;
  auto* const progress =
      new (::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Progress;
  pid_t const child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    Logs loggers(LoggersOptions{.capacity = 4096, .flush_seconds = 1, .system_seconds = 0});
    begin(loggers, folder.path(), JsonLinesFile::Open::fresh);
    for (int step = 0; step < Progress::most; ++step) {
      loggers.step(step_report(step + 1));
      progress->nanoseconds[step] = Progress::now();
      ++progress->steps;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    ::_exit(0);
  }
  auto const until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  auto const first_logged = [&] { return progress->nanoseconds[0].load(); };
  while ((first_logged() == 0 || Progress::now() - first_logged() < 3'500'000'000) &&
         std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::int64_t const killed = Progress::now();
  REQUIRE(::kill(child, SIGKILL) == 0);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  int const safe = progress->logged_before(killed - 2'000'000'000);  // a second, and one for a machine that is busy
  REQUIRE(safe > 10);

  repair_event_files(folder.path());
  auto const shown = steps_of_events(folder / "tensorboard");
  INFO(*shown.rbegin() << " of " << progress->steps.load() << " steps were written, " << safe << " had to be");
  CHECK(Index(*shown.rbegin()) >= safe);
  CHECK(counts_to(shown, *shown.rbegin()));
  auto const wandb = repair_wandb_runs(folder.path());
  REQUIRE(wandb.size() == 1);
  CHECK(wandb[0].records >= safe);
  CHECK_FALSE(wandb[0].ended);

  Index const next = progress->steps + 1;
  {
    Logs again;
    begin(again, folder.path(), JsonLinesFile::Open::append);
    again.step(step_report(next));
    again.finish({});
  }
  auto const lines = steps_of_lines(folder / "metrics.jsonl");
  REQUIRE(lines.size() >= 2);
  CHECK(lines.back() == next);
  CHECK(lines[lines.size() - 2] >= safe);
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) REQUIRE(lines[i] == Index(i) + 1);
  auto const all = steps_of_events(folder / "tensorboard");
  CHECK(*all.rbegin() == next);
  CHECK(all.size() == shown.size() + 1);
  ::munmap(progress, sizeof(Progress));
}

TEST_CASE("a full disk ends one logger, and the run is told") {
  struct Full {
    void step(StepReport const& event) {
      if (event.step == 3) throw detail::write_error(ENOSPC, "adding a line", "/full/metrics.jsonl", 100);
    }
  };
  test::TemporaryFolder const folder;
  Loggers<Full, TensorBoardLogger> loggers;
  loggers.emplace<Full>();
  loggers.emplace<TensorBoardLogger>();
  RunStart start;
  start.folder = folder.path();
  loggers.start(start);
  for (Index step = 1; step <= 3; ++step) loggers.step(step_report(step));
  CHECK(test::error_number([&] { loggers.flush(); }) == 701);
  loggers.step(step_report(4));
  loggers.finish({1, false, "the disk is full", {}, {}});
  CHECK(counts_to(steps_of_events(folder / "tensorboard"), 4));
}
