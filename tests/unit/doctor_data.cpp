// What the doctor finds in data: each fault is planted, and clean data gives no finding.
#include "hone/train/doctor_labels.hpp"
#include "hone/train/doctor_leaks.hpp"
#include "hone/train/doctor_texts.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/clean_data.hpp"

namespace {

using namespace hone;
using test::finding_of;
using test::verdict;

std::vector<std::size_t> as_it_lies(std::size_t count) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  return order;
}

std::vector<Finding> labels_of(data::Dataset const& data, DoctorOptions const& options = {}) {
  return examine_labels(head_labels<SentimentAndStars>(data), options);
}
std::vector<Finding> tokens_of(data::Dataset const& data, DoctorOptions const& options = {}) {
  auto const tokenizer = test::word_tokenizer();
  return examine_tokens(data, head_labels<SentimentAndStars>(data), &tokenizer, options);
}
std::vector<Finding> leaks_of(data::Dataset const& data, DoctorOptions const& options = {}) {
  auto const tokenizer = test::word_tokenizer();
  return examine_leaks(data, head_labels<SentimentAndStars>(data), &tokenizer, options);
}
std::vector<Finding> copies_of(data::Dataset const& train, data::Dataset const* test_set) {
  return examine_copies(train, test_set, head_labels<SentimentAndStars>(train));
}

/// The same examples, sorted by a column of labels.
data::Dataset sorted_by(data::Dataset const& data, std::size_t column) {
  auto rows = as_it_lies(data.size());
  std::stable_sort(rows.begin(), rows.end(), [&](std::size_t a, std::size_t b) {
    return data.labels[column].values[a] < data.labels[column].values[b];
  });
  return data.subset(rows);
}

TEST_CASE("clean data: nothing is found") {
  for (std::size_t const count : {60u, 500u}) {
    auto const data = test::clean_data(count, 3), other = test::clean_data(40, 4);
    for (auto const& findings : {labels_of(data), tokens_of(data), leaks_of(data), copies_of(data, &other)}) {
      CHECK_FALSE(findings.empty());
      for (auto const& finding : findings) {
        INFO(finding.number << " " << finding.title << " " << finding.detail);
        CHECK(finding.severity == Severity::ok);
      }
    }
  }
}

TEST_CASE("D10: classes that are rare, missing, alone; numbers that are all the same") {
  auto data = test::clean_data(200);
  auto& classes = data.labels[0].values;
  auto const with = [&](std::size_t positive) {
    for (std::size_t i = 0; i < classes.size(); ++i) classes[i] = i < positive ? 1 : 0;
    return verdict(labels_of(data), "D10");
  };
  CHECK(with(100) == "ok");
  CHECK(with(60) == "note");
  CHECK(with(10) == "warning");
  CHECK(with(0) == "error");
  CHECK(with(200) == "error");
  CHECK((*finding_of(labels_of(data), "D10").data)["counts"] == nlohmann::ordered_json({0, 200}));
  with(100);
  std::fill(data.labels[1].values.begin(), data.labels[1].values.end(), 7);
  auto const findings = labels_of(data);
  CHECK(verdict(findings, "D10") == "ok");  // of the first head
  CHECK(std::any_of(findings.begin(), findings.end(), [](auto const& f) {
    return f.number == "D10" && f.severity == Severity::error && f.title.find("star_rating") == 0;
  }));

  HeadLabels three{"topic", 3, {}};
  std::vector<double> const values{0, 0, 0, 0, 1, 1, 1, 1};
  three.values = values;
  auto const missing = examine_labels(std::span(&three, 1), {});
  CHECK(verdict(missing, "D10") == "warning");
  CHECK(finding_of(missing, "D10").title == "topic: class 2 has no example");
}

