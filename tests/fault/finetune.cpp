// finetune_imdb as a user runs it: what it promises to write, and what it says when something is wrong.
#include <pty.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/program.hpp"
#include "support/temporary_folder.hpp"

using hone::test::Ended, hone::test::Program, hone::test::read_file, hone::test::write_file;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

using Arguments = std::vector<std::string>;

/// A small model in `model/`, and reviews in `data/`.
struct Workshop {
  hone::test::TemporaryFolder folder{};
  std::string model = (folder / "model").string(), data = (folder / "data").string(), out = (folder / "out").string();

  /// @param longest  judgements in the longest reviews
  explicit Workshop(int reviews = 12, int longest = 5) {
    char const* const words[2][4] = {{"dull", "awful", "boring", "weak"}, {"superb", "funny", "brilliant", "moving"}};
    for (char const* split : {"train", "test"})
      for (int i = 0; i < reviews; ++i)
        for (int positive : {0, 1}) {
          std::string text = "The plot is";
          for (int k = 0; k <= i % longest; ++k) text += std::string(" ") + words[positive][(i + k) % 4] + " and";
          write_file(folder / "data" / split / (positive ? "pos" : "neg") /
                         (std::to_string(i) + "_" + std::to_string(positive ? 7 + i % 4 : 1 + i % 4) + ".txt"),
                     text + " long.");
        }
    Ended const made = Program().run(
        FINETUNE_IMDB, {"--num-steps", "0", "--train-examples", "200", "--test-examples", "2", "--out", model});
    INFO(made.error);
    REQUIRE(made.code == 0);
    for (char const* name : {"metrics.jsonl", "evaluations.jsonl", "tables.jsonl", "results.json", "predictions.jsonl", "report.html"})
      fs::remove(fs::path(model) / name);
  }
  /// Arguments of a short run, and more.
  Arguments arguments(Arguments const& more = {}) const {
    Arguments all{"--model", model, "--data", data, "--out", out, "--batch-size", "4"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Ended run(Arguments const& more = {}) const { return Program().run(FINETUNE_IMDB, arguments(more)); }
};

std::vector<json> json_lines(fs::path const& path) {
  std::vector<json> lines;
  std::string const text = read_file(path);
  REQUIRE((text.empty() || text.back() == '\n'));
  for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != text.npos; begin = end + 1)
    lines.push_back(json::parse(text.substr(begin, end - begin)));
  return lines;
}

/// Replaces the one occurrence of a text in a file.
void replace_in(fs::path const& path, std::string const& from, std::string const& to) {
  std::string text = read_file(path);
  auto const at = text.find(from);
  REQUIRE(at != text.npos);
  write_file(path, text.replace(at, from.size(), to));
}

void check_error(Ended const& ended, std::string const& number) {
  INFO("output: " << ended.out << "\nerror: " << ended.error);
  CHECK(ended.code == 1);
  CHECK(ended.error.rfind("[hone-" + number + "]", 0) == 0);
  CHECK(ended.error.find("Next: ") != std::string::npos);
}

}  // namespace

