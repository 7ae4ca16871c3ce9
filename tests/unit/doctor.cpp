// The whole examination; memory, disk and time; findings as text and as JSON.
#include "hone/train/doctor.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hone/data/imdb.hpp"
#include "hone/report/findings_text.hpp"
#include "support/catch.hpp"
#include "support/clean_data.hpp"
#include "support/error_matcher.hpp"
#include "support/shared_data.hpp"

namespace {

using namespace hone;
using test::finding_of;
using test::verdict;
using Model = BertClassifier<Cpu<fp32>>;

TEST_CASE("a clean model with clean data: every check is given, in order, and only what is new is noted") {
  auto model = test::clean_model<Model>();
  auto const train = test::clean_data(100), other = test::clean_data(50, 2);
  DoctorOptions options;
  options.seconds = 1e9;
  options.folder = "no/such/folder";
  options.training.learning_rate = 1e-3;
  auto const findings = examine(model, train, &other, test::clean_recipe(), options);
  std::string numbers;
  for (auto const& finding : findings) {
    INFO(finding.number << " " << finding.title << " " << finding.detail);
    CHECK((finding.severity == Severity::ok || finding.number == "D01"));
    numbers += finding.number + " ";
  }
  CHECK(numbers == "D01 D05 D06 D07 D10 D10 D11 D12 D13 D14 D15 D16 D17 D20 D21 D22 D23 D24 D30 D31 D32 ");
}

TEST_CASE("what cannot be examined is an error before anything is computed") {
  auto model = test::clean_model<Model>();
  auto const recipe = test::clean_recipe();
  auto const number = [&](auto change) {
    auto data = test::clean_data(20);
    change(data);
    return test::error_number([&] { examine(model, data, nullptr, recipe); });
  };
  CHECK(number([](data::Dataset&) {}) == 0);
  CHECK(number([](data::Dataset& data) {
          data = data::Dataset{{}, {}, {}, {{"is_positive", {}}, {"star_rating", {}}}};
        }) == 408);
  CHECK(number([](data::Dataset& data) { data.tokens = {}; }) == 422);
  CHECK(number([](data::Dataset& data) { data.labels.pop_back(); }) == 401);
  CHECK(number([](data::Dataset& data) { data.labels[0].values[3] = 7; }) == 420);
  CHECK(number([](data::Dataset& data) { data.tokens.tokens[2] = 1000; }) == 414);
}

TEST_CASE("one text, and few, are enough") {
  auto model = test::clean_model<Model>();
  for (std::size_t const count : {1u, 2u, 9u}) {
    auto const data = test::clean_data(count);
    auto const findings = examine(model, data, &data, test::clean_recipe());
    CHECK(verdict(findings, "D22") == "ok");
    CHECK(verdict(findings, "D15") == "error");
  }
}

TEST_CASE("D30: memory that is not there") {
  MemoryPlan plan;
  plan.add("weights", 1000);
  plan.add("activations", 9000);
  plan.available = 20000;
  CHECK(detail::memory_finding(plan, 2000).severity == Severity::ok);
  plan.available = 8400;  // 8000 more are needed
  CHECK(detail::memory_finding(plan, 2000).severity == Severity::warning);
  plan.available = 7999;
  auto const found = detail::memory_finding(plan, 2000);
  CHECK(found.severity == Severity::error);
  CHECK(found.detail.find("activations") != std::string::npos);
  plan.available = 0;  // not known
  CHECK(detail::memory_finding(plan, 2000).severity == Severity::ok);

  // A batch that no machine has memory for.
  auto model = test::clean_model<Model>();
  auto const data = test::clean_data(30);
  DoctorOptions options;
  options.training.step_every = Index{1} << 50;
  CHECK(verdict(examine_resources(model, data, nullptr, test::clean_recipe(), options, {}), "D30") == "error");
}

TEST_CASE("D31: a disk that is full") {
  CHECK(detail::disk_finding(100, 1000).number == "D31");
  CHECK(detail::disk_finding(100, 1000).severity == Severity::ok);
  CHECK(detail::disk_finding(950, 1000).severity == Severity::warning);
  CHECK(detail::disk_finding(1001, 1000).severity == Severity::error);
  CHECK(detail::disk_finding(1001, 0).severity == Severity::ok);
  CHECK(detail::free_disk_space("no/such/folder") > 0);
  CHECK(detail::free_disk_space("no/such/folder") == detail::free_disk_space("."));
}

TEST_CASE("D32: time follows from tokens, steps and evaluations") {
  auto model = test::clean_model<Model>();
  auto const train = test::clean_data(100), other = test::clean_data(50, 2);
  DoctorOptions options;
  options.training = {.learning_rate = 1e-3, .batch_size = 10, .step_every = 2, .epochs = 3, .num_steps = 1000, .seed = 0};
  options.evaluations = 4;
  DoctorSpeed speed;
  CHECK(verdict(examine_resources(model, train, &other, test::clean_recipe(), options, speed), "D32") == "none");
  speed.train_tokens_per_second = 100;
  speed.predict_tokens_per_second = 1000;
  speed.optimizer_seconds = 2;
  auto const planned = [&] { return examine_resources(model, train, &other, test::clean_recipe(), options, speed); };
  auto const tokens = double(train.tokens.tokens.size());
  auto found = finding_of(planned(), "D32");
  CHECK((*found.data)["train_seconds"].get<double>() == Approx(3 * tokens / 100 + 15 * 2));
  CHECK((*found.data)["test_seconds"].get<double>() == Approx(4 * double(other.tokens.tokens.size()) / 1000));
  CHECK(found.severity == Severity::ok);
  options.training.num_steps = 4;  // 80 of the 100 texts
  found = finding_of(planned(), "D32");
  CHECK((*found.data)["train_seconds"].get<double>() == Approx(0.8 * tokens / 100 + 4 * 2));
  options.training.num_steps = 1000;
  speed.train_tokens_per_second = 1e-3;
  CHECK(verdict(planned(), "D32") == "note");
}

TEST_CASE("findings as JSON") {
  Finding const finding{"D15", Severity::warning, "a title", "lines", "do it", nlohmann::ordered_json{{"count", 3}}};
  CHECK(to_json(finding).dump() ==
        R"({"number":"D15","severity":"warning","title":"a title","detail":"lines","next":"do it","data":{"count":3}})");
  std::vector<Finding> const all{{"D01", Severity::ok, "fine", "", "", {}}, finding};
  CHECK(to_json(all)[0].dump() == R"({"number":"D01","severity":"ok","title":"fine"})");
  CHECK(gravest(all) == Severity::warning);
  CHECK(gravest({}) == Severity::ok);
}

TEST_CASE("findings for a terminal: aligned, as wide as it is, coloured where it shows colours, and safe") {
  std::vector<Finding> const findings{{"D01", Severity::ok, "fine", "", "", {}},
                                      {"D15",
                                       Severity::warning,
                                       "a title of some words that is longer than a narrow line",
                                       "one\ntwo \x1b[2J\x07 three",
                                       "do this",
                                       {}}};
  std::string const text = findings_text(findings, 50);
  CHECK(text ==
        "     ok  D01  fine\n"
        "warning  D15  a title of some words that is\n"
        "              longer than a narrow line\n"
        "              one\n"
        "              two [2J three\n"
        "              -> do this\n");
  std::string const colored = findings_text(findings, Terminal{true, true, 50});
  CHECK(colored.find("\x1b[33mwarning\x1b[0m  D15") != std::string::npos);
  CHECK(colored.find("\x1b[2J") == std::string::npos);
  for (int const width : {1, 20, 40, 41, 80, 200}) {
    std::string const lines = findings_text(findings, width);
    for (std::size_t begin = 0; begin < lines.size();) {
      auto const end = lines.find('\n', begin);
      CHECK(display_width(lines.substr(begin, end - begin)) < std::max(width, 40));
      begin = end + 1;
    }
  }
  CHECK(findings_text({}, 80).empty());
  CHECK(findings_summary(findings) == "2 checks: 1 ok, 1 warning");
}

TEST_CASE("a pretrained model and real reviews: no warning, and a review copied into both sets is found") {
  auto const shared = test::shared_data();
  if (shared.empty()) HONE_SKIP("shared data not found");
  auto model = Model::from_pretrained(shared / "models" / "all-MiniLM-L6-v2");
  auto reviews = data::read_imdb(shared / "imdb" / "imdb-5k.tar.gz", {0, 500, 200, 3});
  for (data::Dataset* split : {&reviews.train, &reviews.test})
    split->tokens = model.tokenizer().encode_batch(split->texts, 512, model.context().pool());
  DoctorOptions options;
  options.seconds = 1e9;
  options.max_length = 512;
  options.training.learning_rate = 5e-5;
  auto const findings = examine(model, reviews.train, &reviews.test, test::clean_recipe(), options);
  for (auto const& finding : findings) {
    INFO(finding.number << " " << finding.title << " " << finding.detail);
    CHECK(finding.severity <= Severity::note);
  }
  for (char const* number : {"D01", "D02", "D05", "D10", "D11", "D13", "D15", "D20", "D21", "D22", "D23", "D24"}) {
    INFO(number);
    CHECK(verdict(findings, number) == "ok");
  }
  reviews.test.texts[7] = reviews.train.texts[9];
  auto const found = examine_copies(reviews.train, &reviews.test, head_labels<SentimentAndStars>(reviews.train));
  CHECK((*finding_of(found, "D15").data)["count"] == 1);
}

}  // namespace
