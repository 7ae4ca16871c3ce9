#pragma once

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/core/ragged_tokens.hpp"
#include "hone/core/thread_pool.hpp"
#include "hone/text/normalizer.hpp"
#include "hone/text/text_encoder.hpp"
#include "hone/text/tokenizer_options.hpp"
#include "hone/text/unicode.hpp"
#include "hone/text/wordpiece.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#if HONE_BODIES
#include <algorithm>

#include "hone/core/atomic_file.hpp"
#include "hone/core/sha256.hpp"
#include "hone/text/tokenizer_files.hpp"
#include "hone/text/tokenizer_json.hpp"
#include "hone/text/tokenizer_vocab.hpp"
#include "hone/text/wordpiece_decoder.hpp"
#endif

namespace hone {

/// One text, or a pair of texts, as token ids.
///
/// Shapes: ids, offsets, segments (S). Offsets are bytes of the text that the token came from; [CLS] and [SEP] have 0, 0.
struct Encoding {
  std::vector<std::int32_t> ids{};
  std::vector<TokenOffset> offsets{};
  std::vector<std::int32_t> segments{};  ///< 0 for the first text, 1 for the second one
};

/// Turns byte offsets into `text` into offsets in code points, as Python counts. Offsets beyond the text count to its end.
std::vector<TokenOffset> to_code_points(std::string_view text, std::span<TokenOffset const> offsets);

/// The WordPiece tokenizer of BERT; its ids and offsets are those of Hugging Face `tokenizers`, to the bit.
///
///     auto const tokenizer = hone::Tokenizer::from_folder("models/bert-base-uncased");
///     std::vector<std::int32_t> ids = tokenizer.encode("Hello, world!", 512);   // 101 7592 1010 2088 999 102
///     std::string text = tokenizer.decode(ids);                                 // "hello, world!"
///
/// A tokenizer does not change after it is made: any number of threads may use one at the same time.
/// What a tokenizer.json asks for in the way of truncation and padding is not obeyed but told by `notes()`: the caller
/// gives the length, and hone does not pad.
///
/// Texts must be well-formed UTF-8 (E301). Reference: Devlin et al. 2018, arXiv:1810.04805; the order of the steps and the
/// classes of characters are those of Hugging Face (docs/tokenizer.md says where these differ from Google's original).
class Tokenizer {
 public:
  Tokenizer(Tokenizer const& other);
  Tokenizer(Tokenizer&& other) noexcept;
  Tokenizer& operator=(Tokenizer const& other);
  Tokenizer& operator=(Tokenizer&& other) noexcept;
  ~Tokenizer();

  /// The tokenizer of a model folder: `tokenizer.json`; without one `vocab.txt`, with `tokenizer_config.json` if there is
  /// one (do_lower_case, strip_accents, tokenize_chinese_chars, names of special tokens). Errors: E302 to E309.
  static Tokenizer from_folder(std::filesystem::path const& model_folder);

  /// A `tokenizer.json` of the BERT kind: WordPiece, BertNormalizer, BertPreTokenizer. Errors: E302 to E309.
  static Tokenizer from_json(std::filesystem::path const& tokenizer_json);

  /// A `vocab.txt`: one token a line, white space at its end is dropped, the number of the line (from 0) is the id. Of equal
  /// lines the last one counts. Errors: E302, E303, E307, E308, E309.
  static Tokenizer from_vocab(std::filesystem::path const& vocab_txt, TokenizerOptions options = {});

  /// A vocabulary in memory: the id of a token is its place. Errors: E307, E308, E309.
  static Tokenizer from_tokens(std::vector<std::string> vocabulary, TokenizerOptions options = {});

  /// The ids of a text between [CLS] and [SEP].
  ///
  /// @param max_length  how many ids at most, [CLS] and [SEP] among them: the text loses its end; 0: not cut
  /// Errors: E301 text not UTF-8, E311 max_length negative or too small for the special tokens.
  std::vector<std::int32_t> encode(std::string_view text, std::int64_t max_length = 0) const;

  /// `encode`, with the bytes of the text that each token came from.
  Encoding encode_with_offsets(std::string_view text, std::int64_t max_length = 0) const;

  /// Two texts: [CLS] first [SEP] second [SEP], segments 0 and 1. Offsets of the second text count from its own start.
  ///
  /// @param max_length  as in `encode`; the longer text is cut first (Hugging Face's LongestFirst)
  /// Errors: E301, E311, E314 the tokenizer has no form for pairs.
  Encoding encode_pair(std::string_view first, std::string_view second, std::int64_t max_length = 0) const;

