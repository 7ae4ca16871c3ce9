#pragma once

#include "hone/core/config.hpp"
#include "hone/text/tokenizer_options.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#if HONE_BODIES
#include <algorithm>
#include <cstddef>
#include <limits>
#include <unordered_map>
#include <utility>

#include "hone/core/error.hpp"
#include "hone/text/text_file.hpp"
#include "hone/text/unicode.hpp"
#endif

namespace hone::detail {

/// [CLS] A [SEP] and [CLS] A [SEP] B [SEP], segments 0 and 1 from the first [SEP] on.
void set_bert_templates(TokenizerParts& parts, std::int32_t cls, std::int32_t sep);

/// Refuses what no tokenizer could work with: E307 too many tokens, E308 no token or one that is not UTF-8.
/// `line_of_first` is the line of token 0 in the file, or 0 when lines say nothing.
void check_vocabulary(std::vector<std::string> const& tokens, std::string const& file, std::int64_t line_of_first = 0);

/// Checks options that come from users and files: E312.
void check_options(TokenizerOptions const& options, std::string const& file);

/// A tokenizer from tokens alone. The special tokens among them are added tokens, found in the text as they are.
TokenizerParts tokenizer_parts_from_tokens(std::vector<std::string> tokens, TokenizerOptions options, std::string file,
                                           std::int64_t line_of_first = 0);

/// The lines of a vocab.txt without the white space at their ends, as Hugging Face reads it.
std::vector<std::string> vocab_lines(std::string_view text);

TokenizerParts tokenizer_parts_from_vocab(std::filesystem::path const& path, TokenizerOptions options);

#if HONE_BODIES

HONE_INLINE void set_bert_templates(TokenizerParts& parts, std::int32_t cls, std::int32_t sep) {
  using Kind = TemplatePiece::Kind;
  parts.single = {{Kind::inserted, {cls}, 0}, {Kind::first_text, {}, 0}, {Kind::inserted, {sep}, 0}};
  parts.pair = parts.single;
  parts.pair.push_back({Kind::second_text, {}, 1});
  parts.pair.push_back({Kind::inserted, {sep}, 1});
}

HONE_INLINE void check_vocabulary(std::vector<std::string> const& tokens, std::string const& file,
                                  std::int64_t line_of_first) {
  if (tokens.empty()) {
    throw Error(308, "the vocabulary is empty", {.file = file}, "use the vocabulary of the model");
  }
  if (tokens.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    throw Error(307, "the vocabulary has more tokens than there are ids",
                {.file = file, .value = std::to_string(tokens.size())}, "use the vocabulary of the model");
  }
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (!find_invalid_utf8(tokens[i])) continue;
    std::int64_t const line = line_of_first > 0 ? line_of_first + static_cast<std::int64_t>(i) : -1;
    throw Error(308, "token " + std::to_string(i) + " of the vocabulary is not UTF-8", {.file = file, .line = line},
                "convert the file to UTF-8, or get it again: it may be damaged or no vocabulary at all");
  }
}

HONE_INLINE void check_options(TokenizerOptions const& options, std::string const& file) {
  if (options.max_input_chars_per_word < 0) {
    throw Error(312, "max_input_chars_per_word is negative",
                {.file = file, .value = std::to_string(options.max_input_chars_per_word), .allowed = "0 or more"},
                "give 100, as BERT has it");
  }
}

HONE_INLINE TokenizerParts tokenizer_parts_from_tokens(std::vector<std::string> tokens, TokenizerOptions options,
                                                       std::string file, std::int64_t line_of_first) {
  check_vocabulary(tokens, file, line_of_first);
  check_options(options, file);
  TokenizerParts parts;
  parts.tokens = std::move(tokens);
  parts.vocabulary_size = parts.tokens.size();
  parts.decoder_prefix = options.continuing_subword_prefix;
  parts.file = std::move(file);

  std::unordered_map<std::string_view, std::int32_t> ids;
  std::size_t repeated = 0;
  for (std::size_t i = 0; i < parts.tokens.size(); ++i) {
    repeated += ids.insert_or_assign(parts.tokens[i], static_cast<std::int32_t>(i)).second ? 0 : 1;
  }
  if (repeated > 0) {
    parts.notes.push_back(std::to_string(repeated) +
                          " tokens stand in the vocabulary more than once; the last place counts");
  }
  auto const required = [&](std::string const& token, char const* role) {
    auto const found = ids.find(token);
    if (found != ids.end()) return found->second;
    throw Error(309, std::string("the vocabulary has no ") + role + " token", {.file = parts.file, .value = "no " + token},
                "use the vocabulary of the model, or name its special tokens in tokenizer_config.json or the options");
  };
  required(options.unk_token, "unknown");
  set_bert_templates(parts, required(options.cls_token, "classification"), required(options.sep_token, "separator"));
  for (std::string const& token :
       {options.pad_token, options.unk_token, options.cls_token, options.sep_token, options.mask_token}) {
    auto const found = ids.find(token);
    if (found == ids.end() || token.empty()) continue;
    bool const is_known =
        std::any_of(parts.added.begin(), parts.added.end(), [&](AddedToken const& a) { return a.content == token; });
    if (!is_known) parts.added.push_back({.id = found->second, .content = token, .special = true});
  }
  parts.options = std::move(options);
  return parts;
}

HONE_INLINE std::vector<std::string> vocab_lines(std::string_view text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t const found = text.find('\n', begin);
    std::size_t const next = found == std::string_view::npos ? text.size() : found + 1;
    std::string_view line = text.substr(begin, (found == std::string_view::npos ? text.size() : found) - begin);
    if (find_invalid_utf8(line)) {  // reported later, with its number
      lines.emplace_back(line);
      begin = next;
      continue;
    }
    for (std::size_t end = line.size(); end > 0; line = line.substr(0, end)) {
      if ((character_table()[previous_code_point(line, end)] & char_white_space) == 0) break;
    }
    lines.emplace_back(line);
    begin = next;
  }
  return lines;
}

HONE_INLINE TokenizerParts tokenizer_parts_from_vocab(std::filesystem::path const& path, TokenizerOptions options) {
  return tokenizer_parts_from_tokens(vocab_lines(read_text_file(path)), std::move(options), path.string(), 1);
}

#endif

}  // namespace hone::detail
