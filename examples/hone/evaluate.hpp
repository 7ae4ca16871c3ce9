// hone evaluate: all measures of a trained model on labelled reviews.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "../finetune_imdb.hpp"
#include "command.hpp"

namespace hone::examples {

struct EvaluateOptions {
  std::string run{}, data{}, out{}, split = "test", precision = "auto", token_cache{};
  std::optional<std::int64_t> examples{};
  std::int64_t max_length = 0, eval_batch = 256, worst = 5;
  std::uint64_t seed = 0;
  int threads = 0;
  bool seed_given = false;
};

template <Backend B>
int evaluate_run(EvaluateOptions const& options, std::vector<std::string> const& command_line) {
  namespace fs = std::filesystem;
  Console console;
  Run const run = open_run(options.run);
  std::string const data_path = options.data.empty() ? run.settings.data : options.data;
  bool const is_demo = data_path.empty();
  if (is_demo && !(run.has_settings && run.settings.is_demo()))
    throw Error(902, "there is no data to evaluate the model on", {.file = options.run},
                "name it: hone evaluate " + options.run + " --data PATH");
  fs::path const out = options.out.empty() ? fs::path(options.run) / "evaluation" : fs::path(options.out);
  std::error_code failure;
  if (!options.out.empty() && fs::equivalent(options.out, options.run, failure))
    throw Error(911, "the evaluation would write over the predictions of the run", {.file = options.out},
                "choose another --out; if not given it is RUN/evaluation");
  fs::create_directories(out, failure);
  if (failure)
    throw Error(707, "a folder cannot be made", {.file = out.string(), .value = failure.message()},
                "check the path and the permissions");

  auto model = trained_model<Model<B>>(options.run, options.threads, console);
  bool const is_train = options.split == "train";
  data::ImdbOptions subset;
  // Without other data: the reviews of the run itself, also its subset of them.
  std::int64_t const of_run = is_train ? run.settings.train_examples : run.settings.test_examples;
  std::int64_t const examples = options.examples.value_or(options.data.empty() && run.has_settings ? of_run : 0);
  (is_train ? subset.train_examples : subset.test_examples) = std::size_t(examples);
  subset.seed = options.seed_given ? options.seed : run.settings.seed;
  Index const asked = options.max_length > 0 ? options.max_length : run.settings.max_length;
  Index const max_length = std::min(asked, model.max_length());
  subset.max_length = max_length;
  data::Imdb all =
      is_demo ? demo_reviews(subset) : tokenised_reviews(model, data_path, subset, options.token_cache, console);
  data::Dataset& reviews = is_train ? all.train : all.test;
  if (is_demo) tokenise(model, reviews, max_length, console);
  console.print(options.split + ": " + data_summary(reviews) + "\n      " + length_summary(reviews.tokens, max_length));
  if (!all.problems.empty()) console.print("problems in the data:\n" + problems_text(all.problems));

  Settings settings = run.settings;
  settings.eval_batch = options.eval_batch;
  InterruptFlag interrupt("\nEnding: nothing is written. Ctrl-C again ends at once.\n");
  auto const tested = test(model, reviews, recipe_of(settings), settings, console, interrupt.flag());
  console.end_line();
  console.print(measures_text(tested));
  auto const mistakes = worst_mistakes(tested.outputs, reviews, std::size_t(options.worst));
  if (options.worst > 0) {
    console.title("The worst mistakes (texts as the model reads them)");
    console.print(mistakes_text(mistakes, tested.outputs, reviews, model.tokenizer(), console.terminal().width));
  }

  nlohmann::ordered_json results;
  results["model"] = options.run;
  results["data"] = is_demo ? "generated reviews" : data_path;
  results["split"] = options.split;
  results["examples"] = examples;
  results["seed"] = subset.seed;
  results["max_length"] = max_length;
  results["command"] = command_line;
  add_fields(results, to_json(tested));
  results["worst_mistakes"] = mistakes_json(mistakes, tested.outputs, reviews);
  results["host"] = host_info();
  results["host"]["threads"] = model.context().threads();
  results["precision"] = B::Precision::name;
  write_predictions(out / "predictions.jsonl", tested.outputs, reviews);
  write_json_file(out / "evaluation.json", results);
  console.print("evaluation.json and predictions.jsonl are in " + printable_text(out.string()));
  return 0;
}

inline Command evaluate_command(CLI::App& hone) {
  auto* const app = add_command(hone, "evaluate", "Tests a trained model on labelled reviews: all measures, every prediction.",
                                {"runs/demo\ton the reviews that the run was trained for",
                                 "runs/minilm --data data/aclImdb_v1.tar.gz --examples 2000\ton some of others"});
  auto options = std::make_shared<EvaluateOptions>();
  app->add_option("RUN", options->run, "folder of a run, or of a model that it saved")->required();
  app->add_option("--data", options->data, "aclImdb, as folder or archive, or of its shape; if not given that of the run");
  app->add_option("--split", options->split, "which reviews of it")
      ->check(CLI::IsMember({"test", "train"}))
      ->capture_default_str();
  app->add_option("--examples", options->examples,
                  "random subset of so many; 0: all; if not given as many as the run, with --data all")
      ->check(CLI::Range(0, 1000000));
  auto* const seed = app->add_option("--seed", options->seed, "of the subset; if not given that of the run");
  app->add_option("--out", options->out,
                  "folder for evaluation.json and predictions.jsonl, which are replaced there; if not given RUN/evaluation");
  app->add_option("--max-length", options->max_length, "tokens of a review; 0: as the run had it")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  app->add_option("--eval-batch", options->eval_batch, "at most so many reviews at once")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app->add_option("--worst", options->worst, "mistakes that are shown, of each head")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  app->add_option("--token-cache", options->token_cache,
                  "folder in which tokenised reviews are kept, or off; if not given the user's, ~/.cache/hone");
  app->add_option("--precision", options->precision, "auto: the fastest that is safe; mixed: bf16, with fp32 sums")
      ->check(CLI::IsMember({"auto", "fp32", "mixed"}))
      ->capture_default_str();
  app->add_option("--threads", options->threads, "threads; 0: all that the process may use")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  return {app, [options, seed](auto const& command_line) {
            options->seed_given = seed->count() > 0;
            PrecisionChoice const choice = choose_precision(options->precision, choose_instruction_set());
            return choice.name == "mixed" ? evaluate_run<Cpu<mixed>>(*options, command_line)
                                          : evaluate_run<Cpu<fp32>>(*options, command_line);
          }};
}

}  // namespace hone::examples