TEST_CASE("a run writes the model, metrics, results and predictions") {
  Workshop const shop;
  Ended const ended =
      shop.run({"--epochs", "2", "--eval-every", "5", "--test-examples", "20", "--warmup", "3", "--lr", "1e-3"});
  INFO(ended.error << ended.out);
  REQUIRE(ended.code == 0);
  CHECK(ended.error.empty());
  CHECK(ended.out.find('\x1b') == std::string::npos);  // no terminal, no commands for one
  CHECK(ended.out.find('\r') == std::string::npos);
  CHECK(ended.out.find("loaded") != std::string::npos);
  CHECK(ended.out.find("largest errors") != std::string::npos);

  fs::path const out = shop.out;
  auto const steps = json_lines(out / "metrics.jsonl");
  REQUIRE(steps.size() == 12);  // 2 epochs of 24 reviews in batches of 4
  std::int64_t tokens = 0;
  double seconds = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    CHECK(steps[i].at("step") == i + 1);
    CHECK(steps[i].at("epoch") == i / 6);
    for (char const* key :
         {"is_positive_loss", "star_rating_loss", "accuracy", "learning_rate", "grad_norm", "tokens", "seconds"})
      CHECK(steps[i].at(key).is_number());
    tokens += steps[i].at("tokens").get<std::int64_t>();
    seconds += steps[i].at("seconds").get<double>();
  }
  CHECK(steps[0].at("learning_rate").get<double>() == Approx(1e-3 / 3));
  CHECK(steps[5].at("learning_rate").get<double>() == Approx(1e-3));

  json const results = json::parse(read_file(out / "results.json"));
  for (char const* key :
       {"accuracy", "star_mae", "cross_entropy", "train_seconds", "train_tokens_per_second", "eval_seconds"})
    CHECK(results.at(key).is_number());
  CHECK(results.at("test_examples") == 20);
  CHECK(results.at("seed") == 0);
  CHECK(results.at("steps") == 12);
  CHECK(results.at("interrupted") == false);
  CHECK(results.at("train_tokens") == tokens);
  CHECK(results.at("train_seconds").get<double>() == Approx(seconds));
  CHECK(results.at("train_tokens_per_second").get<double>() == Approx(double(tokens) / seconds));
  for (char const* key :
       {"lr",         "batch_size", "step_every", "epochs", "weight_decay",   "num_steps",     "star_loss_weight",
        "clip_norm",  "max_length", "dropout",    "seed",   "train_examples", "test_examples", "eval_batch",
        "eval_every", "threads",    "warmup",     "out",    "model",          "data"})
    CHECK(results.at("settings").contains(key));
  CHECK(results.at("settings").at("lr") == 1e-3);
  CHECK(results.at("settings").at("max_length") == 128);  // what the model can
  CHECK(results.at("settings").at("weight_decay") == 0.01);

  auto const predictions = json_lines(out / "predictions.jsonl");
  REQUIRE(predictions.size() == 20);
  int right = 0;
  double error = 0;
  for (auto const& line : predictions) {
    right += line.at("is_positive") == line.at("is_positive_predicted") ? 1 : 0;
    CHECK((line.at("is_positive_probability").get<double>() > 0.5) == (line.at("is_positive_predicted") == 1));
    error += std::abs(line.at("star_rating").get<double>() - line.at("star_rating_predicted").get<double>());
    CHECK(line.at("source").get<std::string>().find("/test/") != std::string::npos);
    CHECK(line.at("text").get<std::string>().rfind("The plot is", 0) == 0);
  }
  CHECK(results.at("accuracy").get<double>() == Approx(right / 20.0));
  CHECK(results.at("star_mae").get<double>() == Approx(error / 20));
  CHECK(results.at("worst_mistakes").at("star_rating").size() == 5);

  auto const evaluations = json_lines(out / "evaluations.jsonl");
  REQUIRE(evaluations.size() == 3);
  CHECK(evaluations[1].at("step") == 10);
  CHECK(evaluations[2].at("is_last") == true);
  CHECK(evaluations[1].at("accuracy").is_number());

  // What was saved is a model: it rates a test review as the run did, but for the precision: predict computes in float.
  double const apart = results.at("precision") == "mixed" ? 0.02 : 1e-4;
  fs::path const review = fs::path(shop.data).parent_path() / predictions[0].at("source").get<std::string>();
  Ended const rated = Program().run(PREDICT, {shop.out, "--json", "--file", review.string()});
  REQUIRE(rated.code == 0);
  CHECK(json::parse(rated.out).at("is_positive_probability").get<double>() ==
        Approx(predictions[0].at("is_positive_probability").get<double>()).epsilon(apart));
}

TEST_CASE("one and two threads give the same bits, and so do two runs") {
  Workshop const shop;
  std::string first;
  for (char const* threads : {"1", "2", "2"}) {
    fs::remove_all(shop.out);
    REQUIRE(shop.run({"--num-steps", "4", "--threads", threads}).code == 0);
    std::string bits =
        read_file(fs::path(shop.out) / "model.safetensors") + read_file(fs::path(shop.out) / "predictions.jsonl");
    for (auto& step : json_lines(fs::path(shop.out) / "metrics.jsonl")) {
      step.erase("seconds");
      step.erase("elapsed");
      bits += step.dump();
    }
    if (first.empty()) first = bits;
    CHECK(bits == first);
  }
}