  /// How many tokens of two texts are kept when together they may have `allowed`: Hugging Face's LongestFirst.
  static std::pair<std::int64_t, std::int64_t> longest_first(std::int64_t first, std::int64_t second, std::int64_t allowed);

  /// Every text as by `encode`, one after the other; the same for any number of threads.
  ///
  /// Errors: E301 naming the number of the first text that is not UTF-8, E311.
  RaggedTokens encode_batch(std::span<std::string const> texts, std::int64_t max_length, ThreadPool& pool) const;

  /// The text of tokens: pieces joined, blanks before punctuation taken out, as Hugging Face's WordPiece decoder does.
  ///
  /// @param skip_special_tokens  leave out [CLS], [SEP] and the others that are marked special
  /// Errors: E310 an id that is not in the vocabulary.
  std::string decode(std::span<std::int32_t const> ids, bool skip_special_tokens = true) const;

  /// The token of an id. Errors: E310.
  std::string const& token(std::int32_t id) const;

  /// The id of a token, exactly as it stands in the vocabulary ("##ing").
  std::optional<std::int32_t> id(std::string_view token) const;

  /// The number of ids, V: they are 0 to V - 1.
  std::int32_t vocabulary_size() const { return static_cast<std::int32_t>(parts_.tokens.size()); }

  std::int32_t cls_id() const { return cls_; }
  std::int32_t sep_id() const { return sep_; }
  std::int32_t unk_id() const { return unk_; }
  std::int32_t pad_id() const { return pad_; }    ///< -1 when the vocabulary has none
  std::int32_t mask_id() const { return mask_; }  ///< -1 when the vocabulary has none

  /// True for ids that `decode(ids, true)` leaves out.
  bool is_special(std::int32_t id) const {
    return id >= 0 && id < vocabulary_size() && is_special_[static_cast<std::size_t>(id)];
  }

  /// What the files asked for and this tokenizer does otherwise, one sentence each.
  std::vector<std::string> const& notes() const { return parts_.notes; }

  TokenizerOptions const& options() const { return parts_.options; }
  std::vector<AddedToken> const& added_tokens() const { return parts_.added; }

  /// Writes `tokenizer.json`, `tokenizer_config.json` and `vocab.txt`, as `transformers` and `tokenizers` read them. There
  /// is no vocab.txt where a token cannot be a line of one (it ends in white space or holds a line break). Errors:
  /// E701 to E705 of the disk; each file is replaced whole or not at all.
  void save(std::filesystem::path const& folder) const;

  /// 64 hexadecimal digits that two tokenizers have in common only if they give the same ids for every text: the SHA-256 of
  /// vocabulary, added tokens, settings and templates.
  std::string fingerprint() const;

 private:
  explicit Tokenizer(detail::TokenizerParts parts);

  bool is_special_content(std::string const& content) const;

  static std::int64_t inserted(std::vector<detail::TemplatePiece> const& pieces);

  void check_text(std::string_view text, std::string const& which) const;

  /// How many tokens of the text may stay, -1 for all.
  std::int64_t length_for_text(std::int64_t max_length, std::int64_t special) const;

  void append(std::string_view text, std::int64_t max_length, std::vector<std::int32_t>& ids,
              detail::EncoderScratch& scratch) const;

  detail::EncodedBody body(std::string_view text, std::int64_t allowed, detail::EncoderScratch& scratch) const;

  static Encoding assembled(std::vector<detail::TemplatePiece> const& pieces, detail::EncodedBody const& first,
                            detail::EncodedBody const& second);

  detail::TokenizerParts parts_;
  WordPiece wordpiece_;
  detail::TextEncoder encoder_;
  std::vector<bool> is_special_;
  std::unordered_map<std::int32_t, std::string> decoded_;  ///< normalised added tokens decode to their normal form
  std::int64_t single_inserted_ = 0, pair_inserted_ = 0;
  std::int32_t cls_ = -1, sep_ = -1, unk_ = -1, pad_ = -1, mask_ = -1;
};

#if HONE_BODIES

HONE_INLINE std::vector<TokenOffset> to_code_points(std::string_view text, std::span<TokenOffset const> offsets) {
  std::vector<std::int64_t> index(text.size() + 1);
  std::int64_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    index[i] = count;
    if (i + 1 == text.size() || (static_cast<unsigned char>(text[i + 1]) & 0xc0) != 0x80) ++count;
  }
  index[text.size()] = count;
  auto const at = [&](std::int64_t byte) {
    return index[static_cast<std::size_t>(std::clamp<std::int64_t>(byte, 0, static_cast<std::int64_t>(text.size())))];
  };
  std::vector<TokenOffset> out;
  out.reserve(offsets.size());
  for (TokenOffset const& offset : offsets) out.push_back({at(offset.begin), at(offset.end)});
  return out;
}

