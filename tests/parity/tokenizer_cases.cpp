// Hugging Face's ids and offsets of odd texts, from the files of expected/tokenizer.
#include "hone/text/tokenizer.hpp"

#include "support/catch.hpp"
#include "support/shared_data.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace fs = std::filesystem;

namespace {

std::vector<fs::path> case_files() {
  std::vector<fs::path> files;
  fs::path const folder = hone::test::expected() / "tokenizer";
  std::error_code ignored;
  if (hone::test::expected().empty() || !fs::is_directory(folder, ignored)) return files;
  for (auto const& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".jsonl") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

void check_cases(hone::Tokenizer const& tokenizer, fs::path const& file) {
  std::ifstream lines(file);
  int count = 0, wrong = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    auto const expected = nlohmann::json::parse(line);
    auto const text = expected["text"].get<std::string>();
    hone::Encoding const got = tokenizer.encode_with_offsets(text);
    std::vector<std::vector<std::int64_t>> offsets;
    for (auto const& offset : hone::to_code_points(text, got.offsets)) offsets.push_back({offset.begin, offset.end});
    auto const ids = expected["ids"].get<std::vector<std::int32_t>>();
    auto const wanted = expected["offsets"].get<std::vector<std::vector<std::int64_t>>>();
    bool same = got.ids == ids && tokenizer.encode(text) == ids && offsets == wanted;
    if (ids.size() > 2) {  // cut: the first of them, and [SEP]
      std::vector<std::int32_t> cut(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(ids.size() - 2));
      cut.push_back(ids.back());
      same = same && tokenizer.encode(text, static_cast<std::int64_t>(ids.size()) - 1) == cut;
    }
    if (same) continue;
    if (++wrong <= 5) {
      INFO(file.filename().string() << " line " << count + 1 << ": " << expected["text"].dump(-1, ' ', true));
      CHECK(got.ids == ids);
      CHECK(offsets == wanted);
      CHECK(tokenizer.encode(text) == ids);
    }
  }
  INFO(file.string());
  CHECK(count > 0);
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("ids and offsets of every case, from tokenizer.json") {
  auto const files = case_files();
  if (files.empty() || hone::test::shared_data().empty()) HONE_SKIP("expected/tokenizer/*.jsonl and vocab/ are not here");
  for (auto const& file : files) {
    check_cases(hone::Tokenizer::from_folder(hone::test::shared_data() / "vocab" / file.stem()), file);
  }
}

TEST_CASE("ids and offsets of every case, from vocab.txt") {
  auto const files = case_files();
  if (files.empty() || hone::test::shared_data().empty()) HONE_SKIP("expected/tokenizer/*.jsonl and vocab/ are not here");
  for (auto const& file : files) {
    hone::TokenizerOptions options;
    options.lowercase = file.stem().string().find("uncased") != std::string::npos;
    check_cases(hone::Tokenizer::from_vocab(hone::test::shared_data() / "vocab" / file.stem() / "vocab.txt", options), file);
  }
}