TEST_CASE("a model or data that are not right: a number, exit code 1, nothing written") {
  Workshop const shop;
  fs::path const model = shop.model, data = shop.data;
  std::string number;
  SECTION("no such model folder") { fs::remove_all(model), number = "E201"; }
  SECTION("no configuration") { fs::remove(model / "config.json"), number = "E201"; }
  SECTION("configuration that is no JSON") { write_file(model / "config.json", "{"), number = "E210"; }
  SECTION("a configuration with a field that is not supported") {
    replace_in(model / "config.json", "{", "{\"position_embedding_type\": \"relative_key\",");
    number = "E520";
  }
  SECTION("another kind of model") {
    replace_in(model / "config.json", "\"model_type\": \"bert\"", "\"model_type\": \"gpt2\""), number = "E520";
  }
  SECTION("no weights") { fs::remove(model / "model.safetensors"), number = "E2"; }
  SECTION("truncated weights") {
    fs::resize_file(model / "model.safetensors", fs::file_size(model / "model.safetensors") - 100), number = "E226";
  }
  SECTION("weights cut in the header") { fs::resize_file(model / "model.safetensors", 100), number = "E220"; }
  SECTION("weights of another shape") {
    replace_in(model / "config.json", "\"intermediate_size\": 256", "\"intermediate_size\": 128");
    number = "E510";
  }
  SECTION("the vocabulary of another model") {
    fs::remove(model / "tokenizer.json");
    fs::remove(model / "tokenizer_config.json");
    std::string more = read_file(model / "vocab.txt");
    for (int i = 0; i < 500; ++i) more += "word" + std::to_string(i) + "\n";
    write_file(model / "vocab.txt", more);
    number = "E531";
  }
  SECTION("a vocabulary with one token more than the model has") {
    for (char const* name : {"tokenizer.json", "tokenizer_config.json"}) fs::remove(model / name);
    write_file(model / "vocab.txt", read_file(model / "vocab.txt") + "surplus\n");
    number = "E531";
  }
  SECTION("no vocabulary") {
    for (char const* name : {"tokenizer.json", "tokenizer_config.json", "vocab.txt"}) fs::remove(model / name);
    number = "E532";
  }
  SECTION("no such data") { fs::remove_all(data), number = "E281"; }
  SECTION("data that is no archive") {
    fs::remove_all(data);
    write_file(data, "hello");
    number = "E28";
  }
  SECTION("data of another shape") { fs::remove_all(data / "test"), number = "E405"; }
  SECTION("a review without stars in its name") { write_file(data / "train" / "pos" / "77.txt", "good"), number = "E402"; }
  SECTION("stars out of range") { write_file(data / "train" / "pos" / "77_11.txt", "good"), number = "E403"; }
  SECTION("an empty review") { write_file(data / "test" / "neg" / "77_2.txt", " \n"), number = "E404"; }
  Ended const ended = shop.run();
  INFO(ended.out << ended.error);
  CHECK(ended.code == 1);
  CHECK(ended.error.rfind("[hone-" + number, 0) == 0);
  CHECK(ended.error.find("Next: ") != std::string::npos);
  CHECK_FALSE(fs::exists(shop.out));
}

TEST_CASE("a command line that is not right") {
  Program program;
  for (auto const& [arguments, number] : std::vector<std::pair<Arguments, std::string>>{{{"--no-such-option"}, "E901"},
                                                                                        {{"surplus"}, "E901"},
                                                                                        {{"--epochs", "-1"}, "E901"},
                                                                                        {{"--batch-size", "0"}, "E901"},
                                                                                        {{"--lr", "fast"}, "E901"},
                                                                                        {{"--lr", "nan"}, "E901"},
                                                                                        {{"--lr"}, "E901"},
                                                                                        {{"--seed", "-1"}, "E901"},
                                                                                        {{"--dropout", "1.5"}, "E901"},
                                                                                        {{"--model", "somewhere"}, "E902"},
                                                                                        {{"--data", "somewhere"}, "E902"},
                                                                                        {{"--max-length", "1"}, "E901"},
                                                                                        {{"--threads", "100000"}, "E901"}}) {
    INFO(arguments[0]);
    check_error(program.run(FINETUNE_IMDB, arguments), number);
  }
}

TEST_CASE("help and version are no errors") {
  Ended const help = Program().run(FINETUNE_IMDB, {"--help"});
  CHECK(help.code == 0);
  for (char const* option : {"--lr",
                             "--batch-size",
                             "--step-every",
                             "--epochs",
                             "--weight-decay",
                             "--num-steps",
                             "--star-loss-weight",
                             "--clip-norm",
                             "--max-length",
                             "--dropout",
                             "--seed",
                             "--train-examples",
                             "--test-examples",
                             "--eval-batch",
                             "--eval-every",
                             "--threads",
                             "--warmup",
                             "--out",
                             "--model",
                             "--data",
                             "9600",
                             "1e-05",
                             "0.02",
                             "512",
                             "256"})
    CHECK(help.out.find(option) != std::string::npos);
  Ended const version = Program().run(FINETUNE_IMDB, {"--version"});
  CHECK(version.code == 0);
  CHECK(version.out.rfind("hone ", 0) == 0);
}

