#pragma once

#include "hone/core/config.hpp"
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
#include <nlohmann/json.hpp>
#include <system_error>
#include <unordered_map>
#include "hone/core/error.hpp"
#include "hone/text/text_file.hpp"
#include "hone/text/tokenizer_json.hpp"
#include "hone/text/tokenizer_vocab.hpp"
#include "hone/text/unicode.hpp"
#endif

namespace hone::detail {

/// tokenizer.json if there is one, else vocab.txt. E302 when there is neither.
TokenizerParts tokenizer_parts_from_folder(std::filesystem::path const& folder);

/// A tokenizer.json with the keys in the order in which Hugging Face writes them.
std::string tokenizer_json_text(TokenizerParts const& parts);

std::string tokenizer_config_text(TokenizerParts const& parts);

/// One token a line, or nothing when the lines would not be read back as the same tokens.
std::optional<std::string> vocab_text(TokenizerParts const& parts);

#if HONE_BODIES

/// The name of a special token in tokenizer_config.json: a string, or an object with its content.
inline void read_special_name(JsonFields const& config, char const* key, std::string& name) {
  if (!config.has(key)) return;
  name = config.at(key).is_object() ? config.object(key).string("content") : config.string(key);
}

/// What a tokenizer_config.json says about a vocab.txt; the defaults are those of transformers' BertTokenizer.
inline TokenizerOptions options_from_config(Json const& root, std::string const& file) {
  JsonFields const config(root, "", file);
  TokenizerOptions options;
  options.lowercase = config.has("do_lower_case") ? config.boolean("do_lower_case") : true;
  if (config.has("strip_accents")) options.strip_accents = config.boolean("strip_accents");
  if (config.has("tokenize_chinese_chars")) options.handle_chinese_chars = config.boolean("tokenize_chinese_chars");
  if (config.has("clean_text")) options.clean_text = config.boolean("clean_text");
  read_special_name(config, "unk_token", options.unk_token);
  read_special_name(config, "cls_token", options.cls_token);
  read_special_name(config, "sep_token", options.sep_token);
  read_special_name(config, "pad_token", options.pad_token);
  read_special_name(config, "mask_token", options.mask_token);
  return options;
}

HONE_INLINE TokenizerParts tokenizer_parts_from_folder(std::filesystem::path const& folder) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  fs::path const json = folder / "tokenizer.json", vocab = folder / "vocab.txt", config = folder / "tokenizer_config.json";
  bool const has_json = fs::exists(json, ignored), has_config = fs::exists(config, ignored);
  if (!has_json && !fs::exists(vocab, ignored)) {
    throw Error(302, fs::is_directory(folder, ignored) ? "this folder has no tokenizer" : "there is no such model folder",
                {.file = folder.string(), .allowed = "a folder with tokenizer.json or vocab.txt"},
                "give the folder of a Hugging Face BERT model, with its tokenizer files");
  }
  TokenizerOptions options;
  options.lowercase = true;
  if (has_config)
    options = options_from_config(parse_tokenizer_json(read_text_file(config), config.string()), config.string());
  if (!has_json) {
    TokenizerParts parts = tokenizer_parts_from_vocab(vocab, std::move(options));
    if (!has_config) {
      parts.notes.push_back("there is no tokenizer_config.json: texts are made lower case, as transformers does then");
    }
    return parts;
  }
  TokenizerParts parts = tokenizer_parts_from_json(json);
  if (has_config) {
    if (options.lowercase != parts.options.lowercase) {
      parts.notes.push_back(std::string("tokenizer_config.json says do_lower_case ") +
                            (options.lowercase ? "true" : "false") +
                            ", tokenizer.json says otherwise: tokenizer.json counts");
    }
    parts.options.cls_token = options.cls_token;
    parts.options.sep_token = options.sep_token;
    parts.options.pad_token = options.pad_token;
    parts.options.mask_token = options.mask_token;
  }
  return parts;
}

/// A string as JSON.
inline std::string quoted(std::string const& text) { return Json(text).dump(); }

