#pragma once

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/text/tokenizer_options.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if HONE_BODIES
#include <algorithm>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include "hone/core/json_builder.hpp"
#include "hone/text/text_file.hpp"
#include "hone/text/tokenizer_vocab.hpp"
#include "hone/text/unicode.hpp"
#endif

namespace hone::detail {

/// A tokenizer.json. Errors: E302, E303 the file; E304 not JSON; E305 another kind of tokenizer; E306 fields; E307 ids;
/// E308 tokens; E309 special tokens.
TokenizerParts tokenizer_parts_from_json(std::filesystem::path const& path);

#if HONE_BODIES

using Json = nlohmann::json;

/// Of a key that appears twice the last value counts.
class TokenizerJsonBuilder : public JsonBuilder {
 public:
  explicit TokenizerJsonBuilder(std::string const& file) : file_(file) {}

  bool parse_error(std::size_t position, std::string const&, Json::exception const& failure) override {
    std::string what = failure.what();
    if (auto const end = what.find("] "); end != std::string::npos) what = what.substr(end + 2);
    if (what.size() > 200) what = what.substr(0, 200) + "...";
    for (char& c : what) {
      if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = '?';
    }
    throw Error(304, "this is not JSON: " + what,
                {.file = file_, .offset = position > 0 ? static_cast<std::int64_t>(position) - 1 : 0},
                "get the file again: it may be damaged or cut short");
  }

 private:
  void repeat(std::string const&) override {}
  void nest(std::size_t) override {}

  std::string const& file_;
};

/// Parses JSON that nobody vouches for. E304: not JSON, or nested deeper than any tokenizer file.
inline Json parse_tokenizer_json(std::string const& text, std::string const& file) {
  constexpr int deepest = 64;
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char const c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > deepest) {
        throw Error(304, "the JSON is nested too deep",
                    {.file = file, .offset = static_cast<std::int64_t>(i), .allowed = std::to_string(deepest) + " levels"},
                    "get the file again: this is no tokenizer file");
      }
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  TokenizerJsonBuilder builder(file);
  parse_json_events(text, builder);
  return std::move(builder.root);
}

/// Fields of a JSON object with errors that name the place, "model.vocab". E306: missing or of another type.
class JsonFields {
 public:
  JsonFields(Json const& object, std::string name, std::string const& file)
      : object_(object), name_(std::move(name)), file_(file) {
    if (!object.is_object()) fail("is not an object", object);
  }

  bool has(char const* key) const { return object_.contains(key) && !object_.at(key).is_null(); }

  Json const& at(char const* key) const {
    if (!object_.contains(key)) {
      throw Error(306, "a field is missing from this tokenizer file", {.file = file_, .value = "no " + path(key)},
                  "get the file again, or make it with a current version of tokenizers");
    }
    return object_.at(key);
  }

  JsonFields object(char const* key) const { return {at(key), path(key), file_}; }

  std::string string(char const* key) const { return typed<std::string>(key, at(key).is_string(), "a string"); }
  bool boolean(char const* key) const { return typed<bool>(key, at(key).is_boolean(), "true or false"); }

  std::int64_t integer(char const* key) const {
    Json const& value = at(key);
    using Limits = std::numeric_limits<std::int32_t>;
    bool fits = value.is_number_unsigned() && value.get<std::uint64_t>() <= static_cast<std::uint64_t>(Limits::max());
    if (value.is_number_integer() && !value.is_number_unsigned()) fits = value.get<std::int64_t>() >= Limits::min();
    return typed<std::int64_t>(key, fits, "an integer of 32 bits");
  }

  Json const& array(char const* key) const {
    if (!at(key).is_array()) wrong(key, "a list");
    return at(key);
  }

  std::string type() const { return string("type"); }
  std::string path(char const* key) const { return name_.empty() ? key : name_ + "." + key; }
  Json const& json() const { return object_; }

 private:
  template <class T>
  T typed(char const* key, bool is_right, char const* wanted) const {
    if (!is_right) wrong(key, wanted);
    return at(key).get<T>();
  }
  [[noreturn]] void wrong(char const* key, std::string const& wanted) const {
    throw Error(306, "a field of this tokenizer file has the wrong type",
                {.file = file_, .value = path(key) + ": " + shown(at(key)), .allowed = wanted},
                "get the file again, or make it with a current version of tokenizers");
  }
  [[noreturn]] void fail(char const* what, Json const& value) const {
    throw Error(306, (name_.empty() ? std::string("the whole file") : name_) + " " + what,
                {.file = file_, .value = shown(value), .allowed = "an object"},
                "get the file again, or make it with a current version of tokenizers");
  }
  static std::string shown(Json const& value) {
    std::string text =
        value.is_structured() ? std::string(value.type_name()) : value.dump(-1, ' ', true, Json::error_handler_t::replace);
    return text.size() > 60 ? text.substr(0, 60) + "..." : text;
  }

  Json const& object_;
  std::string name_;
  std::string const& file_;
};