TEST_CASE("D11: a set in sorted order that stays sorted is caught, one that the trainer shuffles is not") {
  for (std::size_t const column : {0u, 1u})
    for (std::size_t const count : {40u, 400u}) {
      INFO("column " << column << ", " << count << " texts");
      auto const sorted = sorted_by(test::clean_data(count), column);
      DoctorOptions options;
      auto const shuffled = labels_of(sorted, options);
      CHECK(verdict(shuffled, "D11") == "ok");
      CHECK(verdict(shuffled, "D12") == "note");
      options.order = as_it_lies;
      auto const kept = labels_of(sorted, options);
      CHECK(verdict(kept, "D11") == "error");
      CHECK(verdict(kept, "D12") == "note");
      CHECK(verdict(labels_of(test::clean_data(count), options), "D11") == "ok");
    }
}

TEST_CASE("D11: labels that drift without a pure window are a warning; only steps of the run count") {
  auto data = test::clean_data(640);
  auto& classes = data.labels[0].values;
  for (std::size_t i = 0; i < classes.size(); ++i)  // 3 of 4 positive in the first half, 1 of 4 in the second
    classes[i] = (i % 4 == 0) == (i < 320) ? 0 : 1;
  DoctorOptions options;
  options.order = as_it_lies;
  auto const findings = labels_of(data, options);
  CHECK(verdict(findings, "D11") == "warning");
  CHECK((*finding_of(findings, "D11").data)[0]["of_one_class"] == 0);

  // The first half is mixed, the second is not; a run of ten steps sees the first alone.
  for (std::size_t i = 0; i < classes.size(); ++i) classes[i] = i < 320 ? double(i % 2) : double(i < 480);
  CHECK(verdict(labels_of(data, options), "D11") != "ok");
  options.training.num_steps = 10;
  CHECK(verdict(labels_of(data, options), "D11") == "ok");
}

TEST_CASE("the statistic of windows has the mean and the spread that it is judged by") {
  PhiloxStream random(3, 3);
  double sum = 0, squares = 0;
  int const trials = 300;
  for (int t = 0; t < trials; ++t) {
    std::vector<double> values;
    for (int i = 0; i < 2000; ++i) values.push_back(random.uniform() < 0.1 ? 0 : random.uniform() < 0.5 ? 1 : 2);
    auto const mixing = order_mixing({"h", 3, values}, as_it_lies(values.size()), 16);
    sum += mixing.score, squares += mixing.score * mixing.score;
  }
  CHECK(std::abs(sum / trials) < 0.25);  // the shares are estimated from the same labels: a little below zero
  CHECK(squares / trials == Approx(1).margin(0.3));
}

TEST_CASE("D05: texts without [CLS] first and [SEP] last are counted, and shown beside their labels") {
  auto data = test::clean_data(60);
  auto const right = finding_of(tokens_of(data), "D05");
  CHECK(right.severity == Severity::ok);
  CHECK((*right.data)["examples"].size() == 3);
  CHECK(right.detail.find("[CLS] w") != std::string::npos);
  CHECK(right.detail.find("[SEP]") != std::string::npos);
  CHECK(right.detail.find("is_positive ") != std::string::npos);

  auto const bare = [](data::Dataset const& from, std::size_t which, std::size_t front, std::size_t back) {
    RaggedTokens made;
    for (std::size_t i = 0; i < from.tokens.size(); ++i) {
      auto const ids = from.tokens[i];
      made.push_back(i == which ? ids.subspan(front, ids.size() - front - back) : ids);
    }
    return made;
  };
  auto const whole = data;
  for (auto const& [front, back] : {std::pair<std::size_t, std::size_t>{1, 0}, {0, 1}}) {
    data.tokens = bare(whole, 17, front, back);
    auto const found = finding_of(tokens_of(data), "D05");
    CHECK(found.severity == Severity::error);
    CHECK(found.title.find("1 text of 60") == 0);
    CHECK((*found.data)["examples"][0]["source"] == data.sources[17]);
  }
  data.tokens = whole.tokens;
  data.tokens.tokens[1] = 9999;  // an id that no vocabulary has does not end the examination
  CHECK(verdict(tokens_of(data), "D05") == "ok");
}

