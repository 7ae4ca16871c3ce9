// Texts as the model reads them: marks at both ends, unknown words, cut ends; texts that are there twice.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/data/dataset.hpp"
#include "hone/text/tokenizer.hpp"
#include "hone/train/doctor_options.hpp"
#include "hone/train/doctor_text.hpp"
#include "hone/train/finding.hpp"

#if HONE_BODIES
#include <nlohmann/json.hpp>
#endif

namespace hone {

namespace detail {

/// A hash of a text without what copies differ in: letters of ASCII in lower case, digits, bytes beyond ASCII; all else
/// separates words. 0 where nothing is left.
std::uint64_t text_key(std::string_view text);

}  // namespace detail

/// D05 every text begins with [CLS] and ends with [SEP], with some decoded, labels beside them; D06 unknown words; D07 how
/// many texts are cut. D05 and D06 need a tokenizer (null: not looked at).
std::vector<Finding> examine_tokens(data::Dataset const& train, std::span<HeadLabels const> labels,
                                    Tokenizer const* tokenizer, DoctorOptions const& options);

/// D15 texts of the test set that are in the training set too, D16 training texts that are there twice with other labels,
/// D17 training texts that are there twice. Texts are compared without case, punctuation and white space.
std::vector<Finding> examine_copies(data::Dataset const& train, data::Dataset const* test,
                                    std::span<HeadLabels const> labels);

#if HONE_BODIES

namespace detail {

/// "is_positive 1, star_rating 9".
inline std::string labels_text(std::span<HeadLabels const> labels, std::size_t row) {
  std::string text;
  for (auto const& head : labels) text += (text.empty() ? "" : ", ") + head.head + " " + number_text(head.values[row], 6);
  return text;
}

/// A sequence as the model reads it, special tokens too; of a long one the beginning and the end.
inline std::string decoded_text(Tokenizer const& tokenizer, std::span<std::int32_t const> ids, std::size_t first = 20,
                                std::size_t last = 8) {
  if (ids.size() <= first + last + 2) return tokenizer.decode(ids, false);
  return tokenizer.decode(ids.first(first), false) + " [...] " + tokenizer.decode(ids.last(last), false);
}

HONE_INLINE std::uint64_t text_key(std::string_view text) {
  std::uint64_t hash = 1469598103934665603u;  // FNV-1a, 64 bits
  bool any = false, gap = false;
  auto const add = [&hash](unsigned char c) { hash = (hash ^ c) * 1099511628211u; };
  for (char const letter : text) {
    auto c = static_cast<unsigned char>(letter);
    if (c >= 'A' && c <= 'Z') c = static_cast<unsigned char>(c + 32);
    bool const keep = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80;
    if (keep && gap && any) add(' ');
    gap = !keep;
    if (!keep) continue;
    any = true;
    add(c);
  }
  if (!any) return 0;
  hash ^= hash >> 32;  // the low bits of FNV are weak
  hash *= 0xD6E8FEB86659FD93u;
  hash ^= hash >> 32;
  return hash == 0 ? 1 : hash;
}

inline std::vector<std::uint64_t> text_keys(data::Dataset const& data) {
  std::vector<std::uint64_t> keys;
  keys.reserve(data.size());
  for (auto const& text : data.texts) keys.push_back(text_key(text));
  return keys;
}

/// Pairs of sources, each a line, at most so many.
inline void add_pair(std::string& lines, std::size_t count, std::string const& one, std::string const& other) {
  constexpr std::size_t most = 3;
  if (count < most) lines += (lines.empty() ? "" : "\n") + one + " and " + other;
  if (count == most) lines += "\n...";
}

}  // namespace detail

HONE_INLINE std::vector<Finding> examine_tokens(data::Dataset const& train, std::span<HeadLabels const> labels,
                                                Tokenizer const* tokenizer, DoctorOptions const& options) {
  std::vector<Finding> findings;
  std::size_t const texts = train.tokens.size();
  if (texts == 0) return findings;
  if (tokenizer) {
    std::size_t wrong = 0, first_wrong = 0, unknown = 0;
    for (std::size_t i = 0; i < texts; ++i) {
      auto const ids = train.tokens[i];
      bool const right = ids.size() >= 2 && ids.front() == tokenizer->cls_id() && ids.back() == tokenizer->sep_id();
      if (!right && wrong++ == 0) first_wrong = i;
      unknown += static_cast<std::size_t>(std::count(ids.begin(), ids.end(), tokenizer->unk_id()));
    }
    Finding marks{"D05", Severity::ok, "every text begins with [CLS] and ends with [SEP]", "", "", {}};
    if (wrong > 0) {
      marks.severity = Severity::error;
      marks.title = detail::counted(wrong, "text") + " of " + std::to_string(texts) + " without [CLS] first and [SEP] last";
      marks.next = "tokenise with the model's own tokenizer: encode puts both in; the heads read the place of [CLS]";
    }
    auto const order = options.first_order(texts);
    std::vector<std::size_t> shown;
    if (wrong > 0) shown.push_back(first_wrong);
    for (std::size_t i = 0; i < order.size() && shown.size() < 3; ++i) shown.push_back(order[i]);
    (*marks.data)["examples"] = nlohmann::ordered_json::array();
    for (std::size_t const row : shown) {
      auto const ids = train.tokens[row];
      bool const known =
          std::all_of(ids.begin(), ids.end(), [&](std::int32_t id) { return id >= 0 && id < tokenizer->vocabulary_size(); });
      std::string const text = known ? detail::decoded_text(*tokenizer, ids) : "(ids outside the vocabulary)";
      std::string const given = detail::labels_text(labels, row);
      marks.detail += (marks.detail.empty() ? "" : "\n") + given + ": " + text;
      (*marks.data)["examples"].push_back({{"source", train.sources[row]}, {"labels", given}, {"text", text}});
    }
    findings.push_back(std::move(marks));

    double const share = static_cast<double>(unknown) / static_cast<double>(train.tokens.tokens.size());
    Finding words{"D06", Severity::ok, detail::percent_text(share) + " of the tokens are unknown words ([UNK])", "", "", {}};
    *words.data = {{"share", share}};
    if (share >= 0.005) {
      words.severity = share >= 0.02 ? Severity::warning : Severity::note;
      words.next = "check that the vocabulary is that of the texts' language, and of the model";
    }
    findings.push_back(std::move(words));
  }
  std::size_t longest = 0, cut = 0, sum = train.tokens.tokens.size();
  for (std::size_t i = 0; i < texts; ++i) longest = std::max(longest, train.tokens[i].size());
  std::size_t const limit = options.max_length > 0 ? static_cast<std::size_t>(options.max_length) : longest;
  for (std::size_t i = 0; i < texts; ++i) cut += train.tokens[i].size() >= limit ? 1 : 0;
  if (options.max_length == 0 && cut < 2 + texts / 200) cut = 0;  // just the longest text
  double const share = static_cast<double>(cut) / static_cast<double>(texts);
  Finding lengths{"D07", Severity::ok, "", "", "", {}};
  *lengths.data = {{"longest", longest}, {"mean", double(sum) / double(texts)}, {"cut", cut}};
  lengths.title = detail::percent_text(share) + " of the texts are cut" +
                  (cut > 0 ? " at " + std::to_string(limit) + " tokens" : "") + " (mean " + std::to_string(sum / texts) +
                  " tokens, longest " + std::to_string(longest) + ")";
  if (share >= 0.25) {
    lengths.severity = share >= 0.5 ? Severity::warning : Severity::note;
    lengths.next = "a larger max_length keeps more of the end of a text, where reviews judge; it costs time";
  }
  findings.push_back(std::move(lengths));
  return findings;
}

HONE_INLINE std::vector<Finding> examine_copies(data::Dataset const& train, data::Dataset const* test,
                                                std::span<HeadLabels const> labels) {
  std::vector<Finding> findings;
  std::unordered_map<std::uint64_t, std::size_t> first;  // row of the first text of a key
  first.reserve(train.size());
  std::size_t repeated = 0, contradicting = 0;
  std::string repeated_pairs, contradicting_pairs;
  auto const keys = detail::text_keys(train);
  for (std::size_t row = 0; row < keys.size(); ++row) {
    if (keys[row] == 0) continue;
    auto const [entry, is_new] = first.emplace(keys[row], row);
    if (is_new) continue;
    bool const other = std::any_of(labels.begin(), labels.end(), [&, earlier = entry->second](HeadLabels const& head) {
      return head.values[earlier] != head.values[row];
    });
    if (other)
      detail::add_pair(contradicting_pairs, contradicting++,
                       train.sources[entry->second] + " (" + detail::labels_text(labels, entry->second) + ")",
                       train.sources[row] + " (" + detail::labels_text(labels, row) + ")");
    else
      detail::add_pair(repeated_pairs, repeated, train.sources[entry->second], train.sources[row]);
    repeated += 1;
  }
  auto const finding = [](char const* number, std::size_t count, std::size_t all, double warn, std::string title,
                          std::string pairs, char const* next) {
    Finding made{number, Severity::ok, std::move(title), std::move(pairs), "", {}};
    *made.data = {{"count", count}, {"of", all}};
    if (count == 0) return made;
    double const share = static_cast<double>(count) / static_cast<double>(std::max<std::size_t>(all, 1));
    made.severity = share >= warn ? Severity::warning : Severity::note;
    made.title += " (" + detail::percent_text(share) + ")";
    made.next = next;
    return made;
  };
  if (test) {
    std::size_t shared = 0;
    std::string pairs;
    auto const test_keys = detail::text_keys(*test);
    for (std::size_t row = 0; row < test_keys.size(); ++row) {
      auto const found = test_keys[row] == 0 ? first.end() : first.find(test_keys[row]);
      if (found == first.end()) continue;
      detail::add_pair(pairs, shared++, train.sources[found->second], test->sources[row]);
    }
    findings.push_back(finding(
        "D15", shared, test->size(), 0.01,
        shared == 0 ? "no test text is in the training set"
                    : detail::counted(shared, "test text") + (shared == 1 ? " is" : " are") + " in the training set too",
        pairs, "take these texts out of the training set; measures on them tell what was learnt by heart"));
    bool const half = 2 * shared >= test->size() && shared > 0;
    if (half) findings.back().severity = Severity::error;
  }
  findings.push_back(
      finding("D16", contradicting, train.size(), 0.01,
              contradicting == 0 ? "no training text has two labels"
                                 : detail::counted(contradicting, "training text") + (contradicting == 1 ? " is" : " are") +
                                       " there twice with other labels",
              contradicting_pairs, "find out which label is right; what contradicts itself cannot be learnt"));
  findings.push_back(finding("D17", repeated, train.size(), 0.05,
                             repeated == 0
                                 ? "no training text is there twice"
                                 : detail::counted(repeated, "training text") +
                                       (repeated == 1 ? " is a copy of an earlier one" : " are copies of earlier ones"),
                             repeated_pairs, "take copies out: a text that is there ten times counts ten times"));
  return findings;
}

#endif

}  // namespace hone
