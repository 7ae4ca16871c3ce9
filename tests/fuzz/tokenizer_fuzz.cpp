// The tokenizer against the plainest one that can be written: normalise the whole text, split it, look pieces up in a map.
// Texts are random and unkind: every class of code point, marks in any order, words of any length, text that looks like
// added tokens.
#include "hone/core/thread_pool.hpp"
#include "hone/text/text_file.hpp"
#include "hone/text/tokenizer.hpp"
#include "hone/text/tokenizer_vocab.hpp"

#include "support/catch.hpp"
#include "support/in_brief.hpp"
#include "support/shared_data.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

namespace fs = std::filesystem;
using hone::Encoding, hone::TokenizerOptions, hone::TokenOffset;
using Random = std::mt19937_64;

/// WordPiece by the book, one map and no shortcut.
class PlainTokenizer {
 public:
  PlainTokenizer(std::vector<std::string> const& vocabulary, TokenizerOptions options) : options_(std::move(options)) {
    for (std::size_t i = 0; i < vocabulary.size(); ++i) ids_[vocabulary[i]] = static_cast<std::int32_t>(i);
    for (std::string const& special : {options_.pad_token, options_.unk_token, options_.cls_token, options_.sep_token,
                                       options_.mask_token})
      if (ids_.count(special) > 0) added_.push_back(special);
  }

  Encoding encode(std::string_view text) const {
    Encoding out;
    std::size_t done = 0;
    for (std::size_t at = 0; at < text.size();) {
      std::string_view longest;
      for (std::string const& token : added_)
        if (text.substr(at, token.size()) == token && token.size() > longest.size()) longest = token;
      if (longest.empty()) {
        ++at;
        continue;
      }
      between(text.substr(done, at - done), done, out);
      put(out, ids_.at(std::string(longest)), at, at + longest.size());
      done = at += longest.size();
    }
    between(text.substr(done), done, out);
    return out;
  }

 private:
  static void put(Encoding& out, std::int32_t id, std::size_t begin, std::size_t end) {
    out.ids.push_back(id);
    out.offsets.push_back({static_cast<std::int64_t>(begin), static_cast<std::int64_t>(end)});
  }

  void between(std::string_view text, std::size_t base, Encoding& out) const {
    hone::detail::NormalizedText form;
    hone::detail::NormalizerScratch scratch;
    hone::detail::NormalizerSettings const settings(options_);
    hone::detail::normalize(text, static_cast<std::int64_t>(base), settings, form, scratch);
    auto const& table = hone::detail::character_table();
    std::size_t start = 0;
    for (std::size_t i = 0; i <= form.chars.size(); ++i) {
      std::uint16_t bits = hone::detail::char_white_space;  // as if there were one behind the text
      if (i < form.chars.size()) bits = table[form.chars[i]];
      bool const is_space = (bits & hone::detail::char_white_space) != 0;
      if (!is_space && (bits & hone::detail::char_punctuation) == 0) continue;
      word(form, start, i, out);
      if (!is_space) word(form, i, i + 1, out);
      start = i + 1;
    }
  }

  void word(hone::detail::NormalizedText const& form, std::size_t begin, std::size_t end, Encoding& out) const {
    if (begin == end) return;
    Encoding pieces;
    bool is_known = end - begin <= static_cast<std::size_t>(options_.max_input_chars_per_word);
    // Pieces end at bytes, not at characters: a vocabulary may have any, though all of these are UTF-8.
    for (std::size_t at = begin; is_known && at < end;) {
      std::size_t last = end;
      for (; last > at; --last) {
        std::string piece = at > begin ? options_.continuing_subword_prefix : "";
        for (std::size_t k = at; k < last; ++k) hone::detail::append_utf8(piece, form.chars[k]);
        auto const found = ids_.find(piece);
        if (found == ids_.end()) continue;
        pieces.ids.push_back(found->second);
        pieces.offsets.push_back({form.spans[at].begin, form.spans[last - 1].end});
        break;
      }
      is_known = last > at;
      at = last;
    }
    if (!is_known) {
      pieces.ids = {ids_.at(options_.unk_token)};
      pieces.offsets = {{form.spans[begin].begin, form.spans[end - 1].end}};
    }
    out.ids.insert(out.ids.end(), pieces.ids.begin(), pieces.ids.end());
    out.offsets.insert(out.offsets.end(), pieces.offsets.begin(), pieces.offsets.end());
  }

  std::map<std::string, std::int32_t> ids_;
  std::vector<std::string> added_;
  TokenizerOptions options_;
};

