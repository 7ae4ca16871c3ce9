// predictions.jsonl: one JSON object for every text that was tested, in the order of the data.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "hone/data/dataset.hpp"
#include "hone/core/atomic_file.hpp"
#include "hone/report/metrics_jsonl.hpp"
#include "hone/train/evaluate.hpp"

namespace hone {

/// What the heads say of one text: for a classifying head NAME (the truth, where the data has labels), NAME_predicted and
/// NAME_probability (of class 1; of more than two classes a list), for another one NAME and NAME_predicted.
template <class HeadList>
nlohmann::ordered_json prediction_json(Outputs<HeadList> const& outputs, data::Dataset const& data, std::size_t example) {
  nlohmann::ordered_json json;
  json["source"] = data.sources[example];
  for_each_index<HeadList::count>([&](auto i) {
    using H = typename HeadList::template At<i>;
    std::string const head(H::name());
    auto const& output = outputs.heads[i];
    std::span<double const> const row(output.row(Index(example)), std::size_t(output.cols));
    for (auto const& column : data.labels)
      if (column.name == head) {
        if (ClassifyingHead<H>)
          json[head] = static_cast<std::int64_t>(column.values[example]);
        else
          json[head] = column.values[example];
      }
    if constexpr (ClassifyingHead<H>) {
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
  });
  return json;
}

/// Writes every text's prediction, and as its last field "text" the text, the file whole or not at all. Errors: E70x of the
/// disk.
template <class HeadList>
void write_predictions(std::filesystem::path const& path, Outputs<HeadList> const& outputs, data::Dataset const& data) {
  AtomicFile file(path);
  std::string piece;
  for (std::size_t example = 0; example < data.size(); ++example) {
    auto line = prediction_json(outputs, data, example);
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

}  // namespace hone
