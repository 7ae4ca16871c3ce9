// report.html as a file: its data, its bounds, the texts it chooses, their tokens. The browser's part is tests/readback/.
#include "hone/report/html_report.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "hone/core/sha256.hpp"
#include "hone/models/bert_classifier.hpp"
#include "hone/report/html_data.hpp"
#include "hone/report/report_folder.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"
#include "support/small_bert.hpp"
#include "support/temporary_folder.hpp"

namespace {

using namespace hone;
using nlohmann::json;

std::string between(std::string const& text, std::string const& begin, std::string const& end) {
  auto const from = text.find(begin);
  REQUIRE(from != std::string::npos);
  auto const to = text.find(end, from + begin.size());
  REQUIRE(to != std::string::npos);
  return text.substr(from + begin.size(), to - from - begin.size());
}
json data_of(std::string const& page) {
  return json::parse(between(page, "<script type=\"application/json\" id=\"data\">", "</script>"));
}

Tokenizer small_tokenizer() {
  return Tokenizer::from_tokens({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "##s", "un", "##kind",
                                 "the", ".", "caf\xC3\xA9", "\xF0\x9F\x98\x80"});
}

/// So many labelled texts, tokenised; a model's predictions of them that are wrong by `row / 10`.
data::Dataset texts(std::size_t count, Tokenizer const& tokenizer) {
  data::Dataset data;
  for (std::size_t i = 0; i < count; ++i) {
    data.sources.push_back("text " + std::to_string(i));
    data.texts.push_back(i % 2 ? "the good films" : "unkind \xF0\x9F\x98\x80 film . bad");
    data.tokens.push_back(tokenizer.encode(data.texts.back()));
  }
  data.labels = {{"is_positive", {}}, {"star_rating", {}}};
  for (std::size_t i = 0; i < count; ++i) {
    data.labels[0].values.push_back(double(i % 2));
    data.labels[1].values.push_back(i % 2 ? 8 : 3);
  }
  return data;
}
EvaluationRecord record_of(data::Dataset const& data) {
  HeadPredictions sentiment{"is_positive", 2, data.labels[0].values, {}, {}},
      stars{"star_rating", 0, data.labels[1].values, {}, {}};
  for (std::size_t i = 0; i < data.size(); ++i) {
    double const p = double(i % 97) / 97;
    sentiment.probabilities.insert(sentiment.probabilities.end(), {1 - p, p});
    sentiment.predicted.push_back(p > 0.5 ? 1 : 0);
    stars.predicted.push_back(data.labels[1].values[i] + double(i) / 10);
  }
  return {7, true, {}, {sentiment, stars}};
}

TEST_CASE("hostile text stays within the data of the page") {
  ReportData report;
  report.start.name = "</script><script>alert(1)</script><!--";
  report.start.command = {"hone", "\xFF not UTF-8", "</SCRIPT >"};
  report.error = "<!-- ]]> \u2028";
  ReportExample example;
  example.text = "</script><img src=x onerror=alert(2)> \"'&\\ \x01";
  example.lists = {-1};
  report.examples.push_back(example);
  std::string const page = report_html(report);
  auto const data = between(page, "<script type=\"application/json\" id=\"data\">", "</script>");
  CHECK(data.find('<') == std::string::npos);
  CHECK(data_of(page)["name"] == report.start.name);
  CHECK(data_of(page)["examples"][0]["text"] == example.text);
  std::size_t scripts = 0;
  for (std::size_t at = page.find("<script"); at != std::string::npos; at = page.find("<script", at + 1)) ++scripts;
  CHECK(scripts == 2);
}

TEST_CASE("the page's policy allows its own style and script, and nothing else") {
  std::string const page = report_html({});
  auto const policy = between(page, "Content-Security-Policy\" content=\"", "\"");
  CHECK(policy.rfind("default-src 'none'; ", 0) == 0);
  CHECK(policy.find("unsafe") == std::string::npos);
  CHECK(policy.find("http") == std::string::npos);
  for (char const* element : {"style", "script"}) {
    std::string const tag = element;
    CHECK(policy.find(tag + "-src " + detail::hash_source(between(page, "<" + tag + ">", "</" + tag + ">"))) !=
          std::string::npos);
  }
  for (char const* outside : {"src=", "@import", "url(", "fetch(", "XMLHttpRequest", "innerHTML", "http://", "eval("}) {
    INFO(outside);
    std::string rest = page;
    if (auto const at = rest.find("http://www.w3.org/2000/svg"); at != std::string::npos) rest.erase(at, 26);  // a name
    CHECK(rest.find(outside) == std::string::npos);
  }
}

TEST_CASE("base64 as in RFC 4648") {
  auto const text = [](std::string_view s) {
    return detail::base64({reinterpret_cast<unsigned char const*>(s.data()), s.size()});
  };
  CHECK(text("") == "");
  CHECK(text("f") == "Zg==");
  CHECK(text("fo") == "Zm8=");
  CHECK(text("foo") == "Zm9v");
  CHECK(text("foob") == "Zm9vYg==");
  CHECK(text("fooba") == "Zm9vYmE=");
  CHECK(text("foobar") == "Zm9vYmFy");
}

TEST_CASE("a page is bounded, however long the run and its texts") {
  ReportData report;
  for (Index i = 1; i <= 50001; ++i) {
    StepReport step;
    step.step = i;
    step.losses = {{"is_positive", i == 777 ? std::nan("") : 1.0 / double(i)}};
    step.grad_norm = double(i % 7);
    report.steps.push_back(step);
  }
  for (std::size_t i = 0; i < 900; ++i) {
    ReportExample example;
    example.row = i;
    example.text.assign(100000, 'x');
    example.text[11999] = '\xC3', example.text[12000] = '\xA9';  // a character over the border
    example.tokens = {{0, 5}, {6, 100000}};
    example.heads.resize(1);
    example.heads[0].weights = {1, 2};
    report.examples.push_back(example);
  }
  std::string const page = report_html(report);
  CHECK(page.size() < std::size_t{9} << 20);
  auto const data = data_of(page);
  CHECK(data["steps"]["step"].size() <= 1200);
  CHECK(data["steps"]["count"] == 50001);
  CHECK(data["steps"]["step"].back() == 50001);
  CHECK(data["examples"].size() + data["examples_left_out"].get<std::size_t>() == 900);
  auto const& example = data["examples"][0];
  CHECK(example["text"].get<std::string>().size() == 11999);
  CHECK(example["more"] == 100000 - 11999);
  CHECK(example["at"] == json({0, 5}));  // the second token goes beyond what is shown
  CHECK(example["heads"][0]["w"] == json({1}));
}

TEST_CASE("curves of training: means of neighbours, smoothed with the beginning put right") {
  CHECK(detail::smoothed({4, 4, 4}, 10) == std::vector<double>{4, 4, 4});
  auto const smooth = detail::smoothed({1, std::nan(""), 3}, 2);  // weights 1/2 and 1/4 of what is there
  CHECK(smooth[0] == Approx(1));
  CHECK(smooth[1] == Approx(1));
  CHECK(smooth[2] == Approx((0.5 * 3 + 0.25 * 1) / 0.75));
  std::vector<StepReport> steps(2400);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    steps[i].step = Index(i) + 1;
    steps[i].losses = {{"a", double(i % 2)}};
    if (i > 100) steps[i].losses.emplace_back("late", 2.0);
  }
  auto const data = detail::steps_json(steps);
  CHECK(data["mean_of"] == 2);
  CHECK(data["losses"]["a"]["raw"][0] == 0.5);
  CHECK(data["losses"]["late"]["raw"][0].is_null());
  CHECK(data["losses"]["late"]["raw"][1000] == 2.0);
}

