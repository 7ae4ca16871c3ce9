#include "hone/report/mistakes.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hone/loss/l1.hpp"
#include "hone/report/predictions_jsonl.hpp"
#include "hone/report/results_json.hpp"
#include "hone/report/summaries.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace hone;

namespace {

Tokenizer small_tokenizer() {
  TokenizerOptions options;
  options.lowercase = true;
  return Tokenizer::from_tokens({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "a", "##s"}, options);
}

/// Four reviews: 0 right, 1 wrong and sure of it, 2 wrong but unsure, 3 right with the largest error of stars.
struct Case {
  Tokenizer tokenizer = small_tokenizer();
  data::Dataset data{};
  Outputs<SentimentAndStars> outputs{};

  Case() {
    data.sources = {"test/pos/0_9.txt", "test/neg/1_\x1b[2J1.txt", "test/neg/2_3.txt", "test/pos/3_10.txt"};
    data.texts = {"a good film", "bad films", "a bad film", "good"};
    for (auto const& text : data.texts) data.tokens.push_back(tokenizer.encode(text));
    data.labels = {{"is_positive", {1, 0, 0, 1}}, {"star_rating", {9, 1, 3, 10}}};
    outputs.heads[0].values = {-2, 2, -4, 4, 0, 0.1, -1, 1};
    outputs.heads[1].values = {8.5, 6, 4, 2};
  }
};

}  // namespace

TEST_CASE("text from outside cannot command a terminal") {
  CHECK(printable_text("a\x1b[2Jb") == "a [2Jb");
  CHECK(printable_text("one\r\n\ttwo  three ") == "one two three");
  CHECK(printable_text("\x9b"
                       "31m") == "?31m");  // a lone byte of C1
  CHECK(printable_text("\xc2\x9b"
                       "31m") == "31m");  // C1 as UTF-8
  CHECK(printable_text("a\xe2\x80\xae"
                       "cba") == "acba");  // right-to-left override
  CHECK(printable_text("a\xe2\x80\xa8"
                       "b") == "a b");  // line separator
  CHECK(printable_text("caf\xc3\xa9 \xe6\x98\xa0\xe7\x94\xbb") == "caf\xc3\xa9 \xe6\x98\xa0\xe7\x94\xbb");
  std::string every;
  for (int c = 0; c < 256; ++c) every += static_cast<char>(c);
  for (char const c : printable_text(every)) CHECK((c >= 0x20 && c < 0x7f));
}

TEST_CASE("columns of a text: wide characters count two, marks none") {
  CHECK(display_width("abc") == 3);
  CHECK(display_width("\xe6\x98\xa0\xe7\x94\xbb") == 4);
  CHECK(display_width("e\xcc\x81") == 1);
  CHECK(cut_to_width("\xe6\x98\xa0\xe7\x94\xbb", 3) == "\xe6\x98\xa0");
  CHECK(cut_to_width("abc", 0).empty());
}

TEST_CASE("wrapping keeps every word and never a line too wide") {
  std::string const text =
      "the quick brown fox jumps over an extraordinarily long incomprehensibilities \xe6\x98\xa0\xe7\x94\xbb\xe6\x98\xa0";
  for (int columns = 1; columns < 90; ++columns) {
    std::string together;
    for (auto const& line : wrap_text(text, columns)) {
      INFO(columns << ": " << line);
      REQUIRE(display_width(line) <= std::max(columns, 2));
      REQUIRE_FALSE(line.empty());
      for (char const c : line)
        if (c != ' ') together += c;
    }
    std::string expected;
    for (char const c : text)
      if (c != ' ') expected += c;
    REQUIRE(together == expected);
  }
  CHECK(wrap_text("", 10).empty());
}

TEST_CASE("a long text keeps its beginning and its end") {
  std::string text = "begin";
  for (int i = 0; i < 200; ++i) text += " word" + std::to_string(i);
  text += " end";
  auto const lines = wrap_text(text, 40, 6);
  REQUIRE(lines.size() == 6);
  CHECK(lines.front().rfind("begin word0", 0) == 0);
  CHECK(lines[3].substr(lines[3].size() - 5) == "[...]");
  CHECK(lines.back().substr(lines.back().size() - 3) == "end");
  for (auto const& line : lines) CHECK(display_width(line) <= 40);
  CHECK(wrap_text("short", 40, 6) == std::vector<std::string>{"short"});
}

