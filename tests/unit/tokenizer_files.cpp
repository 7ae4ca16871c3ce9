// Reading tokenizer.json, vocab.txt and tokenizer_config.json: what they mean, and what is refused with which number.
#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hone/text/tokenizer.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"
#include "support/temporary_folder.hpp"

using hone::Tokenizer;
using hone::test::error_number;
using hone::test::write_file;
using Ids = std::vector<std::int32_t>;
using Json = nlohmann::json;
using Strings = std::vector<std::string>;

namespace {

Json added(std::string const& content, int id, Json const& changes = Json::object()) {
  Json token{{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
             {"rstrip", false}, {"normalized", false}, {"special", false}};
  token.update(changes);
  return token;
}

/// A tokenizer.json as Hugging Face writes it for an uncased BERT with ten tokens.
Json whole() {
  auto const special = [](char const* name, int id) { return Json{{"id", name}, {"ids", {id}}, {"tokens", {name}}}; };
  auto const piece = [](char const* kind, char const* id, int segment) {
    return Json{{kind, {{"id", id}, {"type_id", segment}}}};
  };
  Json const cls = piece("SpecialToken", "[CLS]", 0), a = piece("Sequence", "A", 0), sep = piece("SpecialToken", "[SEP]", 0);
  Json const b = piece("Sequence", "B", 1), end = piece("SpecialToken", "[SEP]", 1);
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens",
           {added("[UNK]", 1, {{"special", true}}), added("[CLS]", 2, {{"special", true}}),
            added("[SEP]", 3, {{"special", true}})}},
          {"normalizer",
           {{"type", "BertNormalizer"},
            {"clean_text", true},
            {"handle_chinese_chars", true},
            {"strip_accents", nullptr},
            {"lowercase", true}}},
          {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
          {"post_processor",
           {{"type", "TemplateProcessing"},
            {"single", {cls, a, sep}},
            {"pair", {cls, a, sep, b, end}},
            {"special_tokens", {{"[CLS]", special("[CLS]", 2)}, {"[SEP]", special("[SEP]", 3)}}}}},
          {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}},
          {"model",
           {{"type", "WordPiece"},
            {"unk_token", "[UNK]"},
            {"continuing_subword_prefix", "##"},
            {"max_input_chars_per_word", 100},
            {"vocab",
             {{"[PAD]", 0},
              {"[UNK]", 1},
              {"[CLS]", 2},
              {"[SEP]", 3},
              {"a", 4},
              {"b", 5},
              {"##b", 6},
              {"new", 7},
              {",", 8},
              {"\u00e9", 9}}}}}};
}

class Files {
 public:
  Tokenizer raw(std::string const& text) const {
    write_file(folder_ / "tokenizer.json", text);
    return Tokenizer::from_folder(folder_.path());
  }
  Tokenizer json(Json const& content) const { return raw(content.dump()); }
  Tokenizer patched(std::string const& pointer, Json const& value) const {
    Json content = whole();
    content[Json::json_pointer(pointer)] = value;
    return json(content);
  }
  Tokenizer without(std::string const& parent, std::string const& key) const {
    Json content = whole();
    content[Json::json_pointer(parent)].erase(key);
    return json(content);
  }
  int error_of(std::string const& pointer, Json const& value, std::string* text = nullptr) const {
    return error_number([&] { patched(pointer, value); }, text);
  }
  Tokenizer with_added(Json const& token) const {
    Json content = whole();
    content["added_tokens"].push_back(token);
    return json(content);
  }
  std::filesystem::path path(std::string const& name) const { return folder_ / name; }
  std::filesystem::path const& folder() const { return folder_.path(); }

 private:
  hone::test::TemporaryFolder folder_;
};

Strings pieces(Tokenizer const& tokenizer, std::string const& text) {
  Strings out;
  for (auto const id : tokenizer.encode(text)) out.push_back(tokenizer.token(id));
  return {out.begin() + 1, out.end() - 1};
}

}  // namespace

TEST_CASE("a tokenizer.json as Hugging Face writes it") {
  Files const files;
  auto const tokenizer = files.json(whole());
  CHECK(tokenizer.encode("A ABB, \u00c9z") == Ids{2, 4, 4, 6, 6, 8, 1, 3});
  CHECK(tokenizer.encode_pair("a", "b").ids == Ids{2, 4, 3, 5, 3});
  CHECK(tokenizer.encode_pair("a", "b").segments == Ids{0, 0, 0, 1, 1});
  CHECK(tokenizer.vocabulary_size() == 10);
  CHECK(tokenizer.notes().empty());
  CHECK(files.without("/model", "type").encode("a") == Ids{2, 4, 3});  // files of old versions
  CHECK(files.without("", "truncation").encode("a") == Ids{2, 4, 3});
  CHECK(files.patched("/unknown_key", {1, 2}).encode("a") == Ids{2, 4, 3});
}

