// The settings of a fine-tuning: one table that is the command line, its help, the settings file, and the "settings" of
// results.json.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <type_traits>

#include <hone/hone.hpp>
#include <hone/report.hpp>

#include "command_line.hpp"

namespace hone::examples {

struct Settings {
  std::string model{}, data{}, out{};
  double lr = 1e-5, weight_decay = 0.01, star_loss_weight = 0.02, clip_norm = 1.0;
  std::int64_t batch_size = 16, step_every = 1, epochs = 1, num_steps = 9600, warmup = 0, max_length = 512;
  std::optional<double> dropout{};
  std::uint64_t seed = 0;
  std::int64_t train_examples = 0, test_examples = 1000, eval_batch = 256, eval_every = 0, table_every = 100;
  int threads = 0;
  std::string precision = "auto", schedule = "constant";
  bool doctor = true, strict = false, report = true, tensorboard = false, wandb = false, wandb_model = true;
  std::string wandb_project = "hone", wandb_entity{}, wandb_name{}, wandb_group{}, wandb_tags{}, wandb_notes{}, wandb_id{};

  // What is asked for besides; not part of what a run is.
  bool overwrite = false, memory_plan = false, doctor_only = false, max_length_given = false;
  std::string token_cache{};           // folder, "off", or if empty the user's
  std::string computing{};             // in which precision, and why
  std::string algorithms{};            // of a GPU's matrix products, recorded by an earlier run
  std::vector<std::string> command{};  // the command line

  /// Nothing was named: the run on generated reviews.
  bool is_demo() const { return model.empty() && data.empty(); }
};

/// What is known of a setting besides its value. The range is that of a number; least = most: no range. `choices` are the
/// words that a text may be; none: any text.
struct SettingInfo {
  char const* option;
  char const* group;
  char const* help;
  double least = 0, most = 0;
  std::vector<std::string> choices{};