HONE_INLINE Tokenizer::Tokenizer(Tokenizer const& other) = default;
HONE_INLINE Tokenizer::Tokenizer(Tokenizer&& other) noexcept = default;
HONE_INLINE Tokenizer& Tokenizer::operator=(Tokenizer const& other) = default;
HONE_INLINE Tokenizer& Tokenizer::operator=(Tokenizer&& other) noexcept = default;
HONE_INLINE Tokenizer::~Tokenizer() = default;

HONE_INLINE std::vector<std::int32_t> Tokenizer::encode(std::string_view text, std::int64_t max_length) const {
  check_text(text, "");
  std::vector<std::int32_t> ids;
  detail::EncoderScratch scratch;
  append(text, max_length, ids, scratch);
  return ids;
}

HONE_INLINE Encoding Tokenizer::encode_with_offsets(std::string_view text, std::int64_t max_length) const {
  check_text(text, "");
  detail::EncoderScratch scratch;
  return assembled(parts_.single, body(text, length_for_text(max_length, single_inserted_), scratch), {});
}

HONE_INLINE Encoding Tokenizer::encode_pair(std::string_view first, std::string_view second, std::int64_t max_length) const {
  if (parts_.pair.empty()) {
    throw Error(314, "this tokenizer does not say how two texts are put together", {.file = parts_.file},
                "give its post_processor a template for pairs, or encode single texts");
  }
  check_text(first, "the first text: ");
  check_text(second, "the second text: ");
  detail::EncoderScratch scratch;
  detail::EncodedBody a = body(first, -1, scratch), b = body(second, -1, scratch);
  std::int64_t const allowed = length_for_text(max_length, pair_inserted_);
  if (allowed >= 0) {
    auto const [keep_a, keep_b] =
        longest_first(static_cast<std::int64_t>(a.ids.size()), static_cast<std::int64_t>(b.ids.size()), allowed);
    a.truncate(keep_a);
    b.truncate(keep_b);
  }
  return assembled(parts_.pair, a, b);
}

HONE_INLINE std::pair<std::int64_t, std::int64_t> Tokenizer::longest_first(std::int64_t first, std::int64_t second,
                                                                           std::int64_t allowed) {
  if (first + second <= allowed) return {first, second};
  bool const swapped = first > second;
  std::int64_t const shorter = std::min(first, second);
  std::int64_t low = shorter;
  std::int64_t high = shorter > allowed ? shorter : std::max(shorter, allowed - shorter);
  if (low + high > allowed) {
    low = allowed / 2;
    high = low + allowed % 2;
  }
  return swapped ? std::pair(high, low) : std::pair(low, high);
}

HONE_INLINE RaggedTokens Tokenizer::encode_batch(std::span<std::string const> texts, std::int64_t max_length,
                                                 ThreadPool& pool) const {
  length_for_text(max_length, single_inserted_);
  constexpr std::int64_t grain = 32;
  auto const count = static_cast<std::int64_t>(texts.size());
  std::vector<std::vector<std::int32_t>> chunks(static_cast<std::size_t>((count + grain - 1) / grain));
  std::vector<std::int64_t> invalid(chunks.size(), -1);
  RaggedTokens out;
  out.offsets.assign(texts.size() + 1, 0);
  pool.parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
    auto const chunk = static_cast<std::size_t>(begin / grain);
    detail::EncoderScratch scratch;
    std::size_t room = 0;  // English has a token for 4 to 5 bytes
    std::size_t const most = max_length > 0 ? static_cast<std::size_t>(max_length) : std::string::npos;
    for (std::int64_t i = begin; i < end; ++i) room += std::min(texts[static_cast<std::size_t>(i)].size() / 4 + 2, most);
    chunks[chunk].reserve(room);
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      if (find_invalid_utf8(texts[i])) {
        invalid[chunk] = static_cast<std::int64_t>(i);
        return;
      }
      std::size_t const before = chunks[chunk].size();
      append(texts[i], max_length, chunks[chunk], scratch);
      out.offsets[i + 1] = static_cast<std::int64_t>(chunks[chunk].size() - before);
    }
  });
  for (std::int64_t const i : invalid) {
    if (i >= 0) check_text(texts[static_cast<std::size_t>(i)], "text " + std::to_string(i) + " of the batch: ");
  }
  for (std::size_t i = 0; i < texts.size(); ++i) out.offsets[i + 1] += out.offsets[i];
  out.tokens.reserve(static_cast<std::size_t>(out.offsets.back()));
  for (auto& chunk : chunks) {
    out.tokens.insert(out.tokens.end(), chunk.begin(), chunk.end());
    chunk = {};
  }
  return out;
}

