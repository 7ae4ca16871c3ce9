#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "hone/core/backend.hpp"
#include "hone/core/buffer.hpp"
#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/core/row_map.hpp"

namespace hone {

/// A batch on the host: sequences one after the other, no padding.
///
/// Shapes: tokens, segments, positions (N); offsets (B + 1). Segments are 0 and positions count from 0 unless given.
struct RaggedBatch {
  std::vector<std::int32_t> tokens{}, segments{}, positions{};
  std::vector<std::int32_t> offsets{0};
  Index first_example = 0;  ///< index within the optimizer step of the first sequence: part of the key of random masks

  Index rows() const { return static_cast<Index>(tokens.size()); }           ///< N
  Index size() const { return static_cast<Index>(offsets.size()) - 1; }      ///< B
  Index length(Index b) const { return offsets[static_cast<std::size_t>(b) + 1] - offsets[static_cast<std::size_t>(b)]; }

  /// Takes all sequences out; the memory is kept.
  void clear();
  /// Room for N tokens in B sequences.
  void reserve(Index rows, Index size);
  /// Appends one sequence. Throws E411 when it is empty, E412 when it is longer than attention can address.
  void push_back(std::span<std::int32_t const> sequence, std::span<std::int32_t const> segment = {},
                 std::span<std::int32_t const> position = {});

  /// Throws E414 to E416 when an id lies outside its table of the given size.
  void check(Index vocabulary, Index max_positions, Index segment_types) const;

 private:
  void check_ids(std::vector<std::int32_t> const& ids, Index bound, int number, char const* happened,
                 char const* next) const;
};

/// A ragged batch from padded tensors: masked tokens are dropped, the others keep their positions.
///
/// Shapes: input_ids, attention_mask, token_type_ids (B, S) row-major; token_type_ids may be empty (all 0).
/// Throws E411 when a row has no token at all.
RaggedBatch from_padded(std::span<std::int32_t const> input_ids, std::span<std::int32_t const> attention_mask,
                        Index batch_size, std::span<std::int32_t const> token_type_ids = {});

/// A batch where the backend's memory is.
///
/// Shapes: tokens, segments, positions (N); offsets (B + 1); first_rows (B): the row of each sequence's first token;
/// first_offsets (B + 1) = 0, 1, .., B: the query offsets when only first tokens are read.
struct BatchView {
  Index rows = 0, size = 0;  ///< N, B
  VectorView<std::int32_t const> tokens{}, segments{}, positions{}, offsets{}, first_rows{}, first_offsets{};
  RowMap row_map{};        ///< of all N rows
  RowMap first_row_map{};  ///< of the B first rows
};

/// How a batch of N tokens in B sequences lies in memory: 32-bit numbers one after the other, so that it is copied at once.
struct BatchNumbers {
  static Index count(Index rows, Index size) { return 5 * rows + 2 * (size + 1) + size; }

  /// Writes the numbers of a batch to `to`, which has room for count(N, B).
  static void write(RaggedBatch const& batch, std::int32_t* to);
  /// The batch whose numbers are at `next`, where the backend's memory is.
  static BatchView view(std::int32_t const* next, Index rows, Index size, Index first_example);
};

/// Owns the memory of a BatchView; one transfer a batch.
template <Backend B>
class BatchMemory {
 public:
  explicit BatchMemory(typename B::Context& context) : context_(&context) {}

  /// How many are taken where so many are needed: some more, so that a little more does not mean new memory.
  static Index reserve_for(Index count) { return count + count / 4; }

  /// Copies a batch to the backend. The view is valid until the next upload.
  BatchView upload(RaggedBatch const& batch) {
    host_.resize(static_cast<std::size_t>(BatchNumbers::count(batch.rows(), batch.size())));
    BatchNumbers::write(batch, host_.data());
    if (memory_.size() < Index(host_.size())) {
      memory_ = {};
      memory_ = Buffer<B, std::int32_t>(*context_, reserve_for(Index(host_.size())));
    }
    context_->upload(memory_.data(), host_.data(), host_.size() * sizeof(std::int32_t));
    return BatchNumbers::view(memory_.data(), batch.rows(), batch.size(), batch.first_example);
  }

