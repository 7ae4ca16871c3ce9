#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/core/ragged_tokens.hpp"
#include "hone/core/thread_pool.hpp"
#include "hone/data/archive.hpp"
#include "hone/data/dataset.hpp"
#include "hone/data/imdb_shape.hpp"
#include "hone/data/token_cache.hpp"

#if HONE_BODIES
#include <algorithm>
#include <map>
#include <set>
#include <system_error>
#include <utility>
#endif

namespace hone::detail {

/// Replaces every byte that is not part of valid UTF-8 by U+FFFD (a maximal valid start counts once, as Unicode
/// recommends, chapter 3.9 table 3-8). Returns how many replacements were made.
std::size_t mend_utf8(std::string& text);

/// True when a text has nothing but ASCII spaces and control characters, no-break spaces and byte order marks.
bool is_blank(std::string_view text);

/// The files that are reviews: what `read_imdb` reads.
bool is_review(std::string_view name);

/// What is done with a tokenizer of any type; `encode` and what follows are needed for caches alone.
struct TokenizerCalls {
  std::function<RaggedTokens(std::span<std::string const> texts)> encode_batch{};
  std::function<std::vector<std::int32_t>(std::string const& text)> encode{};
  std::function<std::string()> fingerprint{};
  std::function<std::int32_t()> vocabulary_size{};
};

/// `data::imdb`, whatever the type of the tokenizer.
data::Imdb imdb(std::filesystem::path const& path, TokenizerCalls const& tokenizer, data::ImdbOptions const& options);
data::Imdb imdb(std::filesystem::path const& path, TokenizerCalls const& tokenizer, data::ImdbOptions const& options,
                data::TokenCache& cache);

}  // namespace hone::detail

namespace hone::data {

/// Reads the texts and labels of an IMDB-like data set, not yet tokenised.
///
/// `path` is a folder or an archive (see `for_each_file`) that holds `ROOT/{train,test}/{pos,neg}/ID_STARS.txt`; ROOT is
/// any path, also none. Other files and folders (`unsup`, `.feat`, names that begin with a dot) are ignored. Labels:
/// `is_positive` is 1 for `pos` and 0 for `neg`, `star_rating` is STARS, 1 to 10. Examples are ordered by path as bytes,
/// whatever the order in the archive; a subset is class-balanced and random (`ImdbOptions`); shuffling is the sampler's.
///
/// Kept, with a `Problem`: text that is not UTF-8 (bad bytes become U+FFFD); stars that contradict the folder (`pos` with
/// 5 or fewer, `neg` with 6 or more), both labels stay as they are given; a file that is twice in an archive (the last one
/// counts, as when unpacked). Left out, with a `Problem`: what `for_each_file` leaves out, and files that are not .txt.
/// Errors: E402 no star rating in a name, E403 stars that are not 1 to 10, E404 an empty review, E405 no such shape or
/// training or test reviews missing, E406 several data sets in one place, E407 one class only; and those of `for_each_file`.
Imdb read_imdb(std::filesystem::path const& path, ImdbOptions const& options = {});

/// The same, and the texts tokenised: `tokenizer.encode_batch(texts, max_length, pool)` must give a `RaggedTokens`.
/// Tokenising runs in parallel; the result does not depend on the number of threads.
template <class Tokenizer>
Imdb imdb(std::filesystem::path const& path, Tokenizer const& tokenizer, ImdbOptions const& options, ThreadPool& pool) {
  return detail::imdb(
      path, {.encode_batch = [&](auto texts) { return tokenizer.encode_batch(texts, options.max_length, pool); }}, options);
}

/// The same from a token cache, or into one: what is given does not depend on it. All reviews are tokenised when they are
/// stored, also where the options ask for a subset: then every subset starts at once.
template <class Tokenizer>
Imdb imdb(std::filesystem::path const& path, Tokenizer const& tokenizer, ImdbOptions const& options, ThreadPool& pool,
          TokenCache& cache) {
  return detail::imdb(
      path,
      {.encode_batch = [&](auto texts) { return tokenizer.encode_batch(texts, options.max_length, pool); },
       .encode = [&](std::string const& text) { return tokenizer.encode(text, options.max_length); },
       .fingerprint = [&] { return tokenizer.fingerprint(); },
       .vocabulary_size = [&] { return tokenizer.vocabulary_size(); }},
      options, cache);
}

}  // namespace hone::data

