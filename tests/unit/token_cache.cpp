// The token cache: right or not used, whatever is done to it.
#include "hone/core/xxh64.hpp"
#include "hone/data/imdb.hpp"
#include "hone/text/tokenizer.hpp"

#include "support/archives.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <new>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {
std::atomic<std::size_t> largest_allocation{0};
}

// Not inlined: the compiler would see malloc and free where it expects new and delete, and warn.
[[gnu::noinline]] void* operator new(std::size_t size) {
  std::size_t seen = largest_allocation.load();
  while (seen < size && !largest_allocation.compare_exchange_weak(seen, size)) {}
  if (void* const memory = std::malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t size, std::nothrow_t const&) noexcept {
  return std::malloc(size ? size : 1);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

namespace fs = std::filesystem;
using namespace hone;
using data::Imdb;
using data::TokenCache;
using hone::test::read_file;
using hone::test::write_file;

std::vector<hone::test::ArchiveEntry> reviews() {
  std::vector<hone::test::ArchiveEntry> all;
  for (char const* split : {"train", "test"})
    for (char const* group : {"pos", "neg"})
      for (int i = 0; i < 3; ++i)
        all.push_back({std::string("aclImdb/") + split + "/" + group + "/" + std::to_string(i) +
                           (group[0] == 'p' ? "_8.txt" : "_3.txt"),
                       std::string("A ") + (group[0] == 'p' ? "good" : "bad") + " film, number " + std::to_string(i) +
                           (i == 2 ? " \xff and caf\xc3\xa9" : "!")});
  return all;
}

data::TokenCacheLimits everything() {
  data::TokenCacheLimits limits;
  limits.least = 0;
  limits.settled = 0;
  return limits;
}

Tokenizer tokenizer(TokenizerOptions const& options = {}) {
  return Tokenizer::from_tokens(
      {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "A", "good", "bad", "film", ",", "num", "##ber", "0", "1", "!"}, options);
}

bool same(data::Dataset const& a, data::Dataset const& b) {
  bool labels = a.labels.size() == b.labels.size();
  for (std::size_t k = 0; labels && k < a.labels.size(); ++k)
    labels = a.labels[k].name == b.labels[k].name && a.labels[k].values == b.labels[k].values;
  return labels && a.sources == b.sources && a.texts == b.texts && a.tokens.tokens == b.tokens.tokens &&
         a.tokens.offsets == b.tokens.offsets;
}
bool same(Imdb const& a, Imdb const& b) {
  auto const same_problem = [](data::Problem const& p, data::Problem const& q) {
    return p.file == q.file && p.reason == q.reason;
  };
  return same(a.train, b.train) && same(a.test, b.test) &&
         std::equal(a.problems.begin(), a.problems.end(), b.problems.begin(), b.problems.end(), same_problem);
}

/// An archive of a few reviews, and a place for caches.
struct Shop {
  test::TemporaryFolder folder;
  fs::path archive = folder / "aclImdb.tar.gz", caches = folder / "caches";
  ThreadPool pool{2};
  Tokenizer words = tokenizer();
  data::ImdbOptions options{};

  Shop() { test::write_archive(archive, reviews(), test::Packing::tar_gz); }

  Imdb plain() { return data::imdb(archive, words, options, pool); }
  Imdb cached(TokenCache& cache) { return data::imdb(archive, words, options, pool, cache); }
  TokenCache cache() { return TokenCache(caches, everything()); }

  /// The one file of the cache.
  fs::path file() const {
    std::vector<fs::path> files;
    for (auto const& entry : fs::directory_iterator(caches)) files.push_back(entry.path());
    REQUIRE(files.size() == 1);
    return files.front();
  }

  /// Reads with what is there: right in any case, and read anew.
  void check_refused(std::string const& number) {
    auto after = cache();
    CHECK(same(cached(after), plain()));
    CHECK_FALSE(after.was_read());
    CHECK(after.was_written());
    REQUIRE(after.notes().size() == 1);
    CHECK(after.notes()[0].find("[hone-E" + number + "]") == 0);
    auto again = cache();
    CHECK(same(cached(again), plain()));
    CHECK(again.was_read());
  }
};

/// Puts the checksums right after its bytes were changed.
void sign(std::string& bytes) {
  detail::TokenCacheHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  header.checksum = header.sum();
  std::memcpy(bytes.data(), &header, sizeof header);
  detail::Xxh64 sum;
  sum.add(bytes.data(), bytes.size() - 8);
  std::uint64_t const value = sum.value();
  std::memcpy(bytes.data() + bytes.size() - 8, &value, 8);
}

}  // namespace

TEST_CASE("what comes from the cache is what was read") {
  Shop shop;
  shop.options.max_length = GENERATE(0, 6);
  Imdb const plain = shop.plain();
  REQUIRE(plain.problems.size() == 4);
  auto first = shop.cache();
  CHECK(same(shop.cached(first), plain));
  CHECK(first.was_written());
  CHECK_FALSE(first.was_read());
  auto second = shop.cache();
  CHECK(same(shop.cached(second), plain));
  CHECK(second.was_read());
  CHECK_FALSE(second.was_written());
  CHECK(second.notes().empty());
  CHECK(second.file() == shop.file());
}

TEST_CASE("a subset comes from the cache of the whole") {
  Shop shop;
  auto first = shop.cache();
  shop.options.train_examples = 2;
  CHECK(same(shop.cached(first), shop.plain()));
  for (std::uint64_t seed : {0, 1, 2}) {
    shop.options.seed = seed;
    shop.options.test_examples = 3 + seed;
    auto next = shop.cache();
    CHECK(same(shop.cached(next), shop.plain()));
    CHECK(next.was_read());
  }
}

TEST_CASE("without a folder nothing is kept") {
  Shop shop;
  TokenCache off;
  CHECK_FALSE(off.is_on());
  CHECK(same(shop.cached(off), shop.plain()));
  CHECK_FALSE(off.was_written());
}

TEST_CASE("too small and too large data are not kept") {
  Shop shop;
  TokenCache usual(shop.caches);
  CHECK(same(shop.cached(usual), shop.plain()));
  CHECK_FALSE(usual.was_written());
  auto limits = everything();
  limits.most = 10;
  TokenCache tight(shop.caches, limits);
  shop.options.train_examples = 2;
  CHECK(same(shop.cached(tight), shop.plain()));
  CHECK_FALSE(tight.was_written());
  CHECK_FALSE(fs::exists(shop.caches));
}

TEST_CASE("a cache that is cut off anywhere is refused") {
  Shop shop;
  auto first = shop.cache();
  auto const plain = shop.cached(first);
  fs::path const file = shop.file();
  std::string const bytes = read_file(file);
  auto const key = first.key(shop.archive, shop.words.fingerprint(), shop.options.max_length, detail::is_review);
  REQUIRE(key);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    write_file(file, bytes.substr(0, size));
    auto cache = shop.cache();
    CHECK_FALSE(cache.load(*key, shop.words.vocabulary_size()));
    REQUIRE(cache.notes().size() == 1);
    CHECK(cache.notes()[0].find("[hone-E440]") == 0);
  }
  write_file(file, bytes.substr(0, bytes.size() / 2));
  shop.check_refused("440");
  write_file(file, bytes + '\0');
  shop.check_refused("440");
}