TEST_CASE("the normalizer's settings are obeyed") {
  Files const files;
  CHECK(pieces(files.patched("/normalizer/lowercase", false), "A \u00e9") == Strings{"[UNK]", "\u00e9"});
  CHECK(pieces(files.patched("/normalizer/strip_accents", false), "A \u00c9") == Strings{"a", "\u00e9"});
  CHECK(pieces(files.patched("/normalizer/clean_text", false), "a\u00adb") == Strings{"[UNK]"});
  CHECK(pieces(files.json(whole()), "a\u00adb") == Strings{"a", "##b"});
  CHECK(pieces(files.patched("/normalizer", nullptr), "A a") == Strings{"[UNK]", "a"});
}

TEST_CASE("truncation and padding are told, not obeyed") {
  Files const files;
  Json content = whole();
  content["truncation"] = {{"max_length", 4}, {"strategy", "LongestFirst"}, {"stride", 0}};
  content["padding"] = {
      {"strategy", {{"Fixed", 128}}}, {"direction", "Right"}, {"pad_id", 0}, {"pad_type_id", 0}, {"pad_token", "[PAD]"}};
  auto const tokenizer = files.json(content);
  CHECK(tokenizer.encode("a a a a a a").size() == 8);
  REQUIRE(tokenizer.notes().size() == 2);
  CHECK(tokenizer.notes()[0].find("truncation at 4 tokens") != std::string::npos);
  CHECK(tokenizer.notes()[1].find("padding") != std::string::npos);
}

TEST_CASE("post-processors") {
  Files const files;
  Json const bert{{"type", "BertProcessing"}, {"sep", {"[SEP]", 3}}, {"cls", {"[CLS]", 2}}};
  CHECK(files.patched("/post_processor", bert).encode_pair("a", "b").ids == Ids{2, 4, 3, 5, 3});
  auto const none = files.patched("/post_processor", nullptr);
  CHECK(none.encode("a b") == Ids{4, 5});
  CHECK(none.encode("a b", 1) == Ids{4});
  CHECK(none.notes().size() == 1);
  CHECK(error_number([&] { none.encode_pair("a", "b"); }) == 314);
  // Other numbers than usual around the texts: twice [SEP], segments 1 and 0.
  Json content = whole();
  auto& single = content["post_processor"]["single"];
  single.push_back(single.back());
  single[1]["Sequence"]["type_id"] = 1;
  auto const unusual = files.json(content);
  CHECK(unusual.encode("a b") == Ids{2, 4, 5, 3, 3});
  CHECK(unusual.encode("a b", 4) == Ids{2, 4, 3, 3});
  CHECK(unusual.encode_with_offsets("a").segments == Ids{0, 1, 0, 0});

  CHECK(files.error_of("/post_processor/type", "RobertaProcessing") == 305);
  CHECK(files.error_of("/post_processor/single", Json::array()) == 305);
  CHECK(files.error_of("/post_processor/pair", whole()["post_processor"]["single"]) == 305);
  CHECK(files.error_of("/post_processor/single/1/Sequence/id", "C") == 305);
  CHECK(files.error_of("/post_processor/special_tokens", Json::object()) == 306);
  CHECK(files.error_of("/post_processor/special_tokens/[CLS]/ids/0", 10) == 307);
  CHECK(files.error_of("/post_processor/special_tokens/[CLS]/ids/0", -1) == 307);
  CHECK(files.error_of("/post_processor", {{"type", "BertProcessing"}, {"sep", {"[SEP]", 99}}, {"cls", {"[CLS]", 2}}}) ==
        307);
  CHECK(files.error_of("/post_processor", {{"type", "BertProcessing"}, {"sep", {"[SEP]", 3}}}) == 306);
  CHECK(files.error_of("/post_processor", 3) == 306);
}