  /// The name in JSON: "batch_size".
  std::string key() const {
    std::string key(option + 2);
    for (char& c : key) c = c == '-' ? '_' : c;
    return key;
  }
};

/// Calls visit(SettingInfo, value) for every setting.
template <class S, class Visit>
void each_setting(S& s, Visit&& visit) {
  char const* group = "What is trained, on what";
  visit({"--model", group, "folder of a pretrained BERT: config.json, model.safetensors, tokenizer.json or vocab.txt"}, s.model);
  visit({"--data", group, "aclImdb, as folder or archive, or anything of its shape: */{train,test}/{pos,neg}/ID_STARS.txt"},
        s.data);
  visit({"--out", group, "folder for the trained model and the reports; if not given a new one, runs/NAME of the model"}, s.out);
  visit({"--train-examples", group, "random subset of the training reviews; 0: all", 0, 1e6}, s.train_examples);
  visit({"--test-examples", group, "random subset of the test reviews; 0: all", 0, 1e6}, s.test_examples);
  visit({"--max-length", group, "tokens of a review, longer ones are cut", 2, 65535}, s.max_length);

  group = "How";
  visit({"--lr", group, "learning rate", 0, 1e300}, s.lr);
  visit({"--batch-size", group, "reviews in one forward and backward pass", 1, 1e6}, s.batch_size);
  visit({"--step-every", group, "batches in one optimizer step", 1, 1e6}, s.step_every);
  visit({"--epochs", group, "times that all training reviews are seen", 0, 1e6}, s.epochs);
  visit({"--num-steps", group, "at most so many optimizer steps, whichever of epochs and steps ends first", 0, 1e12},
        s.num_steps);
  visit({"--schedule", group, "of the learning rate after the warm-up: constant, or linear to zero at the end", 0, 0,
         {"constant", "linear"}},
        s.schedule);
  visit({"--warmup", group, "steps over which the learning rate rises", 0, 1e6}, s.warmup);
  visit({"--weight-decay", group, "of AdamW, decoupled", 0, 1e9}, s.weight_decay);
  visit({"--star-loss-weight", group, "factor of the star rating's loss in the sum", 0, 1e9}, s.star_loss_weight);
  visit({"--clip-norm", group, "largest norm of all gradients together; 0: no clipping", 0, 1e9}, s.clip_norm);
  visit({"--dropout", group, "every dropout probability; if not given those of config.json", 0, 1}, s.dropout);
  visit({"--seed", group, "of new parameters, subsets, order and dropout", 0, 9007199254740992}, s.seed);
  visit({"--eval-batch", group, "at most so many reviews at once when testing", 1, 1e6}, s.eval_batch);
  visit({"--eval-every", group, "steps between tests while training; 0: none", 0, 1e6}, s.eval_every);
  visit({"--precision", group, "auto, fp32 or mixed (bf16 with fp32 master weights and sums); auto: the fastest that is safe",
         0, 0, {"auto", "fp32", "mixed"}},
        s.precision);
  visit({"--threads", group, "threads; 0: all that the process may use", 0, 1024}, s.threads);

  group = "What is shown and logged";
  visit({"--doctor", group, "look for mistakes in data, weights and settings before the first step"}, s.doctor);
  visit({"--strict", group, "an error that the doctor finds ends the run before the first step"}, s.strict);
  visit({"--report", group, "write report.html after every test"}, s.report);
  visit({"--table-every", group, "steps between tables of training texts with labels and predictions; 0: none", 0, 1e12},
        s.table_every);
  visit({"--tensorboard", group, "write logs for TensorBoard below the run's folder"}, s.tensorboard);
  visit({"--wandb", group, "write an offline run for Weights & Biases below the run's folder; `wandb sync` uploads it"},
        s.wandb);
  visit({"--wandb-project", group, "project; this and what follows also means --wandb"}, s.wandb_project);
  visit({"--wandb-entity", group, "user or team"}, s.wandb_entity);
  visit({"--wandb-name", group, "name of the run; if not given that of its folder"}, s.wandb_name);
  visit({"--wandb-group", group, "group of runs"}, s.wandb_group);
  visit({"--wandb-tags", group, "tags, with commas between them"}, s.wandb_tags);
  visit({"--wandb-notes", group, "notes"}, s.wandb_notes);
  visit({"--wandb-id", group, "id of the run; if not given a random one"}, s.wandb_id);
  visit({"--wandb-model", group, "the trained model is part of the run, as an artifact"}, s.wandb_model);
}

/// Adds an option for every setting. Booleans also get --no-NAME.
inline void add_settings(CLI::App& app, Settings& settings) {
  each_setting(settings, [&app](SettingInfo info, auto& value) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, bool>) {
      std::string const name(info.option);
      app.add_flag(name + ",!--no-" + name.substr(2), value,
                   std::string(info.help) + (value ? " (on)" : ""))
          ->group(info.group);
    } else {
      auto* option = app.add_option(info.option, value, info.help)->group(info.group);
      if constexpr (std::is_arithmetic_v<std::decay_t<decltype(value)>>) option->capture_default_str();
      if (!info.choices.empty()) option->check(CLI::IsMember(info.choices))->capture_default_str();
      if (info.least < info.most)
        option->check([least = info.least, most = info.most](std::string const& text) {  // written so that NaN is refused
          double const number = std::strtod(text.c_str(), nullptr);
          return number >= least && number <= most
                     ? ""
                     : formatted("%s is not in the range %g to %g", text.c_str(), least, most);
        });
    }
  });
}

/// All settings, for results.json and settings files.
inline nlohmann::ordered_json to_json(Settings const& settings) {
  nlohmann::ordered_json json;
  each_setting(settings, [&json](SettingInfo info, auto const& value) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::optional<double>>)
      json[info.key()] = value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
    else
      json[info.key()] = value;
  });
  return json;
}