TEST_CASE("a cache with any changed byte is refused") {
  Shop shop;
  auto first = shop.cache();
  auto const plain = shop.cached(first);
  fs::path const file = shop.file();
  std::string const bytes = read_file(file);
  auto const key = first.key(shop.archive, shop.words.fingerprint(), shop.options.max_length, detail::is_review);
  REQUIRE(key);
  for (int const change : {1, 128, 255})
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      std::string other = bytes;
      other[i] = static_cast<char>(other[i] ^ change);
      write_file(file, other);
      auto cache = shop.cache();
      CHECK_FALSE(cache.load(*key, shop.words.vocabulary_size()));
      REQUIRE(cache.notes().size() == 1);
      CHECK(cache.notes()[0].find("[hone-E44") == 0);
    }
  shop.check_refused("440");
}

TEST_CASE("a cache that lies and is signed is bounded by its size") {
  Shop shop;
  auto first = shop.cache();
  auto const plain = shop.cached(first);
  fs::path const file = shop.file();
  std::string const bytes = read_file(file);
  auto const key = first.key(shop.archive, shop.words.fingerprint(), shop.options.max_length, detail::is_review);
  REQUIRE(key);
  std::mt19937_64 random(1);
  int refused = 0;
  largest_allocation = 0;
  for (int turn = 0; turn < 4000; ++turn) {
    std::string other = bytes;
    // Mostly numbers of 8 bytes, where sizes are; the key and the size of the payload stay.
    std::size_t const header = sizeof(detail::TokenCacheHeader), at = header + random() % (bytes.size() - header - 16);
    std::uint64_t const most = ~std::uint64_t{0};
    std::uint64_t const values[] = {0, 1, 2, 4, random() % 100, random() % 5000, most, most / 4, most / 8 + 1, random()};
    std::uint64_t const value = values[random() % std::size(values)];
    std::memcpy(other.data() + (turn % 2 ? at : at / 8 * 8), &value, 8);
    sign(other);
    write_file(file, other);
    auto cache = shop.cache();
    auto const loaded = cache.load(*key, shop.words.vocabulary_size());
    refused += loaded ? 0 : 1;
    if (!loaded) continue;  // what is read has the shape that everything else relies on
    for (data::Dataset const* set : {&loaded->train, &loaded->test}) {
      REQUIRE(set->texts.size() == set->size());
      REQUIRE(set->tokens.size() == set->size());
      REQUIRE(set->tokens.offsets.back() == static_cast<std::int64_t>(set->tokens.tokens.size()));
      for (auto const& column : set->labels) REQUIRE(column.values.size() == set->size());
      for (auto const id : set->tokens.tokens) REQUIRE((id >= 0 && id < shop.words.vocabulary_size()));
    }
  }
  CHECK(refused > 1000);
  CHECK(largest_allocation < 16 * bytes.size() + 4096);
}

