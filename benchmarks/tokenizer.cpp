// How fast texts become tokens on one thread, and how fast a run has its data: the 25,000 training reviews of IMDB, the
// vocabularies of bert-base-cased and -uncased. All ids are checked by checksum (Hugging Face's) before anything is timed.
//
//   HONE_SHARED_DATA=DIR build/benchmarks/tokenizer     DIR/imdb/aclImdb-labelled.tar.gz, DIR/vocab/bert-base-{un,}cased
//   build/benchmarks/tokenizer --imdb=aclImdb_v1.tar.gz --vocabularies=DIR [options of Google Benchmark]
//
// Without data it times generated reviews with a vocabulary of their own: the speed of a smaller task.
// MB are 10^6 bytes of text. share_of_peak is of what one thread reads at all, measured in the same run: a sum over the same
// texts. A tokenizer is not bound by memory; the share says how far from it.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hone/core/error.hpp"
#include "hone/core/sha256.hpp"
#include "hone/core/thread_pool.hpp"
#include "hone/data/demo_corpus.hpp"
#include "hone/data/imdb.hpp"
#include "hone/text/tokenizer.hpp"
#include "hone/text/wordpiece_trainer.hpp"

namespace {

using namespace hone;
namespace fs = std::filesystem;

/// What Hugging Face tokenizers 0.23 give for aclImdb/train/neg and /pos: SHA-256 of all ids as little-endian int32.
struct Known {
  char const* name;
  std::vector<std::int32_t> hello;  // "Hello, world!"
  char const* whole[2];
  char const* cut[2];  // at 512
};

Known const known[] = {
    {"cased", {101, 8667, 117, 1362, 106, 102},
     {"b8fac5f55859f52a251b47be7f2030c89ddf4ba97bc90028379f35529ea6581a",
      "39ff6cbc0060cfb90736879f8ea66ffe74162eaa53442780d42ca69d483fd123"},
     {"a4496a58c75fb0e28878e030290e1f261133c20c40e34ecfe527c314b435f72c",
      "c0c5cfbdce4de0e40bad479291ae96fe65459cda8b1282699db6f925c62a703e"}},
    {"uncased", {101, 7592, 1010, 2088, 999, 102},
     {"37acd31c0cff1956fd8e116ccfa41f8bda76c7527eb8faa4ecd72c2f921251ac",
      "c5d8144c9c2fa60d9ab1ee2a8c94943e51bc7a7ce88a5662d29b64c503064655"},
     {"8b9e89c77b2375286f704dbd2deb6a023b2f01dde995db2d7fd01ee0b49e30a9",
      "4abc60c81bff4f5926f68334834dadeee607242d6104331490a8125f2a231d5a"}},
};

struct Subject {
  std::string name;
  Tokenizer tokenizer;
};

fs::path reviews_path;
std::vector<std::string> texts;
std::vector<Subject> subjects;
double bytes = 0;

std::string checksum(Tokenizer const& tokenizer, std::size_t half, std::int64_t length, ThreadPool& pool) {
  auto const part = std::span<std::string const>(texts).subspan(half * texts.size() / 2, texts.size() / 2);
  Sha256 sum;
  sum.update(std::span<std::int32_t const>(tokenizer.encode_batch(part, length, pool).tokens));
  return sum.hex();
}

/// Ends the program where one id is not as it should be.
void check_ids() {
  ThreadPool pool;
  for (std::size_t k = 0; k < subjects.size(); ++k) {
    auto const& [name, tokenizer] = subjects[k];
    bool right = tokenizer.encode("Hello, world!") == known[k].hello;
    for (std::size_t half : {0, 1})
      right = right && checksum(tokenizer, half, 0, pool) == known[k].whole[half] &&
              checksum(tokenizer, half, 512, pool) == known[k].cut[half];
    if (!right) {
      std::fprintf(stderr, "%s: the ids are not those of Hugging Face tokenizers\n", name.c_str());
      std::exit(1);
    }
    std::printf("%s: all ids of %zu reviews are those of Hugging Face tokenizers\n", name.c_str(), texts.size());
  }
}

double seconds_of(auto const& work) {
  auto const begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Bytes a second that one thread reads: the best of ten sums over all texts.
double scan_rate() {
  static double const rate = [] {
    double best = 0;
    for (int turn = 0; turn < 10; ++turn) {
      std::uint64_t sum = 0;
      double const seconds = seconds_of([&] {
        for (std::string const& text : texts) {
          std::uint64_t sums[4] = {};
          std::size_t i = 0;
          for (; i + 32 <= text.size(); i += 32) {
            std::uint64_t words[4];
            std::memcpy(words, text.data() + i, 32);
            for (int k = 0; k < 4; ++k) sums[k] += words[k];
          }
          for (; i < text.size(); ++i) sums[0] += static_cast<unsigned char>(text[i]);
          sum += sums[0] + sums[1] + sums[2] + sums[3];
        }
      });
      benchmark::DoNotOptimize(sum);
      best = std::max(best, bytes / seconds);
    }
    return best;
  }();
  return rate;
}

/// Reports what was timed by hand: seconds of all turns together.
void report(benchmark::State& state, double seconds) {
  double const rate = bytes * static_cast<double>(state.iterations()) / seconds;
  state.counters["MB/s"] = rate / 1e6;
  state.counters["share_of_peak"] = rate / scan_rate();
}

void encode_batch(benchmark::State& state, Tokenizer const& tokenizer, std::int64_t length) {
  ThreadPool pool(1);
  double seconds = 0, tokens = 0;
  for (auto _ : state)
    seconds += seconds_of([&] { tokens += static_cast<double>(tokenizer.encode_batch(texts, length, pool).tokens.size()); });
  report(state, seconds);
  state.counters["Mtokens/s"] = tokens / seconds / 1e6;
}

void encode_with_offsets(benchmark::State& state, Tokenizer const& tokenizer) {
  double seconds = 0;
  for (auto _ : state)
    seconds += seconds_of([&] {
      for (std::string const& text : texts) benchmark::DoNotOptimize(tokenizer.encode_with_offsets(text));
    });
  report(state, seconds);
}

void scan(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(scan_rate());
  state.counters["MB/s"] = scan_rate() / 1e6;
}

void check_utf8(benchmark::State& state) {
  double seconds = 0;
  for (auto _ : state)
    seconds += seconds_of([&] {
      for (std::string const& text : texts) benchmark::DoNotOptimize(find_invalid_utf8(text));
    });
  report(state, seconds);
}

/// What a run waits for: all 50,000 reviews as tokens, from the archive or from the token cache, on all threads.
void start(benchmark::State& state, Tokenizer const& tokenizer, bool is_second) {
  std::string folder = (fs::temp_directory_path() / "hone-bench-XXXXXX").string();
  if (!::mkdtemp(folder.data())) return state.SkipWithError("no temporary folder");
  ThreadPool pool;
  data::TokenCache cache = is_second ? data::TokenCache(folder) : data::TokenCache();
  if (is_second) data::imdb(reviews_path, tokenizer, {}, pool, cache);
  double seconds = 0;
  for (auto _ : state)
    seconds += seconds_of([&] { benchmark::DoNotOptimize(data::imdb(reviews_path, tokenizer, {}, pool, cache)); });
  state.counters["seconds"] = seconds / static_cast<double>(state.iterations());
  if (is_second && !cache.was_read()) state.SkipWithError("the cache was not used");
  std::error_code ignored;
  fs::remove_all(folder, ignored);
}

/// The value of --NAME=VALUE, taken out of the command line.
std::optional<std::string> option(std::string const& name, int& count, char** arguments) {
  for (int i = 1; i < count; ++i) {
    std::string const argument = arguments[i];
    if (argument.rfind("--" + name + "=", 0) != 0) continue;
    std::copy(arguments + i + 1, arguments + count, arguments + i);
    --count;
    return argument.substr(name.size() + 3);
  }
  return std::nullopt;
}

void load(std::optional<std::string> const& imdb, std::optional<std::string> const& vocabularies) {
  char const* const named = std::getenv("HONE_SHARED_DATA");
  fs::path const shared = named ? named : "";
  reviews_path = imdb ? fs::path(*imdb) : named ? shared / "imdb" / "aclImdb-labelled.tar.gz" : fs::path();
  fs::path const folder = vocabularies ? fs::path(*vocabularies) : named ? shared / "vocab" : fs::path();
  if (reviews_path.empty() || folder.empty()) {
    std::printf("no data were named (--imdb=, --vocabularies=): generated reviews, a vocabulary of their own\n");
    reviews_path.clear();
    texts = data::demo_reviews({}).train.texts;
    auto vocabulary = train_wordpiece(texts, {.vocabulary_size = 1000});
    subjects.push_back({"generated", Tokenizer::from_tokens(std::move(vocabulary), {.lowercase = true})});
  } else {
    for (Known const& one : known)
      subjects.push_back({one.name, Tokenizer::from_folder(folder / (std::string("bert-base-") + one.name))});
    texts = data::read_imdb(reviews_path).train.texts;
    check_ids();
  }
  for (std::string const& text : texts) bytes += static_cast<double>(text.size());
}

}  // namespace

int main(int count, char** arguments) {
  auto const imdb = option("imdb", count, arguments), vocabularies = option("vocabularies", count, arguments);
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  try {
    load(imdb, vocabularies);
  } catch (Error const& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  auto const add = [](std::string const& name, auto const& body) {
    return benchmark::RegisterBenchmark(name.c_str(), body)->Unit(benchmark::kMillisecond);
  };
  add("scan", scan)->Iterations(1);
  add("find_invalid_utf8", check_utf8);
  for (Subject const& subject : subjects) {
    Tokenizer const& tokenizer = subject.tokenizer;
    add("encode_batch/" + subject.name + "/whole", [&](benchmark::State& state) { encode_batch(state, tokenizer, 0); });
    add("encode_batch/" + subject.name + "/512", [&](benchmark::State& state) { encode_batch(state, tokenizer, 512); });
    add("encode_with_offsets/" + subject.name, [&](benchmark::State& state) { encode_with_offsets(state, tokenizer); });
    if (reviews_path.empty()) continue;
    add("start/" + subject.name + "/first", [&](benchmark::State& state) { start(state, tokenizer, false); });
    add("start/" + subject.name + "/second", [&](benchmark::State& state) { start(state, tokenizer, true); });
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
