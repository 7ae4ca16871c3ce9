#pragma once

#include <cstddef>
#include <cstdint>

#include "hone/core/config.hpp"
#include "hone/data/imdb_shape.hpp"

#if HONE_BODIES
#include <algorithm>
#include <array>
#include <cstdlib>
#include <numeric>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/core/error.hpp"
#include "hone/core/philox.hpp"
#include "hone/data/dataset.hpp"
#include "hone/data/demo_grammar.hpp"
#endif

namespace hone::data {

/// What the generated reviews are like. The shares are of the judging sentences and add up to at most 1; the rest of them
/// judges plainly ("the plot is dull").
struct DemoOptions {
  std::uint64_t seed = 0;
  std::size_t train_examples = 20000;
  std::size_t test_examples = 1000;
  double negated = 0.20;      ///< "the plot is anything but dull": a bag of words reads these wrong
  double contrasted = 0.20;   ///< "the music is fine, but the plot is dull": the main clause decides
  double hearsay = 0.10;      ///< "I was told the plot is superb; it is dull": only the second half counts
  double digressions = 0.20;  ///< chance that a judgement of something else follows a sentence: "the book was superb"
  double neutral = 0.25;      ///< chance that a sentence without judgement follows: "it runs for two hours"
  double misspelled = 0.02;   ///< share of the words of four letters or more with a typing error
};

/// The embedded data set: reviews that are generated from a grammar, no download needed.
///
/// As with IMDB there are as many positive as negative reviews (of an odd count the extra one is positive), stars 1-4 and
/// 7-10, each equally often, `is_positive` = stars > 5, sources like "demo/train/pos/17_9.txt", ordered by path. No text
/// appears twice, neither within a set nor in both. The stars follow from the text alone: the weighted mean of its
/// judgements. The same options give the same texts on every machine.
/// Errors: E409 when there is not at least one review of each class in both sets, or a share is not within [0, 1].
Imdb demo_reviews(DemoOptions const& options = {});

}  // namespace hone::data

#if HONE_BODIES

namespace hone::detail {

inline constexpr std::uint64_t demo_train_stream = std::uint64_t{0x44454D54} << 32;  // "DEMT"
inline constexpr std::uint64_t demo_test_stream = std::uint64_t{0x44454D45} << 32;   // "DEME"

/// Writes one review after the other from the grammar, and knows how many stars each deserves.
class DemoWriter {
 public:
  DemoWriter(data::DemoOptions const& options, std::uint64_t stream) : options_(options), random_(options.seed, stream) {}

  /// A review of so many stars: drafts are written until one comes out right.
  std::string write(int stars) {
    for (;;) {
      std::string const draft = write_draft(stars > 5);
      if (score_stars() == stars) return draft;
    }
  }

 private:
  template <class T, std::size_t N>
  T const& pick(std::array<T, N> const& from) {
    return from[random_.below(N)];
  }

  bool chance(double share) { return random_.uniform() < share; }

  /// Stars of the draft at hand, 0 for 5 and 6, which no review has. All in integers: the same on every machine.
  int score_stars() const {
    if (weight_ == 0) return 0;
    std::int64_t const mean = 100 * sum_ / weight_;                         // -20000 .. 20000: 100 times the verdict
    std::int64_t const tenths = 55 + std::clamp<std::int64_t>(mean * 45 / 14000, -45, 45);
    int const stars = static_cast<int>((tenths + 5) / 10);
    return stars == 5 || stars == 6 ? 0 : std::clamp(stars, 1, 10);
  }

  std::string write_draft(bool positive) {
    sum_ = weight_ = 0;
    std::string review;
    std::size_t const judgements = 1 + random_.below(3);
    if (chance(options_.neutral)) add_sentence(review, pick(demo_neutral), positive);
    for (std::size_t i = 0; i < judgements; ++i) {
      bool const leaning = chance(0.8) ? positive : !positive;
      double const kind = random_.uniform();
      if (kind < options_.negated)
        add_sentence(review, pick(demo_negated), leaning);
      else if (kind < options_.negated + options_.contrasted)
        add_sentence(review, pick(demo_contrasted), leaning);
      else if (kind < options_.negated + options_.contrasted + options_.hearsay)
        add_sentence(review, pick(demo_hearsay), leaning);
      else
        add_sentence(review, pick(demo_plain), leaning);
      bool const other = chance(0.5);  // drawn here: the order of arguments is the compiler's
      if (chance(options_.digressions)) add_sentence(review, pick(demo_digressions), other);
      if (chance(options_.neutral)) add_sentence(review, pick(demo_neutral), positive);
    }
    if (chance(0.5)) add_sentence(review, pick(chance(options_.negated) ? demo_negated_verdicts : demo_verdicts), positive);
    return review;
  }