/// The settings of a file: an object with keys as in results.json, or results.json itself, or the folder of a run. What the
/// command line gave (`given`, by key) stays; the keys of the file are added to `given`. Of an earlier run's results the
/// output folder is not taken, since that run is in it.
/// Errors: those of files and JSON; E920 a key that is no setting, E921 a value that is not one, E922 no settings.
inline void use_settings_file(Settings& settings, std::filesystem::path path, std::set<std::string>& given) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) path /= "results.json";
  nlohmann::json json = read_json_file(path);
  bool const is_run = json.is_object() && json.contains("settings") && json["settings"].is_object();
  if (is_run) {
    nlohmann::json of_run = json["settings"];
    of_run.erase("out");
    json = std::move(of_run);
  }
  if (!json.is_object())
    throw Error(922, "the file has no settings", {.file = path.string(), .allowed = "an object, {\"lr\": 2e-5, ...}"},
                "give a settings file, or the results.json of an earlier run");
  std::vector<std::string> known;
  each_setting(settings, [&known](SettingInfo info, auto&) { known.push_back(info.key()); });
  for (auto const& [key, value] : json.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    std::string const near = nearest_word(key, known);
    throw Error(920, "the settings file has a key that is not a setting",
                {.file = path.string(), .value = printable_text(key), .allowed = near.empty() ? "" : near},
                near.empty() ? "see the options in --help: a key is an option's name with _ for -" : "write " + near);
  }
  each_setting(settings, [&](SettingInfo info, auto& value) {
    auto const found = json.find(info.key());
    if (found == json.end() || found->is_null()) return;
    using T = std::decay_t<decltype(value)>;
    bool right = false;
    std::string allowed;
    if constexpr (std::is_same_v<T, bool>) {
      right = found->is_boolean();
      allowed = "true or false";
    } else if constexpr (std::is_same_v<T, std::string>) {
      right = found->is_string();
      allowed = "a text";
      if (!info.choices.empty()) {
        allowed.clear();
        for (auto const& choice : info.choices) allowed += (allowed.empty() ? "" : ", ") + choice;
        right = right && std::count(info.choices.begin(), info.choices.end(), found->template get<std::string>()) > 0;
      }
    } else {
      bool const whole = std::is_integral_v<T>;
      right = whole ? found->is_number_integer() : found->is_number();
      double const number = right ? found->template get<double>() : 0;
      right = right && number >= info.least && number <= info.most;
      allowed = formatted(whole ? "a whole number, %g to %g" : "a number, %g to %g", info.least, info.most);
    }
    if (!right)
      throw Error(921, "a value in the settings file is not one of this setting",
                  {.file = path.string(), .value = info.key() + " = " + printable_text(found->dump().substr(0, 60)),
                   .allowed = allowed},
                  "correct the value");
    if (!given.insert(info.key()).second) return;
    if constexpr (std::is_same_v<T, std::optional<double>>)
      value = found->template get<double>();
    else
      value = found->template get<T>();
  });
}

/// What follows from what was given: defaults of the run on generated reviews, --wandb by its options. Errors: E902.
/// @param given  the keys of what was given, on the command line or in a file
inline void complete_settings(Settings& s, std::set<std::string> const& given) {
  if (s.model.empty() != s.data.empty())
    throw Error(902, s.model.empty() ? "--data is given without --model" : "--model is given without --data", {},
                "give both, or neither for the run on generated reviews");
  s.max_length_given = given.count("max_length") > 0;
  for (char const* key : {"project", "entity", "name", "group", "tags", "notes", "id"})
    if (given.count("wandb") == 0 && given.count(std::string("wandb_") + key) > 0) s.wandb = true;
  if (!s.is_demo()) return;
  auto const unless_given = [&given](char const* key, auto& value, auto suitable) {
    if (given.count(key) == 0) value = suitable;
  };
  unless_given("lr", s.lr, 2e-3);  // a model that learns from nothing needs other settings than a pretrained one
  unless_given("batch_size", s.batch_size, 32);
  unless_given("epochs", s.epochs, 4);
  unless_given("warmup", s.warmup, 200);
  unless_given("dropout", s.dropout, 0.0);
  unless_given("max_length", s.max_length, 128);
  unless_given("train_examples", s.train_examples, 24000);
}

