// Loggers: order, the queue, flushes, what a logger throws, ends that nobody asked for; samples of the machine.
#include "hone/report/loggers.hpp"

#include <atomic>
#include <chrono>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/error_matcher.hpp"
#include "support/temporary_folder.hpp"

using namespace hone;
using test::error_number;

namespace {

StepReport step(Index number) {
  StepReport made;
  made.step = number;
  return made;
}
TextTable table(std::string key) {
  TextTable made;
  made.key = std::move(key);
  return made;
}
RunStart start_of(std::string name) {
  RunStart made;
  made.name = std::move(name);
  return made;
}

/// Writes down what it is told.
struct Diary {
  std::vector<std::string>& lines;
  void start(RunStart const& e) { lines.push_back("start " + e.name); }
  void step(StepReport const& e) { lines.push_back("step " + std::to_string(e.step)); }
  void table(TextTable const& e) { lines.push_back("table " + e.key); }
  void evaluation(EvaluationRecord const& e) { lines.push_back("evaluation " + std::to_string(e.step)); }
  void findings(std::vector<Finding> const& e) { lines.push_back("findings " + e.at(0).number); }
  void message(std::string_view line) { lines.push_back("message " + std::string(line)); }
  void finish(RunEnd const& e) { lines.push_back("finish " + std::to_string(e.exit_code)); }
};
/// Takes one kind of event.
struct Counter {
  std::atomic<int>& steps;
  void step(StepReport const&) { ++steps; }
};
/// Cannot be moved, and throws at a step.
struct Broken {
  explicit Broken(Index when) : when(when) {}
  Broken(Broken&&) = delete;
  void step(StepReport const& e) {
    ++calls;
    if (e.step == when) throw Error(701, "no room", {}, "make room");
  }
  void finish(RunEnd const&) { ++finished; }
  Index when;
  int calls = 0, finished = 0;
};

}  // namespace

TEST_CASE("loggers hear every event in order, also what came before the start") {
  std::vector<std::string> lines;
  std::atomic<int> steps{0};
  Loggers<Diary, Counter> loggers;
  CHECK(loggers.empty());
  loggers.emplace<Diary>(lines);
  loggers.emplace<Counter>(steps);
  CHECK_FALSE(loggers.empty());
  loggers.message("early");
  loggers.start(start_of("mine"));
  loggers.findings({Finding{"D1", Severity::ok, "fine", {}, {}, {}}});
  for (Index i = 1; i <= 1000; ++i) loggers.step(step(i));
  loggers.table(table("train/examples"));
  EvaluationRecord record;
  record.step = 1000;
  loggers.evaluation(record);
  loggers.flush();
  REQUIRE(lines.size() == 1005);  // flush waited for all of it
  loggers.finish({});
  std::vector<std::string> expected{"start mine", "message early", "findings D1"};
  for (int i = 1; i <= 1000; ++i) expected.push_back("step " + std::to_string(i));
  for (char const* last : {"table train/examples", "evaluation 1000", "finish 0"}) expected.push_back(last);
  CHECK(lines == expected);
  CHECK(steps == 1000);
}

TEST_CASE("a logger that was not added hears nothing, and a run may have none at all") {
  std::atomic<int> steps{0};
  Loggers<Diary, Counter> loggers;
  loggers.emplace<Counter>(steps);
  CHECK(loggers.get<Diary>() == nullptr);
  CHECK(loggers.get<Counter>() != nullptr);
  loggers.start({});
  loggers.step(step(1));
  loggers.finish({});
  CHECK(steps == 1);

  Loggers<Diary> nobody;
  nobody.message("x");
  nobody.start({});
  nobody.step(step(1));
  nobody.flush();
  nobody.finish({});
  Loggers<> empty_list;
  empty_list.start({});
  empty_list.step(step(1));
  empty_list.finish({});
  CHECK(empty_list.empty());
}

