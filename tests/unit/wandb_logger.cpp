// What WandbLogger writes, read without Python: names that are meant to do harm, torn logs, continued ones, order of calls.
// That the real package takes it: tests/readback/wandb_sync.py.
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hone/report/wandb_logger.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"
#include "support/temporary_folder.hpp"

namespace fs = std::filesystem;
namespace wandb = hone::detail::wandb;
using hone::test::error_number;
using hone::test::TemporaryFolder;
using hone::test::write_file;

namespace {

hone::RunStart start_in(fs::path const& folder) {
  hone::RunStart start;
  start.folder = folder;
  start.name = "run";
  return start;
}

hone::WandbOptions with_id(std::string const& id) {
  hone::WandbOptions options;
  options.run_id = id;
  return options;
}

hone::StepReport step(hone::Index number, double loss = 0.5) {
  hone::StepReport report;
  report.step = number;
  report.losses = {{"head", loss}};
  report.accuracy = std::nan("");
  report.seconds = 1;
  return report;
}

fs::path log_in(fs::path const& run) { return run / ("run-" + run.filename().string().substr(28) + ".wandb"); }

struct Read {
  std::vector<std::uint32_t> kinds{};
  std::vector<nlohmann::json> history{};  // numbers that JSON has no words for are texts
  nlohmann::json summary = nlohmann::json::object();
  std::string output{};
  std::vector<std::string> metrics{};
};

nlohmann::json value_of(std::string_view text) {
  auto const value = nlohmann::json::parse(text, nullptr, false);
  return value.is_discarded() ? nlohmann::json(std::string(text)) : value;
}

Read read(fs::path const& run) {
  Read all;
  hone::InputFile const file(log_in(run));
  auto const found = wandb::FileScanner(file).scan([&](std::uint64_t, std::string_view bytes) {
    auto const view = wandb::view_record(bytes);
    all.kinds.push_back(view.kind);
    nlohmann::json items = nlohmann::json::object();
    hone::detail::ProtobufReader fields(view.content);
    while (auto const field = fields.next()) {
      if (field->number != 1 || field->wire != 2) continue;
      auto const key = wandb::find_field(field->bytes, 1).bytes;
      if (view.kind == wandb::history || view.kind == wandb::summary)
        items[std::string(key)] = value_of(wandb::find_field(field->bytes, 16).bytes);
      if (view.kind == wandb::metric) all.metrics.emplace_back(field->bytes);
    }
    if (view.kind == wandb::history) all.history.push_back(items);
    if (view.kind == wandb::summary) all.summary.update(items);
    if (view.kind == wandb::output_raw) all.output += wandb::find_field(view.content, 3).bytes;
  });
  CHECK(found.end == found.size);
  return all;
}

/// Files and folders below a folder; links are not followed.
std::vector<std::string> below(fs::path const& folder) {
  std::vector<std::string> found;
  for (auto const& entry : fs::recursive_directory_iterator(folder)) found.push_back(fs::relative(entry.path(), folder));
  return found;
}

}  // namespace

TEST_CASE("names of artifacts are made as wandb makes them") {
  CHECK(wandb::artifact_name("run-abcd1234-eval/predictions") == "run-abcd1234-evalpredictions-15r2rQ");
  CHECK(wandb::artifact_name("run-014i5whk-train/examples") == "run-014i5whk-trainexamples-kyZfZg");
  CHECK(wandb::artifact_name("run-a.b_c-d") == "run-a.b_c-d");
  CHECK(wandb::artifact_name(std::string(500, 'a')).size() == 128);
  CHECK(wandb::artifact_name(std::string(500, 'a')) != wandb::artifact_name(std::string(501, 'a')));
}

TEST_CASE("digests of artifacts are those that wandb computes") {
  CHECK(wandb::artifact_digest({{"m.bin", wandb::md5_base64("abc"), 3, {}}}) == "5416181d5796dbabc9eab654b742f409");
  CHECK(wandb::md5_base64("abc") == "kAFQmDzST7DWlj99KOF/cg==");
  CHECK(wandb::artifact_digest({{"b", "2", 1, {}}, {"a", "1", 1, {}}}) ==
        wandb::artifact_digest({{"a", "1", 1, {}}, {"b", "2", 1, {}}}));
}