HONE_INLINE std::string Tokenizer::decode(std::span<std::int32_t const> ids, bool skip_special_tokens) const {
  std::string out;
  bool is_first = true;
  for (std::int32_t const id : ids) {
    std::string const& content = token(id);
    auto const form = decoded_.find(id);
    if (skip_special_tokens && (form == decoded_.end() ? is_special(id) : is_special_content(form->second))) continue;
    std::string const& shown = form == decoded_.end() ? content : form->second;
    detail::append_decoded(out, shown, is_first, parts_.decoder_prefix, parts_.options.cleanup);
    is_first = false;
  }
  return out;
}

HONE_INLINE std::string const& Tokenizer::token(std::int32_t id) const {
  if (id < 0 || id >= vocabulary_size()) {
    throw Error(
        310, "there is no token with this id",
        {.file = parts_.file, .value = std::to_string(id), .allowed = "0 to " + std::to_string(vocabulary_size() - 1)},
        "check that the ids come from this tokenizer");
  }
  return parts_.tokens[static_cast<std::size_t>(id)];
}

HONE_INLINE std::optional<std::int32_t> Tokenizer::id(std::string_view token) const {
  for (AddedToken const& added : parts_.added) {
    if (added.content == token) return added.id;
  }
  std::int32_t const found = wordpiece_.find(token);
  return found < 0 ? std::nullopt : std::optional(found);
}

HONE_INLINE void Tokenizer::save(std::filesystem::path const& folder) const {
  write_file_atomically(folder / "tokenizer.json", detail::tokenizer_json_text(parts_));
  write_file_atomically(folder / "tokenizer_config.json", detail::tokenizer_config_text(parts_));
  if (auto const lines = detail::vocab_text(parts_)) write_file_atomically(folder / "vocab.txt", *lines);
}

HONE_INLINE std::string Tokenizer::fingerprint() const {
  Sha256 sum;
  auto const number = [&sum](std::int64_t value) {
    unsigned char bytes[8];
    for (int i = 0; i < 8; ++i) bytes[i] = static_cast<unsigned char>(static_cast<std::uint64_t>(value) >> (8 * i));
    sum.update(bytes, sizeof bytes);
  };
  auto const text = [&](std::string_view value) {
    number(static_cast<std::int64_t>(value.size()));
    sum.update(value);
  };
  auto const count = [&](auto const& values) { number(static_cast<std::int64_t>(values.size())); };
  TokenizerOptions const& o = parts_.options;
  count(parts_.tokens);
  number(static_cast<std::int64_t>(parts_.vocabulary_size));
  for (std::string const& token : parts_.tokens) text(token);
  count(parts_.added);
  for (AddedToken const& token : parts_.added) {
    number(token.id);
    text(token.content);
    for (bool const flag : {token.single_word, token.lstrip, token.rstrip, token.normalized, token.special}) number(flag);
  }
  number(o.strip_accents ? *o.strip_accents : -1);
  for (bool const flag : {o.lowercase, o.handle_chinese_chars, o.clean_text}) number(flag);
  number(o.max_input_chars_per_word);
  text(o.continuing_subword_prefix);
  text(o.unk_token);
  for (auto const* pieces : {&parts_.single, &parts_.pair}) {
    count(*pieces);
    for (detail::TemplatePiece const& piece : *pieces) {
      number(static_cast<std::int64_t>(piece.kind));
      number(piece.segment);
      count(piece.ids);
      for (std::int32_t const id : piece.ids) number(id);
    }
  }
  return sum.hex();
}

HONE_INLINE Tokenizer::Tokenizer(detail::TokenizerParts parts) : parts_(std::move(parts)) {
  std::span<std::string const> const tokens(parts_.tokens);
  TokenizerOptions const& options = parts_.options;
  auto const known = [&](std::string const& token) { return id(token).value_or(-1); };
  wordpiece_ = WordPiece(tokens.first(parts_.vocabulary_size), options.continuing_subword_prefix, options.unk_token,
                         options.max_input_chars_per_word);
  unk_ = wordpiece_.unknown();
  cls_ = known(options.cls_token);
  sep_ = known(options.sep_token);
  pad_ = known(options.pad_token);
  mask_ = known(options.mask_token);
  is_special_.assign(tokens.size(), false);
  for (AddedToken const& added : parts_.added) {
    if (added.special) is_special_[static_cast<std::size_t>(added.id)] = true;
    if (added.normalized) decoded_[added.id] = detail::normal_form(added.content, detail::NormalizerSettings(options));
  }
  encoder_ = detail::TextEncoder(options, parts_.added);
  single_inserted_ = inserted(parts_.single);
  pair_inserted_ = inserted(parts_.pair);
}

