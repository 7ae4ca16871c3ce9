#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hone {

/// What a BERT tokenizer does besides its vocabulary; the names are Hugging Face's. The defaults are those of a cased model.
struct TokenizerOptions {
  bool lowercase = false;               ///< lower case, per code point
  std::optional<bool> strip_accents{};  ///< decompose and drop nonspacing marks; not given: as `lowercase`
  bool handle_chinese_chars = true;     ///< every CJK character is a word of its own
  bool clean_text = true;               ///< drop control characters, make every white space a blank
  int max_input_chars_per_word = 100;   ///< longer words (in code points) become the unknown token
  std::string continuing_subword_prefix = "##";
  std::string unk_token = "[UNK]";
  std::string cls_token = "[CLS]";
  std::string sep_token = "[SEP]";
  std::string pad_token = "[PAD]";    ///< may be absent from the vocabulary: hone does not pad
  std::string mask_token = "[MASK]";  ///< may be absent from the vocabulary
  bool cleanup = true;                ///< decode() joins "don ' t" and "end ." again
};

/// A token that is found in the text before it is cut into words. The fields are those of tokenizer.json's `added_tokens`.
struct AddedToken {
  std::int32_t id = 0;
  std::string content{};
  bool single_word = false;  ///< only where no word character is beside it
  bool lstrip = false;       ///< swallows the white space before it
  bool rstrip = false;       ///< swallows the white space after it
  bool normalized = false;   ///< its normal form is looked for in the normalised text, else itself in the text as it is
  bool special = false;      ///< left out by decode(ids, true)
};

namespace detail {

/// One element of what surrounds a text: ids to insert, or the first or second text.
struct TemplatePiece {
  enum class Kind { inserted, first_text, second_text };
  Kind kind = Kind::inserted;
  std::vector<std::int32_t> ids{};
  std::int32_t segment = 0;
};

/// Everything that makes a tokenizer, however it was described: what the readers of the file formats produce.
struct TokenizerParts {
  std::vector<std::string> tokens{};  ///< by id: the vocabulary, then added tokens that are not in it
  std::size_t vocabulary_size = 0;    ///< the tokens that words are made of
  std::vector<AddedToken> added{};
  TokenizerOptions options{};
  std::vector<TemplatePiece> single{};
  std::vector<TemplatePiece> pair{};                              ///< empty: pairs are not possible
  std::optional<std::string> decoder_prefix = std::string("##");  ///< nothing: decode joins tokens by blanks
  std::vector<std::string> notes{};
  std::string file{};  ///< for error messages
};

}  // namespace detail
}  // namespace hone