TEST_CASE("a cache from another version or machine is refused") {
  Shop shop;
  auto first = shop.cache();
  shop.cached(first);
  fs::path const file = shop.file();
  std::string bytes = read_file(file);
  using Header = detail::TokenCacheHeader;
  std::size_t const at = GENERATE(offsetof(Header, version), offsetof(Header, byte_order));
  bytes[at] = static_cast<char>(bytes[at] + 1);
  sign(bytes);
  write_file(file, bytes);
  shop.check_refused("441");
}

TEST_CASE("a cache of other ids under the right name is not trusted") {
  Shop shop;
  auto first = shop.cache();
  Imdb wrong = shop.cached(first);
  auto const key = first.key(shop.archive, shop.words.fingerprint(), shop.options.max_length, detail::is_review);
  REQUIRE(key);
  wrong.test.tokens.tokens.at(3) = 4;
  first.store(*key, wrong);
  shop.check_refused("441");
}

TEST_CASE("another tokenizer or length has a cache of its own") {
  Shop shop;
  auto first = shop.cache();
  shop.cached(first);
  std::size_t caches = 1;
  auto const changes = [&](auto const& change) {
    change();
    for (bool const expected : {false, true}) {
      auto cache = shop.cache();
      CHECK(same(shop.cached(cache), shop.plain()));
      CHECK(cache.was_read() == expected);
      CHECK(cache.notes().empty());
    }
    ++caches;
    CHECK(static_cast<std::size_t>(std::distance(fs::directory_iterator(shop.caches), fs::directory_iterator())) == caches);
  };
  changes([&] { shop.options.max_length = 5; });
  changes([&] { shop.words = tokenizer({.lowercase = true}); });
  changes([&] { shop.words = tokenizer({.lowercase = true, .strip_accents = false}); });
  changes([&] { shop.words = tokenizer({.max_input_chars_per_word = 3}); });
  changes([&] { shop.words = Tokenizer::from_tokens({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "film"}); });
}