TEST_CASE("an output folder that cannot be") {
  Workshop const shop;
  SECTION("an earlier run is kept, unless it shall be replaced") {
    REQUIRE(shop.run({"--num-steps", "1"}).code == 0);
    std::string const before = read_file(fs::path(shop.out) / "results.json");
    check_error(shop.run({"--num-steps", "2"}), "E910");
    CHECK(read_file(fs::path(shop.out) / "results.json") == before);
    REQUIRE(shop.run({"--num-steps", "2", "--overwrite"}).code == 0);
    CHECK(json_lines(fs::path(shop.out) / "metrics.jsonl").size() == 2);
  }
  SECTION("the model's own folder") {
    std::string const before = read_file(fs::path(shop.model) / "model.safetensors");
    Arguments const arguments{"--model", shop.model, "--data", shop.data, "--out", shop.model + "/.", "--overwrite"};
    check_error(Program().run(FINETUNE_IMDB, arguments), "E911");
    CHECK(read_file(fs::path(shop.model) / "model.safetensors") == before);
  }
  SECTION("a file") {
    write_file(shop.out, "mine");
    check_error(shop.run(), "E707");
    CHECK(read_file(shop.out) == "mine");
  }
  SECTION("without --out every run gets a folder of its own") {
    Program program;
    program.working_folder = shop.folder.path().string();
    Arguments const arguments{"--model", shop.model, "--data", shop.data, "--num-steps", "1"};
    Arguments wrong = arguments;
    wrong[1] += "-missing";
    CHECK(program.run(FINETUNE_IMDB, wrong).code == 1);
    CHECK_FALSE(fs::exists(shop.folder / "runs"));  // nothing was logged, nothing is left
    REQUIRE(program.run(FINETUNE_IMDB, arguments).code == 0);
    CHECK(program.run(FINETUNE_IMDB, wrong).code == 1);
    REQUIRE(program.run(FINETUNE_IMDB, arguments).code == 0);
    CHECK(fs::exists(shop.folder / "runs" / "model" / "results.json"));
    CHECK(fs::exists(shop.folder.path() / "runs" / "model-2" / "results.json"));
  }
}

TEST_CASE("a run with reviews from the token cache is the run without") {
  Workshop const shop;
  std::string const caches = (shop.folder / "caches").string();
  Ended const plain = shop.run({"--num-steps", "3", "--token-cache", "off"});
  REQUIRE(plain.code == 0);
  CHECK(plain.out.find("token cache") == plain.out.npos);
  std::string const predictions = read_file(shop.out + "/predictions.jsonl");
  // The folder's files must have been left alone for two seconds before anything is kept.
  std::this_thread::sleep_for(std::chrono::milliseconds(3100));
  for (char const* said : {"token cache written: ", "reviews from the token cache "}) {
    Ended const cached = shop.run({"--num-steps", "3", "--overwrite", "--token-cache", caches});
    INFO(cached.out << cached.error);
    REQUIRE(cached.code == 0);
    CHECK(cached.out.find(said + caches) != cached.out.npos);
    CHECK(read_file(shop.out + "/predictions.jsonl") == predictions);
  }
  for (auto const& entry : fs::directory_iterator(caches)) write_file(entry.path(), "torn");
  Ended const torn = shop.run({"--num-steps", "3", "--overwrite", "--token-cache", caches});
  REQUIRE(torn.code == 0);
  CHECK(torn.out.find("[hone-E440]") != torn.out.npos);
  CHECK(torn.out.find("token cache written: ") != torn.out.npos);
  CHECK(read_file(shop.out + "/predictions.jsonl") == predictions);
  Ended const nowhere = shop.run({"--num-steps", "3", "--overwrite", "--token-cache", shop.model + "/config.json"});
  REQUIRE(nowhere.code == 0);
  CHECK(nowhere.out.find("[hone-E442]") != nowhere.out.npos);
  CHECK(read_file(shop.out + "/predictions.jsonl") == predictions);
}

TEST_CASE("a --max-length beyond the model is refused when it was asked for") {
  Workshop const shop;
  check_error(shop.run({"--max-length", "129"}), "E904");
  CHECK_FALSE(fs::exists(shop.out));
  CHECK(shop.run({"--max-length", "128", "--num-steps", "1"}).code == 0);
}

