// The tiny BertClassifier whose values are stored in expected/tiny, and its batches.
#pragma once

#include <filesystem>
#include <string>
#include <tuple>
#include <vector>

#include "hone/io/safetensors_reader.hpp"
#include "hone/loss/cross_entropy.hpp"
#include "hone/loss/l1.hpp"
#include "hone/models/bert_classifier.hpp"
#include "support/shared_data.hpp"

namespace hone::test {

/// A batch with the labels of is_positive and star_rating.
struct LabelledBatch {
  RaggedBatch batch;
  std::tuple<std::vector<std::int32_t>, std::vector<double>> labels;
};

/// The batches of a batches.safetensors, in order.
inline std::vector<LabelledBatch> stored_batches(std::filesystem::path const& file) {
  SafetensorsReader const reader(file);
  std::vector<LabelledBatch> batches;
  for (;;) {
    std::string const prefix = "batch." + std::to_string(batches.size()) + ".";
    if (!reader.find(prefix + "tokens")) return batches;
    auto const tokens = reader.read<std::int32_t>(prefix + "tokens"),
               segments = reader.read<std::int32_t>(prefix + "segments");
    auto const offsets = reader.read<std::int32_t>(prefix + "offsets");
    auto const stars = reader.read<float>(prefix + "star_rating");
    LabelledBatch made;
    for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
      std::size_t const begin = std::size_t(offsets[b]), count = std::size_t(offsets[b + 1]) - begin;
      made.batch.push_back(std::span(tokens).subspan(begin, count), std::span(segments).subspan(begin, count));
    }
    made.labels = {reader.read<std::int32_t>(prefix + "is_positive"), std::vector<double>(stars.begin(), stars.end())};
    batches.push_back(std::move(made));
  }
}

}  // namespace hone::test