TEST_CASE("added tokens inside text") {
  Files const files;
  auto const plain = files.with_added(added("new", 7));
  CHECK(pieces(plain, "a new anewb NEW") == Strings{"a", "new", "a", "new", "b", "new"});
  CHECK(pieces(files.with_added(added("<t>", 10)), "a<t><t>b <T>") ==
        Strings{"a", "<t>", "<t>", "b", "[UNK]", "[UNK]", "[UNK]"});
  CHECK(files.with_added(added("<t>", 10)).vocabulary_size() == 11);
  CHECK(files.with_added(added("<t>", 10)).id("<t>") == 10);

  auto const word = files.with_added(added("<t>", 10, {{"single_word", true}}));
  CHECK(pieces(word, "<t> a<t> <t>a ,<t>, \u00e9<t>") == Strings{"<t>", "a", "[UNK]", "[UNK]", "[UNK]", "[UNK]", "[UNK]",
                                                                 "[UNK]", "a", ",", "<t>", ",", "[UNK]", "[UNK]", "[UNK]",
                                                                 "[UNK]"});

  auto const spans = [](Tokenizer const& tokenizer, std::string const& text) {
    std::vector<std::pair<std::int64_t, std::int64_t>> out;
    for (auto const& offset : tokenizer.encode_with_offsets(text).offsets) out.emplace_back(offset.begin, offset.end);
    return std::vector<std::pair<std::int64_t, std::int64_t>>(out.begin() + 1, out.end() - 1);
  };
  using Spans = std::vector<std::pair<std::int64_t, std::int64_t>>;
  CHECK(spans(files.with_added(added("<t>", 10)), "a  <t>  b") == Spans{{0, 1}, {3, 6}, {8, 9}});
  CHECK(spans(files.with_added(added("<t>", 10, {{"lstrip", true}})), "a  <t>  b") == Spans{{0, 1}, {1, 6}, {8, 9}});
  CHECK(spans(files.with_added(added("<t>", 10, {{"rstrip", true}})), "a \u00a0<t> \u00a0 b") ==
        Spans{{0, 1}, {4, 11}, {11, 12}});
  CHECK(spans(files.with_added(added("<t>", 10, {{"lstrip", true}, {"rstrip", true}})), " <t> <t> ") ==
        Spans{{0, 5}, {5, 9}});

  auto const normal = files.with_added(added("N\u00c9w X", 10, {{"normalized", true}}));
  CHECK(normal.encode("a new x") == Ids{2, 4, 10, 3});
  CHECK(normal.encode("a NE\u0301W xb") == Ids{2, 4, 10, 5, 3});
  CHECK(spans(normal, "a NE\u0301W xb") == Spans{{0, 1}, {2, 9}, {9, 10}});
  CHECK(normal.decode(Ids{4, 10}) == "a new x");  // Hugging Face 0.23 decodes to the normal form
  CHECK(normal.token(10) == "N\u00c9w X");
  CHECK(files.with_added(added("N\u00c9w X", 10)).encode("a new x") == Ids{2, 4, 7, 1, 3});

  // The longest counts, and a special one is skipped by decode.
  Json content = whole();
  content["added_tokens"].push_back(added("<t>", 10));
  content["added_tokens"].push_back(added("<t>>", 11, {{"special", true}}));
  CHECK(files.json(content).encode("<t>><t>") == Ids{2, 11, 10, 3});
  CHECK(files.json(content).decode(Ids{11, 10, 4}) == "<t> a");
}

TEST_CASE("an added token with another id than the vocabulary's keeps the vocabulary's, with a note") {
  Files const files;
  auto const tokenizer = files.with_added(added("new", 3));
  CHECK(tokenizer.encode("new") == Ids{2, 7, 3});
  REQUIRE(tokenizer.notes().size() == 1);
  CHECK(tokenizer.notes()[0].find("new has id 7, not 3") != std::string::npos);
  CHECK(files.with_added(added("<t>", 500)).id("<t>") == 10);
}

TEST_CASE("other kinds of tokenizers are refused") {
  Files const files;
  std::string text;
  CHECK(files.error_of("/model/type", "BPE", &text) == 305);
  CHECK(text.find("found BPE, allowed WordPiece") != std::string::npos);
  CHECK(text.find("tokenizer.json") != std::string::npos);
  CHECK(files.error_of("/normalizer", {{"type", "Sequence"}, {"normalizers", Json::array()}}) == 305);
  CHECK(files.error_of("/normalizer", {{"type", "NFC"}}) == 305);
  CHECK(files.error_of("/pre_tokenizer/type", "ByteLevel") == 305);
  CHECK(files.error_of("/decoder/type", "ByteLevel") == 305);
  CHECK(files.error_of("/version", "2.0") == 305);
  Json content = whole();
  content["model"] = {{"vocab", {{"a", 0}}}, {"merges", Json::array()}};
  CHECK(error_number([&] { files.json(content); }) == 305);
}