TEST_CASE("D06: unknown words") {
  auto data = test::random_texts(100);
  auto const with = [&](std::size_t every) {
    for (std::size_t i = 0; i < data.size(); ++i) data.texts[i] += i % every == 0 ? " nowhere" : "";
    test::tokenise(data, test::word_tokenizer());
    return verdict(tokens_of(data), "D06");
  };
  CHECK(with(1000) == "ok");  // one of some 1600 tokens
  CHECK(with(8) == "note");
  CHECK(with(2) == "warning");
}

TEST_CASE("D07: texts that are cut, with a known length and with a guessed one") {
  auto data = test::random_texts(200);
  auto const at = [&](std::int64_t length, bool known) {
    test::tokenise(data, test::word_tokenizer(), length);
    DoctorOptions options;
    options.max_length = known ? length : 0;
    return verdict(tokens_of(data, options), "D07");
  };
  CHECK(at(64, true) == "ok");
  CHECK(at(64, false) == "ok");
  CHECK(at(20, true) == "note");
  CHECK(at(20, false) == "note");
  CHECK(at(10, true) == "warning");
  CHECK(at(10, false) == "warning");
}

TEST_CASE("D13: a token that tells the label, anywhere, at one place, for one class of several") {
  auto const plant = [](auto change) {
    auto data = test::random_texts(300, 8);
    for (std::size_t i = 0; i < data.size(); ++i) change(data.texts[i], data.labels[0].values[i] == 1, i);
    test::tokenise(data, test::word_tokenizer());
    return finding_of(leaks_of(data), "D13");
  };
  CHECK(plant([](std::string&, bool, std::size_t) {}).severity == Severity::ok);
  // One word of the vocabulary only in texts of one class.
  auto const anywhere = plant([](std::string& text, bool positive, std::size_t) {
    while (text.find("waa") != std::string::npos) text.replace(text.find("waa"), 3, "wab");
    if (positive) text = "wac " + text + " wad waa wae";
  });
  CHECK(anywhere.severity == Severity::error);
  CHECK(anywhere.detail.find("waa") != std::string::npos);
  // Words that are in both, but at the first place by class; one in twenty is wrong.
  auto const first = plant([](std::string& text, bool positive, std::size_t i) {
    text = (positive == (i % 20 != 0) ? "wba " : "wbb ") + text + " wba wbb wca";
  });
  CHECK(first.severity == Severity::error);
  CHECK(first.detail.find("the token after [CLS]") != std::string::npos);
  auto const last = plant([](std::string& text, bool positive, std::size_t i) {
    text = "wba wbb " + text + (positive == (i % 10 != 0) ? " wba" : " wbb");
  });
  CHECK(last.severity == Severity::warning);
  CHECK(last.detail.find("before [SEP]") != std::string::npos);
}

TEST_CASE("D13: a place that gives a number away, and a class among three") {
  auto data = test::random_texts(400, 9);
  std::vector<double> topic;
  for (std::size_t i = 0; i < data.size(); ++i) {
    data.texts[i] = std::string("w") + "b" + char('a' + int(data.labels[1].values[i])) + " " + data.texts[i];
    topic.push_back(double(i % 3));
    std::string& text = data.texts[i];
    while (text.find("waf") != std::string::npos) text.replace(text.find("waf"), 3, "wag");
    if (i % 3 == 2) text += " wah waf wai";
  }
  test::tokenise(data, test::word_tokenizer());
  HeadLabels const stars{"star_rating", 0, data.labels[1].values}, three{"topic", 3, topic};
  auto const number = best_giveaway(data, stars);
  CHECK(number.place == 1);
  CHECK(number.share > 0.95);
  auto const one = best_giveaway(data, three);
  CHECK(one.share == Approx(1));
  CHECK(one.of_class == 2);
  CHECK(one.token == *test::word_tokenizer().id("waf"));
  // Every second text is enough.
  CHECK(best_giveaway(data, three, 200).share == Approx(1));
}

TEST_CASE("D13: ids that no vocabulary has take no memory") {
  auto data = test::clean_data(60);
  data.tokens.tokens[3] = 2147483647;
  data.tokens.tokens[9] = -7;
  CHECK(verdict(leaks_of(data), "D13") == "ok");
}

