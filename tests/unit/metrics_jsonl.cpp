#include "hone/report/metrics_jsonl.hpp"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "hone/report/run_folder.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"
#include "support/small_disk.hpp"
#include "support/temporary_folder.hpp"
#include "support/written.hpp"

using namespace hone;
using test::error_number, test::read_file, test::write_file;
namespace fs = std::filesystem;

TEST_CASE("a step is one line with every loss by name") {
  test::TemporaryFolder const folder;
  JsonLinesFile file(folder / "metrics.jsonl");
  file.add(test::step_report(1));
  file.add(test::step_report(2));
  std::string const text = read_file(folder / "metrics.jsonl");  // while the file is open: lines are not held back
  std::size_t const end = text.find('\n');
  auto const json = nlohmann::json::parse(text.substr(0, end));
  CHECK(json.at("step") == 1);
  CHECK(json.at("is_positive_loss") == 0.5);
  CHECK(json.at("star_rating_loss") == 2.0);
  for (char const* key : {"accuracy", "learning_rate", "grad_norm", "tokens", "seconds", "epoch"}) CHECK(json.contains(key));
  CHECK(nlohmann::json::parse(text.substr(end + 1)).at("step") == 2);
  CHECK(text.back() == '\n');
}

TEST_CASE("what is not finite or not UTF-8 still makes valid JSON") {
  auto step = test::step_report(1);
  step.losses[0].second = std::nan("");
  step.grad_norm = std::numeric_limits<double>::infinity();
  auto const json = nlohmann::json::parse(json_line(to_json(step)));
  CHECK(json.at("is_positive_loss").is_null());
  CHECK(json.at("grad_norm").is_null());
  nlohmann::ordered_json odd;
  odd["text"] = "a\xff\nb";
  std::string const line = json_line(odd);
  CHECK(line.find('\n') == std::string::npos);
  CHECK(nlohmann::json::parse(line).at("text") == "a\xEF\xBF\xBD\nb");
}

TEST_CASE("a torn last line is cut off when a file is continued") {
  test::TemporaryFolder const folder;
  fs::path const path = folder / "metrics.jsonl";
  std::string const whole = "{\"step\":1}\n{\"step\":2}\n";
  for (std::string const& torn : {std::string(), std::string("{\"ste"), std::string(10000, 'x')}) {
    INFO(torn.size() << " bytes torn");
    write_file(path, whole + torn);
    {
      JsonLinesFile file(path, JsonLinesFile::Open::append);
      file.add(nlohmann::ordered_json{{"step", 3}});
    }
    CHECK(read_file(path) == whole + "{\"step\":3}\n");
  }
  write_file(path, "only a torn line");
  { JsonLinesFile const file(path, JsonLinesFile::Open::append); }
  CHECK(read_file(path).empty());
}

TEST_CASE("a fresh file begins empty, and two processes do not write to one") {
  test::TemporaryFolder const folder;
  fs::path const path = folder / "metrics.jsonl";
  write_file(path, "old\n");
  JsonLinesFile file(path);
  file.add(test::step_report(1));
  CHECK(error_number([&] { JsonLinesFile again(path); }) == 708);
  CHECK(read_file(path).rfind("{\"step\":1", 0) == 0);
}

TEST_CASE("no folder, no permission") {
  test::TemporaryFolder const folder;
  CHECK(error_number([&] { JsonLinesFile file(folder / "absent" / "metrics.jsonl"); }) == 703);
}

TEST_CASE("a line that does not fit is an error and is taken back") {
  test::TemporaryFolder const folder;
  fs::path const path = folder / "metrics.jsonl";
  int const lines = test::with_small_disk(1000, [&] {
    int added = 0;
    int const number = error_number([&] {
      JsonLinesFile file(path);
      for (;; ++added) file.add(test::step_report(added));
    });
    return number == 701 ? added : 100;
  });
  CHECK(lines > 0);
  CHECK(lines < 100);
  std::string const text = read_file(path);
  CHECK(text.size() <= 1000);
  CHECK(text.back() == '\n');
  CHECK(std::count(text.begin(), text.end(), '\n') == lines);
}

TEST_CASE("the folder of a run") {
  test::TemporaryFolder const folder;
  SECTION("new names beside each other") {
    RunFolder const first = RunFolder::unique(folder / "runs", "demo"), second = RunFolder::unique(folder / "runs", "demo");
    CHECK(first.path() == folder / "runs" / "demo");
    CHECK(second.path() == folder / "runs" / "demo-2");
  }
  SECTION("one that came to nothing leaves nothing") {
    { RunFolder const run = RunFolder::named(folder / "out", false); }
    CHECK_FALSE(fs::exists(folder / "out"));
    fs::create_directory(folder / "mine");
    { RunFolder const run = RunFolder::named(folder / "mine", false); }
    CHECK(fs::is_empty(folder / "mine"));
    CHECK(fs::exists(folder / "mine"));
  }
  SECTION("an earlier run is refused, or replaced when that is asked for") {
    { RunFolder::named(folder / "out", false).metrics().add(test::step_report(1)); }
    write_file(folder / "out" / "results.json", "{}");
    write_file(folder / "out" / "mine.txt", "mine");
    CHECK(error_number([&] { RunFolder::named(folder / "out", false); }) == 910);
    CHECK(read_file(folder / "out" / "metrics.jsonl").size() > 10);
    RunFolder const run = RunFolder::named(folder / "out", true);
    CHECK(read_file(folder / "out" / "metrics.jsonl").empty());
    CHECK_FALSE(fs::exists(folder / "out" / "results.json"));
    CHECK(read_file(folder / "out" / "mine.txt") == "mine");
    CHECK(error_number([&] { RunFolder::named(folder / "out", true); }) == 708);
  }
  SECTION("a file where the folder should be") {
    write_file(folder / "out", "x");
    CHECK(error_number([&] { RunFolder::named(folder / "out", false); }) == 707);
    CHECK(read_file(folder / "out") == "x");
  }
  SECTION("no room") {
    RunFolder const run = RunFolder::named(folder / "out", false);
    CHECK(error_number([&] { run.require_space(std::uint64_t{1} << 62); }) == 701);
    CHECK(error_number([&] { run.require_space(1); }) == 0);
  }
}