TEST_CASE("keys become paths that stay below their folder") {
  CHECK(wandb::key_path("train/examples") == "train/examples");
  CHECK(wandb::key_path("/etc//passwd") == "etc/passwd");
  CHECK(wandb::key_path("../../x/./y/...") == "__/__/x/_/y/___");
  CHECK(wandb::key_path("") == "_");
  CHECK(wandb::key_path("///") == "_");
  CHECK(wandb::key_path("a\\b:c*\n\x7f") == "a_b_c___");
  CHECK(wandb::key_path("1/2/3/4/5/6/7/8/9/10") == "1/2/3/4/5/6/7/8_9_10");
  CHECK(wandb::key_path("\xf0\x9f\x8e\xac\xff") == "\xf0\x9f\x8e\xac\xef\xbf\xbd");
  std::string const movies = "\xf0\x9f\x8e\xac";
  std::string many = "a";
  for (int i = 0; i < 100; ++i) many += movies;
  CHECK(wandb::path_part(many).size() == 117);
  CHECK(!hone::find_invalid_utf8(wandb::path_part(many)));
}

TEST_CASE("options that the server would refuse are refused before the training") {
  auto refused = [](auto change) {
    hone::WandbOptions options;
    change(options);
    return error_number([&] { hone::WandbLogger logger(options); });
  };
  CHECK(refused([](auto&) {}) == 0);
  for (std::string const bad : {"", "a/b", "a\\b", "50%", "a?b", "a#b", "a:b", "a\nb"}) {
    INFO(bad);
    CHECK(refused([&](auto& o) { o.project = bad; }) == 745);
  }
  CHECK(refused([](auto& o) { o.project = std::string(129, 'p'); }) == 745);
  CHECK(refused([](auto& o) { o.project = std::string(128, 'p'); }) == 0);
  CHECK(refused([](auto& o) { o.project = "caf\xc3\xa9 of IMDb"; }) == 0);
  for (std::string const bad : {"../x", "a/b", "a b", ".hidden", "-x", "a\xc3\xa9", "a\n", "a'b", "a;b"}) {
    INFO(bad);
    CHECK(refused([&](auto& o) { o.run_id = bad; }) == 745);
  }
  CHECK(refused([](auto& o) { o.run_id = std::string(65, 'a'); }) == 745);
  CHECK(refused([](auto& o) { o.run_id = "My_run-1.2"; }) == 0);
  CHECK(refused([](auto& o) { o.entity = "a b"; }) == 745);
  CHECK(refused([](auto& o) { o.tags = {"good", ""}; }) == 745);
  CHECK(refused([](auto& o) { o.tags = {std::string(65, 't')}; }) == 745);
  CHECK(refused([](auto& o) { o.group = std::string(129, 'g'); }) == 745);
  CHECK(refused([](auto& o) { o.job_type = "\x1b[2J"; }) == 745);
  CHECK(refused([](auto& o) { o.table_rows = 0; }) == 745);
}

