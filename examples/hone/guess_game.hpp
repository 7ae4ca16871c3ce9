// The game of hone inspect without a terminal: examples, their order, and the score of a person against the model.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include <hone/hone.hpp>
#include <hone/report.hpp>

namespace hone::examples {

/// A text that was tested: the truth, and what the model says.
struct TestedText {
  std::string source{}, text{};
  bool is_positive = false;
  double stars = 0;
  double positive_probability = 0, predicted_stars = 0;

  bool predicted_positive() const { return positive_probability >= 0.5; }
  bool sentiment_is_right() const { return predicted_positive() == is_positive; }
  double star_error() const { return std::abs(predicted_stars - stars); }
  /// How wrong the model is of the sentiment: what it gave to the wrong side.
  double sentiment_error() const { return is_positive ? 1 - positive_probability : positive_probability; }
};

/// Reads predictions.jsonl. Errors: E20x of the file; E924 it has no texts; E931 a line of it is damaged.
inline std::vector<TestedText> read_predictions(std::filesystem::path const& path) {
  std::string const content = read_file(path, std::uint64_t{4} << 30);
  std::vector<TestedText> all;
  std::string_view rest = content;
  for (std::int64_t line = 1; !rest.empty(); ++line) {
    std::size_t const end = std::min(rest.find('\n'), rest.size());
    auto const json = nlohmann::json::parse(rest.substr(0, end), nullptr, false);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    auto const number = [&](char const* key) {
      if (!json.is_object() || !json.contains(key) || !json[key].is_number())
        throw Error(931, "a line of a run's file is damaged, or of another kind of model",
                    {.file = path.string(), .line = line, .allowed = std::string("an object with the number ") + key},
                    "write it again: hone evaluate RUN --data PATH");
      return json[key].get<double>();
    };
    TestedText example;
    example.positive_probability = number("is_positive_probability");
    example.predicted_stars = number("star_rating_predicted");
    example.is_positive = number("is_positive") == 1;
    example.stars = number("star_rating");
    if (json.contains("source") && json["source"].is_string()) example.source = json["source"].get<std::string>();
    if (!json.contains("text") || !json["text"].is_string())
      throw Error(924, "the predictions have no texts", {.file = path.string(), .line = line},
                  "write them again: hone evaluate RUN --data PATH, then hone inspect RUN/evaluation");
    example.text = json["text"].get<std::string>();
    all.push_back(std::move(example));
  }
  return all;
}

/// The order in which texts are shown: "worst": by the model's error, both heads counted (a star is a ninth of a wrong
/// sentiment); "sentiment" or "stars": by one head's; "random": by a seed; "file": as they are.
inline std::vector<std::size_t> order_of(std::vector<TestedText> const& texts, std::string const& by, std::uint64_t seed) {
  std::vector<std::size_t> order(texts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (by == "random") {
    PhiloxStream random(seed, 0x696e7370656374);  // "inspect"
    hone::detail::shuffle(std::span<std::size_t>(order), random);
  } else if (by != "file") {
    auto const error = [&](std::size_t i) {
      double const sentiment = by == "stars" ? 0 : texts[i].sentiment_error();
      return sentiment + (by == "sentiment" ? 0 : texts[i].star_error() / 9);
    };
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return error(a) > error(b); });
  }
  return order;
}

/// How well somebody did.
struct GuessScore {
  std::size_t right = 0, texts = 0;
  double star_error = 0;

  void add(TestedText const& text, bool positive, double stars) {
    ++texts;
    right += positive == text.is_positive ? 1 : 0;
    star_error += std::abs(stars - text.stars);
  }
  double mean_star_error() const { return texts > 0 ? star_error / static_cast<double>(texts) : std::nan(""); }
};

/// A table of two or three columns for people: "sentiment   positive   positive (98 %)   negative".
inline std::string reveal_text(TestedText const& text, bool guessed, bool positive, int stars) {
  auto const sentiment = [](bool is_positive) { return is_positive ? "positive" : "negative"; };
  double const p = text.positive_probability;
  std::string const model = sentiment(text.predicted_positive()) + formatted(" (%.1f %%)", 100 * std::max(p, 1 - p));
  std::string const you = guessed ? sentiment(positive) : "-", your_stars = guessed ? std::to_string(stars) : "-";
  std::string table = formatted("  %-10s %-10s %-20s %s\n", "", "you", "the model", "the truth");
  table += formatted("  %-10s %-10s %-20s %s\n", "sentiment", you.c_str(), model.c_str(), sentiment(text.is_positive));
  return table + formatted("  %-10s %-10s %-20.1f %g\n", "stars", your_stars.c_str(), text.predicted_stars, text.stars);
}

/// "you 3 of 5 right, stars off by 1.40 on average; the model 4 of 5 right, off by 0.98".
inline std::string score_text(GuessScore const& you, GuessScore const& model) {
  if (you.texts == 0) return "no text was guessed";
  return formatted("you: %zu of %zu sentiments right, stars off by %.2f; the model: %zu of %zu right, off by %.2f", you.right,
                   you.texts, you.mean_star_error(), model.right, model.texts, model.mean_star_error());
}

}  // namespace hone::examples