TEST_CASE("a changed archive is read anew") {
  Shop shop;
  auto first = shop.cache();
  shop.cached(first);
  auto entries = reviews();
  entries[4].content = "Quite another text.";
  auto const time = fs::last_write_time(shop.archive);
  test::write_archive(shop.archive, entries, test::Packing::tar_gz);
  fs::last_write_time(shop.archive, time);
  shop.check_refused("441");
}

TEST_CASE("a changed folder is read anew") {
  Shop shop;
  fs::path const data = shop.folder / "data";
  for (auto const& review : reviews()) write_file(data / review.name, review.content);
  shop.archive = data / "aclImdb";
  auto first = shop.cache();
  CHECK(same(shop.cached(first), shop.plain()));
  auto second = shop.cache();
  CHECK(same(shop.cached(second), shop.plain()));
  CHECK(second.was_read());
  fs::path const review = shop.archive / "train" / "pos" / "1_8.txt";
  std::string const text = read_file(review);
  std::this_thread::sleep_for(std::chrono::milliseconds(30));  // a file system's clock may stand still for so long

  SECTION("the same size and time of writing, other text") {
    auto const time = fs::last_write_time(review);
    write_file(review, std::string(text.size() - 1, 'x') + "y");
    fs::last_write_time(review, time);
  }
  SECTION("a file more") { write_file(review.parent_path() / "7_9.txt", "a good film"); }
  SECTION("a file less") { fs::remove(review); }
  SECTION("another name") { fs::rename(review, review.parent_path() / "1_9.txt"); }
  SECTION("another file in its place") {
    write_file(data / "other", std::string(text.size(), 'z'));
    fs::last_write_time(data / "other", fs::last_write_time(review));
    fs::rename(data / "other", review);
  }
  shop.check_refused("441");
}

TEST_CASE("files that are no reviews do not matter") {
  Shop shop;
  for (auto const& review : reviews()) write_file(shop.folder / "data" / review.name, review.content);
  shop.archive = shop.folder / "data";
  auto first = shop.cache();
  shop.cached(first);
  write_file(shop.archive / "aclImdb" / "train" / "unsup" / "0_0.txt", "not labelled");
  auto second = shop.cache();
  CHECK(same(shop.cached(second), shop.plain()));
  CHECK(second.was_read());
}

TEST_CASE("a folder that has just been changed is not kept yet") {
  Shop shop;
  for (auto const& review : reviews()) write_file(shop.folder / "data" / review.name, review.content);
  shop.archive = shop.folder / "data";
  auto limits = everything();
  limits.settled = 3600;
  TokenCache cache(shop.caches, limits);
  CHECK(same(shop.cached(cache), shop.plain()));
  CHECK_FALSE(cache.was_written());
  CHECK(cache.notes().empty());
}

TEST_CASE("where nothing can be written everything works without") {
  Shop shop;
  write_file(shop.folder / "file", "");
  bool const is_below = GENERATE(true, false);
  shop.caches = is_below ? shop.folder / "file" / "below" : shop.folder / "file";
  auto cache = shop.cache();
  CHECK(same(shop.cached(cache), shop.plain()));
  CHECK_FALSE(cache.was_written());
  REQUIRE(cache.notes().size() == 1);
  CHECK(cache.notes()[0].find("[hone-E442]") == 0);
  CHECK(cache.notes()[0].find('\n') == std::string::npos);
}

TEST_CASE("a cache is read from a folder that may not be written") {
  Shop shop;
  auto first = shop.cache();
  shop.cached(first);
  ::chmod(shop.caches.c_str(), 0555);
  auto second = shop.cache();
  CHECK(same(shop.cached(second), shop.plain()));
  CHECK(second.was_read());
  if (::geteuid() != 0) {  // root may write everywhere
    shop.options.max_length = 7;
    auto third = shop.cache();
    CHECK(same(shop.cached(third), shop.plain()));
    CHECK_FALSE(third.was_written());
    REQUIRE(third.notes().size() == 1);
    CHECK(third.notes()[0].find("[hone-E442]") == 0);
  }
  ::chmod(shop.caches.c_str(), 0755);
}