 private:
  typename B::Context* context_;
  std::vector<std::int32_t> host_;
  Buffer<B, std::int32_t> memory_;
};

#if HONE_BODIES

HONE_INLINE void RaggedBatch::clear() {
  for (auto* ids : {&tokens, &segments, &positions}) ids->clear();
  offsets.assign(1, 0);
  first_example = 0;
}

HONE_INLINE void RaggedBatch::reserve(Index rows, Index size) {
  for (auto* ids : {&tokens, &segments, &positions}) ids->reserve(static_cast<std::size_t>(rows));
  offsets.reserve(static_cast<std::size_t>(size) + 1);
}

HONE_INLINE void RaggedBatch::push_back(std::span<std::int32_t const> sequence, std::span<std::int32_t const> segment,
                                        std::span<std::int32_t const> position) {
  if (sequence.empty())
    throw Error(411, "a sequence of the batch has no tokens", {.value = "sequence " + std::to_string(size())},
                "leave empty texts out; a tokenised text has at least [CLS] and [SEP]");
  if (sequence.size() > 65535)
    throw Error(412, "a sequence is too long",
                {.value = std::to_string(sequence.size()) + " tokens", .allowed = "1 to 65535"},
                "cut the text (max_length)");
  if ((!segment.empty() && segment.size() != sequence.size()) || (!position.empty() && position.size() != sequence.size()))
    throw Error(413, "segments or positions are not one per token",
                {.value = std::to_string(segment.size()) + " and " + std::to_string(position.size()),
                 .allowed = std::to_string(sequence.size())},
                "give one segment and one position for every token, or none");
  tokens.insert(tokens.end(), sequence.begin(), sequence.end());
  for (std::size_t i = 0; i < sequence.size(); ++i) {
    segments.push_back(segment.empty() ? 0 : segment[i]);
    positions.push_back(position.empty() ? static_cast<std::int32_t>(i) : position[i]);
  }
  offsets.push_back(static_cast<std::int32_t>(tokens.size()));
}

HONE_INLINE void RaggedBatch::check(Index vocabulary, Index max_positions, Index segment_types) const {
  check_ids(tokens, vocabulary, 414, "a token id is outside the vocabulary", "use the tokenizer that belongs to the model");
  check_ids(positions, max_positions, 415, "a text is longer than the model's position table", "cut the text (max_length)");
  check_ids(segments, segment_types, 416, "a segment id is outside the model's segment table",
            "use segment ids of the model");
}

HONE_INLINE void RaggedBatch::check_ids(std::vector<std::int32_t> const& ids, Index bound, int number, char const* happened,
                                        char const* next) const {
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (ids[i] < 0 || ids[i] >= bound) {
      auto const after = std::upper_bound(offsets.begin(), offsets.end(), static_cast<std::int32_t>(i));
      Index const b = after - offsets.begin() - 1;
      throw Error(number, happened,
                  {.value = std::to_string(ids[i]) + " in sequence " + std::to_string(first_example + b) + " at token " +
                            std::to_string(static_cast<Index>(i) - offsets[static_cast<std::size_t>(b)]),
                   .allowed = "0 to " + std::to_string(bound - 1)},
                  next);
    }
}

HONE_INLINE RaggedBatch from_padded(std::span<std::int32_t const> input_ids, std::span<std::int32_t const> attention_mask,
                                    Index batch_size, std::span<std::int32_t const> token_type_ids) {
  RaggedBatch batch;
  std::size_t const longest = batch_size > 0 ? input_ids.size() / static_cast<std::size_t>(batch_size) : 0;
  if (attention_mask.size() != input_ids.size() || longest * static_cast<std::size_t>(batch_size) != input_ids.size() ||
      (!token_type_ids.empty() && token_type_ids.size() != input_ids.size()))
    throw Error(413, "padded tensors have different sizes",
                {.value = std::to_string(input_ids.size()) + ", " + std::to_string(attention_mask.size()) + ", " +
                          std::to_string(token_type_ids.size()),
                 .allowed = "batch size times longest"},
                "give input_ids, attention_mask and token_type_ids of one shape (B, S)");
  for (std::size_t b = 0; b < static_cast<std::size_t>(batch_size); ++b) {
    std::vector<std::int32_t> tokens, segments, positions;
    for (std::size_t s = 0; s < longest; ++s) {
      std::size_t const i = b * longest + s;
      if (attention_mask[i] == 0) continue;
      tokens.push_back(input_ids[i]);
      segments.push_back(token_type_ids.empty() ? 0 : token_type_ids[i]);
      positions.push_back(static_cast<std::int32_t>(s));
    }
    batch.push_back(tokens, segments, positions);
  }
  return batch;
}

HONE_INLINE void BatchNumbers::write(RaggedBatch const& batch, std::int32_t* to) {
  for (auto const* ids : {&batch.tokens, &batch.segments, &batch.positions}) to = std::copy(ids->begin(), ids->end(), to);
  Index const size = batch.size();
  for (Index b = 0; b < size; ++b) to = std::fill_n(to, batch.length(b), std::int32_t(b));
  for (Index b = 0; b < size; ++b)
    for (Index i = 0; i < batch.length(b); ++i) *to++ = std::int32_t(i);
  to = std::copy(batch.offsets.begin(), batch.offsets.end(), to);
  for (Index b = 0; b <= size; ++b) *to++ = std::int32_t(b);  // 0 .. B
  std::fill_n(to, size, 0);                                   // position 0 of every first row
}

HONE_INLINE BatchView BatchNumbers::view(std::int32_t const* next, Index rows, Index size, Index first_example) {
  auto take = [&next](Index count) {
    VectorView<std::int32_t const> const view{next, count};
    next += count;
    return view;
  };
  BatchView view;
  view.rows = rows;
  view.size = size;
  view.tokens = take(rows);
  view.segments = take(rows);
  view.positions = take(rows);
  view.row_map.sequence = take(rows);
  view.row_map.position = take(rows);
  view.offsets = take(size + 1);
  view.first_rows = view.offsets.slice(0, size);
  view.first_offsets = take(size + 1);
  view.first_row_map.sequence = view.first_offsets.slice(0, size);
  view.first_row_map.position = take(size);
  view.row_map.first_example = view.first_row_map.first_example = first_example;
  return view;
}

#endif

}  // namespace hone
