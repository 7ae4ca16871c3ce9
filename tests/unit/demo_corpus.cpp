#include "hone/data/demo_corpus.hpp"
#include "hone/data/demo_grammar.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "support/catch.hpp"
#include "support/error_matcher.hpp"

using hone::data::Dataset;
using hone::data::demo_reviews;
using hone::data::DemoOptions;
using hone::data::Imdb;

namespace {

/// FNV-1a of all sources and texts.
std::uint64_t fingerprint(Imdb const& set) {
  std::uint64_t hash = 14695981039346656037u;
  for (Dataset const* split : {&set.train, &set.test})
    for (std::size_t i = 0; i < split->size(); ++i)
      for (char const c : split->sources[i] + "\n" + split->texts[i] + "\n") {
        hash ^= static_cast<unsigned char>(c);
        hash *= 1099511628211u;
      }
  return hash;
}

}  // namespace

TEST_CASE("the generated reviews are the same on every machine") {
  // A change of the grammar changes these: then the results in docs/results.md that rest on it must be made anew.
  CHECK(fingerprint(demo_reviews({.train_examples = 500, .test_examples = 100})) == 0xcca76dd19d80aad8u);
  CHECK(fingerprint(demo_reviews({.seed = 7, .train_examples = 40, .test_examples = 20})) == 0xbd94c05a5eb12fe7u);
}

TEST_CASE("the generated reviews are unique, balanced, ordered and labelled as their paths say") {
  Imdb const made = demo_reviews();
  CHECK(made.train.size() == 20000);
  CHECK(made.test.size() == 1000);
  CHECK(made.problems.empty());
  std::set<std::string> texts, sources;
  for (auto const* split : {&made.train, &made.test}) {
    std::string const root = split == &made.train ? "demo/train/" : "demo/test/";
    std::map<double, std::size_t> stars;
    auto const& positive = split->label("is_positive").values;
    auto const& rating = split->label("star_rating").values;
    REQUIRE(split->texts.size() == split->size());
    REQUIRE(positive.size() == split->size());
    REQUIRE(rating.size() == split->size());
    CHECK(std::is_sorted(split->sources.begin(), split->sources.end()));
    std::size_t words = 0;
    for (std::size_t i = 0; i < split->size(); ++i) {
      ++stars[rating[i]];
      std::string const& source = split->sources[i];
      std::string const tail = std::string("_").append(std::to_string(static_cast<int>(rating[i]))).append(".txt");
      std::string const folder = root + (rating[i] > 5 ? "pos/" : "neg/");
      bool const good = positive[i] == (rating[i] > 5 ? 1 : 0) && source.rfind(folder, 0) == 0 &&
                        source.size() > tail.size() && source.substr(source.size() - tail.size()) == tail;
      if (!good) FAIL(source);
      std::string const& text = split->texts[i];
      if (text.find('%') != text.npos || text.find("  ") != text.npos || text.size() < 12) FAIL(text);
      for (char const c : text)
        if (c < ' ' || c > '~') FAIL(text);
      words += 1 + static_cast<std::size_t>(std::count(text.begin(), text.end(), ' '));
      texts.insert(text);
      sources.insert(source);
    }
    CHECK(stars.size() == 8);
    for (auto const& [value, count] : stars) CHECK(count == split->size() / 8);
    CHECK(words / split->size() >= 20);
    CHECK(words / split->size() <= 60);
  }
  CHECK(texts.size() == 21000);
  CHECK(sources.size() == 21000);
}

TEST_CASE("the stars follow from the judgements and from what turns them round") {
  // Plain judgements only: the sign of the words decides, so that a positive review has more praise than blame.
  auto count = [](std::string const& text, auto const& words) {
    std::size_t found = 0;
    for (auto const& word : words)
      for (std::size_t at = text.find(word.text); at != text.npos; at = text.find(word.text, at + 1)) ++found;
    return found;
  };
  auto share_read_by_counting = [&](DemoOptions options) {
    options.train_examples = 2;
    options.test_examples = 2000;
    options.misspelled = 0;
    Dataset const made = demo_reviews(options).test;
    double right = 0;
    for (std::size_t i = 0; i < made.size(); ++i) {
      std::size_t const praise = count(made.texts[i], hone::detail::demo_praise);
      std::size_t const blame = count(made.texts[i], hone::detail::demo_blame);
      right += praise == blame ? 0.5 : (praise > blame) == (made.label("is_positive").values[i] == 1);
    }
    return right / static_cast<double>(made.size());
  };
  CHECK(share_read_by_counting({.negated = 0, .contrasted = 0, .hearsay = 0, .digressions = 0}) > 0.9);
  CHECK(share_read_by_counting({.negated = 1, .contrasted = 0, .hearsay = 0, .digressions = 0}) < 0.1);
  double const contrasts = share_read_by_counting({.negated = 0, .contrasted = 1, .hearsay = 0, .digressions = 0});
  CHECK(contrasts > 0.5);
  CHECK(contrasts < 0.8);
  double const usual = share_read_by_counting({});
  CHECK(usual > 0.55);
  CHECK(usual < 0.75);
}