TEST_CASE("the worst of each head") {
  Case const given;
  auto const mistakes = worst_mistakes(given.outputs, given.data, 5);
  REQUIRE(mistakes.size() == 2);
  REQUIRE(mistakes[0].worst.size() == 2);  // right ones are no mistakes
  CHECK(mistakes[0].classifies);
  CHECK(mistakes[0].worst[0].example == 1);
  CHECK(mistakes[0].worst[0].size == Approx(1 / (1 + std::exp(-8.0))));
  CHECK(mistakes[0].worst[1].example == 2);
  REQUIRE(mistakes[1].worst.size() == 4);
  CHECK(mistakes[1].worst[0].example == 3);
  CHECK(mistakes[1].worst[0].size == 8);
  CHECK(mistakes[1].worst[1].example == 1);
  CHECK(worst_mistakes(given.outputs, given.data, 1)[1].worst.size() == 1);
}

TEST_CASE("equal mistakes keep the order of the data, NaN is the worst") {
  HostMatrix predicted;
  predicted.values = {1, 2, std::nan(""), 2};
  std::vector<double> const truth{1, 1, 1, 3};
  auto const worst = worst_by_error(predicted, truth, 3);
  REQUIRE(worst.size() == 3);
  CHECK(worst[0].example == 2);
  CHECK(worst[1].example == 1);
  CHECK(worst[2].example == 3);
}

TEST_CASE("mistakes for people: prediction, truth, file, decoded text, and no line too wide, nothing obeyed") {
  Case const given;
  for (int const columns : {30, 80}) {
    std::string const text =
        mistakes_text(worst_mistakes(given.outputs, given.data, 5), given.outputs, given.data, given.tokenizer, columns);
    INFO(text);
    CHECK(text.find('\x1b') == std::string::npos);
    CHECK(text.find("bad films") != std::string::npos);
    CHECK(text.find("[CLS]") == std::string::npos);
    std::size_t begin = 0;
    for (std::size_t end; (end = text.find('\n', begin)) != text.npos; begin = end + 1)
      if (text[begin] == ' ') CHECK(display_width(text.substr(begin, end - begin)) <= columns);
  }
  std::string const text =
      mistakes_text(worst_mistakes(given.outputs, given.data, 1), given.outputs, given.data, given.tokenizer, 200);
  CHECK(text.find("1. is_positive yes (99.966 %), truth no; star_rating 6.0, truth 1; test/neg/1_ [2J1.txt") !=
        std::string::npos);
  CHECK(text.find("1. star_rating 2.0, truth 10; is_positive yes (88.1 %), truth yes; test/pos/3_10.txt") !=
        std::string::npos);
}

TEST_CASE("predictions.jsonl: every review, in order, with truth and prediction") {
  Case const given;
  test::TemporaryFolder const folder;
  write_predictions(folder / "predictions.jsonl", given.outputs, given.data);
  std::string const text = test::read_file(folder / "predictions.jsonl");
  std::vector<nlohmann::json> lines;
  std::size_t begin = 0;
  for (std::size_t end; (end = text.find('\n', begin)) != text.npos; begin = end + 1)
    lines.push_back(nlohmann::json::parse(text.substr(begin, end - begin)));
  REQUIRE(lines.size() == 4);
  CHECK(lines[1].at("source") == given.data.sources[1]);
  CHECK(lines[1].at("is_positive") == 0);
  CHECK(lines[1].at("is_positive_predicted") == 1);
  CHECK(lines[1].at("is_positive_probability").get<double>() == Approx(1 / (1 + std::exp(-8.0))));
  CHECK(lines[1].at("star_rating") == 1);
  CHECK(lines[1].at("star_rating_predicted") == 6);
}