TEST_CASE("a full queue makes the caller wait, and drops nothing") {
  struct Slow {
    std::shared_future<void> go;
    std::vector<Index>& heard;
    void step(StepReport const& e) {
      go.wait();
      heard.push_back(e.step);
    }
  };
  std::promise<void> go;
  std::vector<Index> heard;
  Loggers<Slow> loggers(LoggersOptions{.capacity = 3, .flush_seconds = 1, .system_seconds = 0});
  loggers.emplace<Slow>(Slow{go.get_future().share(), heard});
  loggers.start({});
  std::atomic<int> given{0};
  std::thread producer([&] {
    for (Index i = 1; i <= 50; ++i) {
      loggers.step(step(i));
      ++given;
    }
  });
  auto const until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (given < 4 && std::chrono::steady_clock::now() < until) std::this_thread::yield();  // one is worked on, three wait
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(given <= 5);
  go.set_value();
  producer.join();
  loggers.finish({});
  CHECK(heard.size() == 50);
  CHECK(std::is_sorted(heard.begin(), heard.end()));
  CHECK(loggers.waited_seconds() > 0.01);
}

TEST_CASE("what a logger throws reaches the caller, and the others go on") {
  std::vector<std::string> lines;
  Loggers<Broken, Diary> loggers;
  Broken& broken = loggers.emplace<Broken>(2);
  loggers.emplace<Diary>(lines);
  loggers.start({});
  loggers.step(step(1));
  int number = 0;
  SECTION("by the next call") {
    loggers.step(step(2));
    auto const until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (number == 0 && std::chrono::steady_clock::now() < until) number = error_number([&] { loggers.message("next"); });
    CHECK(number == 701);
    CHECK(error_number([&] { loggers.step(step(3)); }) == 0);  // it is told once
    CHECK(error_number([&] { loggers.finish({}); }) == 0);
  }
  SECTION("by a flush") {
    number = error_number([&] {
      loggers.step(step(2));
      loggers.flush();
    });
    CHECK(number == 701);
    loggers.step(step(3));
    loggers.finish({});
  }
  SECTION("the latest by finish") {
    number = error_number([&] {
      loggers.step(step(2));
      loggers.step(step(3));
      loggers.finish({});
    });
    CHECK(number == 701);
    error_number([&] { loggers.finish({}); });
  }
  CHECK(lines.size() >= 3);
  CHECK(broken.calls == 2);  // it is not called again
  CHECK(broken.finished == 0);
}

TEST_CASE("exceptions that are not the library's keep their type, and those of two loggers both arrive") {
  struct Thrower {
    void step(StepReport const&) { throw std::range_error("mine"); }
  };
  Loggers<Thrower, Broken> loggers;
  loggers.emplace<Thrower>();
  loggers.emplace<Broken>(1);
  loggers.start({});
  try {
    loggers.step(step(1));
    loggers.flush();
    FAIL("nothing was thrown");
  } catch (std::range_error const& error) {
    CHECK(std::string(error.what()) == "mine");
  }
  CHECK(error_number([&] { loggers.finish({}); }) == 701);
}

TEST_CASE("a run that is left by an exception ends as failed, with all that was logged") {
  std::vector<std::string> lines;
  std::string end;
  struct End {
    std::string& text;
    void finish(RunEnd const& e) { text = std::to_string(e.exit_code) + " " + e.error; }
  };
  try {
    Loggers<Diary, Broken, End> loggers;
    loggers.emplace<Diary>(lines);
    loggers.emplace<Broken>(100);  // what it throws at the end has nobody to go to
    loggers.emplace<End>(End{end});
    loggers.start(start_of("x"));
    for (Index i = 1; i <= 100; ++i) loggers.step(step(i));
    throw std::runtime_error("out of the training");
  } catch (std::runtime_error const&) {}
  CHECK(lines.size() == 102);
  CHECK(lines.back() == "finish 1");
  CHECK(end == "1 the run ended before it was finished");
  {
    Loggers<Diary> never_started;
    never_started.emplace<Diary>(lines);
    never_started.message("x");
  }
  CHECK(lines.size() == 102);
}

TEST_CASE("calls at the wrong time") {
  std::vector<std::string> lines;
  Loggers<Diary> loggers;
  loggers.emplace<Diary>(lines);
  CHECK(error_number([&] { loggers.finish({}); }) == 740);
  loggers.start({});
  CHECK(error_number([&] { loggers.start({}); }) == 740);
  CHECK(error_number([&] { loggers.emplace<Diary>(lines); }) == 740);
  loggers.finish({});
  CHECK(error_number([&] { loggers.finish({}); }) == 740);
  CHECK(error_number([&] { loggers.step(step(1)); }) == 740);
  CHECK(error_number([&] { loggers.message("last words"); }) == 0);
  CHECK(lines == std::vector<std::string>{"start ", "finish 0"});
}