std::size_t below(Random& random, std::size_t limit) { return static_cast<std::size_t>(random() % limit); }

/// A code point of a random kind.
char32_t code_point(Random& random) {
  static constexpr char32_t special[] = {
      0x0, 0x9, 0xa, 0xd, 0x1f, 0x7f, 0x85, 0xa0, 0xad, 0x130, 0x131, 0x1e9e, 0xdf, 0x3a3, 0x3c2, 0x300, 0x301, 0x307,
      0x327, 0x345, 0x338, 0x1100, 0x1161, 0x11a8, 0xac00, 0xd7a3, 0x200b, 0x200d, 0x2028, 0x202f, 0x3000, 0xfeff,
      0xfffd, 0xfffe, 0xd7ff, 0xe000, 0xf8ff, 0x2126, 0x212a, 0x212b, 0xfb1d, 0x0f73, 0x1d15e, 0x2f800, 0x1f600,
      0xe0001, 0xe0100, 0x2b820, 0x10ffff, 0x10000, 0xffff, 0x7ff, 0x800, 0x80, 0xc4, 0xe9, 0xc5, 0x4e00, 0x9fff,
      0x3400};
  static constexpr std::pair<char32_t, char32_t> ranges[] = {
      {0x20, 0x7e},     {0x20, 0x7e},     {0x80, 0x24f},    {0x300, 0x36f},   {0x370, 0x52f},  {0x590, 0x6ff},
      {0x900, 0xdff},   {0xe00, 0xfff},   {0x1100, 0x11ff}, {0x1ab0, 0x1aff}, {0x1e00, 0x1fff}, {0x2000, 0x206f},
      {0x2100, 0x214f}, {0x3000, 0x30ff}, {0x4e00, 0x9fff}, {0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0x10000, 0x1ffff},
      {0x0, 0xd7ff},    {0xe000, 0x10ffff}};
  if (below(random, 3) == 0) return special[below(random, std::size(special))];
  auto const [first, last] = ranges[below(random, std::size(ranges))];
  return first + static_cast<char32_t>(below(random, last - first + 1));
}

std::string text_of(Random& random, std::vector<std::string> const& vocabulary) {
  static constexpr std::string_view ascii = "aAbBeEsStTiIoOnNzZ09'.,-!?#[]<>/ \t\n\r";
  std::string text;
  std::size_t const parts = below(random, 40), kind = below(random, 4);
  for (std::size_t part = 0; part < parts; ++part) {
    switch (below(random, kind == 0 ? 4 : 9)) {
      case 0:  // a token, or a piece of one, in any case
      case 1: {
        std::string token = vocabulary[below(random, vocabulary.size())];
        if (token.rfind("##", 0) == 0 && below(random, 4) > 0) token.erase(0, 2);
        if (below(random, 3) == 0)
          for (char& c : token)
            if (c >= 'a' && c <= 'z' && below(random, 2) == 0) c = static_cast<char>(c - 32);
        text += token;
        break;
      }
      case 2:
        text += ' ';
        break;
      case 3:
        for (std::size_t n = below(random, 12); n > 0; --n) text += ascii[below(random, ascii.size())];
        break;
      case 4:  // a long word, around the limits of 16, 32 and 100
        text += std::string(below(random, 2) == 0 ? 95 + below(random, 10) : below(random, 40), "aest"[below(random, 4)]);
        break;
      case 5: {
        static constexpr std::string_view marks[] = {"[SEP]", "[CLS]", "[MASK]", "[UNK]", "[PAD]",
                                                    "[SEP", "[sep]", "[[SEP]]", "##"};
        text += marks[below(random, std::size(marks))];
        break;
      }
      default:
        for (std::size_t n = below(random, 6); n > 0; --n) hone::detail::append_utf8(text, code_point(random));
    }
  }
  return text;
}