TEST_CASE("missing fields and wrong types are named") {
  Files const files;
  for (auto const& [parent, key] : std::vector<std::pair<std::string, std::string>>{{"", "model"},
                                                                                    {"/model", "vocab"},
                                                                                    {"/model", "unk_token"},
                                                                                    {"/model", "continuing_subword_prefix"},
                                                                                    {"/model", "max_input_chars_per_word"},
                                                                                    {"", "pre_tokenizer"},
                                                                                    {"/normalizer", "type"},
                                                                                    {"/normalizer", "lowercase"},
                                                                                    {"/decoder", "cleanup"},
                                                                                    {"/added_tokens/0", "content"},
                                                                                    {"/added_tokens/0", "lstrip"}}) {
    std::string text;
    INFO(parent << "/" << key);
    CHECK(error_number([&, &parent = parent, &key = key] { files.without(parent, key); }, &text) == 306);
    CHECK(text.find(key) != std::string::npos);
  }
  std::string text;
  CHECK(files.error_of("/model/max_input_chars_per_word", "100", &text) == 306);
  CHECK(text.find("model.max_input_chars_per_word") != std::string::npos);
  CHECK(files.error_of("/model/max_input_chars_per_word", 1.5) == 306);
  CHECK(files.error_of("/model/max_input_chars_per_word", 18446744073709551615u) == 306);
  CHECK(files.error_of("/model/max_input_chars_per_word", -1) == 312);
  CHECK(files.error_of("/model/vocab", Json::array()) == 306);
  CHECK(files.error_of("/model", nullptr) == 306);
  CHECK(files.error_of("/pre_tokenizer", nullptr) == 306);
  CHECK(files.error_of("/added_tokens", "none") == 306);
  CHECK(files.error_of("/added_tokens/0", 7) == 306);
  CHECK(files.error_of("/normalizer/lowercase", "yes") == 306);
  CHECK(files.error_of("/truncation", 128) == 306);
  CHECK(error_number([&] { files.raw(std::string("[1, 2]")); }) == 306);
  CHECK(error_number([&] { files.raw(std::string("null")); }) == 306);
}

TEST_CASE("ids of a vocabulary must be 0 to V - 1") {
  Files const files;
  std::string text;
  CHECK(files.error_of("/model/vocab/b", 10, &text) == 307);
  CHECK(text.find("\"b\": 10") != std::string::npos);
  CHECK(files.error_of("/model/vocab/b", 4, &text) == 307);
  CHECK(text.find("same id") != std::string::npos);
  CHECK(files.error_of("/model/vocab/b", -1) == 307);
  CHECK(files.error_of("/model/vocab/b", 1.0) == 307);
  CHECK(files.error_of("/model/vocab/b", "5") == 307);
  CHECK(files.error_of("/model/vocab/b", 18446744073709551615u) == 307);
  CHECK(files.error_of("/model/vocab", Json::object()) == 308);
  CHECK(files.error_of("/model/unk_token", "<unk>") == 309);
}

TEST_CASE("damaged and hostile JSON") {
  Files const files;
  std::string const good = whole().dump();
  std::string text;
  for (std::size_t const size : {std::size_t{0}, std::size_t{1}, good.size() / 2, good.size() - 1}) {
    CHECK(error_number([&] { files.raw(good.substr(0, size)); }) == 304);
  }
  CHECK(error_number([&] { files.raw("{\"version\": 1.0,}"); }, &text) == 304);
  CHECK(text.find("byte ") != std::string::npos);
  CHECK(error_number([&] { files.raw(std::string("{\"a\": \"\xff\"}")); }) == 304);
  CHECK(error_number([&] { files.raw(std::string(1000000, '[')); }, &text) == 304);
  CHECK(text.find("too deep") != std::string::npos);
  CHECK(error_number([&] { files.raw("{\"a\": \"" + std::string(1000, '[') + "\"}"); }) ==
        306);  // brackets in a text are none
  CHECK(error_number([&] { files.raw("{\"a\": \"\\\"" + std::string(1000, '[') + "\"}"); }) == 306);
  CHECK(error_number([&] { files.raw("{\"a\": \"\\ud800\"}"); }) == 304);
  CHECK(error_number([&] { files.raw("{\"a\": 1e999}"); }) == 304);
}

