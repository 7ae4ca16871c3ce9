// The ids of all 100,000 IMDB reviews, cased and uncased, whole and cut at 512: as checksums of Hugging Face's.
#include "hone/core/sha256.hpp"
#include "hone/core/thread_pool.hpp"
#include "hone/text/tokenizer.hpp"

#include "support/catch.hpp"
#include "support/review_archive.hpp"
#include "support/shared_data.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace fs = std::filesystem;

namespace {

std::string checksum(hone::RaggedTokens const& ids) {
  hone::Sha256 sum;
  sum.update(std::span<std::int32_t const>(ids.tokens));
  return sum.hex();
}

}  // namespace

TEST_CASE("every checksum over all reviews") {
  fs::path const file = hone::test::expected() / "tokenizer" / "imdb.json", data = hone::test::shared_data();
  if (hone::test::expected().empty() || !fs::exists(file)) HONE_SKIP("expected/tokenizer/imdb.json is not here");
  if (data.empty() || !fs::exists(data / "imdb")) HONE_SKIP("the IMDB archives are not here");
  std::ifstream stream(file);
  auto const expected = nlohmann::json::parse(stream);
  REQUIRE(!expected.empty());

  std::map<std::string, hone::Tokenizer> tokenizers;
  for (auto const& item : expected.items()) {
    std::string const vocabulary = item.key().substr(0, item.key().find(':'));
    if (!tokenizers.count(vocabulary))
      tokenizers.emplace(vocabulary, hone::Tokenizer::from_folder(data / "vocab" / vocabulary));
  }
  hone::ThreadPool pool;
  std::set<std::string> checked;
  for (char const* archive : {"aclImdb-labelled.tar.gz", "aclImdb-unsup.tar.gz"}) {
    for (auto const& [folder, texts] : hone::test::read_reviews(data / "imdb" / archive)) {
      for (auto const& [vocabulary, tokenizer] : tokenizers) {
        std::string const key = vocabulary + ": " + folder;
        INFO(key);
        REQUIRE(expected.contains(key));
        auto const& wanted = expected.at(key);
        CHECK(texts.size() == wanted.at("reviews").get<std::size_t>());
        auto const whole = tokenizer.encode_batch(texts, 0, pool);
        CHECK(whole.tokens.size() == wanted.at("tokens").get<std::size_t>());
        CHECK(checksum(whole) == wanted.at("sha256").get<std::string>());
        CHECK(checksum(tokenizer.encode_batch(texts, 512, pool)) == wanted.at("sha256_cut_at_512").get<std::string>());
        checked.insert(key);
      }
    }
  }
  CHECK(checked.size() == expected.size());
}
