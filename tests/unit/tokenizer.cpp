// The tokenizer's interface, with small vocabularies: cases of Google's BERT, of transformers and of tokenizers.
#include "hone/text/tokenizer.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

#include "hone/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"
#include "support/temporary_folder.hpp"

using hone::Tokenizer;
using hone::TokenizerOptions;
using Ids = std::vector<std::int32_t>;
using hone::test::error_number;

namespace {

/// transformers' small vocabulary for its tests of BERT.
std::vector<std::string> fifteen() {
  return {"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", "want", "##want", "##ed",
          "wa",    "un",    "runn",  "##ing", ",",      "low",  "lowest"};
}

TokenizerOptions uncased() {
  TokenizerOptions options;
  options.lowercase = true;
  return options;
}

/// The words that a text is cut into: with a vocabulary of nothing, every word is one unknown token with its offsets.
std::vector<std::string> words(std::string const& text, TokenizerOptions const& options = {}) {
  auto const settings = hone::detail::NormalizerSettings(options);
  std::vector<std::string> out;
  auto const e = Tokenizer::from_tokens({"[UNK]", "[CLS]", "[SEP]"}, options).encode_with_offsets(text);
  for (std::size_t i = 1; i + 1 < e.ids.size(); ++i) {
    auto const begin = static_cast<std::size_t>(e.offsets[i].begin), end = static_cast<std::size_t>(e.offsets[i].end);
    std::string form = hone::detail::normal_form(std::string_view(text).substr(begin, end - begin), settings);
    if (options.handle_chinese_chars && form.size() > 2 && form.front() == ' ') form = form.substr(1, form.size() - 2);
    out.push_back(form);
  }
  return out;
}

Ids body(Tokenizer const& tokenizer, std::string const& text) {
  Ids ids = tokenizer.encode(text);
  return {ids.begin() + 1, ids.end() - 1};
}

std::vector<std::string> pieces(Tokenizer const& tokenizer, std::string const& text) {
  std::vector<std::string> out;
  for (auto const id : body(tokenizer, text)) out.push_back(tokenizer.token(id));
  return out;
}

std::vector<std::pair<int, int>> spans(hone::Encoding const& encoding) {
  std::vector<std::pair<int, int>> out;
  for (auto const& offset : encoding.offsets) out.emplace_back(static_cast<int>(offset.begin), static_cast<int>(offset.end));
  return out;
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("full tokenisation with small vocabularies") {
  auto const tokenizer = Tokenizer::from_tokens(fifteen(), uncased());
  CHECK(body(tokenizer, "UNwant\u00e9d,running") == Ids{9, 6, 7, 12, 10, 11});
  CHECK(tokenizer.encode("UNwant\u00e9d,running") == Ids{1, 9, 6, 7, 12, 10, 11, 2});
  CHECK(tokenizer.decode(Ids{9, 6, 7, 12, 10, 11}) == "unwanted, running");
  CHECK(pieces(tokenizer, "want\u535a\u63a8want") == Strings{"want", "[UNK]", "[UNK]", "want"});
  CHECK(pieces(tokenizer, "Test \u00ad test") == Strings{"[UNK]", "[UNK]"});
  auto options = uncased();
  options.handle_chinese_chars = false;
  CHECK(pieces(Tokenizer::from_tokens(fifteen(), options), "want\u535a\u63a8want") == Strings{"[UNK]"});

  auto const google = Tokenizer::from_tokens(
      {"[UNK]", "[CLS]", "[SEP]", "want", "##want", "##ed", "wa", "un", "runn", "##ing", ","}, uncased());
  CHECK(body(google, "UNwant\u00e9d,running") == Ids{7, 4, 5, 10, 8, 9});
  CHECK(pieces(google, "") == Strings{});
  CHECK(pieces(google, "unwanted running") == Strings{"un", "##want", "##ed", "runn", "##ing"});
  CHECK(pieces(google, "unwantedX running") == Strings{"[UNK]", "runn", "##ing"});
}

TEST_CASE("words of basic tokenisation") {
  CHECK(words(" \tHeLLo!how  \n Are yoU?  ", uncased()) == Strings{"hello", "!", "how", "are", "you", "?"});
  CHECK(words(" \tHeLLo!how  \n Are yoU?  ") == Strings{"HeLLo", "!", "how", "Are", "yoU", "?"});
  CHECK(words("H\u00e9llo", uncased()) == Strings{"hello"});
  CHECK(words("ah\u535a\u63a8zz") == Strings{"ah", "\u535a", "\u63a8", "zz"});
  CHECK(words("a\n'll !!to?'d of, can't.") ==
        Strings{"a", "'", "ll", "!", "!", "to", "?", "'", "d", "of", ",", "can", "'", "t", "."});

  std::string const mixed = " \tH\u00e4LLo!how  \n Are yoU?  ";
  auto lower_keep = uncased(), cased_strip = TokenizerOptions(), cased_keep = TokenizerOptions(), lower_strip = uncased();
  lower_keep.strip_accents = false;
  lower_strip.strip_accents = true;
  cased_strip.strip_accents = true;
  cased_keep.strip_accents = false;
  CHECK(words(mixed, uncased()).front() == "hallo");
  CHECK(words(mixed, lower_strip).front() == "hallo");
  CHECK(words(mixed, lower_keep).front() == "h\u00e4llo");
  CHECK(words(mixed, cased_keep).front() == "H\u00e4LLo");
  CHECK(words(mixed, cased_strip).front() == "HaLLo");
  CHECK(words(mixed).front() == "H\u00e4LLo");
}

TEST_CASE("control characters and byte order marks") {
  CHECK(words("\u200e\u200f") == Strings{});
  auto dirty = TokenizerOptions();
  dirty.clean_text = false;
  CHECK(words("\u200e\u200f", dirty).size() == 1);
  CHECK(words("\ufeffHello") == Strings{"Hello"});
  CHECK(words("A\u0005B") == Strings{"AB"});
  CHECK(words(std::string("A\0B", 3)) == Strings{"AB"});
  CHECK(words("A\vB") == Strings{"AB"});
  CHECK(words("A\vB", dirty) == Strings{"A", "B"});
  CHECK(words("A\u0005B", dirty) == Strings{"A\u0005B"});
}

TEST_CASE("white space and punctuation") {
  for (std::string const space : {" ", "\t", "\r", "\n", "\u00a0", "\u3000"}) CHECK(words("A" + space + "B").size() == 2);
  for (std::string const mark : {"-", "$", "`", ".", "^", "|", "~", "\u2014", "\u3002"}) {
    CHECK(words("A" + mark + "B") == Strings{"A", mark, "B"});
  }
  for (std::string const other : {"A", "\u00e9", "\u20ac", "1"}) CHECK(words("A" + other + "B").size() == 1);
}

TEST_CASE("offsets are bytes of the text") {
  auto const offsets = [](std::string const& text) {
    auto all = spans(Tokenizer::from_tokens({"[UNK]", "[CLS]", "[SEP]"}).encode_with_offsets(text));
    CHECK(all.front() == std::pair(0, 0));
    CHECK(all.back() == std::pair(0, 0));
    return std::vector<std::pair<int, int>>(all.begin() + 1, all.end() - 1);
  };
  CHECK(offsets("Hey friend!     How are you?!?") ==
        std::vector<std::pair<int, int>>{
            {0, 3}, {4, 10}, {10, 11}, {16, 19}, {20, 23}, {24, 27}, {27, 28}, {28, 29}, {29, 30}});
  CHECK(offsets("\u91ce\u53e3\u91cc\u4f73 Noguchi Rika") ==
        std::vector<std::pair<int, int>>{{0, 3}, {3, 6}, {6, 9}, {9, 12}, {13, 20}, {21, 25}});

  std::vector<std::string> tokens{"[UNK]", "[CLS]", "[SEP]", "[MASK]", "a",        ",",
                                  "naive", "allen", "##nl",  "##p",    "sentence", "."};
  std::string const text = "A, na\u00efve [MASK] AllenNLP sentence.";
  auto const e = Tokenizer::from_tokens(tokens, uncased()).encode_with_offsets(text);
  CHECK(e.ids == Ids{1, 4, 5, 6, 3, 7, 8, 9, 10, 11, 2});
  hone::Encoding points = e;
  points.offsets = hone::to_code_points(text, e.offsets);
  CHECK(spans(points) ==
        std::vector<std::pair<int, int>>{
            {0, 0}, {0, 1}, {1, 2}, {3, 8}, {9, 15}, {16, 21}, {21, 23}, {23, 24}, {25, 33}, {33, 34}, {0, 0}});
  tokens = {"[UNK]", "[CLS]", "[SEP]", "na", "##\u00ef", "##ve"};
  CHECK(spans(Tokenizer::from_tokens(tokens).encode_with_offsets("na\u00efve")) ==
        std::vector<std::pair<int, int>>{{0, 0}, {0, 2}, {2, 4}, {4, 6}, {0, 0}});
}

TEST_CASE("words that are too long become unknown, counted in code points") {
  std::string letters;
  for (int i = 0; i < 100; ++i) letters += "\u00e9";
  std::vector<std::string> const tokens{"[UNK]", "[CLS]", "[SEP]", "\u00e9", "##\u00e9", "a", "##a"};
  auto const tokenizer = Tokenizer::from_tokens(tokens);
  CHECK(tokenizer.encode(letters).size() == 102);
  CHECK(tokenizer.encode(letters + "\u00e9") == Ids{1, 0, 2});
  CHECK(tokenizer.encode(std::string(100, 'a')).size() == 102);
  CHECK(tokenizer.encode(std::string(101, 'a')) == Ids{1, 0, 2});
  auto options = TokenizerOptions();
  options.max_input_chars_per_word = 3;
  CHECK(pieces(Tokenizer::from_tokens(tokens, options), "aaa aaaa a") == Strings{"a", "##a", "##a", "[UNK]", "a"});
}

TEST_CASE("cutting keeps the start and the special tokens") {
  auto const tokenizer = Tokenizer::from_tokens(fifteen(), uncased());
  std::string const text = "low lowest want, low [MASK] unwanted";
  Ids const whole = tokenizer.encode(text);
  REQUIRE(whole.size() == 11);
  for (std::int64_t length = 2; length < 14; ++length) {
    Ids cut(whole.begin(), whole.end() - 1);
    cut.resize(std::min<std::size_t>(cut.size(), static_cast<std::size_t>(length) - 1));
    cut.push_back(tokenizer.sep_id());
    CHECK(tokenizer.encode(text, length) == cut);
    auto const e = tokenizer.encode_with_offsets(text, length);
    CHECK(e.ids == cut);
    CHECK(e.offsets.size() == cut.size());
    CHECK(e.segments == Ids(cut.size(), 0));
  }
  CHECK(error_number([&] { tokenizer.encode(text, 1); }) == 311);
  CHECK(error_number([&] { tokenizer.encode(text, -5); }) == 311);
  CHECK(error_number([&] { tokenizer.encode_pair(text, text, 2); }) == 311);
}

TEST_CASE("pairs, and which of two texts is cut") {
  std::vector<std::string> const tokens{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "my", "name", "is", "john", "pair"};
  auto const tokenizer = Tokenizer::from_tokens(tokens, uncased());
  auto const e = tokenizer.encode_pair("My name is John", "pair");
  CHECK(e.ids == Ids{2, 4, 5, 6, 7, 3, 8, 3});
  CHECK(e.segments == Ids{0, 0, 0, 0, 0, 0, 1, 1});
  CHECK(spans(e) == std::vector<std::pair<int, int>>{{0, 0}, {0, 2}, {3, 7}, {8, 10}, {11, 15}, {0, 0}, {0, 4}, {0, 0}});
  CHECK(tokenizer.encode_pair("My name is John", "pair", 6).ids == Ids{2, 4, 5, 3, 8, 3});

  std::vector<std::vector<int>> const table{
      {0, 0, 0, 0}, {0, 2, 0, 2}, {0, 4, 0, 4}, {0, 8, 0, 7}, {2, 0, 2, 0}, {2, 2, 2, 2}, {2, 4, 2, 4}, {2, 8, 2, 5},
      {4, 0, 4, 0}, {4, 2, 4, 2}, {4, 4, 3, 4}, {4, 8, 3, 4}, {8, 0, 7, 0}, {8, 2, 5, 2}, {8, 4, 4, 3}, {8, 8, 3, 4}};
  for (auto const& row : table) {
    auto const [first, second] = Tokenizer::longest_first(row[0], row[1], 7);
    CHECK(first == row[2]);
    CHECK(second == row[3]);
    CHECK(Tokenizer::longest_first(row[0], row[1], 0) == std::pair<std::int64_t, std::int64_t>(0, 0));
    auto const text = [](int count) {
      std::string out;
      for (int i = 0; i < count; ++i) out += "my ";
      return out;
    };
    Ids const ids = tokenizer.encode_pair(text(row[0]), text(row[1]), 10).ids;
    CHECK(ids.size() == static_cast<std::size_t>(row[2] + row[3] + 3));
    CHECK(ids[static_cast<std::size_t>(row[2]) + 1] == tokenizer.sep_id());
  }
}

TEST_CASE("decode joins pieces and cleans up") {
  std::vector<std::string> const tokens{"[UNK]", "[CLS]", "[SEP]", "My", "na", "##me", "is",  "Jo",     "##hn", "I",
                                        "'m",    "'",     "s",     ".",  "!",  ",",    "n't", "do not", "##"};
  auto const decode = [&](Tokenizer const& tokenizer, Strings const& pieces, bool skip = true) {
    Ids ids;
    for (auto const& piece : pieces) ids.push_back(tokenizer.id(piece).value());
    return tokenizer.decode(ids, skip);
  };
  auto const tokenizer = Tokenizer::from_tokens(tokens);
  CHECK(decode(tokenizer, {"My", "na", "##me", "is", "Jo", "##hn"}) == "My name is John");
  CHECK(decode(tokenizer, {"I", "'m", "Jo", "##hn"}) == "I'm John");
  CHECK(decode(tokenizer, {"[CLS]", "I", ",", "is", "!", "[SEP]"}) == "I, is!");
  CHECK(decode(tokenizer, {"[CLS]", "I", "[SEP]"}, false) == "[CLS] I [SEP]");
  CHECK(decode(tokenizer, {"I", "'", "s"}) == "I ' s");  // each token is cleaned up alone, as Hugging Face does
  CHECK(decode(tokenizer, {"I", "n't", "do not"}) == "In't don't");
  CHECK(decode(tokenizer, {"##me", "##me"}) == "##meme");  // the first piece keeps its prefix
  CHECK(decode(tokenizer, {}) == "");
  auto options = TokenizerOptions();
  options.cleanup = false;
  CHECK(decode(Tokenizer::from_tokens(tokens, options), {"I", "'m", "Jo", "##hn"}) == "I 'm John");
  CHECK(error_number([&] { tokenizer.decode(Ids{3, 19}); }) == 310);
  CHECK(error_number([&] { tokenizer.decode(Ids{-1}); }) == 310);
  CHECK(error_number([&] { (void)tokenizer.token(19); }) == 310);
}

TEST_CASE("special tokens and their ids") {
  auto const tokenizer = Tokenizer::from_tokens(fifteen());
  CHECK(tokenizer.vocabulary_size() == 15);
  CHECK(tokenizer.unk_id() == 0);
  CHECK(tokenizer.cls_id() == 1);
  CHECK(tokenizer.sep_id() == 2);
  CHECK(tokenizer.pad_id() == 3);
  CHECK(tokenizer.mask_id() == 4);
  CHECK(tokenizer.id("##ing") == 11);
  CHECK(!tokenizer.id("ing"));
  CHECK(!tokenizer.id(""));
  CHECK(tokenizer.is_special(4));
  CHECK(!tokenizer.is_special(5));
  CHECK(pieces(tokenizer, "want[MASK]low [SEP]want [ MASK ]") ==
        Strings{"want", "[MASK]", "low", "[SEP]", "want", "[UNK]", "[UNK]", "[UNK]"});
  auto options = uncased();
  options.unk_token = "<unk>", options.cls_token = "<s>", options.sep_token = "</s>";
  auto const other = Tokenizer::from_tokens({"<s>", "</s>", "<unk>", "a"}, options);
  CHECK(other.encode("A b </s>") == Ids{0, 3, 2, 1, 1});
  CHECK(other.pad_id() == -1);
  CHECK(other.mask_id() == -1);
}

TEST_CASE("a token that stands twice has the later id") {
  auto const tokenizer = Tokenizer::from_tokens({"[UNK]", "[CLS]", "[SEP]", "a", "a"});
  CHECK(tokenizer.encode("a") == Ids{1, 4, 2});
  CHECK(tokenizer.token(3) == "a");
  CHECK(tokenizer.notes().size() == 1);
}

TEST_CASE("texts that are not UTF-8 are refused, with the place") {
  auto const tokenizer = Tokenizer::from_tokens(fifteen());
  for (std::string const bad :
       {"caf\xe9", "\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "low \xe2\x82", "\x80", "\xf8\x88\x80\x80\x80"}) {
    CHECK(error_number([&] { tokenizer.encode(bad); }) == 301);
    CHECK(error_number([&] { tokenizer.encode_with_offsets(bad, 2); }) == 301);
    CHECK(error_number([&] { tokenizer.encode_pair("low", bad); }) == 301);
  }
  std::string message;
  error_number([&] { tokenizer.encode("low low caf\xe9!"); }, &message);
  CHECK(message.find("byte 11") != std::string::npos);
  CHECK(message.find("0xe9") != std::string::npos);
  CHECK(!hone::find_invalid_utf8("\u0800\U0010ffff\ud7ff\ue000 plain text of more than eight bytes"));
  CHECK(hone::find_invalid_utf8("12345678\xc3") == 8);

  hone::ThreadPool pool(2);
  std::vector<std::string> texts(200, "low");
  texts[170] = texts[77] = "\xff";
  CHECK(error_number([&] { tokenizer.encode_batch(texts, 0, pool); }, &message) == 301);
  CHECK(message.find("text 77 ") != std::string::npos);
}

TEST_CASE("a batch is the same for any number of threads") {
  auto const tokenizer = Tokenizer::from_tokens(fifteen(), uncased());
  std::vector<std::string> texts;
  for (int i = 0; i < 333; ++i) {
    std::string text;
    for (int k = 0; k < i % 17; ++k)
      text += Strings{"unwanted ", "lowest, ", "\u00e9t\u00e9 ", "[MASK]", "\u535a"}[static_cast<std::size_t>(i * k) % 5];
    texts.push_back(text);
  }
  for (std::int64_t const length : {0, 5}) {
    hone::RaggedTokens one_by_one;
    for (auto const& text : texts) one_by_one.push_back(tokenizer.encode(text, length));
    for (int const threads : {1, 2, 5}) {
      hone::ThreadPool pool(threads);
      auto const batch = tokenizer.encode_batch(texts, length, pool);
      CHECK(batch.tokens == one_by_one.tokens);
      CHECK(batch.offsets == one_by_one.offsets);
    }
  }
  hone::ThreadPool pool(2);
  CHECK(tokenizer.encode_batch({}, 0, pool).size() == 0);
  CHECK(error_number([&] { tokenizer.encode_batch({}, 1, pool); }) == 311);
}

TEST_CASE("copies and moved tokenizers work on") {
  auto original = Tokenizer::from_tokens(fifteen(), uncased());
  Tokenizer const copy = original;
  Tokenizer const moved = std::move(original);
  CHECK(copy.encode("Unwanted [MASK]") == Ids{1, 9, 6, 7, 4, 2});
  CHECK(moved.encode("Unwanted [MASK]") == Ids{1, 9, 6, 7, 4, 2});
}

TEST_CASE("what is saved is read back as the same tokenizer") {
  hone::test::TemporaryFolder const folder;
  auto options = uncased();
  options.strip_accents = false;
  options.handle_chinese_chars = false;
  options.cls_token = "<s>";
  auto tokens = fifteen();
  tokens[1] = "<s>";
  tokens.push_back("\u00e9");
  tokens.push_back("\"\\");
  auto const tokenizer = Tokenizer::from_tokens(tokens, options);
  tokenizer.save(folder.path());
  std::string const text = "UNwanted \u00c9 <s> \u535a";
  Ids const ids{1, 9, 6, 7, 15, 1, 0, 2};
  CHECK(tokenizer.encode(text) == ids);
  auto const from_json = Tokenizer::from_folder(folder.path());
  CHECK(from_json.encode(text) == ids);
  CHECK(from_json.cls_id() == 1);
  CHECK(from_json.pad_id() == 3);
  CHECK(from_json.notes().empty());
  CHECK(from_json.token(16) == "\"\\");
  CHECK(from_json.encode_pair("low", "want").ids == tokenizer.encode_pair("low", "want").ids);
  CHECK(from_json.decode(ids) == tokenizer.decode(ids));
  std::filesystem::remove(folder / "tokenizer.json");
  auto const from_vocab = Tokenizer::from_folder(folder.path());
  CHECK(from_vocab.encode(text) == ids);
  CHECK(from_vocab.cls_id() == 1);
  CHECK(from_vocab.decode(ids) == tokenizer.decode(ids));

  hone::test::TemporaryFolder const other;
  tokens.push_back("line\nbreak");
  Tokenizer::from_tokens(tokens, options).save(other.path());
  CHECK(!std::filesystem::exists(other / "vocab.txt"));
  CHECK(Tokenizer::from_folder(other.path()).token(17) == "line\nbreak");
  CHECK(error_number([&] { tokenizer.save(folder / "not-there"); }) == 703);
  std::filesystem::create_directory(folder / "tokenizer.json");
  CHECK(error_number([&] { tokenizer.save(folder.path()); }) == 704);
  for (auto const& entry : std::filesystem::directory_iterator(folder.path())) {
    CHECK(entry.path().filename().string().find(".tmp-") == std::string::npos);
  }
}
