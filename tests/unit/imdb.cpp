#include "hone/data/imdb.hpp"

#include <cmath>
#include <set>

#include "support/archives.hpp"
#include "support/catch.hpp"
#include "support/shared_data.hpp"
#include "support/temporary_folder.hpp"

namespace fs = std::filesystem;
using hone::data::Imdb;
using hone::data::ImdbOptions;
using hone::data::read_imdb;
using hone::test::ArchiveEntry;
using hone::test::Packing;
using hone::test::TemporaryFolder;
using hone::test::write_archive;
using hone::test::write_file;

namespace {

std::vector<ArchiveEntry> small_set(std::string const& root) {
  return {{root + "test/pos/0_10.txt", "a test, very good"},  {root + "train/neg/2_1.txt", "second bad"},
          {root + "train/pos/1_7.txt", "good"},               {root + "train/neg/10_4.txt", "third bad"},
          {root + "test/neg/0_2.txt", "a test, bad"},         {root + "train/unsup/0_0.txt", "unlabelled"},
          {root + "README", "about"},                         {root + "train/labeledBow.feat", "9 0:9"},
          {root + "train/pos/._1_7.txt", "not a review"},     {root + "train/pos/.DS_Store", ""}};
}

void write_folder(fs::path const& folder, std::vector<ArchiveEntry> const& entries) {
  for (auto const& entry : entries) write_file(folder / entry.name, entry.content);
}

hone::Error error_of(fs::path const& path, ImdbOptions const& options = {}) {
  try {
    read_imdb(path, options);
  } catch (hone::Error const& error) {
    return error;
  }
  FAIL("no error");
  throw std::logic_error("not reached");
}

std::vector<std::string> files_of(std::vector<hone::data::Problem> const& problems) {
  std::vector<std::string> files;
  for (auto const& problem : problems) files.push_back(problem.file);
  return files;
}

/// Many reviews, `positive` and `negative` in each half.
void write_many(fs::path const& folder, int positive, int negative) {
  for (std::string const split : {"train", "test"}) {
    for (int i = 0; i < positive; ++i)
      write_file(folder / split / "pos" / (std::to_string(i) + "_8.txt"), "good " + std::to_string(i));
    for (int i = 0; i < negative; ++i)
      write_file(folder / split / "neg" / (std::to_string(i) + "_3.txt"), "bad " + std::to_string(i));
  }
}

}  // namespace

TEST_CASE("folder and archives give the same data, ordered by path") {
  TemporaryFolder temporary;
  write_folder(temporary / "data/aclImdb", small_set(""));
  write_archive(temporary / "aclImdb.tar.gz", small_set("aclImdb/"), Packing::tar_gz);
  write_archive(temporary / "dotted.tar", small_set("./aclImdb/"), Packing::tar);
  write_archive(temporary / "aclImdb.zip", small_set("aclImdb/"), Packing::zip);
  for (fs::path const& path : {temporary / "data/aclImdb", temporary / "data", temporary / "data/aclImdb/.",
                               temporary / "aclImdb.tar.gz", temporary / "dotted.tar", temporary / "aclImdb.zip"}) {
    INFO(path);
    Imdb const read = read_imdb(path);
    CHECK(read.train.sources == std::vector<std::string>{"aclImdb/train/neg/10_4.txt", "aclImdb/train/neg/2_1.txt",
                                                         "aclImdb/train/pos/1_7.txt"});
    CHECK(read.train.texts == std::vector<std::string>{"third bad", "second bad", "good"});
    CHECK(read.train.label("is_positive").values == std::vector<double>{0, 0, 1});
    CHECK(read.train.label("star_rating").values == std::vector<double>{4, 1, 7});
    CHECK(read.test.sources == std::vector<std::string>{"aclImdb/test/neg/0_2.txt", "aclImdb/test/pos/0_10.txt"});
    CHECK(read.test.label("star_rating").values == std::vector<double>{2, 10});
    CHECK(read.problems.empty());
  }
  write_archive(temporary / "bare.tar.gz", small_set(""), Packing::tar_gz);
  CHECK(read_imdb(temporary / "bare.tar.gz").train.sources[0] == "train/neg/10_4.txt");
  write_archive(temporary / "deep.tar.gz", small_set("a/train/pos/b/"), Packing::tar_gz);
  CHECK(read_imdb(temporary / "deep.tar.gz").train.sources[0] == "a/train/pos/b/train/neg/10_4.txt");
}

