#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "hone/core/error.hpp"
#include "hone/core/ragged_batch.hpp"
#include "hone/core/upload_memory.hpp"
#include "hone/core/workspace.hpp"
#include "hone/heads/heads.hpp"

namespace hone {

/// The batches of one optimizer step with their labels, as the bytes that the backend will read: made on the host, by any
/// thread, while the step before runs; copied in one piece (BertClassifier::upload).
template <Backend B, class HeadList>
class StagedStep {
 public:
  using Labels = typename HeadList::Labels;

  /// One batch: its sizes, and where its bytes begin.
  struct Part {
    Index rows = 0, size = 0, first_example = 0;
    std::size_t begin = 0;
  };
  /// The labels of a batch where the backend's memory is, by head.
  template <class Sequence>
  struct LabelViewsOf;
  template <std::size_t... I>
  struct LabelViewsOf<std::index_sequence<I...>> {
    using Type = std::tuple<VectorView<typename HeadList::template At<I>::Label const>...>;
  };
  using LabelViews = typename LabelViewsOf<std::make_index_sequence<HeadList::count>>::Type;

  explicit StagedStep(typename B::Context& context) : memory_(context) {}

  /// Bytes of a batch of N tokens in B sequences with its labels.
  static std::size_t bytes(Index rows, Index size) {
    std::size_t sum = numbers_bytes(rows, size);
    for_each_index<HeadList::count>([&](auto i) { sum += label_bytes<i>(size); });
    return sum;
  }

  /// Room for so many batches of at most N tokens in B sequences.
  void reserve(Index batches, Index rows, Index size) {
    memory_.reserve(static_cast<std::size_t>(batches) * bytes(rows, size));
    parts_.reserve(static_cast<std::size_t>(batches));
  }
  void clear() {
    parts_.clear();
    memory_.resize(0);
  }
  /// Adds a batch. The ids are not checked: BertClassifier::stage does it. Throws E611 when a head has not one label for
  /// each sequence, E420 when a label is not one that its head allows.
  void add(RaggedBatch const& batch, Labels const& labels) {
    check(batch, labels);
    Part const part{batch.rows(), batch.size(), batch.first_example, memory_.size()};
    memory_.resize(part.begin + bytes(part.rows, part.size));
    std::byte* to = memory_.data() + part.begin;
    BatchNumbers::write(batch, reinterpret_cast<std::int32_t*>(to));
    to += numbers_bytes(part.rows, part.size);
    for_each_index<HeadList::count>([&](auto i) {
      auto const& values = std::get<i>(labels);
      std::memcpy(to, values.data(), values.size() * sizeof(values[0]));
      to += label_bytes<i>(part.size);
    });
    parts_.push_back(part);
  }

  std::vector<Part> const& parts() const { return parts_; }
  UploadMemory<B> const& memory() const { return memory_; }

  /// The batch and the labels of a part whose step was copied to `base`.
  static BatchView batch(std::byte const* base, Part const& part) {
    return BatchNumbers::view(reinterpret_cast<std::int32_t const*>(base + part.begin), part.rows, part.size,
                              part.first_example);
  }
  static LabelViews labels(std::byte const* base, Part const& part) {
    std::byte const* from = base + part.begin + numbers_bytes(part.rows, part.size);
    LabelViews views;
    for_each_index<HeadList::count>([&](auto i) {
      std::get<i>(views) = {reinterpret_cast<LabelAt<i> const*>(from), part.size};
      from += label_bytes<i>(part.size);
    });
    return views;
  }

 private:
  template <std::size_t I>
  using HeadAt = typename HeadList::template At<I>;
  template <std::size_t I>
  using LabelAt = typename HeadAt<I>::Label;

  static constexpr std::size_t aligned(std::size_t bytes) {
    return (bytes + Layout::alignment - 1) / Layout::alignment * Layout::alignment;
  }
  static std::size_t numbers_bytes(Index rows, Index size) {
    return aligned(static_cast<std::size_t>(BatchNumbers::count(rows, size)) * sizeof(std::int32_t));
  }
  template <std::size_t I>
  static std::size_t label_bytes(Index size) {
    return aligned(static_cast<std::size_t>(size) * sizeof(LabelAt<I>));
  }
  static void check(RaggedBatch const& batch, Labels const& labels) {
    for_each_index<HeadList::count>([&](auto i) {
      auto const& values = std::get<i>(labels);
      if (Index(values.size()) != batch.size())
        throw Error(611, "a batch has not one label for each sequence",
                    {.tensor = std::string(HeadAt<i>::name()),
                     .value = std::to_string(values.size()),
                     .allowed = std::to_string(batch.size())},
                    "give every head as many labels as the batch has sequences");
      for (auto const label : values)
        if (!HeadAt<i>::allows(static_cast<double>(label)))
          throw Error(
              420, "a label is not one that the head allows",
              {.tensor = std::string(HeadAt<i>::name()), .value = std::to_string(label), .allowed = HeadAt<i>::allowed()},
              "correct the labels");
    });
  }

  UploadMemory<B> memory_;
  std::vector<Part> parts_{};
};

}  // namespace hone
