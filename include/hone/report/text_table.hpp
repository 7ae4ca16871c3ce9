// Tables of texts with labels and predictions, for loggers.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/data/dataset.hpp"
#include "hone/report/run_events.hpp"
#include "hone/text/tokenizer.hpp"

namespace hone {

namespace detail {

TextTable examples_table(std::string key, Index step, data::Dataset const& data, std::span<std::size_t const> rows,
                         std::span<HeadInfo const> heads, std::span<HostMatrix const> outputs, Tokenizer const& tokenizer);

#if HONE_BODIES

HONE_INLINE TextTable examples_table(std::string key, Index step, data::Dataset const& data,
                                     std::span<std::size_t const> rows, std::span<HeadInfo const> heads,
                                     std::span<HostMatrix const> outputs, Tokenizer const& tokenizer) {
  TextTable table{std::move(key), step, {"text", "source"}, {}};
  for (std::size_t const row : rows) table.rows.push_back({tokenizer.decode(data.tokens[row]), data.sources[row]});
  for (std::size_t h = 0; h < heads.size(); ++h) {
    std::string const head(heads[h].name);
    auto const& truth = data.label(head).values;
    auto const& output = outputs[h];
    table.columns.push_back(head);
    bool const classifies = heads[h].classifies;
    if (classifies || heads[h].width == 1) table.columns.push_back(head + "_predicted");
    if (classifies) table.columns.push_back(head + "_probability");
    for (std::size_t r = 0; r < rows.size(); ++r) {
      auto& cells = table.rows[r];
      double const label = truth[rows[r]];
      if (std::floor(label) == label)
        cells.emplace_back(static_cast<std::int64_t>(label));
      else
        cells.emplace_back(label);
      if (classifies) {
        Index const best = output.argmax(Index(r));
        auto const shares = softmax(std::span<double const>(output.row(Index(r)), std::size_t(output.cols)));
        cells.emplace_back(best);
        cells.emplace_back(shares[std::size_t(best)]);
      } else if (heads[h].width == 1) {
        cells.emplace_back(output(Index(r), 0));
      }
    }
  }
  return table;
}

#endif

}  // namespace detail

/// A row for each of these examples: the text as the model reads it (decoded tokens, so that one sees what was cut off), the
/// source, and for every head the label, the prediction and, where it classifies, the probability of the predicted class.
/// Columns: text, source, NAME, NAME_predicted, NAME_probability. Of a head with several outputs, labels alone.
///
/// @param rows     the examples, as rows of `data`
/// @param outputs  of the examples, in the order of `rows`: `Trainer::last_results().outputs`
/// Throws E401 when the data has no labels of a head.
template <class HeadList>
TextTable examples_table(std::string key, Index step, data::Dataset const& data, std::span<std::size_t const> rows,
                         Outputs<HeadList> const& outputs, Tokenizer const& tokenizer) {
  return detail::examples_table(std::move(key), step, data, rows, head_infos<HeadList>(), outputs.heads, tokenizer);
}

}  // namespace hone
