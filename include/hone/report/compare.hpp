// Several runs side by side: what differs in their settings, their measures on the same texts, and paired tests.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/metrics/bootstrap.hpp"
#include "hone/metrics/holm.hpp"
#include "hone/metrics/mcnemar.hpp"
#include "hone/metrics/probability.hpp"
#include "hone/report/run_record.hpp"
#include "hone/report/terminal.hpp"
#include "hone/train/head_evaluation.hpp"

namespace hone {

/// One run of a comparison.
struct ComparedRun {
  RunRecord record{};
  std::string letter{};                 ///< "A", "B", ...: what tables call it
  std::vector<HeadEvaluation> heads{};  ///< on the common texts; from results.json where there are no predictions
  std::vector<std::size_t> rows{};      ///< of the record's predictions that `heads` was measured on
  Index texts = 0;                      ///< how many; 0: from results.json
};

/// A setting that is not the same in all runs. Shapes: values (runs), "-" where a run does not have it.
struct ComparedSetting {
  std::string name{};
  std::vector<std::string> values{};
};

/// Two runs tested on the texts that both have predictions of.
struct PairedTest {
  std::size_t first = 0, second = 0;  ///< positions of the runs
  std::string head{};
  bool classifies = false;
  Index texts = 0;
  McNemar mcnemar{};              ///< classifying heads
  PairedDifference difference{};  ///< second - first: of the share of right ones, or of the mean absolute error
  double p_value = 1;             ///< of McNemar's test, or of the bootstrap
  double adjusted_p_value = 1;    ///< for as many tests of this head (Holm)