TEST_CASE("names and keys that are meant to do harm change no path") {
  TemporaryFolder const folder;
  auto const run_folder = folder / "run";
  hone::WandbLogger logger;
  auto start = start_in(run_folder);
  start.name = "../../../tmp/x\r\n\x1b[2J" + std::string(100000, 'n');
  logger.start(start);
  std::vector<std::string> const keys{"../../../../../../tmp/hone-escaped",
                                      "/tmp/hone-escaped",
                                      "..",
                                      ".",
                                      "",
                                      "a/../../../b",
                                      std::string(100000, 'k'),
                                      std::string("nul\0nul", 7),
                                      "\xff\xfe",
                                      "con\\..\\..\\x",
                                      "~/x"};
  for (auto const& key : keys) {
    hone::TextTable table;
    table.key = key;
    table.columns = {"text"};
    table.rows = {{"cell"}};
    logger.table(table);
  }
  logger.finish({});
  CHECK(below(folder.path()).front() == "run");
  for (auto const& entry : fs::directory_iterator(folder.path())) CHECK(entry.path().filename() == "run");
  for (auto const& entry : fs::directory_iterator(run_folder / "wandb")) {
    auto const name = entry.path().filename().string();
    CHECK((name == "latest-run" || name == logger.folder().filename()));
  }
  int tables = 0;
  for (auto const& entry : fs::recursive_directory_iterator(logger.folder() / "files" / "media" / "table"))
    tables += entry.is_regular_file() ? 1 : 0;
  CHECK(tables == static_cast<int>(keys.size()));
  CHECK(!fs::exists("/tmp/hone-escaped.table.json"));
  auto const all = read(logger.folder());
  REQUIRE(all.history.size() == keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    auto const key = keys[i].empty() ? "table" : hone::valid_utf8(keys[i]);
    REQUIRE(all.history[i].contains(key));
    CHECK(fs::is_regular_file(logger.folder() / "files" / all.history[i][key]["path"].get<std::string>()));
  }
}

TEST_CASE("a history holds losses that are not finite, and no accuracy where none is") {
  TemporaryFolder const folder;
  hone::WandbLogger logger(with_id("abcd1234"));
  logger.start(start_in(folder.path()));
  logger.step(step(1));
  logger.step(step(2, std::nan("")));
  logger.step(step(3, -std::numeric_limits<double>::infinity()));
  logger.flush();
  logger.step(step(4, 0.1));
  logger.finish({});
  auto const all = read(logger.folder());
  REQUIRE(all.history.size() == 4);
  CHECK(all.history[0]["train/head_loss"] == 0.5);
  CHECK(all.history[1]["train/head_loss"] == "NaN");
  CHECK(all.history[2]["train/head_loss"] == "-Infinity");
  CHECK(all.history[3]["_step"] == 3);
  CHECK(!all.history[0].contains("train/accuracy"));
  CHECK(all.summary["train/head_loss"] == 0.1);
  CHECK(all.summary["train/step"] == 4);
  CHECK(all.metrics.front() == "train/step");
  CHECK(std::count(all.metrics.begin(), all.metrics.end(), "train/head_loss") == 1);
  std::vector<std::uint32_t> const end{wandb::summary, wandb::exit, wandb::final, wandb::footer};
  CHECK(std::vector<std::uint32_t>(all.kinds.end() - 4, all.kinds.end()) == end);
}

TEST_CASE("tables are cut after the rows that were asked for; rows of another length are refused") {
  TemporaryFolder const folder;
  auto options = with_id("abcd1234");
  options.table_rows = 3;
  hone::WandbLogger logger(options);
  logger.start(start_in(folder.path()));
  hone::TextTable table;
  table.key = "t";
  table.columns = {"n", "n", "list", "number"};
  for (int i = 0; i < 10; ++i) table.rows.push_back({i, "x", {1, "\xff"}, i == 1 ? nullptr : nlohmann::ordered_json(0.5)});
  logger.table(table);
  auto all = read(logger.folder());
  CHECK(all.history[0]["t"]["nrows"] == 3);
  auto const file = nlohmann::json::parse(
      hone::test::read_file(logger.folder() / "files" / all.history[0]["t"]["path"].get<std::string>()));
  CHECK(file["columns"] == nlohmann::json{"n", "n-2", "list", "number"});
  CHECK(file["data"][1] == nlohmann::json{1, "x", "[1,\"\xef\xbf\xbd\"]", nullptr});
  auto const typed = nlohmann::json::parse(hone::test::read_file(logger.folder() / "staging" / "table" / "t_0.table.json"));
  auto const& types = typed["column_types"]["params"]["type_map"];
  CHECK(types["list"]["params"]["allowed_types"] == nlohmann::json::parse(R"([{"wb_type":"none"},{"wb_type":"string"}])"));
  CHECK(types["n"]["params"]["allowed_types"] == nlohmann::json::parse(R"([{"wb_type":"none"},{"wb_type":"number"}])"));

  table.rows[1].pop_back();
  CHECK(error_number([&] { logger.table(table); }) == 749);
  table.rows.clear();  // no rows, no columns: still a table
  logger.table(table);
  table.columns.clear();
  logger.table(table);
  all = read(logger.folder());
  CHECK(all.history.back()["t"]["ncols"] == 0);
}

