// What the doctor is told beside the model, the data and the recipe.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "hone/data/dataset.hpp"
#include "hone/data/sampler.hpp"
#include "hone/heads/heads.hpp"
#include "hone/train/trainer.hpp"

namespace hone {

/// How an examination is done.
struct DoctorOptions {
  TrainerOptions training{};       ///< of the run that is to come: rate, batches, steps, seed
  std::filesystem::path folder{};  ///< where the run will write; empty: the space on the disk is not looked at
  Index max_length = 0;            ///< tokens that texts were cut at; 0: not known, then guessed from their lengths
  Index evaluations = 1;           ///< evaluations of the test data in the run, for the plan of its time
  double seconds = 10;             ///< at most, for what runs the model, or 0.2 % of a longer run; else D60
  std::size_t most_texts = 20000;  ///< texts that leaks are searched in; of more, every k-th
  /// The order of the first epoch: positions of `examples` examples; empty: the trainer's own.
  std::function<std::vector<std::size_t>(std::size_t examples)> order{};

  std::vector<std::size_t> first_order(std::size_t examples) const {
    return order ? order(examples) : data::epoch_order(examples, training.seed, 0);
  }
};

/// The labels of one head as the checks of data see them.
struct HeadLabels {
  std::string head{};
  Index classes = 0;  ///< K; 0: the head gives a number
  std::span<double const> values{};
};

/// The labels of a data set for every head of a model; the data must outlive them. Throws E401 when a head has none.
template <class HeadList>
std::vector<HeadLabels> head_labels(data::Dataset const& data) {
  std::vector<HeadLabels> all;
  for_each_index<HeadList::count>([&](auto i) {
    using H = typename HeadList::template At<i>;
    Index classes = 0;
    if constexpr (ClassifyingHead<H>) classes = H::width;
    all.push_back({std::string(H::name()), classes, data.label(H::name()).values});
  });
  return all;
}

}  // namespace hone
