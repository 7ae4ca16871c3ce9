// Hugging Face's verdict on every Unicode code point: removed, white space, a token of its own, part of a word; lower case.
#include "hone/text/tokenizer.hpp"

#include "support/catch.hpp"
#include "support/shared_data.hpp"

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace fs = std::filesystem;

namespace {

std::string utf8(char32_t c) {
  std::string out;
  hone::detail::append_utf8(out, c);
  return out;
}

/// A tokenizer that has no word: what it finds shows in the number of unknown tokens and in their offsets.
hone::Tokenizer blind(bool lowercase) {
  hone::TokenizerOptions options;
  options.lowercase = lowercase;
  options.strip_accents = false;
  return hone::Tokenizer::from_tokens({"[UNK]", "[CLS]", "[SEP]"}, options);
}

std::string verdict(hone::Tokenizer const& tokenizer, char32_t c) {
  auto const e = tokenizer.encode_with_offsets(std::string("a") + utf8(c) + "b");
  auto const size = static_cast<std::int64_t>(utf8(c).size());
  if (e.ids.size() == 5) return e.offsets[2] == hone::TokenOffset{1, 1 + size} ? "alone" : "?";
  if (e.ids.size() == 4) return "space";
  if (e.ids.size() != 3 || e.offsets[1] != hone::TokenOffset{0, 2 + size}) return "?";
  // Removed or kept inside the word: the vocabulary "ab" knows the word exactly when nothing is between.
  hone::detail::NormalizedText text;
  hone::detail::NormalizerScratch scratch;
  hone::detail::normalize(std::string("a") + utf8(c) + "b", 0, {}, text, scratch);
  return text.chars.size() == 2 ? "removed" : "word";
}

std::vector<char32_t> normal_form(char32_t c, bool lowercase) {
  hone::TokenizerOptions options;
  options.lowercase = lowercase;
  hone::detail::NormalizedText text;
  hone::detail::NormalizerScratch scratch;
  hone::detail::normalize(utf8(c), 0, hone::detail::NormalizerSettings(options), text, scratch);
  return text.chars;
}

fs::path expected_file(char const* name) {
  fs::path const file = hone::test::expected() / "tokenizer" / name;
  return !hone::test::expected().empty() && fs::exists(file) ? file : fs::path();
}

}  // namespace

TEST_CASE("the class of every code point") {
  fs::path const file = expected_file("codepoints.tsv");
  if (file.empty()) HONE_SKIP("expected/tokenizer/codepoints.tsv is not here");
  auto const tokenizer = blind(false);
  auto const two = hone::Tokenizer::from_tokens({"[UNK]", "[CLS]", "[SEP]", "ab"});
  std::ifstream lines(file);
  std::int64_t checked = 0, wrong = 0;
  std::uint32_t first = 0, last = 0;
  for (std::string wanted; lines >> std::hex >> first >> last >> wanted;) {
    for (char32_t c = first; c <= last; ++c, ++checked) {
      std::string const got = verdict(tokenizer, c);
      bool const is_joined = two.encode(std::string("a") + utf8(c) + "b") == std::vector<std::int32_t>{1, 3, 2};
      if (got == wanted && is_joined == (wanted == "removed")) continue;
      if (++wrong <= 10)
        UNSCOPED_INFO("U+" << std::hex << static_cast<std::uint32_t>(c) << " is " << got << ", not " << wanted);
    }
  }
  CHECK(wrong == 0);
  CHECK(checked == 0x10ffff - 0x800);
}

TEST_CASE("the uncased form of every code point") {
  fs::path const file = expected_file("lowercase.tsv");
  if (file.empty()) HONE_SKIP("expected/tokenizer/lowercase.tsv is not here");
  std::map<char32_t, std::vector<char32_t>> forms;
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::uint32_t c = 0, part = 0;
    fields >> std::hex >> c;
    auto& form = forms[c];
    while (fields >> std::hex >> part) form.push_back(part);
  }
  CHECK(forms.size() > 1000);
  std::int64_t wrong = 0;
  for (char32_t c = 1; c < 0x110000; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;
    auto const found = forms.find(c);
    if (normal_form(c, true) == (found == forms.end() ? normal_form(c, false) : found->second)) continue;
    if (++wrong <= 10) UNSCOPED_INFO("U+" << std::hex << static_cast<std::uint32_t>(c));
  }
  CHECK(wrong == 0);
}
