#pragma once

#include "hone/core/config.hpp"
#include "hone/text/tokenizer_options.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if HONE_BODIES
#include <algorithm>

#include "hone/text/unicode.hpp"
#endif

namespace hone {

/// Where a token comes from: bytes [begin, end) of the original UTF-8 text. Special tokens that were not in it have 0, 0.
struct TokenOffset {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  friend bool operator==(TokenOffset const&, TokenOffset const&) = default;
};

namespace detail {

/// BERT's normalizer as Hugging Face has it, in this order: clean_text (drop control characters, white space becomes a
/// blank), blanks around CJK characters, canonical decomposition without nonspacing marks, lower case.
struct NormalizerSettings {
  bool clean_text = true;
  bool handle_chinese_chars = true;
  bool strip_accents = false;
  bool lowercase = false;

  NormalizerSettings() = default;
  explicit NormalizerSettings(TokenizerOptions const& options)
      : clean_text(options.clean_text),
        handle_chinese_chars(options.handle_chinese_chars),
        strip_accents(options.strip_accents.value_or(options.lowercase)),
        lowercase(options.lowercase) {}
};

/// Normalised code points, each with the bytes of the original text that it stands for.
struct NormalizedText {
  std::vector<char32_t> chars{};
  std::vector<TokenOffset> spans{};

  void clear() {
    chars.clear();
    spans.clear();
  }
  void push_back(char32_t c, TokenOffset span) {
    chars.push_back(c);
    spans.push_back(span);
  }
};

/// One code point of a decomposition: `inserted` ones share the original character of the one before them.
struct DecomposedChar {
  char32_t c;
  std::int32_t combining_class;
  bool inserted;
};

/// Memory that the normalizer uses again from run to run.
struct NormalizerScratch {
  std::vector<char32_t> decomposition{};
  std::vector<DecomposedChar> decomposed{};
  NormalizedText other{};
};

/// Canonical decomposition, canonical order, nonspacing marks dropped.
///
/// Which original character a code point stands for follows Hugging Face: after reordering, the code points that are
/// not inserted take the original characters in turn, an inserted one that of the last taken.
void strip_accents(NormalizedText& text, NormalizerScratch& scratch);

/// Normalises `text` (well-formed UTF-8), whose first byte is byte `base` of the original, into `out`.
void normalize(std::string_view text, std::int64_t base, NormalizerSettings const& settings, NormalizedText& out,
               NormalizerScratch& scratch);

/// The normal form of `text` (well-formed UTF-8), as UTF-8.
std::string normal_form(std::string_view text, NormalizerSettings const& settings);

#if HONE_BODIES

HONE_INLINE void normalize(std::string_view text, std::int64_t base, NormalizerSettings const& settings,
                           NormalizedText& out, NormalizerScratch& scratch) {
  CharacterTable const& table = character_table();
  out.clear();
  bool any_decomposed = false, any_lowered = false;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t const start = i;
    char32_t c = next_code_point(text, i);
    std::uint16_t const bits = table[c];
    TokenOffset const span{base + static_cast<std::int64_t>(start), base + static_cast<std::int64_t>(i)};
    if (settings.clean_text) {
      if ((bits & char_removed) != 0) continue;
      if ((bits & char_white_space) != 0) c = U' ';
    }
    any_decomposed = any_decomposed || (bits & (char_decomposed | char_nonspacing_mark | char_combining)) != 0;
    any_lowered = any_lowered || (bits & char_lowered) != 0;
    if (settings.handle_chinese_chars && (bits & char_chinese) != 0) {
      out.push_back(U' ', span);
      out.push_back(c, span);
      out.push_back(U' ', span);
    } else {
      out.push_back(c, span);
    }
  }
  if (settings.strip_accents && any_decomposed) {
    strip_accents(out, scratch);
    any_lowered = true;
  }
  if (settings.lowercase && any_lowered) {
    constexpr char32_t dotted_capital_i = 0x130;  // the only one that becomes two: i and a combining dot
    if (std::find(out.chars.begin(), out.chars.end(), dotted_capital_i) != out.chars.end()) {
      scratch.other.clear();
      for (std::size_t i = 0; i < out.chars.size(); ++i) {
        bool const is_two = out.chars[i] == dotted_capital_i;
        scratch.other.push_back(is_two ? U'i' : out.chars[i], out.spans[i]);
        if (is_two) scratch.other.push_back(0x307, out.spans[i]);
      }
      std::swap(out, scratch.other);
    }
    for (char32_t& c : out.chars) {
      if ((table[c] & char_lowered) != 0) c = lower_case(c);
    }
  }
}

HONE_INLINE void strip_accents(NormalizedText& text, NormalizerScratch& scratch) {
  CharacterTable const& table = character_table();
  auto& out = scratch.decomposed;
  out.clear();
  std::size_t pending = 0;  // where the current run of combining characters starts
  auto const sort_pending = [&] {
    if (out.size() - pending > 1) {
      auto const lower_class = [](DecomposedChar const& a, DecomposedChar const& b) {
        return a.combining_class < b.combining_class;
      };
      std::stable_sort(out.begin() + static_cast<std::ptrdiff_t>(pending), out.end(), lower_class);
    }
  };
  auto const put = [&](char32_t c, bool inserted) {
    int const order = (table[c] & char_combining) != 0 ? combining_class(c) : 0;
    if (order == 0) sort_pending();
    out.push_back({c, order, inserted});
    if (order == 0) pending = out.size();
  };
  for (char32_t const c : text.chars) {
    if ((table[c] & char_decomposed) == 0) {
      put(c, false);
      continue;
    }
    scratch.decomposition.clear();
    decompose(c, scratch.decomposition);
    for (std::size_t i = 0; i < scratch.decomposition.size(); ++i) put(scratch.decomposition[i], i > 0);
  }
  sort_pending();

  scratch.other.clear();
  std::size_t taken = 0;
  for (DecomposedChar const& item : out) {
    if (!item.inserted) ++taken;
    if ((table[item.c] & char_nonspacing_mark) == 0) scratch.other.push_back(item.c, text.spans[taken - 1]);
  }
  std::swap(text, scratch.other);
}

HONE_INLINE std::string normal_form(std::string_view text, NormalizerSettings const& settings) {
  NormalizerScratch scratch;
  NormalizedText form;
  normalize(text, 0, settings, form, scratch);
  std::string out;
  for (char32_t const c : form.chars) append_utf8(out, c);
  return out;
}

#endif

}  // namespace detail
}  // namespace hone