  /// The run that is better beyond chance (adjusted p < 0.05): -1 the first, 1 the second, 0 not known.
  int better() const {
    if (!(adjusted_p_value < 0.05)) return 0;
    bool const second_is_higher = difference.difference > 0;
    return second_is_higher == classifies ? 1 : -1;
  }
};

/// How runs are compared.
struct CompareOptions {
  bool every_pair = false;  ///< test every pair; else all against the first, and every pair of up to three
  BootstrapOptions bootstrap{.resamples = 2000};  ///< for differences
};

/// What a comparison came to.
struct Comparison {
  std::vector<ComparedRun> runs{};
  std::vector<ComparedSetting> settings{};
  std::vector<PairedTest> tests{};
  Index common_texts = 0;            ///< that every run with predictions has
  bool same_texts = false;           ///< the measures of all runs are of the same texts
  std::vector<std::string> notes{};  ///< what a reader must know
};

/// Compares runs that were read.
///
/// Measures are taken from predictions.jsonl anew, on the texts that every run has, matched by source: runs with other test
/// sets are compared on the common part alone, and a note says so. With none in common each run keeps its own measures,
/// which then cannot be compared. A source that stands for another text (another truth, other words) makes the test sets
/// of two runs different. Errors: E934 no run, or more than 26.
Comparison compare_runs(std::vector<RunRecord> records, CompareOptions const& options = {});

/// Reads and compares the runs in these folders. Errors: those of read_run, and E934.
Comparison compare_runs(std::vector<std::filesystem::path> const& folders, CompareOptions const& options = {});

#if HONE_BODIES

namespace detail {

/// Rows of the same texts in several runs. Shapes: rows (runs)(texts).
struct Alignment {
  std::vector<std::vector<std::size_t>> rows{};
  Index conflicts = 0;  ///< texts with the same source that are not the same text, or have another truth
  std::string example{};
  std::size_t texts() const { return rows.empty() ? 0 : rows.front().size(); }
};

inline bool is_conflict(RunRecord const& a, std::size_t row_a, RunRecord const& b, std::size_t row_b) {
  if (a.texts[row_a] != 0 && b.texts[row_b] != 0 && a.texts[row_a] != b.texts[row_b]) return true;
  for (auto const& head : a.heads)
    for (auto const& other : b.heads)
      if (head.head == other.head && !std::isnan(head.truth[row_a]) && !std::isnan(other.truth[row_b]) &&
          head.truth[row_a] != other.truth[row_b])
        return true;
  return false;
}

/// The texts that all have, in the order of the first. With a conflict they are not the same test set: none.
inline Alignment align(std::vector<RunRecord const*> const& runs) {
  Alignment found;
  found.rows.resize(runs.size());
  std::vector<std::unordered_map<std::string, std::size_t>> places(runs.size());
  for (std::size_t r = 1; r < runs.size(); ++r)
    for (std::size_t row = 0; row < runs[r]->sources.size(); ++row) places[r].emplace(runs[r]->sources[row], row);
  for (std::size_t row = 0; !runs.empty() && row < runs[0]->sources.size(); ++row) {
    std::vector<std::size_t> here{row};
    for (std::size_t r = 1; r < runs.size(); ++r) {
      auto const place = places[r].find(runs[0]->sources[row]);
      if (place == places[r].end()) break;
      here.push_back(place->second);
    }
    if (here.size() < runs.size()) continue;
    for (std::size_t r = 1; r < runs.size(); ++r)
      if (is_conflict(*runs[0], row, *runs[r], here[r])) {
        if (found.conflicts++ == 0) found.example = runs[0]->sources[row];
        break;
      }
    for (std::size_t r = 0; r < runs.size(); ++r) found.rows[r].push_back(here[r]);
  }
  if (found.conflicts > 0)
    for (auto& rows : found.rows) rows.clear();
  return found;
}

/// The measures of a head on some rows; those without a label are left out.
inline HeadEvaluation measured(HeadPredictions const& head, std::vector<std::size_t> const& rows) {
  HeadEvaluation evaluation;
  evaluation.head = head.head;
  evaluation.classifies = head.classes > 0;
  evaluation.confusion = ConfusionTable(head.classes > 1000 ? 0 : head.classes);
  std::vector<double> truth, said;
  auto const classes = static_cast<std::size_t>(head.classes);
  for (std::size_t const row : rows) {
    if (std::isnan(head.truth[row])) continue;
    truth.push_back(head.truth[row]);
    if (classes == 0) {
      said.push_back(head.predicted[row]);
      continue;
    }
    for (std::size_t k = 0; k < classes; ++k) said.push_back(head.probabilities[row * classes + k]);
    if (classes <= 1000) evaluation.confusion.add(Index(head.truth[row]), Index(head.predicted[row]));
  }
  if (classes == 0) {
    if (!truth.empty()) measure_numbers(evaluation, truth, said);
  } else if (classes <= 1000) {
    measure_classes(evaluation, truth, said);
    evaluation.cross_entropy = log_loss(truth, said, head.classes);
  }
  return evaluation;
}

/// The measures that results.json holds.
inline std::vector<HeadEvaluation> stored_measures(RunRecord const& run) {
  std::vector<HeadEvaluation> all;
  auto const heads = run.results.is_object() ? run.results.find("heads") : run.results.end();
  if (!run.results.is_object() || heads == run.results.end() || !heads->is_object()) return all;
  for (auto const& [name, json] : heads->items()) {
    if (!json.is_object()) continue;
    auto const number = [&, &json = json](char const* key) {
      auto const found = json.find(key);
      return found != json.end() && found->is_number() ? found->template get<double>() : std::nan("");
    };
    auto const interval = [&, &json = json](char const* key) -> Interval {
      auto const found = json.find(key);
      bool const good = found != json.end() && found->is_array() && found->size() == 2 && found->at(0).is_number() &&
                        found->at(1).is_number();
      if (!good) return {std::nan(""), std::nan("")};
      return {found->at(0).template get<double>(), found->at(1).template get<double>()};
    };
    HeadEvaluation head;
    head.head = name;
    head.accuracy = number("accuracy");
    head.classifies = !std::isnan(head.accuracy);
    head.accuracy_interval = interval("accuracy_interval");
    head.cross_entropy = number("cross_entropy");
    head.measures.f1 = number("f1");
    head.mcc = number("mcc");
    head.roc_auc = number("roc_auc");
    head.pr_auc = number("pr_auc");
    head.expected_calibration_error = number("expected_calibration_error");
    head.brier_score = number("brier_score");
    head.mean_absolute_error = number("mean_absolute_error");
    head.mean_absolute_error_interval = interval("mean_absolute_error_interval");
    head.root_mean_square_error = number("root_mean_square_error");
    head.spearman = number("spearman");
    head.quadratic_kappa = number("quadratic_kappa");
    all.push_back(std::move(head));
  }
  return all;
}

inline std::string shown_value(nlohmann::json const& value) {
  return printable_text(value.is_string() ? value.get<std::string>()
                                          : value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

inline void add_flat(std::map<std::string, std::string>& flat, std::string const& prefix, nlohmann::json const& value,
                     int depth = 0) {
  if (value.is_object() && !value.empty() && depth < 4) {
    for (auto const& [key, part] : value.items()) add_flat(flat, prefix.empty() ? key : prefix + "." + key, part, depth + 1);
  } else {
    flat[printable_text(prefix)] = shown_value(value);
  }
}

/// Settings and host of every run, those that are not the same everywhere.
inline std::vector<ComparedSetting> different_settings(std::vector<ComparedRun> const& runs) {
  std::vector<std::map<std::string, std::string>> flat(runs.size());
  std::set<std::string> names;
  for (std::size_t r = 0; r < runs.size(); ++r) {
    auto const& results = runs[r].record.results;
    if (!results.is_object()) continue;
    if (results.contains("settings")) add_flat(flat[r], "", results.at("settings"));
    for (char const* key : {"model", "data", "precision", "host"})
      if (results.contains(key)) add_flat(flat[r], key, results.at(key));
    for (char const* key : {"out", "host.memory_bytes", "host.available_memory_bytes", "host.available_threads"})
      flat[r].erase(key);
    for (auto const& [name, value] : flat[r]) names.insert(name);
  }
  std::vector<ComparedSetting> settings;
  for (auto const& name : names) {
    ComparedSetting setting{name, {}};
    for (std::size_t r = 0; r < runs.size(); ++r) setting.values.push_back(flat[r].count(name) ? flat[r].at(name) : "-");
    bool const differs =
        std::adjacent_find(setting.values.begin(), setting.values.end(), std::not_equal_to<>()) != setting.values.end();
    if (differs) settings.push_back(std::move(setting));
  }
  return settings;
}

/// One test for every head that both runs have.
inline void add_tests(Comparison& comparison, std::size_t first, std::size_t second, CompareOptions const& options) {
  auto const& a = comparison.runs[first];
  auto const& b = comparison.runs[second];
  if (a.record.sources.empty() || b.record.sources.empty()) return;
  std::string const both = a.letter + " and " + b.letter;
  auto const common = align({&a.record, &b.record});
  if (common.conflicts > 0)
    comparison.notes.push_back(both + " were tested on other texts of the same names (" + std::to_string(common.conflicts) +
                               ", the first is " + printable_text(common.example) + "): no paired test");
  else if (common.texts() == 0)
    comparison.notes.push_back(both + " have no test text in common: no paired test");
  for (auto const& head : a.record.heads)
    for (auto const& other : b.record.heads) {
      if (head.head != other.head || head.classes != other.classes) continue;
      std::vector<double> truth, said_first, said_second, score_first, score_second;
      for (std::size_t i = 0; i < common.texts(); ++i) {
        double const label = head.truth[common.rows[0][i]];
        if (std::isnan(label)) continue;
        truth.push_back(label);
        said_first.push_back(head.predicted[common.rows[0][i]]);
        said_second.push_back(other.predicted[common.rows[1][i]]);
        auto const score = [&](double said) {
          return head.classes > 0 ? (said == label ? 1.0 : 0.0) : std::abs(said - label);
        };
        score_first.push_back(score(said_first.back()));
        score_second.push_back(score(said_second.back()));
      }
      if (truth.empty()) continue;
      PairedTest test{first, second, head.head, head.classes > 0, static_cast<Index>(truth.size())};
      test.difference = paired_bootstrap(score_first, score_second, options.bootstrap);
      test.p_value = test.difference.p_value;
      if (test.classifies) {
        test.mcnemar = mcnemar(truth, said_first, said_second);
        test.p_value = test.mcnemar.p_value;
      }
      comparison.tests.push_back(std::move(test));
    }
}

inline void adjust_tests(std::vector<PairedTest>& tests) {
  std::map<std::string, std::vector<std::size_t>> by_head;
  for (std::size_t i = 0; i < tests.size(); ++i) by_head[tests[i].head].push_back(i);
  for (auto const& [head, places] : by_head) {
    std::vector<double> p;
    for (std::size_t const i : places) p.push_back(tests[i].p_value);
    auto const adjusted = holm_adjusted(p);
    for (std::size_t k = 0; k < places.size(); ++k) tests[places[k]].adjusted_p_value = adjusted[k];
  }
}

}  // namespace detail

HONE_INLINE Comparison compare_runs(std::vector<RunRecord> records, CompareOptions const& options) {
  if (records.empty() || records.size() > 26)
    throw Error(934, "so many runs cannot be compared", {.value = std::to_string(records.size()), .allowed = "1 to 26"},
                "name the folders of two or more runs");
  Comparison comparison;
  std::vector<RunRecord const*> tested;
  for (auto& record : records) {
    ComparedRun run;
    run.letter = std::string(1, static_cast<char>('A' + static_cast<int>(comparison.runs.size())));
    run.record = std::move(record);
    comparison.runs.push_back(std::move(run));
  }
  bool all_tested = true;
  for (auto const& run : comparison.runs) {
    for (auto const& note : run.record.notes) comparison.notes.push_back(run.letter + ": " + note);
    if (!run.record.sources.empty()) tested.push_back(&run.record);
    all_tested = all_tested && !run.record.sources.empty();
  }
  auto const common = detail::align(tested);
  comparison.common_texts = static_cast<Index>(common.texts());
  bool const use_common = common.texts() > 0;
  comparison.same_texts = use_common && all_tested;
  std::size_t at = 0;
  bool cut = false;
  for (auto& run : comparison.runs) {
    if (run.record.sources.empty()) {
      run.heads = detail::stored_measures(run.record);
      continue;
    }
    auto& rows = run.rows;
    if (use_common) {
      rows = common.rows[at];
    } else {
      rows.resize(run.record.sources.size());
      std::iota(rows.begin(), rows.end(), std::size_t{0});
    }
    ++at;
    run.texts = static_cast<Index>(rows.size());
    cut = cut || rows.size() < run.record.sources.size();
    for (auto const& head : run.record.heads) run.heads.push_back(detail::measured(head, rows));
  }
  if (use_common && cut) {
    std::string sizes;
    for (auto const& run : comparison.runs)
      if (!run.record.sources.empty())
        sizes += (sizes.empty() ? "" : ", ") + run.letter + " " + std::to_string(run.record.sources.size());
    comparison.notes.push_back("the test sets differ (" + sizes + " texts): measures are of the " +
                               std::to_string(comparison.common_texts) + " texts that they have in common");
  }
  if (!use_common && tested.size() > 1)
    comparison.notes.push_back(
        "the runs have no test texts in common: each row shows measures of other texts, which cannot be "
        "compared");
  comparison.settings = detail::different_settings(comparison.runs);
  bool const every_pair = options.every_pair || comparison.runs.size() <= 3;
  for (std::size_t first = 0; first < (every_pair ? comparison.runs.size() : 1); ++first)
    for (std::size_t second = first + 1; second < comparison.runs.size(); ++second)
      detail::add_tests(comparison, first, second, options);
  detail::adjust_tests(comparison.tests);
  return comparison;
}

HONE_INLINE Comparison compare_runs(std::vector<std::filesystem::path> const& folders, CompareOptions const& options) {
  std::vector<RunRecord> records;
  for (auto const& folder : folders) records.push_back(read_run(folder));
  return compare_runs(std::move(records), options);
}

#endif

}  // namespace hone