TEST_CASE("a rating that a text states of itself") {
  auto const stated = [](char const* text) { return detail::stated_rating(text).value_or(-1); };
  CHECK(stated("I give it 8/10.") == 8);
  CHECK(stated("8 / 10") == 8);
  CHECK(stated("10 out of 10") == 10);
  CHECK(stated("10 Out Of ten") == 10);
  CHECK(stated("a 4 star film") == 4);
  CHECK(stated("4/5") == 4);
  CHECK(stated("seen 3 times: 7/10") == 7);
  for (char const* none : {"", "on 9/10/2001", "24/7", "8/100", "1/2", "in 1910", "10", "stars", "5/", "2.5/5 of"})
    CHECK(stated(none) == -1);
}

TEST_CASE("D14: texts that state the rating that is to be predicted") {
  auto const with = [](std::size_t every, double off) {
    auto data = test::random_texts(200);
    for (std::size_t i = 0; i < data.size(); i += every)
      data.texts[i] += " " + std::to_string(int(data.labels[1].values[i] + off)) + "/10";
    test::tokenise(data, test::word_tokenizer());
    return verdict(leaks_of(data), "D14");
  };
  CHECK(with(1000, 0) == "ok");
  CHECK(with(20, 0) == "note");
  CHECK(with(2, 0) == "warning");
  CHECK(with(2, 1) == "ok");  // stated, and not the label
}

TEST_CASE("D15, D16, D17: the same text in train and test, with other labels, twice") {
  auto const train = test::clean_data(300, 1), other = test::clean_data(200, 2);
  auto const copy = [](data::Dataset& to, std::size_t row, data::Dataset const& from, std::size_t source) {
    to.texts[row] = from.texts[source];
    to.labels[0].values[row] = from.labels[0].values[source];
    to.labels[1].values[row] = from.labels[1].values[source];
  };
  auto changed = other;
  copy(changed, 9, train, 5);
  changed.texts[9] = "  W" + changed.texts[9].substr(1) + "!!!";  // case, white space and marks do not hide it
  auto found = copies_of(train, &changed);
  CHECK(verdict(found, "D15") == "note");
  CHECK((*finding_of(found, "D15").data)["count"] == 1);
  CHECK(finding_of(found, "D15").detail == train.sources[5] + " and " + changed.sources[9]);
  for (std::size_t i = 0; i < 10; ++i) copy(changed, i, train, i);
  CHECK(verdict(copies_of(train, &changed), "D15") == "warning");
  for (std::size_t i = 0; i < 120; ++i) copy(changed, i, train, i);
  CHECK(verdict(copies_of(train, &changed), "D15") == "error");
  CHECK(verdict(copies_of(train, nullptr), "D15") == "none");

  auto twice = train;
  copy(twice, 100, train, 7);
  found = copies_of(twice, nullptr);
  CHECK(verdict(found, "D17") == "note");
  CHECK(verdict(found, "D16") == "ok");
  twice.labels[0].values[100] = 1 - twice.labels[0].values[100];
  found = copies_of(twice, nullptr);
  CHECK(verdict(found, "D17") == "note");
  CHECK(verdict(found, "D16") == "note");
  for (std::size_t i = 0; i < 20; ++i) copy(twice, 100 + i, train, i);
  found = copies_of(twice, nullptr);
  CHECK(verdict(found, "D17") == "warning");
  CHECK(verdict(found, "D16") == "ok");
  for (std::size_t i = 0; i < 20; ++i) twice.labels[1].values[100 + i] = 11 - twice.labels[1].values[100 + i];
  CHECK(verdict(copies_of(twice, nullptr), "D16") == "warning");
}

TEST_CASE("texts of marks alone are not copies of each other") {
  auto data = test::clean_data(60);
  data.texts[3] = "!!!", data.texts[4] = "???", data.texts[5] = "";
  CHECK(verdict(copies_of(data, nullptr), "D17") == "ok");
  CHECK(detail::text_key("One, two") == detail::text_key(" one\ttwo. "));
  CHECK(detail::text_key("One two") != detail::text_key("onetwo"));
  CHECK(detail::text_key("\xC3\xA9") != detail::text_key("\xC3\xA8"));
}

}  // namespace
