// The options of finetune_imdb: one table that is the command line, its help, and the "settings" of results.json.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>

#include <hone/hone.hpp>

#include "command_line.hpp"

namespace hone::examples {

struct Settings {
  std::string model{}, data{}, out{};
  bool overwrite = false, memory_plan = false;
  double lr = 1e-5, weight_decay = 0.01, star_loss_weight = 0.02, clip_norm = 1.0;
  std::int64_t batch_size = 16, step_every = 1, epochs = 1, num_steps = 9600, warmup = 0, max_length = 512;
  std::optional<double> dropout{};
  std::uint64_t seed = 0;
  std::int64_t train_examples = 0, test_examples = 1000, eval_batch = 256, eval_every = 0;
  int threads = 0;
  bool max_length_given = false;
  std::string algorithms{};  // of a GPU's matrix products, recorded by an earlier run

  /// Nothing was named: the run on generated reviews.
  bool is_demo() const { return model.empty() && data.empty(); }
};

/// Calls visit(option, value, least, most, help) for every option; least and most are the allowed range of a number.
template <class S, class Visit>
void each_setting(S& s, Visit&& visit) {
  visit("--model", s.model, 0, 0,
        "folder of a pretrained BERT: config.json, model.safetensors, tokenizer.json or vocab.txt");
  visit("--data", s.data, 0, 0,
        "aclImdb, as folder or archive, or anything of its shape: */{train,test}/{pos,neg}/ID_STARS.txt");
  visit("--out", s.out, 0, 0,
        "folder for the trained model and the reports; if not given a new one, runs/NAME of the model");
  visit("--lr", s.lr, 0, 1e300, "learning rate");
  visit("--batch-size", s.batch_size, 1, 1e6, "reviews in one forward and backward pass");
  visit("--step-every", s.step_every, 1, 1e6, "batches in one optimizer step");
  visit("--epochs", s.epochs, 0, 1e6, "times that all training reviews are seen");
  visit("--num-steps", s.num_steps, 0, 1e12, "at most so many optimizer steps, whichever of epochs and steps ends first");
  visit("--warmup", s.warmup, 0, 1e6, "steps over which the learning rate rises");
  visit("--weight-decay", s.weight_decay, 0, 1e9, "of AdamW, decoupled");
  visit("--star-loss-weight", s.star_loss_weight, 0, 1e9, "factor of the star rating's loss in the sum");
  visit("--clip-norm", s.clip_norm, 0, 1e9, "largest norm of all gradients together; 0: no clipping");
  visit("--max-length", s.max_length, 2, 65535, "tokens of a review, longer ones are cut");
  visit("--dropout", s.dropout, 0, 1, "every dropout probability; if not given those of config.json");
  visit("--seed", s.seed, 0, 9007199254740992, "of new parameters, subsets, order and dropout");
  visit("--train-examples", s.train_examples, 0, 1e6, "random subset of the training reviews; 0: all");
  visit("--test-examples", s.test_examples, 0, 1e6, "random subset of the test reviews; 0: all");
  visit("--eval-batch", s.eval_batch, 1, 1e6, "at most so many reviews at once when testing");
  visit("--eval-every", s.eval_every, 0, 1e6, "steps between tests while training; 0: none");
  visit("--threads", s.threads, 0, 1024, "threads; 0: all that the process may use");
}

/// Reads the command line; none: there is nothing to do (--help). Errors: E901, E902.
/// @param add_options  called with the CLI::App and the settings, to add the options of one backend
template <class AddOptions>
std::optional<Settings> read_settings(int argc, char** argv, char const* program, AddOptions&& add_options) {
  Settings s;
  CLI::App app(
      "Fine-tunes a pretrained BERT on IMDB: is a review positive, and how many stars does it give?\n"
      "Without --model and --data it runs on a small built-in corpus of generated reviews, with its own defaults.",
      program);
  each_setting(s, [&app](char const* name, auto& value, double least, double most, char const* help) {
    auto* option = app.add_option(name, value, help);
    if constexpr (std::is_arithmetic_v<std::decay_t<decltype(value)>>) option->capture_default_str();
    if (least < most)
      option->check([least, most](std::string const& text) {  // written so that NaN is refused
        double const number = std::strtod(text.c_str(), nullptr);
        return number >= least && number <= most ? ""
                                                 : formatted("%s is not in the range %g to %g", text.c_str(), least, most);
      });
  });
  app.add_flag("--overwrite", s.overwrite, "replace an earlier run in --out");
  app.add_flag("--memory-plan", s.memory_plan, "show what each part of the training takes, before the first step");
  add_options(app, s);
  if (!parse_command_line(app, argc, argv)) return {};
  if (s.model.empty() != s.data.empty())
    throw Error(902, s.model.empty() ? "--data is given without --model" : "--model is given without --data", {},
                "give both, or neither for the run on generated reviews");
  s.max_length_given = app.count("--max-length") > 0;
  if (s.is_demo()) {  // a model that learns from nothing needs other settings than a pretrained one
    auto const unless_given = [&app](char const* name, auto& value, auto suitable) {
      if (app.count(name) == 0) value = suitable;
    };
    unless_given("--lr", s.lr, 2e-3);
    unless_given("--batch-size", s.batch_size, 32);
    unless_given("--epochs", s.epochs, 4);
    unless_given("--warmup", s.warmup, 200);
    unless_given("--dropout", s.dropout, 0.0);
    unless_given("--max-length", s.max_length, 128);
    unless_given("--train-examples", s.train_examples, 24000);
  }
  return s;
}

inline std::optional<Settings> read_settings(int argc, char** argv) {
  return read_settings(argc, argv, "finetune_imdb", [](CLI::App&, Settings&) {});
}

/// All settings, for results.json.
inline nlohmann::ordered_json to_json(Settings const& settings) {
  nlohmann::ordered_json json;
  each_setting(settings, [&json](char const* name, auto const& value, double, double, char const*) {
    std::string key(name + 2);
    for (char& c : key) c = c == '-' ? '_' : c;
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::optional<double>>)
      json[key] = value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
    else
      json[key] = value;
  });
  return json;
}