#if HONE_BODIES

namespace hone::detail {

HONE_INLINE std::size_t mend_utf8(std::string& text) {
  auto byte = [&text](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  std::size_t replaced = 0;
  std::string mended;
  std::size_t kept = 0;  // text[kept..i) is valid and not yet copied
  for (std::size_t i = 0; i < text.size();) {
    unsigned const first = byte(i);
    std::size_t const length = first < 0x80 ? 1 : first >= 0xC2 && first <= 0xDF ? 2 : (first & 0xF0) == 0xE0 ? 3
                               : first >= 0xF0 && first <= 0xF4 ? 4 : 0;
    std::size_t valid = length == 0 ? 0 : 1;
    for (; valid > 0 && valid < length; ++valid) {
      unsigned low = 0x80, high = 0xBF;  // the second byte rules out overlong forms, surrogates and > U+10FFFF
      if (valid == 1 && first == 0xE0) low = 0xA0;
      if (valid == 1 && first == 0xED) high = 0x9F;
      if (valid == 1 && first == 0xF0) low = 0x90;
      if (valid == 1 && first == 0xF4) high = 0x8F;
      if (byte(i + valid) < low || byte(i + valid) > high) break;
    }
    if (length > 0 && valid == length) {
      i += length;
      continue;
    }
    mended.append(text, kept, i - kept);
    mended += "\xEF\xBF\xBD";
    ++replaced;
    i += valid == 0 ? 1 : valid;
    kept = i;
  }
  if (replaced > 0) {
    mended.append(text, kept, text.npos);
    text = std::move(mended);
  }
  return replaced;
}

HONE_INLINE bool is_blank(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char const c = static_cast<unsigned char>(text[i]);
    if (c <= ' ' || c == 0x7F) continue;
    if (text.substr(i, 2) == "\xC2\xA0") {
      i += 1;
      continue;
    }
    if (text.substr(i, 3) == "\xEF\xBB\xBF") {
      i += 2;
      continue;
    }
    return false;
  }
  return true;
}

/// "a, b, c" of the first few, and how many more.
inline std::string some_of(std::set<std::string> const& names) {
  std::string list;
  std::size_t shown = 0;
  for (auto const& name : names) {
    if (shown++ == 8) return list + " and " + std::to_string(names.size() - 8) + " more";
    list += (list.empty() ? "" : ", ") + name;
  }
  return list.empty() ? "nothing" : list;
}

/// Refuses reviews that no label or no text can be read from: the first by path is named, the others are counted.
template <class Located>
void check_reviews(std::map<std::string, std::string> const& reviews, Located const& located) {
  struct Kind {
    int number;
    std::string happened, allowed, next;
    std::string first{}, value{};
    std::size_t count = 0;
  };
  Kind kinds[] = {
      {402, "a review has no star rating in its name", "ID_STARS.txt, as 17_9.txt", "rename the file, or remove it"},
      {403, "the star rating in a review's name is out of range", "1..10", "rename the file, or remove it"},
      {404, "a review is empty", "some text", "remove the file, or put its text back"}};
  for (auto const& [name, text] : reviews) {
    ReviewPath parts;
    parse_review_path(name, parts);
    std::string_view const stars = stars_in_name(parts.file);
    bool const digits = !stars.empty() && stars.find_first_not_of("0123456789") == stars.npos;
    Kind* const kind = !digits ? &kinds[0] : parse_stars(stars) == 0 ? &kinds[1] : is_blank(text) ? &kinds[2] : nullptr;
    if (!kind) continue;
    if (kind->count++ > 0) continue;
    kind->first = located(name);
    kind->value = kind == &kinds[2] ? std::to_string(text.size()) + " bytes without a letter" : std::string(stars);
  }
  for (auto const& kind : kinds)
    if (kind.count > 0)
      throw Error(kind.number,
                  kind.happened + (kind.count > 1 ? " (the first of " + std::to_string(kind.count) + ")" : ""),
                  {.file = kind.first, .value = kind.value, .allowed = kind.allowed}, kind.next);
}

/// Leaves the examples that the options ask for; chosen by the labels alone.
inline void choose_subsets(data::Imdb& all, data::ImdbOptions const& options) {
  for (data::Dataset* split : {&all.train, &all.test}) {
    bool const is_train = split == &all.train;
    std::size_t const count = is_train ? options.train_examples : options.test_examples;
    if (count == 0 || count >= split->size()) continue;
    auto const rows = balanced_subset(split->labels[0].values, count, options.seed,
                                      is_train ? train_subset_stream : test_subset_stream);
    *split = split->subset(rows);
  }
}

HONE_INLINE bool is_review(std::string_view name) {
  ReviewPath parts;
  return parse_review_path(name, parts) && parts.file.front() != '.';
}

HONE_INLINE data::Imdb imdb(std::filesystem::path const& path, TokenizerCalls const& tokenizer,
                            data::ImdbOptions const& options) {
  data::Imdb read = data::read_imdb(path, options);
  for (data::Dataset* split : {&read.train, &read.test}) split->tokens = tokenizer.encode_batch(split->texts);
  return read;
}

HONE_INLINE data::Imdb imdb(std::filesystem::path const& path, TokenizerCalls const& tokenizer,
                            data::ImdbOptions const& options, data::TokenCache& cache) {
  auto const key_now = [&] { return cache.key(path, tokenizer.fingerprint(), options.max_length, is_review); };
  auto const key = key_now();
  if (!key) return imdb(path, tokenizer, options);
  if (auto stored = cache.load(*key, tokenizer.vocabulary_size())) {
    bool is_right = true;
    // A code that gives other ids, under the same version.
    for (data::Dataset const* split : {&stored->train, &stored->test})
      for (std::size_t i = 0, step = split->size() / 32 + 1; i < split->size() && is_right; i += step) {
        auto const ids = tokenizer.encode(split->texts[i]);
        auto const stored_ids = split->tokens[i];
        is_right = std::equal(ids.begin(), ids.end(), stored_ids.begin(), stored_ids.end());
      }
    if (is_right) {
      choose_subsets(*stored, options);
      return std::move(*stored);
    }
    cache.distrust();
  }
  data::ImdbOptions whole = options;
  whole.train_examples = whole.test_examples = 0;
  data::Imdb read = data::read_imdb(path, whole);
  std::uint64_t bytes = 0;
  for (data::Dataset const* split : {&read.train, &read.test})
    for (std::string const& text : split->texts) bytes += text.size();
  bool const is_stored = cache.is_worth(bytes);
  if (!is_stored) choose_subsets(read, options);
  for (data::Dataset* split : {&read.train, &read.test}) split->tokens = tokenizer.encode_batch(split->texts);
  if (!is_stored) return read;
  auto const after = key_now();  // what changed while it was read is not stored under the name of what was there before
  if (after && after->sum == key->sum) cache.store(*key, read);
  choose_subsets(read, options);
  return read;
}

}  // namespace hone::detail