TEST_CASE("vocab.txt: line ends, order of words and special names") {
  Files const files;
  write_file(files.path("vocab.txt"), "[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\na \t\r\n##b\u00a0\r\nA");
  auto const lower = Tokenizer::from_folder(files.folder());  // without a configuration: as transformers does
  CHECK(lower.vocabulary_size() == 7);
  CHECK(lower.encode("A ab") == Ids{2, 4, 4, 5, 3});
  CHECK(lower.notes().size() == 1);
  write_file(files.path("tokenizer_config.json"), R"({"do_lower_case": false})");
  auto const cased = Tokenizer::from_folder(files.folder());
  CHECK(cased.encode("A ab") == Ids{2, 6, 4, 5, 3});
  CHECK(cased.notes().empty());
  CHECK(Tokenizer::from_vocab(files.path("vocab.txt")).encode("A ab") == Ids{2, 6, 4, 5, 3});
  write_file(
      files.path("tokenizer_config.json"),
      R"({"do_lower_case": true, "strip_accents": false, "tokenize_chinese_chars": false,
             "mask_token": {"content": "a"}, "cls_token": null})");
  auto const other = Tokenizer::from_folder(files.folder());
  CHECK(other.options().lowercase);
  CHECK(other.options().strip_accents == false);
  CHECK(!other.options().handle_chinese_chars);
  CHECK(other.mask_id() == 4);
  write_file(files.path("tokenizer_config.json"), R"({"do_lower_case": "no"})");
  CHECK(error_number([&] { Tokenizer::from_folder(files.folder()); }) == 306);
  write_file(files.path("tokenizer_config.json"), "{");
  CHECK(error_number([&] { Tokenizer::from_folder(files.folder()); }) == 304);
}

TEST_CASE("where both say something, tokenizer.json counts") {
  Files const files;
  write_file(files.path("tokenizer_config.json"), R"({"do_lower_case": false, "mask_token": "new"})");
  auto const tokenizer = files.json(whole());
  CHECK(tokenizer.encode("A") == Ids{2, 4, 3});
  CHECK(tokenizer.notes().size() == 1);
  CHECK(tokenizer.mask_id() == 7);
}

TEST_CASE("vocabularies that are none") {
  Files const files;
  auto const number = [&](std::string const& content, std::string* text = nullptr) {
    write_file(files.path("vocab.txt"), content);
    return error_number([&] { Tokenizer::from_vocab(files.path("vocab.txt")); }, text);
  };
  std::string text;
  CHECK(number("") == 308);
  CHECK(number("[UNK]\n[CLS]\n[SEP]\n\xff\n", &text) == 308);
  CHECK(text.find("line 4") != std::string::npos);
  CHECK(number("[UNK]\n[CLS]\na\n", &text) == 309);
  CHECK(text.find("no [SEP]") != std::string::npos);
  CHECK(number("[UNK]\n[SEP]\na\n") == 309);
  CHECK(number("[CLS]\n[SEP]\na\n") == 309);
  CHECK(number("[UNK]\n[CLS]\n[SEP]\n") == 0);
  CHECK(error_number([&] { Tokenizer::from_tokens({}); }) == 308);
  CHECK(error_number([&] { Tokenizer::from_tokens({"[UNK]", "[CLS]", "[SEP]", "\xff"}); }) == 308);
  hone::TokenizerOptions options;
  options.max_input_chars_per_word = -1;
  CHECK(error_number([&] { Tokenizer::from_tokens({"[UNK]", "[CLS]", "[SEP]"}, options); }) == 312);
}

TEST_CASE("what is not a file is refused at once") {
  Files const files;
  CHECK(error_number([&] { Tokenizer::from_folder(files.path("nothing")); }) == 302);
  CHECK(error_number([&] { Tokenizer::from_folder(files.folder()); }) == 302);
  CHECK(error_number([&] { Tokenizer::from_vocab(files.folder()); }) == 302);
  CHECK(error_number([&] { Tokenizer::from_json(files.path("nothing.json")); }) == 302);
  REQUIRE(::mkfifo(files.path("tokenizer.json").c_str(), 0600) == 0);
  CHECK(error_number([&] { Tokenizer::from_folder(files.folder()); }) == 302);
  CHECK(error_number([&] { Tokenizer::from_json("/dev/zero"); }) == 302);
  write_file(files.path("large"), "x");
  std::filesystem::resize_file(files.path("large"), (std::uintmax_t{1} << 26) + 1);
  CHECK(error_number([&] { Tokenizer::from_json(files.path("large")); }) == 303);
}