TEST_CASE("what is drawn of an evaluation") {
  auto const tokenizer = small_tokenizer();
  auto data = texts(400, tokenizer);
  ReportData report;
  auto record = record_of(data);
  record.heads[0].truth[5] = std::nan("");  // no label
  record.heads[0].probabilities[14] = std::nan("");
  record.heads[1].predicted[9] = INFINITY;
  report.add(record);
  choose_examples(report, data, {});
  auto const page = data_of(report_html(report));
  auto const& sentiment = page["heads"][0];
  CHECK(sentiment["count"] == 398);
  CHECK(sentiment["names"] == json({"negative", "positive"}));
  Index sum = 0, right = 0;
  for (int t = 0; t < 2; ++t)
    for (int p = 0; p < 2; ++p)
      sum += sentiment["confusion"][t][p].get<Index>(), right += t == p ? sentiment["confusion"][t][p].get<Index>() : 0;
  CHECK(sum == 398);
  CHECK(sentiment["accuracy"][0].get<double>() == Approx(double(right) / 398).epsilon(1e-4));
  Index in_histogram = 0, in_bins = 0;
  for (auto const& bin : sentiment["confidence"]) in_histogram += bin[0].get<Index>() + bin[1].get<Index>();
  for (auto const& bin : sentiment["calibration"]) in_bins += bin[2].get<Index>();
  CHECK(in_histogram == 398);
  CHECK(in_bins == 398);
  CHECK(sentiment["curves"].size() == 1);
  CHECK(sentiment["curves"][0]["roc"].front()[0] == 0);
  CHECK(sentiment["curves"][0]["roc"].back()[1] == 1);
  auto const& stars = page["heads"][1];
  CHECK(stars["count"] == 399);
  CHECK(stars["range"] == json({3, 8, true}));
  CHECK(stars["by_truth"].size() == 2);
  Index in_grid = 0;
  for (auto const& column : stars["grid"]["counts"])
    for (auto const& cell : column) in_grid += cell.get<Index>();
  CHECK(in_grid == 399);
  for (auto const& head : page["heads"]) {
    Index in_lengths = 0;
    for (auto const& group : head["by_length"]) in_lengths += group[2].get<Index>();
    CHECK(in_lengths == head["count"]);
  }
}