  /// Fills the slots of one sentence so that what counts in it leans as told, and adds it to the score and the review.
  void add_sentence(std::string& review, DemoForm const& form, bool leaning) {
    std::size_t aspects[2] = {random_.below(demo_aspects.size()), random_.below(demo_aspects.size())};
    if (aspects[0] == aspects[1]) aspects[1] = (aspects[1] + 1) % demo_aspects.size();
    bool const two = form.text.find("%b") != form.text.npos;  // else both judgements are about the same aspect
    std::array<DemoWord, 2> judged{};
    int const counts[2] = {form.first, form.second};
    for (int k = 0; k < 2; ++k) {
      // The half that counts leans as told; the other half of a contrast the other way.
      bool const main = std::abs(counts[k]) >= std::abs(counts[1 - k]);
      bool const good = (main ? leaning : !leaning) != (counts[k] < 0);
      judged[static_cast<std::size_t>(k)] = good ? pick(demo_praise) : pick(demo_blame);
      int const weight = std::abs(counts[k]) * (form.verdict ? 4 : demo_aspects[aspects[k == 1 && two ? 1 : 0]].value);
      sum_ += std::int64_t{weight} * (counts[k] < 0 ? -1 : 1) * judged[static_cast<std::size_t>(k)].value;
      weight_ += weight;
    }
    std::string sentence;
    for (std::size_t i = 0; i < form.text.size(); ++i) {
      if (form.text[i] != '%') {
        sentence += form.text[i];
        continue;
      }
      std::string_view word;
      switch (form.text[++i]) {
        case 'a': word = demo_aspects[aspects[0]].text; break;
        case 'b': word = demo_aspects[aspects[1]].text; break;
        case 'p': word = judged[0].text; break;
        case 'q': word = judged[1].text; break;
        case 'w': word = pick(demo_people); break;
        case 'l': word = pick(demo_places); break;
        case 't': word = pick(demo_times); break;
        default: word = pick(demo_things); break;
      }
      bool const article = sentence.size() >= 2 && sentence.compare(sentence.size() - 2, 2, "a ") == 0 &&
                           (sentence.size() == 2 || sentence[sentence.size() - 3] == ' ');
      if (article && std::string_view("aeiou").find(word.front()) != std::string_view::npos)
        sentence.insert(sentence.size() - 1, 1, 'n');
      sentence += word;
    }
    char& initial = sentence.front();
    if (initial >= 'a' && initial <= 'z') initial = static_cast<char>(initial - 'a' + 'A');
    misspell(sentence);
    if (!review.empty()) review += chance(0.08) ? "<br /><br />" : " ";
    review += sentence;
    review += chance(0.1) ? "!" : chance(0.05) ? "..." : ".";
  }

  /// Typing errors: a letter left out, doubled, or swapped with the next, never the first one of a word.
  void misspell(std::string& sentence) {
    auto letter = [&](std::size_t i) { return i < sentence.size() && sentence[i] >= 'a' && sentence[i] <= 'z'; };
    for (std::size_t begin = 0; begin < sentence.size(); ++begin) {
      std::size_t end = begin + 1;
      while (letter(end)) ++end;
      if (end - begin >= 4 && chance(options_.misspelled)) {
        std::size_t const at = begin + 1 + random_.below(end - begin - 2);
        switch (random_.below(3)) {
          case 0: sentence.erase(at, 1); --end; break;
          case 1: sentence.insert(at, 1, sentence[at]); ++end; break;
          default: std::swap(sentence[at], sentence[at + 1]); break;
        }
      }
      begin = end;
    }
  }

  data::DemoOptions const& options_;
  PhiloxStream random_;
  std::int64_t sum_ = 0, weight_ = 0;  // of the draft: weighted sum of the judgements, and of the weights
};

}  // namespace hone::detail

namespace hone::data {

HONE_INLINE Imdb demo_reviews(DemoOptions const& options) {
  for (double const share : {options.negated, options.contrasted, options.hearsay, options.digressions, options.neutral,
                             options.misspelled, options.negated + options.contrasted + options.hearsay})
    if (!(share >= 0 && share <= 1))
      throw Error(409, "a share of the generated reviews is impossible", {.value = std::to_string(share), .allowed = "0..1"},
                  "set shares from 0 to 1; negated, contrasted and hearsay together at most 1");
  Imdb made;
  std::set<std::string> known;
  constexpr std::array<int, 8> ladder{7, 4, 8, 3, 9, 2, 10, 1};
  for (Dataset* split : {&made.train, &made.test}) {
    bool const is_train = split == &made.train;
    std::size_t const count = is_train ? options.train_examples : options.test_examples;
    if (count < 2)
      throw Error(409, "there are too few generated reviews", {.value = std::to_string(count), .allowed = "2 or more"},
                  "ask for at least two training and two test reviews");
    detail::DemoWriter writer(options, is_train ? detail::demo_train_stream : detail::demo_test_stream);
    std::vector<std::pair<std::string, std::string>> reviews;  // path, text
    for (std::size_t i = 0; i < count; ++i) {
      int const stars = ladder[i % ladder.size()];
      std::string text = writer.write(stars);
      while (!known.insert(text).second) text = writer.write(stars);
      reviews.emplace_back("demo/" + std::string(is_train ? "train" : "test") + (stars > 5 ? "/pos/" : "/neg/") +
                               std::to_string(i / 2) + "_" + std::to_string(stars) + ".txt",
                           std::move(text));
    }
    std::sort(reviews.begin(), reviews.end());
    split->labels = {{"is_positive", {}}, {"star_rating", {}}};
    for (auto& [path, text] : reviews) {
      detail::ReviewPath parts;
      detail::parse_review_path(path, parts);
      split->sources.push_back(path);
      split->texts.push_back(std::move(text));
      split->labels[0].values.push_back(parts.group == "pos" ? 1 : 0);
      split->labels[1].values.push_back(detail::parse_stars(detail::stars_in_name(parts.file)));
    }
  }
  return made;
}

}  // namespace hone::data

#endif