/// E305: a part of the tokenizer is of a kind that BERT's tokenizer does not have.
[[noreturn]] inline void refuse_kind(std::string const& part, std::string const& found, std::string const& allowed,
                                     std::string const& file) {
  throw Error(305, "this is not a BERT tokenizer: its " + part + " is of another kind",
              {.file = file, .value = found, .allowed = allowed}, "use a model with a BERT WordPiece tokenizer");
}

/// model.vocab as a list. E307: ids that are not exactly 0 to V - 1, each once.
inline std::vector<std::string> json_vocabulary(JsonFields const& model, std::string const& file) {
  JsonFields const vocab = model.object("vocab");
  std::size_t const size = vocab.json().size();
  std::vector<std::string> tokens(size);
  std::vector<bool> is_taken(size, false);
  auto const fail = [&](std::string const& what, std::string const& value) -> Error {
    return {307,
            what,
            {.file = file, .value = value, .allowed = "each of 0 to " + std::to_string(size == 0 ? 0 : size - 1) + " once"},
            "get the file again: every row of the embedding must belong to one token"};
  };
  for (auto const& item : vocab.json().items()) {
    if (!item.value().is_number_integer()) throw fail("an id of the vocabulary is not an integer", item.key());
    bool const fits = item.value().is_number_unsigned() && item.value().get<std::uint64_t>() < size;
    std::string const shown = "\"" + item.key() + "\": " + item.value().dump();
    if (!fits) throw fail("the ids of the vocabulary have a gap, or one is out of range", shown);
    auto const id = item.value().get<std::size_t>();
    if (is_taken[id]) throw fail("two tokens of the vocabulary have the same id", shown + " and \"" + tokens[id] + "\"");
    is_taken[id] = true;
    tokens[id] = item.key();
  }
  return tokens;
}

/// The elements of a TemplateProcessing.
inline std::vector<TemplatePiece> json_template(JsonFields const& processor, char const* which, std::size_t id_count,
                                                std::string const& file) {
  using Kind = TemplatePiece::Kind;
  std::vector<TemplatePiece> pieces;
  bool has_first = false, has_second = false;
  for (Json const& element : processor.array(which)) {
    JsonFields const piece(element, processor.path(which), file);
    if (piece.has("Sequence")) {
      JsonFields const sequence = piece.object("Sequence");
      std::string const name = sequence.string("id");
      if (name != "A" && name != "B") refuse_kind(sequence.path("id"), name, "A, B", file);
      bool& is_there = name == "A" ? has_first : has_second;
      if (is_there) refuse_kind(processor.path(which), name + " twice", "each text once", file);
      is_there = true;
      pieces.push_back(
          {name == "A" ? Kind::first_text : Kind::second_text, {}, static_cast<std::int32_t>(sequence.integer("type_id"))});
      continue;
    }
    JsonFields const special = piece.object("SpecialToken");
    std::string const name = special.string("id");
    JsonFields const token = processor.object("special_tokens").object(name.c_str());
    TemplatePiece inserted{Kind::inserted, {}, static_cast<std::int32_t>(special.integer("type_id"))};
    for (Json const& id : token.array("ids")) {
      if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= id_count) {
        throw Error(
            307, "the template inserts an id that is not in the vocabulary",
            {.file = file, .value = token.path("ids") + ": " + id.dump(), .allowed = "0 to " + std::to_string(id_count - 1)},
            "get the file again");
      }
      inserted.ids.push_back(id.get<std::int32_t>());
    }
    pieces.push_back(std::move(inserted));
  }
  bool const is_pair = std::string_view(which) == "pair";
  if (!has_first || has_second != is_pair) {
    refuse_kind(processor.path(which), "other texts", is_pair ? "A and B" : "A alone", file);
  }
  return pieces;
}

inline void read_post_processor(Json const& root, TokenizerParts& parts) {
  JsonFields const fields(root, "", parts.file);
  if (!fields.has("post_processor")) {
    parts.single = {{TemplatePiece::Kind::first_text, {}, 0}};
    parts.notes.push_back("tokenizer.json has no post_processor: [CLS] and [SEP] are not put around texts");
    return;
  }
  JsonFields const processor = fields.object("post_processor");
  if (processor.type() == "TemplateProcessing") {
    parts.single = json_template(processor, "single", parts.tokens.size(), parts.file);
    parts.pair = json_template(processor, "pair", parts.tokens.size(), parts.file);
    return;
  }
  if (processor.type() != "BertProcessing") {
    refuse_kind("post_processor", processor.type(), "TemplateProcessing, BertProcessing", parts.file);
  }
  auto const id = [&](char const* key) {
    Json const& pair = processor.array(key);
    if (pair.size() != 2 || !pair[1].is_number_unsigned() || pair[1].get<std::uint64_t>() >= parts.tokens.size()) {
      throw Error(307, "the post_processor inserts an id that is not in the vocabulary",
                  {.file = parts.file, .value = processor.path(key), .allowed = "[token, id]"}, "get the file again");
    }
    return pair[1].get<std::int32_t>();
  };
  set_bert_templates(parts, id("cls"), id("sep"));
}