TEST_CASE("a table does not take the name of a number") {
  TemporaryFolder const folder;
  hone::WandbLogger logger;
  logger.start(start_in(folder.path()));
  logger.step(step(1));
  for (char const* key : {"train/step", "train/head_loss", "_step", "_wandb", "train/examples", "train/examples"}) {
    hone::TextTable table;
    table.key = key;
    table.step = 1;
    logger.table(table);
  }
  logger.step(step(2));
  logger.finish({});
  auto const all = read(logger.folder());
  CHECK(all.history[1]["train/step-table"].is_object());
  CHECK(all.history[2]["train/head_loss-table"].is_object());
  CHECK(all.history[3]["_step-table"].is_object());
  CHECK(all.history[4]["_wandb-table"].is_object());
  CHECK(all.history[6]["train/examples"].is_object());
  for (auto const& line : all.history) {
    CHECK(line["_step"].is_number());
    CHECK(line["train/step"].is_number());
  }
  // No key is both in any line: pages would show neither.
  std::map<std::string, bool> is_table;
  for (auto const& line : all.history)
    for (auto const& [key, value] : line.items())
      CHECK(is_table.emplace(key, value.is_object()).first->second == value.is_object());
}

TEST_CASE("calls out of order are mistakes, lines of the console are not") {
  TemporaryFolder const folder;
  hone::WandbLogger logger;
  CHECK(error_number([&] { logger.step(step(1)); }) == 748);
  CHECK(error_number([&] { logger.finish({}); }) == 748);
  logger.message("early");
  logger.flush();
  logger.start(start_in(folder.path()));
  CHECK(error_number([&] { logger.start(start_in(folder.path())); }) == 748);
  logger.message("middle \xff");
  logger.finish({});
  logger.message("late");
  logger.flush();
  CHECK(error_number([&] { logger.step(step(1)); }) == 748);
  CHECK(error_number([&] { logger.finish({}); }) == 748);
  CHECK(error_number([&] { logger.start(start_in(folder.path())); }) == 748);
  CHECK(read(logger.folder()).output == "early\nmiddle \xef\xbf\xbd\n");
}

TEST_CASE("a model that cannot be kept is an error, but the run is ended before it") {
  TemporaryFolder const folder;
  hone::WandbLogger logger;
  logger.start(start_in(folder.path()));
  hone::RunEnd end;
  end.model = {folder / "model.safetensors"};
  end.exit_code = 4;
  CHECK(error_number([&] { logger.finish(end); }) == 201);
  CHECK(read(logger.folder()).kinds.back() == wandb::footer);
}

TEST_CASE("the model is linked or copied: what happens to the upload's file does not touch it") {
  TemporaryFolder const folder;
  auto check = [&](fs::path const& model) {
    write_file(model, "weights");
    hone::WandbLogger logger;
    logger.start(start_in(folder / ("of-" + model.parent_path().filename().string())));
    hone::RunEnd end;
    end.model = {model};
    logger.finish(end);
    auto const staged = logger.folder() / "staging" / "model" / model.filename();
    CHECK(hone::test::read_file(staged) == "weights");
    fs::remove(staged);
    CHECK(hone::test::read_file(model) == "weights");
  };
  check(folder / "model" / "model.safetensors");
  if (::access("/dev/shm", W_OK) == 0) {  // another file system: no hard link
    auto const other = fs::path("/dev/shm") / ("hone-test-" + std::to_string(::getpid()));
    check(other / "model.safetensors");
    fs::remove_all(other);
  }
}

