#include "hone/data/bag_of_words.hpp"

#include <map>
#include <string>

#include "hone/data/demo_corpus.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"

using hone::data::bag_of_words_accuracy;
using hone::data::Dataset;

namespace {

/// One example of the given tokens.
void add(Dataset& set, std::vector<std::int32_t> const& tokens, double label) {
  if (set.labels.empty()) set.labels = {{"is_positive", {}}};
  set.sources.push_back(std::to_string(set.size()));
  set.texts.emplace_back();
  set.tokens.push_back(tokens);
  set.labels[0].values.push_back(label);
}

/// Token ids by white space, as many words as there are.
void tokenise(Dataset& set, std::map<std::string, std::int32_t>& vocabulary) {
  for (auto const& text : set.texts) {
    std::vector<std::int32_t> ids;
    std::string word;
    for (char const c : text + " ")
      if (c != ' ' && c != '.' && c != ',' && c != '!') {
        word += c;
      } else if (!word.empty()) {
        ids.push_back(vocabulary.try_emplace(word, static_cast<std::int32_t>(vocabulary.size())).first->second);
        word.clear();
      }
    set.tokens.push_back(ids);
  }
}

}  // namespace

TEST_CASE("the baseline learns what single words tell, and nothing from their order") {
  hone::PhiloxStream random(1, 2);
  Dataset train, test, order_train, order_test;
  for (int i = 0; i < 1200; ++i) {
    bool const label = random.below(2) == 1;
    std::vector<std::int32_t> tokens;
    for (int k = 0; k < 20; ++k) tokens.push_back(static_cast<std::int32_t>(10 + random.below(200)));
    add(i < 800 ? order_train : order_test, {label ? 1 : 2, label ? 2 : 1, tokens[0], tokens[1]}, label);
    tokens[random.below(20)] = label ? 3 : 4;  // one telling word among twenty
    add(i < 800 ? train : test, tokens, label);
  }
  CHECK(bag_of_words_accuracy(train, test) == 1.0);
  double const from_order = bag_of_words_accuracy(order_train, order_test);
  CHECK(from_order > 0.42);
  CHECK(from_order < 0.58);
}

TEST_CASE("the baseline finds the better of two words that disagree") {
  // Word 1 is right 9 times in 10, word 2 says the opposite of the label 7 times in 10: the best rule is right 90 %.
  hone::PhiloxStream random(5, 0);
  Dataset train, test;
  for (int i = 0; i < 6000; ++i) {
    bool const label = random.below(2) == 1;
    std::int32_t const first = (random.below(10) < 9) == label ? 1 : 2, second = (random.below(10) < 3) == label ? 3 : 4;
    add(i < 4000 ? train : test, {first, second, static_cast<std::int32_t>(5 + random.below(50))}, label);
  }
  double const accuracy = bag_of_words_accuracy(train, test);
  CHECK(accuracy > 0.88);
  CHECK(accuracy < 0.92);
}

TEST_CASE("probabilities are calibrated where words are the whole truth") {
  hone::PhiloxStream random(8, 0);
  std::vector<std::vector<std::int32_t>> texts;
  std::vector<double> labels;
  std::vector<std::size_t> rows;
  for (std::size_t i = 0; i < 20000; ++i) {
    texts.push_back({static_cast<std::int32_t>(random.below(3))});
    labels.push_back(random.below(10) < std::array<std::uint64_t, 3>{2, 5, 9}[static_cast<std::size_t>(texts.back()[0])]);
    rows.push_back(i);
  }
  hone::data::BagOfWords model(3);
  model.fit(texts, labels, rows, 0, {});
  CHECK(model.probability(std::vector<std::int32_t>{0}) == Approx(0.2).margin(0.03));
  CHECK(model.probability(std::vector<std::int32_t>{1}) == Approx(0.5).margin(0.03));
  CHECK(model.probability(std::vector<std::int32_t>{2}) == Approx(0.9).margin(0.03));
  CHECK(model.probability(std::vector<std::int32_t>{77}) > 0);  // unknown: the bias alone

  // A penalty pulls towards what the words have in common.
  double const free = model.probability(std::vector<std::int32_t>{2}) - model.probability(std::vector<std::int32_t>{0});
  model.fit(texts, labels, rows, 0.1, {});
  double const pulled = model.probability(std::vector<std::int32_t>{2}) - model.probability(std::vector<std::int32_t>{0});
  CHECK(pulled > 0);
  CHECK(pulled < 0.8 * free);
}

TEST_CASE("the baseline does not read the generated reviews") {
  auto made = hone::data::demo_reviews({.train_examples = 6000, .test_examples = 2000});
  std::map<std::string, std::int32_t> vocabulary;
  for (Dataset* split : {&made.train, &made.test}) tokenise(*split, vocabulary);
  double const accuracy = bag_of_words_accuracy(made.train, made.test);
  CHECK(accuracy > 0.6);
  CHECK(accuracy < 0.75);
  CHECK(bag_of_words_accuracy(made.train, made.test) == accuracy);  // the same every time

  auto plain = hone::data::demo_reviews(
      {.train_examples = 6000, .test_examples = 2000, .negated = 0, .contrasted = 0, .hearsay = 0, .digressions = 0});
  for (Dataset* split : {&plain.train, &plain.test}) tokenise(*split, vocabulary);
  CHECK(bag_of_words_accuracy(plain.train, plain.test) > 0.93);  // where words are enough it reads them
}

TEST_CASE("what cannot be trained on is refused") {
  using hone::test::error_number;
  Dataset set;
  for (int i = 0; i < 20; ++i) add(set, {i % 3}, i % 2);
  CHECK(error_number([&] { bag_of_words_accuracy(set, set, "stars"); }) == 401);
  Dataset untokenised = set;
  untokenised.tokens = {};
  CHECK(error_number([&] { bag_of_words_accuracy(untokenised, set); }) == 410);
  CHECK(error_number([&] { bag_of_words_accuracy(set, Dataset{}); }) == 410);
  CHECK(bag_of_words_accuracy(set, set) >= 0.5);
}