/// The folder of the run: --out, else a new one under runs/. Errors: E910, E911, E70x.
inline RunFolder make_run_folder(Settings const& settings) {
  namespace fs = std::filesystem;
  if (settings.out.empty()) {
    if (settings.is_demo()) return RunFolder::unique("runs", "demo");
    fs::path const model = fs::absolute(settings.model).lexically_normal();  // "models/bert/": the name is before the slash
    return RunFolder::unique("runs", (model.has_filename() ? model : model.parent_path()).filename().string());
  }
  std::error_code ignored;
  if (!settings.model.empty() && fs::equivalent(settings.model, settings.out, ignored))
    throw Error(911, "the run would write over the model that it starts from", {.file = settings.out},
                "choose another --out");
  return RunFolder::named(settings.out, settings.overwrite);
}

/// Makes --max-length fit the model. The default is cut to what the model can, with a note; Errors: E904 when it was asked
/// for.
inline std::string limit_length(Settings& settings, Index longest) {
  if (settings.max_length <= longest) return "";
  if (settings.max_length_given)
    throw Error(904, "--max-length is more than the model's position table has",
                {.value = std::to_string(settings.max_length), .allowed = "2 to " + std::to_string(longest)},
                "give a smaller --max-length");
  settings.max_length = longest;
  return "note: reviews are cut at " + std::to_string(longest) + " tokens, the most that this model can read";
}

/// Sizes of a model in one line.
inline std::string describe(BertConfig const& config, Index parameters, int threads) {
  return formatted("BERT, %lld blocks of width %lld, %lld heads, vocabulary %lld: %.1f million parameters; %d threads",
                   static_cast<long long>(config.num_hidden_layers), static_cast<long long>(config.hidden_size),
                   static_cast<long long>(config.num_attention_heads), static_cast<long long>(config.vocab_size),
                   double(parameters) / 1e6, threads);
}

/// All settings as options of the command line, in lines of at most so many columns.
inline std::string describe(Settings const& settings, int columns) {
  std::string text, line;
  each_setting(settings, [&](char const* name, auto const& value, double, double, char const*) {
    using T = std::decay_t<decltype(value)>;
    std::string shown;
    if constexpr (std::is_same_v<T, std::string>)
      shown = printable_text(value);
    else if constexpr (std::is_same_v<T, std::optional<double>>)
      shown = value ? formatted("%g", *value) : "";
    else if constexpr (std::is_floating_point_v<T>)
      shown = formatted("%g", value);
    else
      shown = std::to_string(value);
    if (shown.empty()) return;
    std::string const option = std::string(name) + " " + shown;
    if (!line.empty() && display_width(line) + 1 + display_width(option) > columns) {
      text += line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + option;
  });
  return text + line;
}

/// Where everything is, and what to do next.
inline std::string last_words(Settings const& settings, std::filesystem::path const& folder) {
  std::string const where = printable_text(folder.string());
  std::string text = "\nmodel, metrics.jsonl, results.json and predictions.jsonl are in " + where +
                     "\nto rate a text: build/examples/predict " + where + " \"what a film!\"\n";
  if (settings.is_demo())
    text +=
        "\nThese reviews were generated. The real thing:\n"
        "  scripts/get_imdb.sh\n"
        "  scripts/get_model.sh bert-base-cased\n"
        "  scripts/quickstart.sh --model models/bert-base-cased --data data/aclImdb_v1.tar.gz\n"
        "or a small model, 2,000 reviews: minutes instead of hours\n"
        "  scripts/get_model.sh sentence-transformers/all-MiniLM-L6-v2\n"
        "  scripts/quickstart.sh --model models/sentence-transformers/all-MiniLM-L6-v2 --data data/aclImdb_v1.tar.gz"
        " --lr 5e-5 --train-examples 2000\n";
  return text;
}

}  // namespace hone::examples