TEST_CASE("what is held back is flushed once a while, and not when nothing is new") {
  struct Holding {
    std::atomic<int>& flushes;
    void step(StepReport const&) {}
    void flush() { ++flushes; }
  };
  std::atomic<int> flushes{0};
  Loggers<Holding> loggers(LoggersOptions{.capacity = 10, .flush_seconds = 0.02, .system_seconds = 0});
  loggers.emplace<Holding>(Holding{flushes});
  loggers.start({});
  auto const wait_for = [&](int count) {
    auto const until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (flushes < count && std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return flushes.load();
  };
  loggers.step(step(1));
  int const first = wait_for(1);
  CHECK(first >= 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  int const later = flushes;
  CHECK(later <= 2);  // of the start and of the step
  loggers.step(step(2));
  CHECK(wait_for(later + 1) == later + 1);
  loggers.finish({});
  CHECK(flushes == later + 2);
}

TEST_CASE("loggers that want them are given samples of the machine, a short run too") {
  struct Watcher {
    std::vector<SystemSample>& samples;
    bool& finished;
    void system(SystemSample const& e) { samples.push_back(e); }
    void finish(RunEnd const&) { finished = true; }
  };
  test::TemporaryFolder const folder;
  std::vector<SystemSample> samples;
  bool finished = false;
  Loggers<Watcher> loggers(LoggersOptions{.capacity = 10, .flush_seconds = 1, .system_seconds = 0.01});
  loggers.emplace<Watcher>(Watcher{samples, finished});
  RunStart start = start_of("x");
  start.folder = folder.path();
  loggers.start(start);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  loggers.finish({});
  CHECK(finished);
  REQUIRE(samples.size() >= 2);
  auto const& last = samples.back();
  CHECK(last.elapsed > 0.01);
  CHECK(last.elapsed > samples.front().elapsed);
  CHECK(last.threads >= 2);
  CHECK(last.processors >= 1);
  CHECK(last.resident_bytes > 100'000);
  CHECK(last.resident_bytes < last.memory_bytes);
  CHECK(last.memory_available_bytes <= last.memory_bytes);
  CHECK(last.disk_free_bytes <= last.disk_bytes);
  CHECK(last.disk_bytes > 0);
}

TEST_CASE("a sample reads what the system says of itself") {
  test::TemporaryFolder const proc;
  auto const page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  test::write_file(proc / "meminfo", "MemTotal:       8000 kB\nMemFree:         100 kB\nMemAvailable:    2000 kB\n");
  test::write_file(proc / "self/stat",
                   "7 (a) b) c) S 1 7 7 0 -1 4194304 1 0 0 0 5 6 0 0 20 0 13 0 100 2000 42 18446744073709551615 0\n");
  test::write_file(proc / "stat", "cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 1 1 1\n");
  SystemMonitor monitor({}, proc.path());
  test::write_file(proc / "stat", "cpu  130 10 110 740 110 0 0 0 0 0\n");
  double volatile work = 0;
  for (int i = 0; i < 3'000'000; ++i) work = work + 1;
  auto const made = monitor.sample();
  CHECK(made.memory_bytes == 8000 * 1024);
  CHECK(made.memory_available_bytes == 2000 * 1024);
  CHECK(made.memory_percent() == Approx(75));
  CHECK(made.threads == 13);
  CHECK(made.resident_bytes == 42 * page);
  CHECK(made.machine_cpu_percent == Approx(50));  // 50 of 100 ticks
  CHECK(made.cpu_percent > 1);                    // this loop
  CHECK(made.disk_bytes == 0);
  CHECK(std::isnan(made.disk_percent()));

  SystemMonitor lost({}, proc / "absent");
  auto const nothing = lost.sample();
  CHECK(nothing.memory_bytes == 0);
  CHECK(nothing.threads == 0);
  CHECK(std::isnan(nothing.machine_cpu_percent));
  CHECK(std::isnan(nothing.memory_percent()));

  for (char const* damaged : {"", "7 (x", "7 (x) S", "cpu a b c", "cpu 1 2"}) {
    test::write_file(proc / "self/stat", damaged);
    test::write_file(proc / "stat", damaged);
    test::write_file(proc / "meminfo", damaged);
    auto const odd = SystemMonitor({}, proc.path()).sample();
    CHECK(odd.resident_bytes == 0);
    CHECK(std::isnan(odd.machine_cpu_percent));
  }
}
