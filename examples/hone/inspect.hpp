// hone inspect: a text alone, your guess, then what the model says and the truth.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "command.hpp"
#include "guess_game.hpp"
#include "keys.hpp"

namespace hone::examples {

struct InspectOptions {
  std::string run{}, sort = "worst";
  std::uint64_t seed = 0;
  std::size_t count = 0;
};

/// One guess: the sentiment and 1 to 10 stars; skipped texts are shown all the same. None: the person wants to end.
struct Guess {
  bool skipped = false, positive = false;
  int stars = 0;
};

inline std::optional<Guess> ask_guess(Keys& keys, bool terminal) {
  auto const show = [terminal](char const* text) {
    if (!terminal) return;
    std::fputs(text, stdout);
    std::fflush(stdout);
  };
  Guess guess;
  show("positive or negative? [p/n, s: skip, q: quit] ");
  for (;;) {
    int const key = keys.next();
    if (key == Keys::end || key == 'q') return {};
    if (key == 's') {
      show("skipped\n");
      guess.skipped = true;
      return guess;
    }
    if (key != 'p' && key != 'n') continue;
    guess.positive = key == 'p';
    break;
  }
  show(guess.positive ? "positive\nstars? [1 to 10, 0: ten] " : "negative\nstars? [1 to 10, 0: ten] ");
  for (;;) {
    int const key = keys.next();
    if (key == Keys::end || key == 'q') return {};
    if (key < '0' || key > '9') continue;
    guess.stars = key == '0' || (key == '1' && keys.zero_follows()) ? 10 : key - '0';
    break;
  }
  show((std::to_string(guess.stars) + "\n").c_str());
  return guess;
}

inline int inspect(InspectOptions const& options) {
  std::filesystem::path const folder = options.run;
  open_run(folder);
  std::error_code ignored;
  if (!std::filesystem::exists(folder / "predictions.jsonl", ignored))
    throw Error(923, "the run has no predictions", {.file = (folder / "predictions.jsonl").string()},
                "make them: hone evaluate " + options.run + ", then hone inspect " + options.run + "/evaluation");
  auto const texts = read_predictions(folder / "predictions.jsonl");
  auto const order = order_of(texts, options.sort, options.seed);
  std::size_t const count = options.count > 0 ? std::min(options.count, order.size()) : order.size();

  Console console;
  bool const terminal = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
  std::optional<RawTerminal> raw;
  if (terminal) raw.emplace();
  Keys keys(terminal);
  GuessScore you, model;
  console.print(formatted("%zu texts. Guess each, then see what the model says and the truth.", count));
  bool quit = false;
  for (std::size_t k = 0; k < count && !quit; ++k) {
    TestedText const& text = texts[order[k]];
    console.title(formatted("%zu of %zu", k + 1, count));
    int const columns = std::min(console.terminal().width - 1, 100);  // longer lines are hard to read
    std::string shown;
    for (auto const& line : wrap_text(printable_text(text.text), columns)) shown += line + "\n";
    console.print(shown + "\n");
    auto const guess = ask_guess(keys, terminal);
    if (!guess) break;
    if (!guess->skipped) {
      you.add(text, guess->positive, guess->stars);
      model.add(text, text.predicted_positive(), text.predicted_stars);
    }
    console.print("\n" + reveal_text(text, !guess->skipped, guess->positive, guess->stars) + "  " +
                  printable_text(text.source) + "\n");
    if (you.texts > 0) console.print(score_text(you, model));
    if (terminal && k + 1 < count) {
      std::fputs("\nany key: the next text, q: quit ", stdout);
      std::fflush(stdout);
      int const key = keys.next();
      quit = key == Keys::end || key == 'q';
      console.print("");
    }
  }
  console.print("\n" + score_text(you, model));
  return 0;
}

inline Command inspect_command(CLI::App& hone) {
  auto* const app = add_command(
      hone, "inspect",
      "Shows texts of the test, at first without labels: guess sentiment and stars, then see what the model says and the "
      "truth, and who of you is better. Keys: p or n, then 1 to 9 or 0 for ten; s skips, q ends.",
      {"runs/demo\tthe texts that the model is most wrong about", "runs/demo --sort random --seed 3\tany texts"});
  auto options = std::make_shared<InspectOptions>();
  app->add_option("RUN", options->run, "folder with predictions.jsonl: of a run, or of an evaluation")->required();
  app->add_option("--sort", options->sort,
                  "worst: where the model is most wrong; sentiment, stars: the same by one head; random; file: as they are")
      ->check(CLI::IsMember({"worst", "sentiment", "stars", "random", "file"}))
      ->capture_default_str();
  app->add_option("--seed", options->seed, "of a random order")->capture_default_str();
  app->add_option("--count", options->count, "at most so many texts; 0: all")->capture_default_str();
  return {app, [options](auto const&) { return inspect(*options); }};
}

}  // namespace hone::examples