HONE_INLINE std::string tokenizer_json_text(TokenizerParts const& parts) {
  TokenizerOptions const& options = parts.options;
  auto const truth = [](bool value) { return std::string(value ? "true" : "false"); };
  std::string out = "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[";
  for (std::size_t i = 0; i < parts.added.size(); ++i) {
    AddedToken const& token = parts.added[i];
    out += (i > 0 ? ",\n" : "\n") + std::string("{\"id\":") + std::to_string(token.id) +
           ",\"content\":" + quoted(token.content) + ",\"single_word\":" + truth(token.single_word) +
           ",\"lstrip\":" + truth(token.lstrip) + ",\"rstrip\":" + truth(token.rstrip) +
           ",\"normalized\":" + truth(token.normalized) + ",\"special\":" + truth(token.special) + "}";
  }
  out += "],\n\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":" + truth(options.clean_text) +
         ",\"handle_chinese_chars\":" + truth(options.handle_chinese_chars) +
         ",\"strip_accents\":" + (options.strip_accents ? truth(*options.strip_accents) : "null") +
         ",\"lowercase\":" + truth(options.lowercase) +
         "},\n\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\n\"post_processor\":";
  if (parts.pair.empty()) {
    out += "null";
  } else {
    Json special = Json::object();
    auto const pieces = [&](std::vector<TemplatePiece> const& all) {
      Json list = Json::array();
      for (TemplatePiece const& piece : all) {
        if (piece.kind != TemplatePiece::Kind::inserted) {
          char const* const name = piece.kind == TemplatePiece::Kind::first_text ? "A" : "B";
          list.push_back({{"Sequence", {{"id", name}, {"type_id", piece.segment}}}});
          continue;
        }
        for (std::int32_t const id : piece.ids) {
          std::string const& token = parts.tokens[static_cast<std::size_t>(id)];
          list.push_back({{"SpecialToken", {{"id", token}, {"type_id", piece.segment}}}});
          special[token] = {{"id", token}, {"ids", {id}}, {"tokens", {token}}};
        }
      }
      return list.dump();
    };
    out += "{\"type\":\"TemplateProcessing\",\"single\":" + pieces(parts.single) + ",\"pair\":" + pieces(parts.pair);
    out += ",\"special_tokens\":" + special.dump() + "}";
  }
  out += ",\n\"decoder\":";
  out += parts.decoder_prefix ? "{\"type\":\"WordPiece\",\"prefix\":" + quoted(*parts.decoder_prefix) +
                                    ",\"cleanup\":" + truth(options.cleanup) + "}"
                              : "null";
  out += ",\n\"model\":{\"type\":\"WordPiece\",\"unk_token\":" + quoted(options.unk_token) +
         ",\"continuing_subword_prefix\":" + quoted(options.continuing_subword_prefix) +
         ",\"max_input_chars_per_word\":" + std::to_string(options.max_input_chars_per_word) + ",\"vocab\":{";
  std::unordered_map<std::string_view, std::size_t> last;  // of equal tokens the last counts, and JSON wants a key once
  for (std::size_t i = 0; i < parts.vocabulary_size; ++i) last[parts.tokens[i]] = i;
  bool is_first = true;
  for (std::size_t i = 0; i < parts.vocabulary_size; ++i) {
    if (last[parts.tokens[i]] != i) continue;
    out += (is_first ? "\n" : ",\n") + quoted(parts.tokens[i]) + ":" + std::to_string(i);
    is_first = false;
  }
  return out + "}}}\n";
}

HONE_INLINE std::string tokenizer_config_text(TokenizerParts const& parts) {
  TokenizerOptions const& options = parts.options;
  nlohmann::ordered_json config;
  config["tokenizer_class"] = "BertTokenizer";
  config["do_lower_case"] = options.lowercase;
  config["strip_accents"] =
      options.strip_accents ? nlohmann::ordered_json(*options.strip_accents) : nlohmann::ordered_json(nullptr);
  config["tokenize_chinese_chars"] = options.handle_chinese_chars;
  config["clean_text"] = options.clean_text;
  config["unk_token"] = options.unk_token;
  config["cls_token"] = options.cls_token;
  config["sep_token"] = options.sep_token;
  config["pad_token"] = options.pad_token;
  config["mask_token"] = options.mask_token;
  return config.dump(2) + "\n";
}

HONE_INLINE std::optional<std::string> vocab_text(TokenizerParts const& parts) {
  std::string out;
  for (std::string const& token : parts.tokens) {
    if (token.find('\n') != std::string::npos) return std::nullopt;
    out += token;
    out += '\n';
  }
  if (vocab_lines(out) != parts.tokens) return std::nullopt;
  return out;
}

#endif

}  // namespace hone::detail
