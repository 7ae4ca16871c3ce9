// The settings of a fine-tuning: one table that is the command line, its help and the settings file (finetune_options.hpp),
// and the "settings" of results.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <hone/hone.hpp>
#include <hone/report.hpp>

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

/// One setting: what is known of it, and which member of Settings it is.
struct Setting {
  SettingInfo info;
  std::variant<std::string Settings::*, double Settings::*, std::int64_t Settings::*, std::optional<double> Settings::*,
               std::uint64_t Settings::*, int Settings::*, bool Settings::*>
      member;
};

/// Every setting, in the order of the help.
inline std::vector<Setting> const& all_settings() {
  static std::vector<Setting> const table = [] {
    std::vector<Setting> settings;
    auto const add = [&settings](SettingInfo info, decltype(Setting::member) member) {
      settings.push_back({std::move(info), member});
    };
    char const* group = "What is trained, on what";
    add({"--model", group, "folder of a pretrained BERT: config.json, model.safetensors, tokenizer.json or vocab.txt"},
        &Settings::model);
    add({"--data", group, "aclImdb, as folder or archive, or anything of its shape: */{train,test}/{pos,neg}/ID_STARS.txt"},
        &Settings::data);
    add({"--out", group, "folder for the trained model and the reports; if not given a new one, runs/NAME of the model"},
        &Settings::out);
    add({"--train-examples", group, "random subset of the training reviews; 0: all", 0, 1e6}, &Settings::train_examples);
    add({"--test-examples", group, "random subset of the test reviews; 0: all", 0, 1e6}, &Settings::test_examples);
    add({"--max-length", group, "tokens of a review, longer ones are cut", 2, 65535}, &Settings::max_length);

    group = "How";
    add({"--lr", group, "learning rate", 0, 1e300}, &Settings::lr);
    add({"--batch-size", group, "reviews in one forward and backward pass", 1, 1e6}, &Settings::batch_size);
    add({"--step-every", group, "batches in one optimizer step", 1, 1e6}, &Settings::step_every);
    add({"--epochs", group, "times that all training reviews are seen", 0, 1e6}, &Settings::epochs);
    add({"--num-steps", group, "at most so many optimizer steps, whichever of epochs and steps ends first", 0, 1e12},
        &Settings::num_steps);
    add({"--schedule",
         group,
         "of the learning rate after the warm-up: constant, or linear to zero at the end",
         0,
         0,
         {"constant", "linear"}},
        &Settings::schedule);
    add({"--warmup", group, "steps over which the learning rate rises", 0, 1e6}, &Settings::warmup);
    add({"--weight-decay", group, "of AdamW, decoupled", 0, 1e9}, &Settings::weight_decay);
    add({"--star-loss-weight", group, "factor of the star rating's loss in the sum", 0, 1e9}, &Settings::star_loss_weight);
    add({"--clip-norm", group, "largest norm of all gradients together; 0: no clipping", 0, 1e9}, &Settings::clip_norm);
    add({"--dropout", group, "every dropout probability; if not given those of config.json", 0, 1}, &Settings::dropout);
    add({"--seed", group, "of new parameters, subsets, order and dropout", 0, 9007199254740992}, &Settings::seed);
    add({"--eval-batch", group, "at most so many reviews at once when testing", 1, 1e6}, &Settings::eval_batch);
    add({"--eval-every", group, "steps between tests while training; 0: none", 0, 1e6}, &Settings::eval_every);
    add({"--precision",
         group,
         "auto, fp32 or mixed (bf16 with fp32 master weights and sums); auto: the fastest that is safe",
         0,
         0,
         {"auto", "fp32", "mixed"}},
        &Settings::precision);
    add({"--threads", group, "threads; 0: all that the process may use", 0, 1024}, &Settings::threads);

    group = "What is shown and logged";
    add({"--doctor", group, "look for mistakes in data, weights and settings before the first step"}, &Settings::doctor);
    add({"--strict", group, "an error that the doctor finds ends the run before the first step"}, &Settings::strict);
    add({"--report", group, "write report.html after every test"}, &Settings::report);
    add({"--table-every", group, "steps between tables of training texts with labels and predictions; 0: none", 0, 1e12},
        &Settings::table_every);
    add({"--tensorboard", group, "write logs for TensorBoard below the run's folder"}, &Settings::tensorboard);
    add({"--wandb", group, "write an offline run for Weights & Biases below the run's folder; `wandb sync` uploads it"},
        &Settings::wandb);
    add({"--wandb-project", group, "project; this and what follows also means --wandb"}, &Settings::wandb_project);
    add({"--wandb-entity", group, "user or team"}, &Settings::wandb_entity);
    add({"--wandb-name", group, "name of the run; if not given that of its folder"}, &Settings::wandb_name);
    add({"--wandb-group", group, "group of runs"}, &Settings::wandb_group);
    add({"--wandb-tags", group, "tags, with commas between them"}, &Settings::wandb_tags);
    add({"--wandb-notes", group, "notes"}, &Settings::wandb_notes);
    add({"--wandb-id", group, "id of the run; if not given a random one"}, &Settings::wandb_id);
    add({"--wandb-model", group, "the trained model is part of the run, as an artifact"}, &Settings::wandb_model);
    return settings;
  }();
  return table;
}

/// Calls visit(SettingInfo, value) for every setting.
template <class S, class Visit>
void each_setting(S& s, Visit&& visit) {
  for (Setting const& setting : all_settings())
    std::visit([&](auto const member) { visit(setting.info, s.*member); }, setting.member);
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

/// Reads the command line of finetune_imdb; none: there is nothing to do (--help). In finetune_options.cpp, since to compile
/// command lines takes as long as all the rest. Errors: E901, E902, E920 to E922.
std::optional<Settings> read_settings(int argc, char** argv);

}  // namespace hone::examples
