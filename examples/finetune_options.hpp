// The settings of a fine-tuning as they are given: options of a command line, and a file.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <hone/hone.hpp>
#include <hone/report.hpp>

#include "command_line.hpp"
#include "finetune_settings.hpp"

namespace hone::examples {

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

}  // namespace hone::examples
