// What the sub-commands of hone share: how one is declared, and the files of a run.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <hone/hone.hpp>
#include <hone/report.hpp>

#include "../finetune_options.hpp"
#include "../with_progress.hpp"

namespace hone::examples {

/// A sub-command: what the command line gets, and what is done. `run` returns the exit code.
struct Command {
  CLI::App* app;
  std::function<int(std::vector<std::string> const& command_line)> run;
};

/// Declares a sub-command with two examples, each "ARGUMENTS\tWHAT IT DOES", below its help.
inline CLI::App* add_command(CLI::App& hone, char const* name, char const* summary, std::vector<std::string> const& examples,
                             char const* exit_codes = "") {
  CLI::App* const app = hone.add_subcommand(name, summary);
  std::string footer = "\nExamples:";
  for (auto const& example : examples) {
    std::size_t const tab = example.find('\t');
    footer += "\n  hone " + std::string(name) + (tab > 0 ? " " : "") + example.substr(0, tab) + "\n      " + example.substr(tab + 1);
  }
  footer += "\n\nExit codes: 0 done; 1 an error, told with its number on standard error (docs/errors.md)" + std::string(exit_codes);
  app->footer(footer);
  return app;
}

/// The folder of a run: its model, and what its results.json says. `results` is null when there is none.
struct Run {
  std::filesystem::path folder{};
  nlohmann::json results{};
  Settings settings{};  ///< those of the run, else the defaults
  bool has_settings = false;
};

/// Looks at the folder of a run. Errors: E930 it is none; those of JSON files.
inline Run open_run(std::filesystem::path const& folder) {
  std::error_code ignored;
  Run run;
  run.folder = folder;
  bool const has_results = std::filesystem::exists(folder / "results.json", ignored);
  if (!has_results && !std::filesystem::exists(folder / "config.json", ignored) &&
      !std::filesystem::exists(folder / "predictions.jsonl", ignored))
    throw Error(930, "this is not the folder of a run",
                {.file = folder.string(), .allowed = "a folder with results.json, or with config.json of a saved model"},
                "name a folder that hone finetune has written, such as runs/demo");
  if (!has_results) return run;
  run.results = read_json_file(folder / "results.json", std::uint64_t{256} << 20);
  if (run.results.is_object() && run.results.contains("settings")) {
    std::set<std::string> given;
    use_settings_file(run.settings, folder / "results.json", given);
    run.has_settings = !given.empty();
  }
  return run;
}

/// Loads a trained model from the folder of a run. Errors: those of from_pretrained; E905 its heads are not trained.
template <class Model>
Model trained_model(std::filesystem::path const& folder, int threads, Console& console) {
  Model model = load_model<Model>(folder, {{threads}, 0, 0.0}, console);
  if (std::size_t const untrained = model.ledger().count(LedgerState::created); untrained > 0)
    throw Error(905, "the model has not been trained to rate reviews",
                {.file = folder.string(), .value = std::to_string(untrained) + " parameters of the heads are not in its file"},
                "train it first: hone finetune --model " + folder.string() + " --data PATH");
  return model;
}

}  // namespace hone::examples