/// Adds every option of a fine-tuning to a program or a sub-command. `complete`, called after the command line was read,
/// reads the settings file and completes the settings. Errors of it: those of use_settings_file and complete_settings.
class FinetuneOptions {
 public:
  /// @param strict  the default of --strict
  explicit FinetuneOptions(CLI::App& app, bool strict = false) : app_(app) {
    settings.strict = strict;
    app.add_option("--config", config_,
                   "settings from a JSON file, {\"lr\": 2e-5, ...}, or those of an earlier run: its folder, or its "
                   "results.json. The command line wins");
    app.add_flag("--overwrite", settings.overwrite, "replace an earlier run in --out");
    app.add_flag("--memory-plan", settings.memory_plan, "show what each part of the training takes, before the first step");
    app.add_flag("--doctor-only", settings.doctor_only, "look for mistakes, say what was found, and end without training");
    app.add_option("--token-cache", settings.token_cache,
                   "folder in which tokenised reviews are kept for the next run, or off; if not given the user's, "
                   "~/.cache/hone");
    add_settings(app, settings);
  }
  void complete() {
    std::set<std::string> given;
    each_setting(settings, [&](SettingInfo info, auto&) {
      if (app_.count(info.option) > 0) given.insert(info.key());
    });
    if (!config_.empty()) use_settings_file(settings, config_, given);
    complete_settings(settings, given);
  }

  Settings settings{};

 private:
  CLI::App& app_;
  std::string config_{};
};

/// Reads the command line; none: there is nothing to do (--help). Errors: E901, E902, E920 to E922.
/// @param add_options  called with the CLI::App and the settings, to add the options of one backend
template <class AddOptions>
std::optional<Settings> read_settings(int argc, char** argv, char const* program, AddOptions&& add_options) {
  CLI::App app(
      "Fine-tunes a pretrained BERT on IMDB: is a review positive, and how many stars does it give? "
      "Without --model and --data it runs on a small built-in corpus of generated reviews, with its own defaults.",
      program);
  use_help_text(app);
  FinetuneOptions options(app);
  add_options(app, options.settings);
  if (!parse_command_line(app, argc, argv)) return {};
  options.complete();
  options.settings.command.assign(argv, argv + argc);
  return options.settings;
}

inline std::optional<Settings> read_settings(int argc, char** argv) {
  return read_settings(argc, argv, "finetune_imdb", [](CLI::App&, Settings&) {});
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

/// A text as one word of a shell.
inline std::string shell_word(std::string const& text) {
  bool const plain = !text.empty() && text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                                             "-_./:=,+@%") == text.npos;
  if (plain) return text;
  std::string quoted = "'";
  for (char const c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

/// All settings as options of the command line, in lines of at most so many columns.
inline std::string describe(Settings const& settings, int columns) {
  std::string text, line;
  each_setting(settings, [&](SettingInfo info, auto const& value) {
    using T = std::decay_t<decltype(value)>;
    std::string option = info.option;
    if constexpr (std::is_same_v<T, bool>) {
      if (!value) option = "--no-" + option.substr(2);
    } else if constexpr (std::is_same_v<T, std::string>) {
      if (value.empty()) return;
      if (!settings.wandb && option.rfind("--wandb", 0) == 0) return;
      option += " " + shell_word(printable_text(value));
    } else if constexpr (std::is_same_v<T, std::optional<double>>) {
      if (!value) return;
      option += formatted(" %g", *value);
    } else if constexpr (std::is_floating_point_v<T>) {
      option += formatted(" %g", value);
    } else {
      option += " " + std::to_string(value);
    }
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
  std::string text = "\nmodel, metrics.jsonl, results.json and predictions.jsonl are in " + where;
  std::filesystem::path const program = settings.command.empty() ? "" : settings.command.front();
  if (program.filename() == "hone")
    text += "\nto rate a text: " + printable_text(program.string()) + " predict " + where + " \"what a film!\"" +
            "\nto judge the worst mistakes yourself: " + printable_text(program.string()) + " inspect " + where;
  else
    text += "\nto rate a text: build/examples/predict " + where + " \"what a film!\"";
  return text;
}

/// After the run on generated reviews: how the real thing is run.
inline std::string real_thing_text() {
  return
      "\nThese reviews were generated. The real thing:\n"
      "  scripts/get_imdb.sh\n"
      "  scripts/get_model.sh bert-base-cased\n"
      "  scripts/quickstart.sh --model models/bert-base-cased --data data/aclImdb_v1.tar.gz\n"
      "or a small model, 2,000 reviews: minutes instead of hours\n"
      "  scripts/get_model.sh sentence-transformers/all-MiniLM-L6-v2\n"
      "  scripts/quickstart.sh --model models/sentence-transformers/all-MiniLM-L6-v2 --data data/aclImdb_v1.tar.gz"
      " --lr 5e-5 --train-examples 2000\n";
}

}  // namespace hone::examples