TEST_CASE("results: the usual names, every head, valid JSON also for NaN") {
  Case const given;
  Evaluation<SentimentAndStars> evaluation;
  evaluation.outputs = given.outputs;
  evaluation.heads = measure(given.outputs, labels_for<SentimentAndStars>(given.data), WeightedSum<CrossEntropy, L1>{});
  evaluation.examples = 4;
  auto const json = nlohmann::json::parse(to_json(evaluation).dump());
  CHECK(json.at("accuracy") == 0.5);
  CHECK(json.at("star_mae").get<double>() == Approx((0.5 + 5 + 1 + 8) / 4));
  CHECK(json.at("test_examples") == 4);
  double const expected = (std::log(1 + std::exp(-4.0)) + std::log(1 + std::exp(8.0)) + std::log(1 + std::exp(0.1)) +
                           std::log(1 + std::exp(-2.0))) /
                          4;
  CHECK(json.at("cross_entropy").get<double>() == Approx(expected));
  CHECK(json.at("heads").at("is_positive").at("confusion") == nlohmann::json::parse("[[0, 2], [0, 2]]"));
  CHECK(json.at("heads").at("star_rating").at("l1") == json.at("star_mae"));
  for (char const* key :
       {"precision", "recall", "f1", "mcc", "roc_auc", "pr_auc", "brier_score", "expected_calibration_error"})
    CHECK(json.at("heads").at("is_positive").at(key).is_number());
  CHECK(json.at("heads").at("is_positive").at("f1").get<double>() == Approx(2.0 / 3));
  CHECK(json.at("heads").at("is_positive").at("calibration").size() == 15);
  CHECK(json.at("heads").at("is_positive").at("calibration").at(14).at("count") == 2);  // 0.9997 and 0.982
  CHECK(json.at("heads").at("star_rating").at("mean_absolute_error_interval").size() == 2);
  for (char const* key : {"root_mean_square_error", "spearman", "quadratic_kappa"})
    CHECK(json.at("heads").at("star_rating").at(key).is_number());
  auto const mistakes = mistakes_json(worst_mistakes(given.outputs, given.data, 2), given.outputs, given.data);
  CHECK(mistakes.at("star_rating")[0].at("error") == 8);
  CHECK(mistakes.at("is_positive")[0].at("text") == "bad films");
  CHECK(nlohmann::json::parse(to_json(Evaluation<SentimentAndStars>{}).dump()).at("test_examples") == 0);
  CHECK(to_json(FitReport{}).dump().find("nan") == std::string::npos);
}

TEST_CASE("measures for people: in columns, as wide as the terminal, without what is not defined") {
  Case const given;
  Evaluation<SentimentAndStars> evaluation;
  evaluation.heads = measure(given.outputs, labels_for<SentimentAndStars>(given.data), WeightedSum<CrossEntropy, L1>{});
  std::string const wide = measures_text(evaluation);
  INFO(wide);
  CHECK(wide.find("  accuracy         50.00 %  95 % interval 15.00 to 85.00 %\n  F1                0.6667  MCC              "
                  " 0.0000  "
                  "cross entropy     2.2225\n") != std::string::npos);
  CHECK(wide.find("  truth             said no     said yes\n  no                      0            2\n") !=
        std::string::npos);
  CHECK(wide.find("  mean abs. error    3.625  95 % interval 0.750 to ") != std::string::npos);
  CHECK(wide.find("quadratic kappa") != std::string::npos);
  for (int const columns : {40, 50, 60, 80, 120}) {
    std::string const text = measures_text(evaluation, columns);
    std::size_t begin = 0;
    for (std::size_t end; (end = text.find('\n', begin)) != text.npos; begin = end + 1)
      CHECK(display_width(text.substr(begin, end - begin)) <= columns);
  }
  evaluation.heads[0].roc_auc = std::nan("");
  CHECK(measures_text(evaluation).find("ROC") == std::string::npos);
  evaluation.heads[0].confusion = ConfusionTable(40);  // too wide for 80 columns
  CHECK(measures_text(evaluation).find("truth") == std::string::npos);
  CHECK(measures_text(Evaluation<SentimentAndStars>{}).empty());
}

TEST_CASE("summaries of data") {
  Case given;
  CHECK(data_summary(given.data) == "4 texts; is_positive 0: 2, 1: 2; star_rating 1: 1, 3: 1, 9: 1, 10: 1");
  given.data.labels[1].values.assign(4, 0);
  for (int i = 0; i < 30; ++i) given.data.labels[1].values.push_back(i);
  CHECK(data_summary(given.data).find("star_rating 0 to 29") != std::string::npos);
  CHECK(length_summary(given.data.tokens, 5) == "mean 4.5 tokens, median 5, longest 5; 75.0 % reach the limit of 5");
  CHECK(length_summary(given.data.tokens, 512) == "mean 4.5 tokens, median 5, longest 5");
  CHECK(length_summary({}, 5) == "no texts");
  CHECK(problems_text({{"a\x1b.txt", "why"}, {"", "and 3 more"}, {"c", "x"}}, 2) ==
        "  a .txt: why\n  and 3 more\n  and 1 more\n");
}