TEST_CASE("a review that has no label or no text is an error that names the file") {
  struct Case {
    std::string name, content;
    int number;
    std::string value;
  };
  for (auto const& [name, content, number, value] : std::vector<Case>{
           {"train/pos/5.txt", "text", 402, ""},
           {"train/pos/5_.txt", "text", 402, ""},
           {"train/pos/5_x.txt", "text", 402, "x"},
           {"train/pos/5_-3.txt", "text", 402, "-3"},
           {"test/neg/5_3.5.txt", "text", 402, "3.5"},
           {"test/neg/5_3 .txt", "text", 402, "3 "},
           {"test/neg/5_0.txt", "text", 403, "0"},
           {"train/pos/5_11.txt", "text", 403, "11"},
           {"train/pos/5_99999999999999999999999.txt", "text", 403, "99999999999999999999999"},
           {"train/pos/5_07.txt", "text", 403, "07"},
           {"train/pos/5_8.txt", "", 404, "0 bytes without a letter"},
           {"test/neg/5_2.txt", " \t\r\n\xC2\xA0\xEF\xBB\xBF", 404, "9 bytes without a letter"}}) {
    INFO(name);
    TemporaryFolder temporary;
    auto entries = small_set("");
    entries.push_back({name, content});
    write_folder(temporary / "set", entries);
    hone::Error const error = error_of(temporary / "set");
    CHECK(error.number() == number);
    CHECK(error.where().file == (temporary / "set" / name).string());
    CHECK(error.where().value == value);
    for (auto& entry : entries) entry.name = "root/" + entry.name;
    write_archive(temporary / "set.zip", entries, Packing::zip);
    CHECK(error_of(temporary / "set.zip").where().file == (temporary / "set.zip").string() + ": root/" + name);
  }
  TemporaryFolder temporary;
  auto entries = small_set("");
  for (std::string const name : {"train/pos/9.txt", "train/neg/8.txt", "test/pos/7.txt"}) entries.push_back({name, "x"});
  write_folder(temporary / "set", entries);
  CHECK(error_of(temporary / "set").where().file == (temporary / "set/test/pos/7.txt").string());  // first by path
  CHECK(std::string(error_of(temporary / "set").what()).find("the first of 3") != std::string::npos);
}

TEST_CASE("what can be kept is kept and reported") {
  TemporaryFolder temporary;
  auto entries = small_set("r/");
  entries.push_back({"r/train/pos/3_5.txt", "contradicts"});
  entries.push_back({"r/train/neg/4_6.txt", "contradicts"});
  entries.push_back({"r/train/neg/5_3.txt", "caf\xE9 noir"});
  entries.push_back({"r/train/neg/6_3.md", "no review"});
  entries.push_back({"r/train/neg/2_1.txt", "second bad, again"});
  entries.push_back({"r/train/neg/7_1.txt", "", AE_IFLNK, "2_1.txt"});
  write_archive(temporary / "set.tar.gz", entries, Packing::tar_gz);
  Imdb const read = read_imdb(temporary / "set.tar.gz");
  CHECK(files_of(read.problems) ==
        std::vector<std::string>{"r/train/neg/2_1.txt", "r/train/neg/4_6.txt", "r/train/neg/5_3.txt", "r/train/neg/6_3.md",
                                 "r/train/neg/7_1.txt", "r/train/pos/3_5.txt"});
  CHECK(read.train.size() == 6);
  CHECK(read.train.texts[1] == "second bad, again");
  CHECK(read.train.texts[3] == "caf\xEF\xBF\xBD noir");
  CHECK(read.train.label("is_positive").values == std::vector<double>{0, 0, 0, 0, 1, 1});
  CHECK(read.train.label("star_rating").values == std::vector<double>{4, 1, 6, 3, 7, 5});
}