TEST_CASE("a log torn anywhere in its last record goes on where it was whole") {
  TemporaryFolder const folder;
  auto const options = [] {
    auto made = with_id("abcd1234");
    made.resume = true;
    made.incremental_tables = true;
    return made;
  }();
  fs::path run, log;
  std::size_t before = 0;
  {
    hone::WandbLogger logger(options);
    logger.start(start_in(folder.path()));
    run = logger.folder();
    log = log_in(run);
    logger.step(step(1));
    hone::TextTable table;
    table.key = "t";
    table.columns = {"c"};
    table.rows = {{"first"}};
    logger.table(table);
    before = fs::file_size(log);
    logger.step(step(2));
    // The last record is that of step 2; before it nothing new was measured.
  }
  auto const whole = hone::test::read_file(log);
  for (std::size_t size = before; size <= whole.size(); ++size) {
    write_file(log, whole.substr(0, size));
    write_file(log.string() + ".synced", "");
    {
      hone::WandbLogger logger(options);
      logger.start(start_in(folder.path()));
      REQUIRE(logger.folder() == run);
      logger.step(step(3));
      hone::TextTable table;
      table.key = "t";
      table.columns = {"c"};
      table.rows = {{"second"}};
      logger.table(table);
      hone::RunEnd end;
      logger.finish(end);
    }
    auto const all = read(run);
    std::size_t const kept = size == whole.size() ? 3 : 2;
    REQUIRE(all.history.size() == kept + 2);
    for (std::size_t i = 0; i < all.history.size(); ++i) REQUIRE(all.history[i]["_step"] == i);
    REQUIRE(all.history[kept]["train/step"] == 3);
    auto const& table = all.history.back()["t"];
    REQUIRE(table["increment_num"] == 1);
    REQUIRE(table["previous_increments_paths"][0] == all.history[1]["t"]["artifact_path"]);
    REQUIRE(std::count(all.kinds.begin(), all.kinds.end(), wandb::run) == 1);
    REQUIRE(all.history.back()["_runtime"] >= all.history[0]["_runtime"]);
    REQUIRE(!fs::exists(log.string() + ".synced"));
  }
}

TEST_CASE("a run that was ended goes on, and is ended once") {
  TemporaryFolder const folder;
  auto options = with_id("abcd1234");
  for (int part = 0; part < 3; ++part) {
    hone::WandbLogger logger(options);
    logger.start(start_in(folder.path()));
    logger.step(step(part + 1));
    logger.finish({});
    options.resume = true;
    auto const all = read(logger.folder());
    CHECK(all.history.size() == static_cast<std::size_t>(part) + 1);
    CHECK(std::count(all.kinds.begin(), all.kinds.end(), wandb::exit) == 1);
    CHECK(all.kinds.back() == wandb::footer);
  }
  // Another id, or no run yet: a new one.
  options.run_id = "other";
  hone::WandbLogger logger(options);
  logger.start(start_in(folder.path()));
  CHECK(read(logger.folder()).history.empty());
  // Nobody goes on with a log that somebody is writing.
  hone::WandbLogger second(options);
  CHECK(error_number([&] { second.start(start_in(folder.path())); }) == 708);
}

TEST_CASE("two runs of one id that begin in the same second do not share a folder") {
  TemporaryFolder const folder;
  auto const start = start_in(folder.path());
  hone::WandbLogger first(with_id("same")), second(with_id("same"));
  first.start(start);
  first.step(step(1));
  first.finish({});
  second.start(start);
  second.finish({});
  CHECK(first.folder() != second.folder());
  CHECK(read(first.folder()).history.size() == 1);
  CHECK(read(second.folder()).history.empty());
  CHECK(fs::read_symlink(folder / "wandb" / "latest-run") == second.folder().filename());
}

