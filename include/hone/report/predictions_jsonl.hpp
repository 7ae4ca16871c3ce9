// predictions.jsonl: one JSON object for every text that was tested, in the order of the data.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "hone/core/atomic_file.hpp"
#include "hone/core/config.hpp"
#include "hone/data/dataset.hpp"
#include "hone/report/metrics_jsonl.hpp"
#include "hone/train/evaluate.hpp"

namespace hone {

namespace detail {

nlohmann::ordered_json prediction_json(std::span<HeadInfo const> heads, std::span<HostMatrix const> outputs,
                                       data::Dataset const& data, std::size_t example);

void write_predictions(std::filesystem::path const& path, std::span<HeadInfo const> heads,
                       std::span<HostMatrix const> outputs, data::Dataset const& data);

#if HONE_BODIES

HONE_INLINE nlohmann::ordered_json prediction_json(std::span<HeadInfo const> heads, std::span<HostMatrix const> outputs,
                                                   data::Dataset const& data, std::size_t example) {
  nlohmann::ordered_json json;
  json["source"] = data.sources[example];
  for (std::size_t h = 0; h < heads.size(); ++h) {
    std::string const head(heads[h].name);
    auto const& output = outputs[h];
    std::span<double const> const row(output.row(Index(example)), std::size_t(output.cols));
    for (auto const& column : data.labels)
      if (column.name == head) {
        if (heads[h].classifies)
          json[head] = static_cast<std::int64_t>(column.values[example]);
        else
          json[head] = column.values[example];
      }
    if (heads[h].classifies) {
      auto const shares = softmax(row);
      json[head + "_predicted"] = output.argmax(Index(example));
      if (shares.size() == 2)
        json[head + "_probability"] = shares[1];
      else
        json[head + "_probability"] = shares;
    } else if (row.size() == 1) {
      json[head + "_predicted"] = row[0];
    } else {
      json[head + "_predicted"] = std::vector<double>(row.begin(), row.end());
    }
  }
  return json;
}

HONE_INLINE void write_predictions(std::filesystem::path const& path, std::span<HeadInfo const> heads,
                                   std::span<HostMatrix const> outputs, data::Dataset const& data) {
  AtomicFile file(path);
  std::string piece;
  for (std::size_t example = 0; example < data.size(); ++example) {
    auto line = prediction_json(heads, outputs, data, example);
    line["text"] = data.texts[example];
    piece += json_line(line) + "\n";
    if (piece.size() > (1 << 20)) {
      file.write(piece);
      piece.clear();
    }
  }
  file.write(piece);
  file.commit();
}

#endif

}  // namespace detail

/// What the heads say of one text: for a classifying head NAME (the truth, where the data has labels), NAME_predicted and
/// NAME_probability (of class 1; of more than two classes a list), for another one NAME and NAME_predicted.
template <class HeadList>
nlohmann::ordered_json prediction_json(Outputs<HeadList> const& outputs, data::Dataset const& data, std::size_t example) {
  return detail::prediction_json(head_infos<HeadList>(), outputs.heads, data, example);
}

/// Writes every text's prediction, and as its last field "text" the text, the file whole or not at all. Errors: E70x of the
/// disk.
template <class HeadList>
void write_predictions(std::filesystem::path const& path, Outputs<HeadList> const& outputs, data::Dataset const& data) {
  detail::write_predictions(path, head_infos<HeadList>(), outputs.heads, data);
}

}  // namespace hone