TEST_CASE("text that is not UTF-8 is mended as Unicode recommends") {
  auto mended = [](std::string text) {
    std::size_t const places = hone::detail::mend_utf8(text);
    std::size_t found = 0;
    for (std::size_t i = text.find("\xEF\xBF\xBD"); i != text.npos; i = text.find("\xEF\xBF\xBD", i + 3)) ++found;
    CHECK(places == found);
    for (std::size_t i = 0; (i = text.find("\xEF\xBF\xBD")) != text.npos;) text.replace(i, 3, 1, '?');
    return text;
  };
  std::string const good =
      "a \xC3\xA9 \xE2\x82\xAC \xED\x9F\xBF \xEE\x80\x80 \xF0\x9F\x98\x80 \xF4\x8F\xBF\xBF" + std::string(1, '\0');
  CHECK(mended(good) == good);
  CHECK(mended("\x80") == "?");
  CHECK(mended("\xC3") == "?");
  CHECK(mended("\xC0\xAF") == "??");              // overlong
  CHECK(mended("\xE0\x80\xAF") == "???");         // overlong
  CHECK(mended("\xED\xA0\x80") == "???");         // surrogate
  CHECK(mended("\xF4\x91\x92\x93") == "????");    // above U+10FFFF
  CHECK(mended("\xF5\x80") == "??");
  CHECK(mended("\xE2\x82") == "?");               // cut off
  CHECK(mended("\xF0\x9F\x98 x") == "? x");
  CHECK(mended("a\x80" "b\xE1\x80\xE2\xF0\x91\x92\xF1\xBF" "c") == "a?b????c");  // bytes of the standard's table 3-11
}

TEST_CASE("other shapes are refused with what was found") {
  TemporaryFolder temporary;
  write_folder(temporary / "both/one", small_set(""));
  write_folder(temporary / "both/two", small_set(""));
  hone::Error error = error_of(temporary / "both");
  CHECK(error.number() == 406);
  CHECK(error.where().value == "one, two");

  error = error_of(temporary / "both/one/train");
  CHECK(error.number() == 405);
  CHECK(error.where().value.find("pos/") != std::string::npos);

  fs::remove_all(temporary / "both/one/test");
  error = error_of(temporary / "both/one");
  CHECK(error.number() == 405);
  CHECK(std::string(error.what()).find("test/{pos,neg}") != std::string::npos);
  CHECK(error.where().value.find("train/unsup/") != std::string::npos);

  fs::remove_all(temporary / "both/two/train/pos");
  CHECK(error_of(temporary / "both/two").number() == 407);
  CHECK(error_of(temporary / "missing").number() == 281);
  CHECK(error_of(temporary / "both/two/README").number() == 282);

  write_many(temporary / "one-sided", 3, 3);
  fs::remove_all(temporary / "one-sided/test/neg");
  CHECK(files_of(read_imdb(temporary / "one-sided").problems) == std::vector<std::string>{"test/"});
}

TEST_CASE("a subset is random, repeatable and balanced") {
  TemporaryFolder temporary;
  write_many(temporary / "set", 60, 40);
  auto positives = [](hone::data::Dataset const& set) {
    auto const& values = set.label("is_positive").values;
    return std::count(values.begin(), values.end(), 1.0);
  };
  Imdb const all = read_imdb(temporary / "set");
  CHECK(all.train.size() == 100);
  Imdb const some = read_imdb(temporary / "set", {.train_examples = 31, .test_examples = 20, .seed = 5});
  CHECK(some.train.size() == 31);
  CHECK(positives(some.train) == 16);
  CHECK(some.test.size() == 20);
  CHECK(positives(some.test) == 10);
  CHECK(std::is_sorted(some.train.sources.begin(), some.train.sources.end()));
  CHECK(std::adjacent_find(some.train.sources.begin(), some.train.sources.end()) == some.train.sources.end());
  for (std::size_t i = 0; i < some.train.size(); ++i) {  // rows stay together
    bool const positive = some.train.label("is_positive").values[i] == 1;
    CHECK(some.train.sources[i].find(positive ? "/pos/" : "/neg/") != std::string::npos);
    CHECK(some.train.texts[i].substr(0, 3) == (positive ? "goo" : "bad"));
  }
  CHECK(read_imdb(temporary / "set", {.train_examples = 31, .seed = 5}).train.sources == some.train.sources);
  CHECK(read_imdb(temporary / "set", {.train_examples = 31, .seed = 6}).train.sources != some.train.sources);
  CHECK(read_imdb(temporary / "set", {.train_examples = 90, .seed = 5}).train.size() == 90);
  CHECK(positives(read_imdb(temporary / "set", {.train_examples = 90, .seed = 5}).train) == 50);  // all 40 negative ones
  CHECK(read_imdb(temporary / "set", {.train_examples = 1000}).train.sources == all.train.sources);

  std::vector<std::size_t> chosen(all.test.size());  // every review can be chosen, about equally often
  for (std::uint64_t seed = 0; seed < 400; ++seed)
    for (std::size_t const row : hone::detail::balanced_subset(all.test.label("is_positive").values, 20, seed,
                                                               hone::detail::test_subset_stream))
      ++chosen[row];
  for (std::size_t row = 0; row < chosen.size(); ++row) {
    double const expected = 400.0 * 10 / (row < 40 ? 40 : 60);
    CHECK(std::abs(static_cast<double>(chosen[row]) - expected) < 5 * std::sqrt(expected));
  }
}