TEST_CASE("logs of killed runs are repaired, those of others left alone") {
  TemporaryFolder const folder;
  CHECK(hone::repair_wandb_runs(folder.path()).empty());
  fs::path killed, ended;
  {
    hone::WandbLogger logger(with_id("killed"));
    logger.start(start_in(folder.path()));
    logger.step(step(1));
    killed = log_in(logger.folder());
  }
  {
    hone::WandbLogger logger(with_id("ended"));
    logger.start(start_in(folder.path()));
    logger.finish({});
    ended = log_in(logger.folder());
  }
  auto const whole = hone::test::read_file(killed);
  write_file(killed, whole + "torn");
  hone::WandbLogger writing(with_id("writing"));
  writing.start(start_in(folder.path()));
  auto const repaired = hone::repair_wandb_runs(folder.path());
  REQUIRE(repaired.size() == 2);
  for (auto const& repair : repaired) {
    CHECK(repair.bytes_cut == (repair.file == killed ? 4 : 0));
    CHECK(repair.ended == (repair.file == ended));
    CHECK(repair.records > 3);
  }
  CHECK(hone::test::read_file(killed) == whole);
  writing.finish({});
  write_file(folder / "wandb" / "offline-run-x" / "run-x.wandb", "not a log");
  CHECK(error_number([&] { hone::repair_wandb_runs(folder.path()); }) == 746);
}

TEST_CASE("a record that does not fit on the disk is taken back, and the log stays whole") {
  TemporaryFolder const folder;
  wandb::LogFile log(folder / "run.wandb");
  log.add("one");
  rlimit old{};
  ::getrlimit(RLIMIT_FSIZE, &old);
  auto const handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = old;
  small.rlim_cur = 50000;
  ::setrlimit(RLIMIT_FSIZE, &small);
  int const number = error_number([&] { log.add(std::string(100000, 'x')); });
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  CHECK(number == 701);
  log.add("two");
  hone::InputFile const file(folder / "run.wandb");
  std::vector<std::string> found;
  auto const scan =
      wandb::FileScanner(file).scan([&](std::uint64_t, std::string_view record) { found.emplace_back(record); });
  CHECK(found == std::vector<std::string>{"one", "two"});
  CHECK(scan.end == scan.size);
}

TEST_CASE("a folder that cannot be made is an error") {
  TemporaryFolder const folder;
  write_file(folder / "file", "");
  hone::WandbLogger logger;
  CHECK(error_number([&] { logger.start(start_in(folder / "file")); }) == 707);
}

TEST_CASE("damaged logs end in an error or are read, whatever they hold") {
  TemporaryFolder const folder;
  hone::WandbLogger logger(with_id("abcd1234"));
  auto start = start_in(folder.path());
  start.config = {{"a", {{"b", 1}}}};
  logger.start(start);
  for (int i = 1; i < 40; ++i) logger.step(step(i));
  logger.message(std::string(40000, 'm'));
  logger.finish({});
  auto const log = log_in(logger.folder());
  auto const whole = hone::test::read_file(log);
  auto const copy = folder / "copy.wandb";
  std::uint64_t state = 1;
  auto random = [&](std::uint64_t below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::size_t>((state >> 33) % below);
  };
  int refused = 0;
  for (int i = 0; i < 600; ++i) {
    auto bytes = whole;
    for (std::size_t k = 0; k <= random(4); ++k) bytes[random(bytes.size())] = static_cast<char>(random(256));
    if (random(2) == 0) bytes.resize(random(bytes.size()));
    if (random(4) == 0) bytes.erase(random(bytes.size()), random(100));
    write_file(copy, bytes);
    try {
      auto const state_read = wandb::read_log(copy);
      CHECK(state_read.end <= bytes.size());
    } catch (hone::Error const& error) {
      CHECK((error.number() == 746 || error.number() == 747));
      ++refused;
    }
  }
  CHECK(refused > 100);
  CHECK(refused < 590);
  // Records whose bytes are no message.
  {
    wandb::LogFile rubbish(copy);
    for (int i = 0; i < 300; ++i) {
      std::string bytes(random(40), '\0');
      for (char& c : bytes) c = static_cast<char>(random(256));
      rubbish.add(bytes);
    }
  }
  CHECK(wandb::read_log(copy).file.records == 300);
}
