// Learning a WordPiece vocabulary, and the trie that looks pieces up.
#include "hone/text/wordpiece_trainer.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "hone/text/tokenizer.hpp"
#include "hone/text/trie.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"

using hone::train_wordpiece;
using hone::test::error_number;
using Strings = std::vector<std::string>;

namespace {

std::vector<std::string> corpus(int count) {
  Strings const words{"good",    "goods", "goodness", "bad",       "badly",     "film", "films",
                      "filming", "watch", "watching", "unwatched", "Caf\u00e9", "7"};
  std::mt19937 random(3);
  Strings texts;
  for (int i = 0; i < count; ++i) {
    std::string text;
    for (int k = 0; k < 20; ++k) text += words[random() % words.size()] + (random() % 5 == 0 ? ", " : " ");
    texts.push_back(text + "!");
  }
  return texts;
}

}  // namespace

TEST_CASE("the first merges by hand") {
  // ab 3 times, abc twice: a##b occurs 5 times, then ab##c twice; d once is too rare to be joined to anything.
  Strings const texts{"ab ab ab abc abc de"};
  CHECK(train_wordpiece(texts, {.vocabulary_size = 100}) ==
        Strings{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "##b", "##c", "##e", "a", "d", "ab", "abc"});
  CHECK(train_wordpiece(texts, {.vocabulary_size = 100, .min_frequency = 1}).back() == "de");
  CHECK(train_wordpiece(texts, {.vocabulary_size = 100, .min_frequency = 3}).back() == "ab");
  CHECK(train_wordpiece(texts, {.vocabulary_size = 100, .special_tokens = {"[UNK]"}}).front() == "[UNK]");
  // aaaa: the pair occurs at three places but can be joined at two; overlapping pairs are counted anew after each merge.
  CHECK(train_wordpiece(Strings{"aaaa aaaa"}, {.vocabulary_size = 100, .special_tokens = {}}) ==
        Strings{"##a", "a", "##aa", "aaa", "aaaa"});
}

TEST_CASE("words are cut as the tokenizer cuts them") {
  auto const vocabulary =
      train_wordpiece(Strings{"Caf\u00e9! CAFE cafe, \u4e2d\u4e2d"}, {.vocabulary_size = 100, .min_frequency = 1});
  std::set<std::string> const all(vocabulary.begin(), vocabulary.end());
  CHECK(all.count("cafe") == 1);
  CHECK(all.count("!") == 1);
  CHECK(all.count("\u4e2d") == 1);
  CHECK(all.count("##\u4e2d") == 0);
  CHECK(all.count("##!") == 0);
  auto const cased = train_wordpiece(Strings{"Caf\u00e9 Caf\u00e9"}, {.vocabulary_size = 100, .lowercase = false});
  CHECK(cased.back() == "Caf\u00e9");
}

TEST_CASE("a learned vocabulary spells its corpus") {
  auto const texts = corpus(300);
  auto const vocabulary = train_wordpiece(texts, {.vocabulary_size = 60});
  CHECK(vocabulary.size() == 60);
  CHECK(std::set<std::string>(vocabulary.begin(), vocabulary.end()).size() == vocabulary.size());
  CHECK(Strings(vocabulary.begin(), vocabulary.begin() + 5) == Strings{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"});
  auto const tokenizer = hone::Tokenizer::from_tokens(vocabulary, {.lowercase = true});
  std::size_t tokens = 0, characters = 0;
  for (auto const& text : texts) {
    auto const ids = tokenizer.encode(text);
    CHECK(std::count(ids.begin(), ids.end(), tokenizer.unk_id()) == 0);
    tokens += ids.size() - 2;
    characters += static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return c != ' '; }));
  }
  CHECK(tokens * 2 < characters);  // pieces, not letters
}

TEST_CASE("the order of the texts does not matter") {
  auto texts = corpus(200);
  auto const first = train_wordpiece(texts, {.vocabulary_size = 80});
  std::reverse(texts.begin(), texts.end());
  CHECK(train_wordpiece(texts, {.vocabulary_size = 80}) == first);
}

TEST_CASE("few places: the rarest characters are left out") {
  Strings const texts{"aaaa aaaa bbb cc d"};
  auto const vocabulary = train_wordpiece(texts, {.vocabulary_size = 9});
  CHECK(vocabulary.size() <= 9);
  CHECK(std::count(vocabulary.begin(), vocabulary.end(), "a") == 1);
  CHECK(std::count(vocabulary.begin(), vocabulary.end(), "d") == 0);
  auto const small = train_wordpiece(texts, {.vocabulary_size = 100, .alphabet_size = 1});
  CHECK(std::count(small.begin(), small.end(), "b") == 0);
}

TEST_CASE("nothing to learn from") {
  CHECK(error_number([] { train_wordpiece({}, {}); }) == 315);
  CHECK(error_number([] { train_wordpiece(Strings{"", " \n"}, {}); }) == 315);
  CHECK(error_number([] { train_wordpiece(Strings{"a"}, {.vocabulary_size = 5}); }) == 315);
  CHECK(error_number([] { train_wordpiece(Strings{"a"}, {.vocabulary_size = -1}); }) == 315);
  CHECK(error_number([] { train_wordpiece(Strings{"a", "\xff"}, {}); }) == 301);
}

TEST_CASE("the trie finds what a map finds") {
  std::mt19937 random(5);
  for (int round = 0; round < 20; ++round) {
    std::map<std::string, std::int32_t> map;
    std::vector<std::string> strings;
    int const alphabet = round % 2 == 0 ? 3 : 256;
    for (int i = 0; i < 500; ++i) {
      std::string text(1 + random() % 6, ' ');
      for (char& c : text) c = static_cast<char>(static_cast<unsigned char>(random() % static_cast<unsigned>(alphabet)));
      strings.push_back(text);
    }
    std::vector<std::pair<std::string_view, std::int32_t>> entries;
    for (std::size_t i = 0; i < strings.size(); ++i) {
      entries.emplace_back(strings[i], static_cast<std::int32_t>(i));
      map[strings[i]] = static_cast<std::int32_t>(i);
    }
    hone::detail::ByteTrie const trie(entries);
    for (auto const& [text, value] : map) CHECK(trie.find(text) == value);
    for (int i = 0; i < 500; ++i) {
      std::string text(random() % 8, ' ');
      for (char& c : text) c = static_cast<char>(static_cast<unsigned char>(random() % static_cast<unsigned>(alphabet)));
      auto const found = map.find(text);
      CHECK(trie.find(text) == (found == map.end() ? -1 : found->second));
      std::size_t longest = 0;
      for (std::size_t size = 1; size <= text.size(); ++size) longest = map.count(text.substr(0, size)) > 0 ? size : longest;
      auto const prefix = trie.longest_prefix(text);
      CHECK((prefix ? prefix->second : 0) == longest);
    }
  }
  CHECK(hone::detail::ByteTrie().find("a") == -1);
  CHECK(hone::detail::ByteTrie({{"", 3}}).find("") == -1);
}
