#!/usr/bin/env python3
"""Make include/hone/text/unicode_tables.hpp: how Hugging Face's BERT tokenizer sees each Unicode code point.

    python3 -m venv VENV && VENV/bin/pip install tokenizers==0.23.3
    VENV/bin/python scripts/make_unicode_tables.py include/hone/text/unicode_tables.hpp

The tables hold verdicts only: each code point is shown to the normalizer, the pre-tokenizer or the added-token matcher of
the `tokenizers` package, and the answer is written down as ranges. Nothing is taken from that package's source or data.
Its Unicode tables are of different ages (lower case new, decomposition and marks older), so no single version of
Unicode gives the same answers. Needed only to follow a newer version of the package; the build does not run it.
"""
import sys

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers


def bert(clean=False, chinese=False, accents=False, lower=False):
    return normalizers.BertNormalizer(clean_text=clean, handle_chinese_chars=chinese, strip_accents=accents,
                                      lowercase=lower).normalize_str


clean, chinese, strip, lower = bert(clean=True), bert(chinese=True), bert(accents=True), bert(lower=True)
nfd = normalizers.NFD().normalize_str
pieces = pre_tokenizers.BertPreTokenizer().pre_tokenize_str

# A token that counts only as a whole word: c is a word character exactly when it hides the token beside it.
alone = Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
alone.add_tokens([AddedToken("<t>", single_word=True, normalized=False)])
greedy = Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
greedy.add_tokens([AddedToken("<t>", rstrip=True, normalized=False)])

code_points = [c for c in range(0x110000) if not 0xd800 <= c < 0xe000]
sets = {name: [] for name in ("removed", "white_space", "punctuation", "chinese", "nonspacing_mark", "decomposed", "combining",
                              "word")}
lowered = {}
for c in code_points:
    s = chr(c)
    split = len(pieces("a" + s + "b"))
    # U+0334 and U+0345 have the lowest and the highest combining class: one of them changes places with any other.
    swapped = nfd("a" + s + "\u0334")[-1] != "\u0334" or nfd("a\u0345" + s)[-1] == "\u0345"
    verdicts = {
        "removed": clean("a" + s + "b") == "ab",
        "white_space": split == 2,
        "punctuation": split == 3,
        "chinese": chinese(s) == " " + s + " ",
        "nonspacing_mark": nfd(s) == s and strip("a" + s) == "a",
        "decomposed": nfd(s) != s and not 0xac00 <= c < 0xd7a4,
        "combining": nfd(s) == s and swapped,
        "word": alone.encode(s + "<t>", add_special_tokens=False).ids == [0],
    }
    for name, verdict in verdicts.items():
        if verdict:
            sets[name].append(c)
    if lower(s) != s:
        lowered[c] = lower(s)
    # What the C++ code takes for granted.
    assert c in (0, 0xfffd) or not verdicts["removed"] or clean(s) == ""
    assert clean(s) == ("" if verdicts["removed"] else " " if verdicts["white_space"] else s), hex(c)
    assert (greedy.encode("<t>" + s + "x", add_special_tokens=False).offsets[0] == (0, 4)) == verdicts["white_space"], hex(c)
    assert len(lower(s)) == 1 or c == 0x130, hex(c)
assert lower("\u0130") == "i\u0307"
assert all(len(nfd(chr(c))) == (2 if (c - 0xac00) % 28 == 0 else 3) for c in range(0xac00, 0xd7a4))


def ranges(points):
    out = []
    for c in points:
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def lower_ranges():
    """first, last, step, difference: c = first, first + step, ... last becomes c + difference."""
    out = []
    for c in sorted(lowered):
        if c == 0x130:
            continue
        difference = ord(lowered[c]) - c
        if out and out[-1][3] == difference:
            first, last, step, _ = out[-1]
            gap = c - last
            if gap in (1, 2) and (first == last or gap == step):
                out[-1] = [first, c, gap, difference]
                continue
        out.append([c, c, 1, difference])
    return out


def rows(entries, form):
    lines, line = [], "   "
    for entry in entries:
        cell = " " + form(entry) + ","
        if len(line) + len(cell) > 120:
            lines.append(line)
            line = "   "
        line += cell
    return "\n".join(lines + [line])


comments = {
    "removed": "clean_text drops these",
    "white_space": "split on by the pre-tokenizer; clean_text makes a space of those that it does not drop",
    "punctuation": "a token of their own in the pre-tokenizer",
    "chinese": "handle_chinese_chars puts spaces around these",
    "nonspacing_mark": "strip_accents drops these after decomposition",
    "decomposed": "canonically decomposed by strip_accents (Hangul syllables too)",
    "combining": "reordered by strip_accents: their canonical combining class is not zero",
    "word": "word characters, for added tokens that are single words",
}
with open(sys.argv[1], "w", encoding="ascii") as out:
    out.write(f"""// Made by scripts/make_unicode_tables.py from the verdicts of Hugging Face tokenizers {tokenizers.__version__} on every
// code point. Do not edit. All ranges include both ends.
#pragma once

#include <cstdint>

namespace hone::detail::unicode_tables {{

struct Range {{
  char32_t first, last;
}};

/// first, first + step, ... last become themselves plus difference in lower case. (U+0130 becomes two: U+0069 U+0307.)
struct LowerRange {{
  char32_t first, last;
  std::int32_t step, difference;
}};

""")
    for name, points in sets.items():
        out.write(f"// {comments[name]}\ninline constexpr Range {name}[] = {{\n")
        out.write(rows(ranges(points), lambda r: f"{{0x{r[0]:x}, 0x{r[1]:x}}}") + "\n};\n\n")
    out.write("inline constexpr LowerRange lower[] = {\n")
    out.write(rows(lower_ranges(), lambda r: f"{{0x{r[0]:x}, 0x{r[1]:x}, {r[2]}, {r[3]}}}") + "\n};\n\n")
    out.write("}  // namespace hone::detail::unicode_tables\n")