TEST_CASE("a disk that takes no more") {
  Shop shop;
  struct rlimit usual {};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &usual) == 0);
  struct rlimit small = usual;
  small.rlim_cur = 200;
  auto const handler = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  auto cache = shop.cache();
  Imdb const all = shop.cached(cache);
  ::setrlimit(RLIMIT_FSIZE, &usual);
  std::signal(SIGXFSZ, handler);
  CHECK(same(all, shop.plain()));
  CHECK_FALSE(cache.was_written());
  REQUIRE(cache.notes().size() == 1);
  CHECK(cache.notes()[0].find("[hone-E442]") == 0);
  CHECK(fs::is_empty(shop.caches));
}

TEST_CASE("something else under the name of a cache") {
  Shop shop;
  auto first = shop.cache();
  shop.cached(first);
  fs::path const file = shop.file();
  fs::remove(file);
  fs::create_directory(file);
  auto cache = shop.cache();
  CHECK(same(shop.cached(cache), shop.plain()));
  CHECK_FALSE(cache.was_written());
  REQUIRE(cache.notes().size() == 2);
  for (auto const& note : cache.notes()) CHECK(note.find("[hone-E442]") == 0);
}

TEST_CASE("errors of the data are those without a cache") {
  Shop shop;
  auto cache = shop.cache();
  shop.archive = shop.folder / "nowhere";
  auto const number = [](auto const& read) {
    try {
      read();
    } catch (Error const& error) {
      return error.number();
    }
    return 0;
  };
  CHECK(number([&] { shop.cached(cache); }) == 281);
  write_file(shop.folder / "no_archive", "hello");
  shop.archive = shop.folder / "no_archive";
  CHECK(number([&] { shop.cached(cache); }) == 282);
  CHECK_FALSE(fs::exists(shop.caches));
}

TEST_CASE("many writers and readers at once") {
  Shop shop;
  Imdb const plain = shop.plain();
  std::atomic<int> wrong{0}, hits{0}, notes{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      ThreadPool pool(1);
      for (int turn = 0; turn < 15; ++turn) {
        auto cache = shop.cache();
        wrong += same(data::imdb(shop.archive, shop.words, shop.options, pool, cache), plain) ? 0 : 1;
        hits += cache.was_read() ? 1 : 0;
        notes += static_cast<int>(cache.notes().size());
        auto const key = cache.key(shop.archive, shop.words.fingerprint(), shop.options.max_length, detail::is_review);
        if (key && turn % 4 == t) cache.store(*key, plain);
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(notes == 0);
  CHECK(hits >= 4 * 14);
  shop.file();  // no temporary file is left
}

TEST_CASE("the usual place follows the environment") {
  auto const get = [](char const* name) {
    char const* const value = std::getenv(name);
    return std::string(value ? value : "");
  };
  std::string const cache = get("XDG_CACHE_HOME"), home = get("HOME");
  ::setenv("HOME", "/home/someone", 1);
  ::setenv("XDG_CACHE_HOME", "/fast/cache", 1);
  CHECK(data::default_token_cache_folder() == "/fast/cache/hone");
  ::setenv("XDG_CACHE_HOME", "not/absolute", 1);
  CHECK(data::default_token_cache_folder() == "/home/someone/.cache/hone");
  ::unsetenv("XDG_CACHE_HOME");
  CHECK(data::default_token_cache_folder() == "/home/someone/.cache/hone");
  ::unsetenv("HOME");
  CHECK(data::default_token_cache_folder().empty());
  CHECK_FALSE(TokenCache(data::default_token_cache_folder()).is_on());
  ::setenv("HOME", home.c_str(), 1);
  if (!cache.empty()) ::setenv("XDG_CACHE_HOME", cache.c_str(), 1);
}
