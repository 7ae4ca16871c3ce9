// A run read back from its folder: results.json, metrics.jsonl, predictions.jsonl.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/core/input_file.hpp"
#include "hone/io/json.hpp"
#include "hone/report/run_events.hpp"

namespace hone {

/// A number for every step, as metrics.jsonl has it.
struct Curve {
  std::string key{};             ///< "is_positive_loss"
  std::vector<double> values{};  ///< one for each of RunRecord::steps; NaN where the step has none
};

/// What a run's folder says. A file that is not there leaves its part empty.
struct RunRecord {
  std::filesystem::path folder{};
  std::string name{};                    ///< the last part of the folder
  nlohmann::json results{};              ///< results.json or evaluation.json: an object; null: there is none
  std::vector<double> steps{};           ///< numbers of the steps in metrics.jsonl, rising
  std::vector<Curve> curves{};           ///< losses first
  std::vector<std::string> sources{};    ///< of predictions.jsonl, each once
  std::vector<std::size_t> texts{};      ///< a hash of each text; 0: the file has no texts
  std::vector<HeadPredictions> heads{};  ///< truth NaN where the file has none
  std::vector<std::string> notes{};      ///< what is missing, in words

  /// A number of results.json by its keys, one inside the other; NaN when it is not there.
  double number(std::initializer_list<char const*> keys) const {
    nlohmann::json const* value = &results;
    for (char const* key : keys) {
      if (!value->is_object() || !value->contains(key)) return std::nan("");
      value = &value->at(key);
    }
    return value->is_number() ? value->get<double>() : std::nan("");
  }
};

/// Reads a run's folder (of `hone finetune`, or of `hone evaluate`: evaluation.json and predictions.jsonl).
///
/// A run that was killed lacks results.json: that is noted, not refused.
/// Errors: E930 not the folder of a run, E931 a damaged line, E932 a text twice, E20x reading, E210 to E215 of results.json.
RunRecord read_run(std::filesystem::path const& folder);

#if HONE_BODIES

namespace detail {

inline constexpr std::uint64_t largest_run_file = std::uint64_t{2} << 30;

[[noreturn]] inline void throw_damaged_line(std::filesystem::path const& path, std::int64_t line, std::string const& what,
                                            std::string const& value = {}) {
  throw Error(931, "a line of a run's file is damaged: " + what,
              {.file = path.string(), .line = line, .value = printable(value, 60)},
              "remove the line if you know how it came about, or make the file again (hone evaluate)");
}

/// Calls `use(object, line)` for each line of a file of JSON objects. A last line without an end that cannot be read was
/// torn by a crash: it is left out, and the answer is true. Errors: E20x, E931.
template <class Use>
bool for_each_json_line(std::filesystem::path const& path, Use const& use) {
  std::string const content = read_file(path, largest_run_file);
  std::int64_t number = 0;
  for (std::size_t begin = 0; begin < content.size();) {
    auto const newline = content.find('\n', begin);
    bool const ended = newline != std::string::npos;
    auto const end = ended ? newline : content.size();
    std::string_view const line(content.data() + begin, end - begin);
    ++number;
    begin = end + 1;
    auto const json = nlohmann::json::parse(line.begin(), line.end(), nullptr, false);
    if (!json.is_object()) {
      if (!ended) return true;
      throw_damaged_line(path, number, json.is_discarded() ? "it is not valid JSON" : "it is not a JSON object",
                         std::string(line.substr(0, 200)));
    }
    use(json, number);
  }
  return false;
}

/// A number, null as NaN. Anything else: E931.
inline double line_number_value(nlohmann::json const& value, std::filesystem::path const& path, std::int64_t line,
                                std::string const& key) {
  if (value.is_null()) return std::nan("");
  if (!value.is_number()) throw_damaged_line(path, line, key + " is not a number", value.dump(-1, ' ', true));
  return value.get<double>();
}

inline void read_metrics(RunRecord& run, std::filesystem::path const& path) {
  std::map<std::string, std::size_t> places;
  bool const torn = for_each_json_line(path, [&](nlohmann::json const& json, std::int64_t line) {
    if (!json.contains("step")) throw_damaged_line(path, line, "it has no step");
    double const step = line_number_value(json.at("step"), path, line, "step");
    if (!(step >= 0)) throw_damaged_line(path, line, "its step is not a number from 0 on", json.at("step").dump());
    while (!run.steps.empty() && run.steps.back() >= step) {  // a resumed run did these steps again
      run.steps.pop_back();
      for (auto& curve : run.curves) curve.values.pop_back();
    }
    run.steps.push_back(step);
    for (auto const& [key, value] : json.items()) {
      if (key == "step" || !(value.is_number() || value.is_null())) continue;
      auto const [place, is_new] = places.emplace(key, run.curves.size());
      if (is_new) {
        if (run.curves.size() == 200) throw_damaged_line(path, line, "more than 200 different keys", key);
        run.curves.push_back({key, std::vector<double>(run.steps.size() - 1, std::nan(""))});
      }
      run.curves[place->second].values.push_back(value.is_null() ? std::nan("") : value.get<double>());
    }
    for (auto& curve : run.curves) curve.values.resize(run.steps.size(), std::nan(""));
  });
  if (torn) run.notes.push_back("the last line of metrics.jsonl was torn and is left out");
  auto const is_loss = [](std::string const& key) { return key.size() > 5 && key.ends_with("_loss"); };
  std::stable_sort(run.curves.begin(), run.curves.end(),
                   [&](Curve const& a, Curve const& b) { return is_loss(a.key) && !is_loss(b.key); });
}

/// The heads that a line of predictions tells of: every NAME with NAME_predicted.
inline std::vector<HeadPredictions> predicted_heads(nlohmann::json const& json, std::filesystem::path const& path) {
  std::vector<HeadPredictions> heads;
  for (auto const& [key, value] : json.items()) {
    constexpr std::string_view ending = "_predicted";
    if (key.size() <= ending.size() || !key.ends_with(ending) || value.is_array()) continue;
    HeadPredictions head;
    head.head = key.substr(0, key.size() - ending.size());
    auto const probability = json.find(head.head + "_probability");
    if (probability != json.end()) head.classes = probability->is_array() ? static_cast<Index>(probability->size()) : 2;
    if (probability != json.end() && (head.classes < 2 || head.classes > 10000))
      throw_damaged_line(path, 1, "probabilities of less than two classes, or of more than 10000");
    heads.push_back(std::move(head));
  }
  return heads;
}

inline void add_prediction(HeadPredictions& head, nlohmann::json const& json, std::filesystem::path const& path,
                           std::int64_t line) {
  auto const value = [&](std::string const& key) -> nlohmann::json const& {
    auto const found = json.find(key);
    if (found == json.end()) throw_damaged_line(path, line, "it has no " + printable(key) + ", unlike the first line");
    return *found;
  };
  auto const truth = json.find(head.head);
  double const label = truth == json.end() ? std::nan("") : line_number_value(*truth, path, line, printable(head.head));
  double const said = line_number_value(value(head.head + "_predicted"), path, line, printable(head.head) + "_predicted");
  if (head.classes > 0) {
    auto const is_class = [&](double k) { return k >= 0 && k < static_cast<double>(head.classes) && k == std::floor(k); };
    if (!is_class(said) || !(std::isnan(label) || is_class(label)))
      throw_damaged_line(path, line, printable(head.head) + " is not one of " + std::to_string(head.classes) + " classes");
    auto const add = [&](double p) {
      if (p < -1e-6 || p > 1 + 1e-6)
        throw_damaged_line(path, line, "a probability of " + printable(head.head) + " is outside 0 to 1", std::to_string(p));
      head.probabilities.push_back(p);
    };
    auto const& probability = value(head.head + "_probability");
    std::string const name = printable(head.head) + "_probability";
    if (probability.is_array()) {
      if (static_cast<Index>(probability.size()) != head.classes || head.classes == 2)
        throw_damaged_line(path, line, name + " has not as many classes as on the first line");
      for (auto const& p : probability) add(line_number_value(p, path, line, name));
    } else {
      if (head.classes != 2) throw_damaged_line(path, line, name + " is not a list, unlike on the first line");
      double const p = line_number_value(probability, path, line, name);
      add(1 - p);
      add(p);
    }
  }
  head.truth.push_back(label);
  head.predicted.push_back(said);
}

inline void read_predictions(RunRecord& run, std::filesystem::path const& path) {
  std::unordered_map<std::string, std::int64_t> known;
  bool const torn = for_each_json_line(path, [&](nlohmann::json const& json, std::int64_t line) {
    auto const source = json.find("source");
    if (source == json.end() || !source->is_string()) throw_damaged_line(path, line, "it has no source");
    auto const& name = source->get_ref<std::string const&>();
    auto const [place, is_new] = known.emplace(name, line);
    if (!is_new)
      throw Error(932, "two predictions of one text",
                  {.file = path.string(),
                   .line = line,
                   .value = printable(name),
                   .allowed = "once, as on line " + std::to_string(place->second)},
                  "make the file again (hone evaluate), or give the texts different sources");
    if (line == 1) run.heads = predicted_heads(json, path);
    for (auto& head : run.heads) add_prediction(head, json, path, line);
    run.sources.push_back(name);
    auto const text = json.find("text");
    run.texts.push_back(
        text != json.end() && text->is_string() ? std::hash<std::string>{}(text->get_ref<std::string const&>()) | 1 : 0);
  });
  if (torn) run.notes.push_back("the last line of predictions.jsonl was torn and is left out");
}

}  // namespace detail

HONE_INLINE RunRecord read_run(std::filesystem::path const& folder) {
  RunRecord run;
  run.folder = folder;
  std::error_code ignored;
  auto const clean = folder.lexically_normal();
  run.name = (clean.has_filename() ? clean : clean.parent_path()).filename().string();
  if (run.name.empty() || run.name == "." || run.name == "..")
    run.name = std::filesystem::absolute(folder, ignored).lexically_normal().filename().string();
  auto const has = [&](char const* file) { return std::filesystem::exists(folder / file, ignored); };
  char const* const results = has("results.json") || !has("evaluation.json") ? "results.json" : "evaluation.json";
  if (!has(results) && !has("metrics.jsonl") && !has("predictions.jsonl"))
    throw Error(930, std::filesystem::is_directory(folder, ignored) ? "this folder holds no run" : "there is no such folder",
                {.file = folder.string(), .allowed = "a folder with results.json, metrics.jsonl or predictions.jsonl"},
                "give the folder that hone finetune wrote (it printed its name), or its evaluation folder");
  if (has(results)) {
    run.results = read_json_file(folder / results, std::uint64_t{256} << 20);
    if (!run.results.is_object())
      throw Error(930, "the results of a run are not a JSON object", {.file = (folder / results).string()},
                  "check that this is the file that the run wrote");
  } else {
    run.notes.push_back("it has no results.json: it was ended early, or still goes on");
  }
  if (has("metrics.jsonl")) detail::read_metrics(run, folder / "metrics.jsonl");
  if (has("predictions.jsonl"))
    detail::read_predictions(run, folder / "predictions.jsonl");
  else
    run.notes.push_back(run.results.is_object() && run.results.contains("heads")
                            ? "it has no predictions.jsonl: its stored measures are shown, and no paired test can be made"
                            : "it has no predictions.jsonl: it was not tested");
  return run;
}

#endif

}  // namespace hone