TEST_CASE("a loss that is not finite stops the run: step, head or norm, tensor, and the metrics until then stay") {
  Workshop const shop;
  Ended const ended = shop.run({"--lr", "1e30"});
  INFO(ended.error);
  CHECK(ended.code == 1);
  CHECK((ended.error.rfind("[hone-E620]", 0) == 0 || ended.error.rfind("[hone-E621]", 0) == 0));
  CHECK(ended.error.find("step ") != std::string::npos);
  CHECK(ended.error.find("tensor ") != std::string::npos);
  CHECK(json_lines(fs::path(shop.out) / "metrics.jsonl").size() >= 1);
  CHECK_FALSE(fs::exists(fs::path(shop.out) / "model.safetensors"));
  CHECK_FALSE(fs::exists(fs::path(shop.out) / "results.json"));
}

TEST_CASE("a full disk: a number, and the good model of the run before is still there, whole") {
  Workshop const shop;
  REQUIRE(shop.run({"--num-steps", "1"}).code == 0);
  std::string const before = read_file(fs::path(shop.out) / "model.safetensors");
  Program program;
  program.largest_file = before.size() / 2;
  check_error(program.run(FINETUNE_IMDB, shop.arguments({"--num-steps", "2", "--overwrite"})), "E701");
  CHECK(read_file(fs::path(shop.out) / "model.safetensors") == before);
  CHECK(json_lines(fs::path(shop.out) / "metrics.jsonl").size() == 2);
  for (auto const& entry : fs::directory_iterator(shop.out))
    CHECK(entry.path().filename().string().find(".tmp") == std::string::npos);
  program.largest_file = 300;  // not even the lines of the metrics
  check_error(program.run(FINETUNE_IMDB, shop.arguments({"--num-steps", "9", "--overwrite"})), "E701");
  json_lines(fs::path(shop.out) / "metrics.jsonl");  // every line whole
}

TEST_CASE("Ctrl-C ends the run after the step, saves and tests, and a killed run keeps its metrics") {
  Workshop const shop;
  Program program;
  program.start(FINETUNE_IMDB, shop.arguments({"--epochs", "100000", "--num-steps", "1000000"}));
  REQUIRE(program.wait_for([](std::string const& out) { return out.find("step 1/") != std::string::npos; }));
  SECTION("once") {
    program.send(SIGINT);
    Ended const ended = program.wait();
    INFO(ended.out << ended.error);
    CHECK(ended.code == 0);
    CHECK(ended.error.find("Ctrl-C") != std::string::npos);
    json const results = json::parse(read_file(fs::path(shop.out) / "results.json"));
    CHECK(results.at("interrupted") == true);
    CHECK(results.at("steps").get<std::size_t>() == json_lines(fs::path(shop.out) / "metrics.jsonl").size());
    CHECK(results.at("accuracy").is_number());
    CHECK(fs::exists(fs::path(shop.out) / "model.safetensors"));
  }
  SECTION("killed") {
    REQUIRE(program.wait_for([&](std::string const&) { return !read_file(fs::path(shop.out) / "metrics.jsonl").empty(); }));
    program.send(SIGKILL);
    CHECK(program.wait().signal == SIGKILL);
    std::string text = read_file(fs::path(shop.out) / "metrics.jsonl");
    CHECK(text.find("\"step\":1,") != std::string::npos);
    CHECK_FALSE(fs::exists(fs::path(shop.out) / "results.json"));
  }
}

TEST_CASE("a second Ctrl-C ends at once") {
  Workshop const shop(300, 60);  // the test then takes a second or more, time enough for a signal
  Program program;
  // The first one comes while training; the test of one review at a time then takes long enough for the second one.
  program.start(FINETUNE_IMDB, shop.arguments({"--num-steps", "1000000", "--epochs", "100000", "--eval-batch", "1",
                                               "--test-examples", "0"}));
  REQUIRE(program.wait_for([](std::string const& out) { return out.find("step 1/") != std::string::npos; }));
  program.send(SIGINT);
  REQUIRE(program.wait_for([](std::string const& out) { return out.find("testing ") != std::string::npos; }));
  program.send(SIGINT);
  Ended const ended = program.wait();
  CHECK(ended.signal == SIGINT);
  CHECK(fs::exists(fs::path(shop.out) / "model.safetensors"));  // saved before the test
  CHECK_FALSE(json::parse(read_file(fs::path(shop.out) / "results.json")).contains("accuracy"));
}