TEST_CASE("the options do what they say") {
  DemoOptions const small{.train_examples = 301, .test_examples = 50};
  auto const text_of = [](Imdb const& set) {
    std::string all;
    for (auto const& text : set.train.texts) all += text + "\n";
    return all;
  };
  std::string const usual = text_of(demo_reviews(small));
  CHECK(usual != text_of(demo_reviews({.seed = 1, .train_examples = 301, .test_examples = 50})));
  auto const positive = demo_reviews(small).train.label("is_positive").values;
  CHECK(std::count(positive.begin(), positive.end(), 1.0) == 151);
  auto without = small;
  without.neutral = 0;
  CHECK(text_of(demo_reviews(without)).find("about two hours") == std::string::npos);
  CHECK(usual.find("about two hours") != std::string::npos);
  without.digressions = 0;
  CHECK(text_of(demo_reviews(without)).find("The popcorn") == std::string::npos);
  without.hearsay = 0;
  CHECK(text_of(demo_reviews(without)).find("trailer") == std::string::npos);

  // A longer set begins with the texts of a shorter one, under the same names.
  Imdb const longer = demo_reviews({.train_examples = 400, .test_examples = 50});
  Imdb const shorter = demo_reviews(small);
  for (std::size_t i = 0; i < shorter.train.size(); ++i) {
    auto const at = std::find(longer.train.sources.begin(), longer.train.sources.end(), shorter.train.sources[i]);
    REQUIRE(at != longer.train.sources.end());
    CHECK(longer.train.texts[static_cast<std::size_t>(at - longer.train.sources.begin())] == shorter.train.texts[i]);
  }

  using hone::test::error_number;
  CHECK(error_number([] { demo_reviews({.train_examples = 1}); }) == 409);
  CHECK(error_number([] { demo_reviews({.test_examples = 0}); }) == 409);
  CHECK(error_number([] { demo_reviews({.negated = 0.6, .contrasted = 0.6}); }) == 409);
  CHECK(error_number([] { demo_reviews({.misspelled = -0.1}); }) == 409);
}

TEST_CASE("articles and capitals are right, and typing errors are as many as asked for") {
  Imdb const clean = demo_reviews({.train_examples = 2000, .test_examples = 2, .misspelled = 0});
  std::size_t changed = 0, words = 0;
  for (auto const& text : clean.train.texts) {
    for (char const vowel : {'a', 'e', 'i', 'o', 'u'})
      if (text.find(std::string(" a ") + vowel) != text.npos || text.find(std::string("A ") + vowel) == 0) FAIL(text);
    for (char const consonant : {'b', 'c', 'd', 'm', 's', 'w'})
      if (text.find(std::string(" an ") + consonant) != text.npos) FAIL(text);
    if (text.front() < 'A' || text.front() > 'Z') FAIL(text);
    words += 1 + static_cast<std::size_t>(std::count(text.begin(), text.end(), ' '));
  }
  std::set<std::string> lexicon;
  auto each_word = [](std::string const& text, auto const& call) {
    std::string word;
    for (char const c : text + " ")
      if (std::isalpha(static_cast<unsigned char>(c)))
        word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      else if (!word.empty())
        call(word), word.clear();
  };
  for (auto const& text : clean.train.texts) each_word(text, [&](std::string const& word) { lexicon.insert(word); });
  CHECK(lexicon.size() > 200);
  CHECK(lexicon.size() < 500);
  words = 0;
  Imdb const noisy = demo_reviews({.seed = 3, .train_examples = 4000, .test_examples = 2, .misspelled = 0.1});
  for (auto const& text : noisy.train.texts)
    each_word(text, [&](std::string const& word) {
      if (word.size() < 4) return;
      ++words;
      changed += lexicon.count(word) == 0;
    });
  double const share = static_cast<double>(changed) / static_cast<double>(words);
  CHECK(share > 0.08);
  CHECK(share < 0.12);
}
