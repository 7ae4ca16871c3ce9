// What happens in a run, as plain data: what loggers, the report page and the program's sub-commands are told.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/data/dataset.hpp"
#include "hone/train/evaluate.hpp"
#include "hone/train/step_report.hpp"

namespace hone {

/// A run begins.
struct RunStart {
  std::string name{};               ///< of the run, for people: the last part of its folder
  std::filesystem::path folder{};   ///< of the run: a logger writes below it
  std::vector<std::string> heads{};
  std::vector<std::string> command{};      ///< the command line, program first; empty: not known
  nlohmann::ordered_json config{};         ///< settings, model, precision, ledger, host: nested objects, as in results.json
  std::chrono::system_clock::time_point time = std::chrono::system_clock::now();
};

/// A table to look at: texts, labels, predictions.
struct TextTable {
  std::string key{};  ///< "train/examples"
  Index step = 0;
  std::vector<std::string> columns{};
  std::vector<std::vector<nlohmann::ordered_json>> rows{};  ///< each a cell a column: text, number, true, false or null
};

/// What one head said of every text of an evaluation, and the truth. Shapes: N texts, K classes (0: it does not classify).
struct HeadPredictions {
  std::string head{};
  Index classes = 0;
  std::vector<double> truth{};          ///< (N): class or value
  std::vector<double> predicted{};      ///< (N): the most probable class, or the value
  std::vector<double> probabilities{};  ///< (N, K), by row; empty where it does not classify
};

/// An evaluation was done.
struct EvaluationRecord {
  Index step = 0;                     ///< steps trained before it
  bool is_last = false;               ///< the one after training
  nlohmann::ordered_json measures{};  ///< as in results.json: accuracy, cross_entropy, star_mae, heads, ...
  std::vector<HeadPredictions> heads{};
};

/// A run ends.
struct RunEnd {
  int exit_code = 0;                        ///< 0, or what the process will end with
  bool interrupted = false;                 ///< ended early because it was asked to
  std::string error{};                      ///< the text of the error that ended it; empty: none
  nlohmann::ordered_json results{};         ///< the content of results.json
  std::vector<std::filesystem::path> model{};  ///< the files of the trained model; empty: there is none
};

namespace detail {

std::vector<HeadPredictions> head_predictions(std::span<HeadInfo const> heads, std::span<HostMatrix const> outputs,
                                              data::Dataset const& data);

#if HONE_BODIES

HONE_INLINE std::vector<HeadPredictions> head_predictions(std::span<HeadInfo const> heads,
                                                          std::span<HostMatrix const> outputs, data::Dataset const& data) {
  std::vector<HeadPredictions> all;
  for (std::size_t h = 0; h < heads.size(); ++h) {
    auto const& output = outputs[h];
    HeadPredictions head;
    head.head = std::string(heads[h].name);
    head.truth = data.label(heads[h].name).values;
    for (Index row = 0; row < output.rows(); ++row) {
      if (heads[h].classifies) {
        head.classes = heads[h].width;
        head.predicted.push_back(static_cast<double>(output.argmax(row)));
        auto const shares = softmax(std::span<double const>(output.row(row), std::size_t(output.cols)));
        head.probabilities.insert(head.probabilities.end(), shares.begin(), shares.end());
      } else {
        head.predicted.push_back(output(row, 0));
      }
    }
    all.push_back(std::move(head));
  }
  return all;
}

#endif

}  // namespace detail

/// The predictions of every head of an evaluation as plain data. Throws E401 when the data has no labels of a head.
template <class HeadList>
std::vector<HeadPredictions> head_predictions(Outputs<HeadList> const& outputs, data::Dataset const& data) {
  return detail::head_predictions(head_infos<HeadList>(), outputs.heads, data);
}

}  // namespace hone