TEST_CASE("a first Ctrl-C while testing ends the test, and the model is saved") {
  Workshop const shop(300, 60);  // the test then takes a second or more, time enough for a signal
  Program program;
  program.start(FINETUNE_IMDB, shop.arguments({"--num-steps", "1", "--eval-batch", "1", "--test-examples", "0"}));
  REQUIRE(program.wait_for([](std::string const& out) { return out.find("testing ") != std::string::npos; }));
  program.send(SIGINT);
  Ended const ended = program.wait();
  INFO(ended.out << ended.error);
  CHECK(ended.code == 1);
  CHECK(ended.error.find("[hone-E630]") != std::string::npos);
  CHECK(fs::exists(fs::path(shop.out) / "model.safetensors"));
}

TEST_CASE("on a terminal one line is updated and fits the width") {
  Workshop const shop;
  constexpr int columns = 50;
  winsize size{};
  size.ws_col = columns;
  size.ws_row = 24;
  int terminal = -1;
  Arguments const arguments = shop.arguments({"--epochs", "20"});
  pid_t const process = ::forkpty(&terminal, nullptr, nullptr, &size);
  REQUIRE(process >= 0);
  if (process == 0) {
    std::vector<char*> argv{const_cast<char*>(FINETUNE_IMDB)};
    for (auto const& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    ::unsetenv("COLUMNS");
    ::setenv("TERM", "xterm", 1);
    ::setenv("NO_COLOR", "1", 1);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  std::string shown;
  char piece[4096];
  for (ssize_t got; (got = ::read(terminal, piece, sizeof piece)) > 0;) shown.append(piece, static_cast<std::size_t>(got));
  ::close(terminal);
  int status = 0;
  ::waitpid(process, &status, 0);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(shown.find("\x1b[1m") == std::string::npos);  // NO_COLOR
  std::size_t updates = 0;
  for (std::size_t at = shown.find("\x1b[Kstep "); at != shown.npos; at = shown.find("\x1b[Kstep ", at + 1)) {
    std::size_t const end = shown.find_first_of("\r\n", at);
    CHECK(end - at - 3 < columns);
    ++updates;
  }
  CHECK(updates >= 1);
  CHECK(shown.find("step 120/120") != std::string::npos);
}

TEST_CASE("the run without arguments, made small, ends well") {
  hone::test::TemporaryFolder const folder;
  Program program;
  program.working_folder = folder.path().string();
  Ended const ended = program.run(FINETUNE_IMDB, {"--train-examples", "400", "--test-examples", "50", "--num-steps", "20"});
  INFO(ended.out << ended.error);
  CHECK(ended.code == 0);
  CHECK(ended.out.find("bag of words") != std::string::npos);
  for (char const* hint : {"scripts/get_imdb.sh", "scripts/get_model.sh", "scripts/quickstart.sh --model"})
    CHECK(ended.out.find(hint) != std::string::npos);
  CHECK(json::parse(read_file(folder / "runs" / "demo" / "results.json")).at("bag_of_words_accuracy").is_number());
}

TEST_CASE("predict: arguments, lines, files, and what it refuses") {
  Workshop const shop;
  Program program;
  Ended ended = program.run(PREDICT, {shop.model, "what a film", "caf\xc3\xa9 \x1b[31m red \xff"});
  CHECK(ended.code == 0);
  CHECK(std::count(ended.out.begin(), ended.out.end(), '\n') == 2);
  CHECK(ended.out.find('\x1b') == std::string::npos);
  program.input = "one\ntwo\nthree";
  ended = program.run(PREDICT, {shop.model, "--json", "--batch-size", "2"});
  CHECK(ended.code == 0);
  CHECK(std::count(ended.out.begin(), ended.out.end(), '\n') == 3);
  json const line = json::parse(ended.out.substr(0, ended.out.find('\n')));
  CHECK(line.at("source") == "line 1");
  CHECK(line.at("is_positive_probability").is_number());
  CHECK(line.at("star_rating").is_number());
  program.input = "one\n\nthree\n";
  ended = program.run(PREDICT, {shop.model});
  check_error(ended, "E404");
  CHECK(ended.error.find("line 2") != std::string::npos);
  CHECK(std::count(ended.out.begin(), ended.out.end(), '\n') == 1);
  check_error(program.run(PREDICT, {shop.model, "", "text"}), "E404");
  check_error(program.run(PREDICT, {shop.model, "--file", shop.out}), "E201");
  check_error(program.run(PREDICT, {}), "E901");
  CHECK(program.run(PREDICT, {"--help"}).code == 0);
}
