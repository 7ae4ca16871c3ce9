// hone info: what this program is and runs on; with RUN, what that run was.
#pragma once

#include <utf8proc.h>
#include <archive.h>

#include <Eigen/Core>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>

#include "command.hpp"

namespace hone::examples {

/// The instruction sets of this processor that matter for matrix products, of those that the system lists.
inline std::string processor_features() {
  static constexpr char const* wanted[] = {"sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512_vnni",
                                           "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "asimd", "sve", "bf16"};
  std::ifstream file("/proc/cpuinfo");
  std::string found;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("flags", 0) != 0 && line.rfind("Features", 0) != 0) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    std::set<std::string> all;
    for (std::string word; words >> word;) all.insert(word);
    for (char const* name : wanted)
      if (all.count(name)) found += (found.empty() ? "" : " ") + std::string(name);
    break;
  }
  return found.empty() ? "not known" : found;
}

/// Bytes of memory that a new program can have, as the system says; 0: not known.
inline std::int64_t available_memory() {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("MemAvailable:", 0) == 0) return std::strtoll(line.c_str() + 13, nullptr, 10) * 1024;
  return 0;
}

inline nlohmann::ordered_json program_info() {
  nlohmann::ordered_json json = host_info();
  json["cpu_features"] = processor_features();
  json["available_memory_bytes"] = available_memory();
  auto& libraries = json["libraries"];
  libraries["Eigen"] = formatted("%d.%d.%d", EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION);
  libraries["nlohmann_json"] =
      formatted("%d.%d.%d", NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH);
  libraries["utf8proc"] = utf8proc_version();
  libraries["Unicode"] = utf8proc_unicode_version();
  libraries["libarchive"] = std::string(archive_version_string()).substr(11);
  libraries["CLI11"] = CLI11_VERSION;
  InstructionSet const set = choose_instruction_set();
  PrecisionChoice const choice = choose_precision("auto", set);
  json["instruction_set"] = name(set);
  json["precision"] = {{"auto", choice.name}, {"why", choice.why}};
  return json;
}

/// What a run was, from its folder.
inline nlohmann::ordered_json run_info(Run const& run) {
  nlohmann::ordered_json json;
  json["folder"] = run.folder.string();
  std::error_code ignored;
  if (std::filesystem::exists(run.folder / "config.json", ignored)) {
    auto const config = BertConfig::from_file(run.folder / "config.json");
    json["model"] = {{"blocks", config.num_hidden_layers}, {"width", config.hidden_size},
                     {"heads", config.num_attention_heads}, {"vocabulary", config.vocab_size},
                     {"longest_text", config.max_position_embeddings}};
  }
  if (run.has_settings) json["settings"] = to_json(run.settings);
  if (run.results.is_object())
    for (char const* key : {"steps", "interrupted", "train_examples_seen", "train_tokens", "train_seconds",
                            "train_tokens_per_second", "test_examples", "accuracy", "accuracy_interval", "cross_entropy",
                            "star_mae", "bag_of_words_accuracy", "precision", "host"})
      if (run.results.contains(key)) json[key] = run.results[key];
  auto& files = json["files"] = nlohmann::ordered_json::object();
  std::vector<std::filesystem::directory_entry> entries;
  for (auto const& entry : std::filesystem::directory_iterator(run.folder, ignored))
    if (entry.is_regular_file(ignored)) entries.push_back(entry);
  std::sort(entries.begin(), entries.end());
  for (auto const& entry : entries) files[entry.path().filename().string()] = entry.file_size(ignored);
  return json;
}

/// run_info, and the logs for Weights & Biases, which are repaired where a kill tore them: of a run that was killed there may be
/// nothing else.
inline nlohmann::ordered_json info_of(std::filesystem::path const& folder) {
  auto const logs = repair_wandb_runs(folder);
  std::error_code ignored;
  Run run;
  run.folder = folder;
  if (logs.empty() || std::filesystem::exists(folder / "results.json", ignored)) run = open_run(folder);
  auto json = run_info(run);
  for (auto const& log : logs)
    json["wandb"][log.file.parent_path().filename().string()] = {{"records", log.records},
                                                                 {"torn_bytes_cut_off", log.bytes_cut},
                                                                 {"finished", log.ended},
                                                                 {"upload", "wandb sync " + log.file.parent_path().string()}};
  return json;
}

/// JSON as lines "key  value", objects indented; for people.
inline std::string info_text(nlohmann::ordered_json const& json, int columns, int indent = 0) {
  std::size_t widest = 0;
  for (auto const& [key, value] : json.items())
    if (!value.is_object()) widest = std::max(widest, key.size());
  std::string text;
  for (auto const& [key, value] : json.items()) {
    std::string const begin = std::string(std::size_t(indent), ' ') + printable_text(key);
    if (value.is_object()) {
      text += begin + "\n" + info_text(value, columns, indent + 2);
      continue;
    }
    std::string shown = value.is_string() ? printable_text(value.get<std::string>())
                        : value.is_null() ? "-"
                                          : printable_text(value.dump());
    if (key.find("bytes") != key.npos && value.is_number() && indent == 0)
      shown += " (" + MemoryPlan::size_text(value.get<std::uint64_t>()) + ")";
    std::size_t const pad = widest + 2 > key.size() ? widest + 2 - key.size() : 2;
    bool is_first = true;
    int const room = std::max(20, columns - indent - int(widest) - 2);
    for (auto const& line : shown.empty() ? std::vector<std::string>{"-"} : wrap_text(shown, room)) {
      text += is_first ? begin + std::string(pad, ' ') : std::string(std::size_t(indent) + widest + 2, ' ');
      text += line + "\n";
      is_first = false;
    }
  }
  return text;
}

inline Command info_command(CLI::App& hone) {
  struct Options {
    std::string run{};
    bool json = false;
  };
  auto* const app = add_command(hone, "info",
                                "Shows versions, compiler, processor, threads and memory; with RUN, what that run was.",
                                {"\twhat this program is and runs on", "runs/demo --json\twhat a run was, as JSON"});
  auto options = std::make_shared<Options>();
  app->add_option("RUN", options->run, "folder of a run");
  app->add_flag("--json", options->json, "as JSON");
  return {app, [options](auto const&) {
            auto const info = options->run.empty() ? program_info() : info_of(options->run);
            Console console;
            console.print(options->json
                              ? info.dump(2, ' ', false, nlohmann::json::error_handler_t::replace)
                              : info_text(info, console.terminal().interactive ? console.terminal().width : 120));
            return 0;
          }};
}

}  // namespace hone::examples