inline void read_added_tokens(Json const& root, TokenizerParts& parts) {
  JsonFields const fields(root, "", parts.file);
  if (!fields.has("added_tokens")) return;
  std::unordered_map<std::string, std::int32_t> ids;
  for (std::size_t i = 0; i < parts.tokens.size(); ++i) ids.insert_or_assign(parts.tokens[i], static_cast<std::int32_t>(i));
  std::unordered_map<std::int32_t, std::size_t> places;  // of an id that comes again, the last entry counts
  for (Json const& element : fields.array("added_tokens")) {
    JsonFields const token(element, "added_tokens", parts.file);
    AddedToken added;
    added.content = token.string("content");
    if (added.content.empty()) continue;
    added.single_word = token.boolean("single_word");
    added.lstrip = token.boolean("lstrip");
    added.rstrip = token.boolean("rstrip");
    added.normalized = token.boolean("normalized");
    added.special = token.boolean("special");
    std::int64_t const wanted = token.integer("id");
    auto const [known, is_new] = ids.emplace(added.content, static_cast<std::int32_t>(parts.tokens.size()));
    added.id = known->second;
    if (is_new) parts.tokens.push_back(added.content);
    if (wanted != added.id) {
      parts.notes.push_back("the added token " + added.content + " has id " + std::to_string(added.id) + ", not " +
                            std::to_string(wanted) + " as its entry says: the vocabulary counts");
    }
    auto const [place, is_first] = places.emplace(added.id, parts.added.size());
    if (is_first) {
      parts.added.push_back(std::move(added));
    } else {
      parts.added[place->second] = std::move(added);
    }
  }
}

HONE_INLINE TokenizerParts tokenizer_parts_from_json(std::filesystem::path const& path) {
  TokenizerParts parts;
  parts.file = path.string();
  std::string const& file = parts.file;
  Json const root = parse_tokenizer_json(read_text_file(path), file);
  JsonFields const fields(root, "", file);
  if (fields.has("version") && fields.string("version") != "1.0")
    refuse_kind("version", fields.string("version"), "1.0", file);

  JsonFields const model = fields.object("model");
  if (model.has("type") && model.type() != "WordPiece") refuse_kind("model", model.type(), "WordPiece", file);
  if (!model.has("type") && model.has("merges")) refuse_kind("model", "one with merges", "WordPiece", file);
  TokenizerOptions& options = parts.options;
  options.unk_token = model.string("unk_token");
  options.continuing_subword_prefix = model.string("continuing_subword_prefix");
  options.max_input_chars_per_word = static_cast<int>(model.integer("max_input_chars_per_word"));
  check_options(options, file);
  parts.tokens = json_vocabulary(model, file);
  parts.vocabulary_size = parts.tokens.size();
  check_vocabulary(parts.tokens, file);
  if (std::find(parts.tokens.begin(), parts.tokens.end(), options.unk_token) == parts.tokens.end()) {
    throw Error(309, "the vocabulary has no unknown token", {.file = file, .value = "no " + options.unk_token},
                "get the file again");
  }

  options.clean_text = options.handle_chinese_chars = options.lowercase = false;
  options.strip_accents = false;
  if (fields.has("normalizer")) {
    JsonFields const normalizer = fields.object("normalizer");
    if (normalizer.type() != "BertNormalizer") refuse_kind("normalizer", normalizer.type(), "BertNormalizer", file);
    options.clean_text = normalizer.boolean("clean_text");
    options.handle_chinese_chars = normalizer.boolean("handle_chinese_chars");
    options.lowercase = normalizer.boolean("lowercase");
    options.strip_accents =
        normalizer.has("strip_accents") ? std::optional(normalizer.boolean("strip_accents")) : std::nullopt;
  }
  JsonFields const splitter = fields.object("pre_tokenizer");
  if (splitter.type() != "BertPreTokenizer") refuse_kind("pre_tokenizer", splitter.type(), "BertPreTokenizer", file);
  parts.decoder_prefix.reset();
  if (fields.has("decoder")) {
    JsonFields const decoder = fields.object("decoder");
    if (decoder.type() != "WordPiece") refuse_kind("decoder", decoder.type(), "WordPiece", file);
    parts.decoder_prefix = decoder.string("prefix");
    options.cleanup = decoder.boolean("cleanup");
  }
  read_added_tokens(root, parts);
  read_post_processor(root, parts);

  if (fields.has("truncation")) {
    JsonFields const truncation = fields.object("truncation");
    std::string const length = truncation.has("max_length") ? " at " + truncation.at("max_length").dump() + " tokens" : "";
    parts.notes.push_back("tokenizer.json asks for truncation" + length + ": not obeyed, the caller gives the length");
  }
  if (fields.has("padding")) parts.notes.push_back("tokenizer.json asks for padding: not obeyed, hone does not pad");
  return parts;
}

#endif

}  // namespace hone::detail