namespace hone::data {

HONE_INLINE Imdb read_imdb(std::filesystem::path const& path, ImdbOptions const& options) {
  std::error_code ignored;
  bool const is_folder = std::filesystem::is_directory(path, ignored);
  auto located = [&](std::string const& name) {
    return is_folder ? (path / name).string() : path.string() + ": " + name;
  };

  std::set<std::string> folders;  // seen, for the message when the shape is not found
  auto wanted = [&](std::string_view name) {
    std::size_t const slash = name.rfind('/');
    if (folders.size() < 1000) folders.insert(std::string(slash == name.npos ? name : name.substr(0, slash + 1)));
    return detail::is_review(name);
  };
  Imdb read;
  std::map<std::string, std::string> reviews;  // sorted by name; of an archive's entries of one name the last counts
  std::set<std::string> roots;
  std::vector<Problem> problems;
  auto keep = [&](std::string const& name, std::string content) {
    detail::ReviewPath parts;
    detail::parse_review_path(name, parts);
    if (parts.file.size() <= 4 || parts.file.substr(parts.file.size() - 4) != ".txt") {
      problems.push_back({name, "not a .txt file, left out"});
      return;
    }
    roots.insert(std::string(parts.root));
    if (!reviews.insert_or_assign(name, std::move(content)).second)
      problems.push_back({name, "is in the archive more than once; the last one counts"});
    if (options.on_progress && reviews.size() % 256 == 0) options.on_progress(reviews.size());
  };
  read.problems = for_each_file(path, wanted, keep);
  read.problems.insert(read.problems.end(), problems.begin(), problems.end());

  if (roots.size() > 1)
    throw Error(406, "there is more than one data set in this place",
                {.file = path.string(), .value = detail::some_of(roots)},
                "name the folder that directly holds the train/ and test/ you mean");
  detail::check_reviews(reviews, located);
  // The name of a folder stands in the sources too, so that they read alike for a folder and its archive.
  std::string const base = is_folder && !roots.empty() && roots.begin()->empty()
                               ? std::filesystem::canonical(path, ignored).filename().string() + "/"
                               : std::string();
  for (Dataset* split : {&read.train, &read.test}) split->labels = {{"is_positive", {}}, {"star_rating", {}}};
  for (auto& [name, text] : reviews) {
    detail::ReviewPath parts;
    detail::parse_review_path(name, parts);
    int const stars = detail::parse_stars(detail::stars_in_name(parts.file));
    bool const positive = parts.group == "pos";
    if (positive != (stars > 5))
      read.problems.push_back(
          {name, std::to_string(stars) + " stars contradict the folder " + std::string(parts.group) + "/; kept"});
    if (std::size_t const mended = detail::mend_utf8(text); mended > 0)
      read.problems.push_back({name, "not valid UTF-8; " + std::to_string(mended) + " places replaced by U+FFFD"});
    Dataset& split = parts.split == "train" ? read.train : read.test;
    split.sources.push_back(base + name);
    split.texts.push_back(std::move(text));
    split.labels[0].values.push_back(positive ? 1 : 0);
    split.labels[1].values.push_back(stars);
  }
  std::stable_sort(read.problems.begin(), read.problems.end(), [](auto const& a, auto const& b) { return a.file < b.file; });

  for (Dataset* split : {&read.train, &read.test}) {
    bool const is_train = split == &read.train;
    std::string const name = is_train ? "train/" : "test/";
    if (split->size() == 0)
      throw Error(405, "no reviews of the shape " + name + "{pos,neg}/ID_STARS.txt were found",
                  {.file = path.string(), .value = detail::some_of(folders),
                   .allowed = "ROOT/{train,test}/{pos,neg}/ID_STARS.txt"},
                  "name the folder that holds train/ and test/, or an archive of it");
    auto const& labels = split->labels[0].values;
    if (std::count(labels.begin(), labels.end(), labels.front()) == static_cast<std::ptrdiff_t>(labels.size())) {
      std::string const only = labels.front() == 1 ? "positive" : "negative";
      if (is_train)
        throw Error(407, "all training reviews are " + only + ", so there is nothing to learn", {.file = path.string()},
                    "check that both train/pos and train/neg hold reviews");
      read.problems.push_back({name, "all test reviews are " + only});
    }
  }
  detail::choose_subsets(read, options);
  return read;
}

}  // namespace hone::data

#endif