TEST_CASE("groups by length are of about one size, and a length is in one group") {
  std::vector<Index> lengths;
  std::vector<double> errors;
  for (Index i = 0; i < 1000; ++i) {
    lengths.push_back(i < 600 ? 512 : i + 1);
    errors.push_back(double(i % 2));
  }
  auto const groups = detail::errors_by_length(lengths, errors, true);
  REQUIRE(groups.size() >= 3);
  Index sum = 0;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    sum += groups[g][2].get<Index>();
    if (g > 0) CHECK(groups[g][0].get<Index>() > groups[g - 1][1].get<Index>());
    CHECK(groups[g][4].get<double>() < groups[g][3].get<double>());
    CHECK(groups[g][5].get<double>() > groups[g][3].get<double>());
  }
  CHECK(sum == 1000);
  CHECK(groups[0][2] == 600);
  CHECK(detail::errors_by_length({}, {}, true).empty());
  CHECK(detail::errors_by_length({1}, {0.5}, false).size() == 1);
}

TEST_CASE("texts of the page: at random and the worst of each head, each once") {
  auto const tokenizer = small_tokenizer();
  auto const data = texts(300, tokenizer);
  ReportData report;
  choose_examples(report, data);
  CHECK(report.examples.empty());  // nothing was evaluated
  report.add(record_of(data));
  ReportOptions options;
  options.worst = 5, options.random = 20;
  choose_examples(report, data, options);
  std::set<std::size_t> rows;
  std::vector<std::size_t> random, stars;
  for (auto const& example : report.examples) {
    CHECK(rows.insert(example.row).second);
    CHECK(example.text == data.texts[example.row]);
    for (int const list : example.lists) {
      if (list == -1) random.push_back(example.row);
      if (list == 1) stars.push_back(example.row);
      CHECK((list >= -1 && list <= 1));
    }
  }
  CHECK(random.size() == 20);
  std::sort(stars.begin(), stars.end());
  CHECK(stars == std::vector<std::size_t>{295, 296, 297, 298, 299});
  auto const again = [&](std::uint64_t seed) {
    options.seed = seed;
    choose_examples(report, data, options);
    return report.examples[0].row * 1000 + report.examples[1].row;
  };
  CHECK(again(0) == random[0] * 1000 + random[1]);
  CHECK(again(1) != again(0));
  CHECK(detail::drawn_rows(3, 10, 1).size() == 3);
  CHECK(report.lengths.size() == 300);
}

