// What an IMDB-like data set is, without reading one: shared by imdb.hpp (archives, folders) and demo_corpus.hpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/core/philox.hpp"
#include "hone/data/dataset.hpp"
#include "hone/data/sampler.hpp"

namespace hone::data {

/// Which reviews are read. The counts choose a seeded random subset with as many positive as negative reviews.
struct ImdbOptions {
  std::int64_t max_length = 512;   ///< tokens of a review, [CLS] and [SEP] included; longer ones are cut
  std::size_t train_examples = 0;  ///< 0, or as many as there are or more: all
  std::size_t test_examples = 0;   ///< the same for the test reviews
  std::uint64_t seed = 0;          ///< of the subsets; the same seed gives the same reviews everywhere
  std::function<void(std::size_t reviews)> on_progress{};  ///< called now and then with the number of reviews read so far
};

/// A training and a test set with the labels `is_positive` (0 or 1) and `star_rating` (1 to 10), ordered by path.
struct Imdb {
  Dataset train{};
  Dataset test{};
  std::vector<Problem> problems{};  ///< what was left out or mended, in the order of the paths
};

}  // namespace hone::data

namespace hone::detail {

/// The parts of "ROOT/train/pos/17_9.txt". `root` is empty when the path begins with train/ or test/.
struct ReviewPath {
  std::string_view root, split, group, file;
};

/// Cuts a path that has the shape ROOT/{train,test}/{pos,neg}/FILE; false for every other path.
bool parse_review_path(std::string_view path, ReviewPath& parts);

/// The text between the last '_' and ".txt" of "17_9.txt"; empty when there is none.
std::string_view stars_in_name(std::string_view file);

/// Stars from the digits of a name: 0 when they are no whole number from 1 to 10.
int parse_stars(std::string_view digits);

/// Rows of a seeded random subset of `count` examples, in their order: half of them with label 1 (of an odd count the
/// extra one too), unless one class has too few, which the other then makes up for.
std::vector<std::size_t> balanced_subset(std::span<double const> is_positive, std::size_t count, std::uint64_t seed,
                                         std::uint64_t stream);

#if HONE_BODIES

HONE_INLINE bool parse_review_path(std::string_view path, ReviewPath& parts) {
  auto last = [&path] {
    std::size_t const slash = path.rfind('/');
    std::string_view const part = slash == path.npos ? path : path.substr(slash + 1);
    path = slash == path.npos ? std::string_view() : path.substr(0, slash);
    return part;
  };
  parts.file = last();
  parts.group = last();
  parts.split = last();
  parts.root = path;
  return (parts.split == "train" || parts.split == "test") && (parts.group == "pos" || parts.group == "neg") &&
         !parts.file.empty();
}

HONE_INLINE std::string_view stars_in_name(std::string_view file) {
  file.remove_suffix(4);
  std::size_t const underscore = file.rfind('_');
  return underscore == file.npos ? std::string_view() : file.substr(underscore + 1);
}

HONE_INLINE int parse_stars(std::string_view digits) {
  if (digits.empty() || digits.size() > 2 || digits.front() == '0') return 0;
  int stars = 0;
  for (char const c : digits) {
    if (c < '0' || c > '9') return 0;
    stars = 10 * stars + (c - '0');
  }
  return stars <= 10 ? stars : 0;
}

HONE_INLINE std::vector<std::size_t> balanced_subset(std::span<double const> is_positive, std::size_t count,
                                                     std::uint64_t seed, std::uint64_t stream) {
  std::vector<std::size_t> rows(is_positive.size());
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  if (count == 0 || count >= rows.size()) return rows;
  PhiloxStream random(seed, stream);
  shuffle(std::span<std::size_t>(rows), random);
  auto const positive = static_cast<std::size_t>(std::count(is_positive.begin(), is_positive.end(), 1.0));
  std::size_t const negative = rows.size() - positive;
  std::size_t from_positive = std::min(count - count / 2, positive);
  std::size_t const from_negative = std::min(count - from_positive, negative);
  from_positive = count - from_negative;
  std::size_t left[2] = {from_negative, from_positive};
  std::vector<std::size_t> chosen;
  for (std::size_t const row : rows)
    if (std::size_t& want = left[is_positive[row] == 1.0 ? 1 : 0]; want > 0) {
      --want;
      chosen.push_back(row);
    }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

#endif

}  // namespace hone::detail