TEST_CASE("imdb tokenises both sets") {
  struct CountingTokenizer {  // one token a character, cut
    hone::RaggedTokens encode_batch(std::span<std::string const> texts, std::int64_t max_length, hone::ThreadPool&) const {
      hone::RaggedTokens tokens;
      for (auto const& text : texts) {
        std::vector<std::int32_t> const ids(text.begin(), text.begin() + std::min<std::int64_t>(max_length, text.size()));
        tokens.push_back(ids);
      }
      return tokens;
    }
  };
  TemporaryFolder temporary;
  write_folder(temporary / "set", small_set(""));
  hone::ThreadPool pool(2);
  Imdb const read = hone::data::imdb(temporary / "set", CountingTokenizer{}, {.max_length = 6}, pool);
  CHECK(read.train.tokens.size() == 3);
  CHECK(read.train.tokens.offsets == std::vector<std::int64_t>{0, 6, 12, 16});
  CHECK(read.test.tokens.size() == 2);
}

TEST_CASE("the real data set has the facts that are known of it") {
  fs::path const data = hone::test::shared_data();
  if (data.empty()) HONE_SKIP("no shared data");
  Imdb const read = read_imdb(data / "imdb/aclImdb-labelled.tar.gz");
  CHECK(read.problems.empty());
  auto distinct = [](std::vector<std::string> const& texts) { return std::set<std::string>(texts.begin(), texts.end()); };
  std::size_t shortest = SIZE_MAX, longest = 0, bytes = 0;
  for (auto const* split : {&read.train, &read.test}) {
    CHECK(split->size() == 25000);
    auto const& positive = split->label("is_positive").values;
    auto const& stars = split->label("star_rating").values;
    CHECK(std::count(positive.begin(), positive.end(), 1.0) == 12500);
    for (std::size_t i = 0; i < split->size(); ++i) {
      if (positive[i] == 1 ? stars[i] < 7 : stars[i] > 4) FAIL(split->sources[i]);
      shortest = std::min(shortest, split->texts[i].size());
      longest = std::max(longest, split->texts[i].size());
      bytes += split->texts[i].size();
    }
    CHECK(std::is_sorted(split->sources.begin(), split->sources.end()));
  }
  CHECK(shortest == 32);
  CHECK(longest == 13704);
  CHECK(bytes / 1000000 == 65);
  auto const train = distinct(read.train.texts), test = distinct(read.test.texts);
  CHECK(train.size() == 24904);
  CHECK(test.size() == 24801);
  CHECK(std::count_if(test.begin(), test.end(), [&](std::string const& text) { return train.count(text) > 0; }) == 123);
  CHECK(read.train.sources.front() == "aclImdb/train/neg/0_3.txt");

  Imdb const half = read_imdb(data / "imdb/imdb-5k.tar.gz", {.test_examples = 1000, .seed = 1});
  CHECK(half.train.size() == 5000);
  CHECK(half.test.size() == 1000);
}