TEST_CASE("tokens are found in the original text, or in the decoded one") {
  auto const tokenizer = small_tokenizer();
  ReportExample example;
  example.text = "unkind \xF0\x9F\x98\x80  the films . \xF0\x9F\x98\x80";
  auto ids = tokenizer.encode(example.text, 8);  // its end is cut off
  auto places = detail::place_tokens(example, tokenizer, ids);
  CHECK(!example.decoded);
  CHECK(example.cut);
  CHECK(places.front() == -1);
  CHECK(places.back() == -1);
  REQUIRE(example.tokens.size() == 6);
  auto const token = [&](std::size_t t) {
    return example.text.substr(std::size_t(example.tokens[t].begin),
                               std::size_t(example.tokens[t].end - example.tokens[t].begin));
  };
  CHECK(token(0) == "un");
  CHECK(token(1) == "kind");
  CHECK(token(2) == "\xF0\x9F\x98\x80");
  CHECK(token(3) == "the");
  CHECK(token(5) == "s");
  example.heads.resize(1);
  example.heads[0].weights = {1, 2, 3, 4, 5, 6};
  auto const json = detail::example_json(example);
  CHECK(json["at"][4] == 7);  // in UTF-16: the face is two
  CHECK(json["at"][5] == 9);
  CHECK(json["at"][6] == 11);
  CHECK(json["heads"][0]["w"].size() == 6);

  ReportExample other;
  other.text = "a text that these ids are not of";
  std::vector<std::int32_t> const strange{2, 9, 10, 7, 8, 12, 99, 3};
  places = detail::place_tokens(other, tokenizer, strange);
  CHECK(other.decoded);
  CHECK(other.text == "unkind films .");
  CHECK(places == std::vector<std::int32_t>{-1, 0, 1, 2, 3, 4, -1, -1});
  std::vector<std::int32_t> const one{7};
  CHECK(detail::place_tokens(other, tokenizer, one) == std::vector<std::int32_t>{0});
}

TEST_CASE("tokens of the texts are marked by a model, within the time") {
  auto const tokenizer = small_tokenizer();
  auto data = texts(60, tokenizer);
  auto model = BertClassifier<Cpu<fp32>>::from_config(test::small_config(), {}, {.backend = {1}, .seed = 3, .dropout = {}});
  auto const outputs = test_set_predictions(model, data, Index(16));
  ReportData report;
  report.add({1, true, {}, head_predictions(outputs, data)});
  add_examples(report, model, data);
  for (auto const& example : report.examples) CHECK(example.heads[0].weights.empty());  // it has no tokenizer

  auto config = test::small_config();
  config.vocab_size = tokenizer.vocabulary_size();
  auto complete = BertClassifier<Cpu<fp32>>::from_config(config, tokenizer, {.backend = {1}, .seed = 3, .dropout = {}});
  ReportOptions options;
  options.random = 30, options.worst = 10, options.max_tokens = 20;
  std::string const hash = weights_sha256(complete);
  add_examples(report, complete, data, options);
  for (auto const& example : report.examples) {
    RaggedBatch batch;
    batch.push_back(data.tokens[example.row]);
    auto const expected = complete.attribute(batch);
    for (std::size_t h = 0; h < 2; ++h) {
      auto const& head = example.heads[h];
      REQUIRE(head.weights.size() == example.tokens.size());
      REQUIRE(head.weights.size() + 2 == expected[h][0].size());
      for (std::size_t t = 0; t < head.weights.size(); ++t)
        CHECK(head.weights[t] == Approx(expected[h][0][t + 1]).margin(1e-5));
      CHECK(head.other_weight == Approx(expected[h][0].front() + expected[h][0].back()).margin(1e-5));
    }
  }
  CHECK(weights_sha256(complete) == hash);
  options.attribution_seconds = -1;
  add_examples(report, complete, data, options);
  CHECK(report.examples.size() > 30);
  for (auto const& example : report.examples) CHECK(example.heads[0].weights.empty());
  std::atomic<bool> stop = true;
  options.attribution_seconds = 60;
  options.stop = &stop;
  add_examples(report, complete, data, options);
  CHECK(report.examples[0].heads[0].weights.empty());
}