HONE_INLINE bool Tokenizer::is_special_content(std::string const& content) const {
  return std::any_of(parts_.added.begin(), parts_.added.end(),
                     [&](AddedToken const& added) { return added.special && added.content == content; });
}

HONE_INLINE std::int64_t Tokenizer::inserted(std::vector<detail::TemplatePiece> const& pieces) {
  std::int64_t count = 0;
  for (auto const& piece : pieces) count += static_cast<std::int64_t>(piece.ids.size());
  return count;
}

HONE_INLINE void Tokenizer::check_text(std::string_view text, std::string const& which) const {
  if (auto const at = find_invalid_utf8(text)) {
    static constexpr char digits[] = "0123456789abcdef";
    auto const byte = static_cast<unsigned char>(text[*at]);
    throw Error(301, which + "not UTF-8",
                {.offset = static_cast<std::int64_t>(*at), .value = {'0', 'x', digits[byte >> 4], digits[byte & 15]}},
                "convert the text to UTF-8 first, for example with iconv");
  }
}

HONE_INLINE std::int64_t Tokenizer::length_for_text(std::int64_t max_length, std::int64_t special) const {
  if (max_length == 0) return -1;
  if (max_length < special) {
    throw Error(311, "max_length leaves no room for the special tokens",
                {.value = std::to_string(max_length), .allowed = "0 (not cut) or at least " + std::to_string(special)},
                "give a larger max_length");
  }
  return max_length - special;
}

HONE_INLINE void Tokenizer::append(std::string_view text, std::int64_t max_length, std::vector<std::int32_t>& ids,
                                   detail::EncoderScratch& scratch) const {
  std::int64_t const allowed = length_for_text(max_length, single_inserted_);
  for (auto const& piece : parts_.single) {
    ids.insert(ids.end(), piece.ids.begin(), piece.ids.end());
    if (piece.kind == detail::TemplatePiece::Kind::first_text)
      encoder_.encode(wordpiece_, text, allowed, ids, nullptr, scratch);
  }
}

HONE_INLINE detail::EncodedBody Tokenizer::body(std::string_view text, std::int64_t allowed,
                                                detail::EncoderScratch& scratch) const {
  detail::EncodedBody out;
  encoder_.encode(wordpiece_, text, allowed, out.ids, &out.offsets, scratch);
  return out;
}

HONE_INLINE Encoding Tokenizer::assembled(std::vector<detail::TemplatePiece> const& pieces, detail::EncodedBody const& first,
                                          detail::EncodedBody const& second) {
  Encoding out;
  for (auto const& piece : pieces) {
    if (piece.kind == detail::TemplatePiece::Kind::inserted) {
      out.ids.insert(out.ids.end(), piece.ids.begin(), piece.ids.end());
      out.offsets.resize(out.ids.size());
    } else {
      auto const& text = piece.kind == detail::TemplatePiece::Kind::first_text ? first : second;
      out.ids.insert(out.ids.end(), text.ids.begin(), text.ids.end());
      out.offsets.insert(out.offsets.end(), text.offsets.begin(), text.offsets.end());
    }
    out.segments.resize(out.ids.size(), piece.segment);
  }
  return out;
}

HONE_INLINE Tokenizer Tokenizer::from_folder(std::filesystem::path const& model_folder) {
  return Tokenizer(detail::tokenizer_parts_from_folder(model_folder));
}

HONE_INLINE Tokenizer Tokenizer::from_json(std::filesystem::path const& tokenizer_json) {
  return Tokenizer(detail::tokenizer_parts_from_json(tokenizer_json));
}

HONE_INLINE Tokenizer Tokenizer::from_vocab(std::filesystem::path const& vocab_txt, TokenizerOptions options) {
  return Tokenizer(detail::tokenizer_parts_from_vocab(vocab_txt, std::move(options)));
}

HONE_INLINE Tokenizer Tokenizer::from_tokens(std::vector<std::string> vocabulary, TokenizerOptions options) {
  return Tokenizer(detail::tokenizer_parts_from_tokens(std::move(vocabulary), std::move(options), ""));
}

#endif

}  // namespace hone