/// A vocabulary that splits much: letters, marks, pieces that overlap, words up to 40 letters.
std::vector<std::string> small_vocabulary(Random& random, std::string const& prefix) {
  std::vector<std::string> all{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  auto const add = [&](std::string const& token) {
    if (!token.empty() && std::find(all.begin(), all.end(), token) == all.end()) all.push_back(token);
  };
  static constexpr std::string_view letters = "aAbBeEsStTiIoOnNzZ09'.,-!?#[]<>/";
  for (char const c : letters)
    if (below(random, 8) > 0) add(std::string(1, c)), add(prefix + c);
  for (int i = 0; i < 400; ++i) {
    std::string token;
    for (std::size_t n = 1 + below(random, i % 10 == 0 ? 40 : 6); n > 0; --n) token += "aAestST"[below(random, 7)];
    add(below(random, 2) == 0 ? token : prefix + token);
  }
  for (int i = 0; i < 300; ++i) {
    std::string token;
    for (std::size_t n = 1 + below(random, 3); n > 0; --n) {
      char32_t const c = code_point(random);
      hone::detail::append_utf8(token, c < 0xd800 || c > 0xdfff ? c : U'x');
    }
    add(below(random, 2) == 0 ? token : prefix + token);
  }
  return all;
}

std::string hex(std::string_view text) {
  std::string out;
  for (char const c : text) {
    static constexpr char digits[] = "0123456789abcdef";
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

void compare(std::vector<std::string> const& vocabulary, TokenizerOptions const& options, Random& random, int texts) {
  auto const tokenizer = hone::Tokenizer::from_tokens(vocabulary, options);
  PlainTokenizer const plain(vocabulary, options);
  hone::ThreadPool pool(2);
  std::vector<std::string> all;
  std::vector<Encoding> expected;
  for (int i = 0; i < texts; ++i) {
    all.push_back(text_of(random, vocabulary));
    Encoding body = plain.encode(all.back());
    body.ids.insert(body.ids.begin(), tokenizer.cls_id());
    body.ids.push_back(tokenizer.sep_id());
    body.offsets.insert(body.offsets.begin(), TokenOffset{});
    body.offsets.push_back({});
    expected.push_back(std::move(body));
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    INFO("text " << i << ": " << hex(all[i]));
    Encoding const got = tokenizer.encode_with_offsets(all[i]);
    REQUIRE(got.ids == expected[i].ids);
    REQUIRE(got.offsets == expected[i].offsets);
    REQUIRE(tokenizer.encode(all[i]) == got.ids);
    auto const length = static_cast<std::int64_t>(2 + below(random, got.ids.size()));
    Encoding const cut = tokenizer.encode_with_offsets(all[i], length);
    std::vector<std::int32_t> ids(got.ids.begin(), got.ids.end() - 1);
    ids.resize(std::min(ids.size(), static_cast<std::size_t>(length - 1)));
    ids.push_back(tokenizer.sep_id());
    REQUIRE(cut.ids == ids);
    REQUIRE(tokenizer.encode(all[i], length) == ids);
    REQUIRE(cut.offsets.size() == ids.size());
    REQUIRE(std::equal(cut.offsets.begin(), cut.offsets.end() - 1, got.offsets.begin()));
  }
  hone::RaggedTokens const batch = tokenizer.encode_batch(all, 0, pool);
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto const row = batch[i];
    REQUIRE(std::vector<std::int32_t>(row.begin(), row.end()) == expected[i].ids);
  }
}

TokenizerOptions random_options(Random& random) {
  TokenizerOptions options;
  options.lowercase = below(random, 2) == 0;
  if (below(random, 2) == 0) options.strip_accents = below(random, 2) == 0;
  options.clean_text = below(random, 4) > 0;
  options.handle_chinese_chars = below(random, 4) > 0;
  if (below(random, 2) == 0) options.max_input_chars_per_word = static_cast<int>(below(random, 40));
  static constexpr char const* prefixes[] = {"@", "", "#", "\xe2\x96\x81"};
  if (below(random, 4) == 0) options.continuing_subword_prefix = prefixes[below(random, 4)];
  return options;
}

}  // namespace

TEST_CASE("small vocabularies, any options") {
  int const rounds = hone::test::sanitized ? 10 : 60;
  for (int seed = 0; seed < rounds; ++seed) {
    INFO("seed " << seed);
    Random random(static_cast<std::uint64_t>(seed));
    TokenizerOptions const options = random_options(random);
    compare(small_vocabulary(random, options.continuing_subword_prefix), options, random, 200);
  }
}

TEST_CASE("the vocabularies of BERT") {
  fs::path const data = hone::test::shared_data() / "vocab";
  if (hone::test::shared_data().empty() || !fs::exists(data)) HONE_SKIP("the vocabularies of BERT are not here");
  for (char const* name : {"bert-base-cased", "bert-base-uncased"}) {
    auto const vocabulary = hone::detail::vocab_lines(hone::detail::read_text_file(data / name / "vocab.txt"));
    for (int seed = 0; seed < 4; ++seed) {
      INFO(name << ", seed " << seed);
      Random random(static_cast<std::uint64_t>(1000 + seed));
      TokenizerOptions options;
      options.lowercase = std::string_view(name).ends_with("uncased");
      compare(vocabulary, options, random, hone::test::sanitized ? 100 : 1500);
    }
  }
}