TEST_CASE("the page is replaced whole") {
  test::TemporaryFolder const folder;
  write_report(folder / "report.html", {});
  auto const before = test::read_file(folder / "report.html");
  CHECK(before.rfind("<!DOCTYPE html>", 0) == 0);
  CHECK(before.substr(before.size() - 8) == "</html>\n");
  ReportData report;
  report.start.name = "second";
  write_report(folder / "report.html", report);
  CHECK(data_of(test::read_file(folder / "report.html"))["name"] == "second");
  CHECK(test::error_number([&] { write_report(folder / "no" / "report.html", {}); }) == 703);
}

TEST_CASE("a page from a run's folder") {
  test::TemporaryFolder const folder;
  std::string metrics, predictions;
  for (int i = 1; i <= 30; ++i)
    metrics += "{\"step\":" + std::to_string(i) +
               ",\"epoch\":0,\"is_positive_loss\":0.5,\"star_rating_loss\":2,\"accuracy\":0.75," +
               "\"learning_rate\":1e-5,\"grad_norm\":null,\"group_norms\":{\"embeddings\":0.25},\"tokens\":10,\"seconds\":2,"
               "\"elapsed\":" +
               std::to_string(2 * i) + ",\"total_tokens\":" + std::to_string(10 * i) + "}\n";
  for (int i = 0; i < 50; ++i)
    predictions +=
        "{\"source\":\"" + std::to_string(i) + "\",\"is_positive\":" + std::to_string(i % 2) +
        ",\"is_positive_predicted\":1,\"is_positive_probability\":0.75,\"star_rating\":4,\"star_rating_predicted\":" +
        std::to_string(i) + ",\"text\":\"text " + std::to_string(i) + "\"}\n";
  test::write_file(folder / "metrics.jsonl", metrics);
  test::write_file(folder / "predictions.jsonl", predictions);
  test::write_file(folder / "evaluations.jsonl", "{\"step\":10,\"heads\":{\"is_positive\":{\"cross_entropy\":0.4}}}\n");
  test::write_file(
      folder / "results.json",
      R"({"steps": 30, "interrupted": true, "seed": 5, "settings": {"lr": 1e-5}, "command": ["hone", "finetune"],
                       "heads": {"is_positive": {"cross_entropy": 0.3}},
                       "findings": [{"number": "D3", "severity": "warning", "title": "a title"}]})");
  auto const report = report_of_run(folder.path());
  CHECK(report.steps.size() == 30);
  CHECK(report.steps[2].losses[1] == std::pair<std::string, double>("star_rating", 2));
  CHECK(report.steps[2].group_norms.size() == 1);
  CHECK(report.evaluations.size() == 2);
  CHECK(report.examples.size() == 50);
  CHECK(report.findings[0].severity == Severity::warning);
  auto const page = data_of(report_html(report));
  CHECK(page["seed"] == 5);
  CHECK(page["begun"] == "");
  CHECK(page["interrupted"] == true);
  CHECK(page["command"] == json({"hone", "finetune"}));
  CHECK(page["settings"]["lr"] == 1e-5);
  CHECK(page["heads"][0]["accuracy"][0] == 0.5);
  CHECK(page["evaluations"][1]["heads"]["is_positive"]["cross_entropy"] == 0.3);
  CHECK(texts_of_run(folder.path()).texts[49] == "text 49");
  CHECK(test::error_number([&] { report_of_run(folder / "no"); }) == 930);
}

}  // namespace
