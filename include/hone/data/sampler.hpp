#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/core/philox.hpp"
#include "hone/core/ragged_tokens.hpp"

namespace hone::detail {

// What the random numbers are for: the upper half of a Philox stream number. Never change one: runs would not repeat.
inline constexpr std::uint64_t epoch_order_stream = std::uint64_t{0x53485546} << 32;    // "SHUF"
inline constexpr std::uint64_t train_subset_stream = std::uint64_t{0x53554254} << 32;   // "SUBT"
inline constexpr std::uint64_t test_subset_stream = std::uint64_t{0x53554245} << 32;    // "SUBE"

/// Fisher-Yates, from the last element down (std::shuffle differs between standard libraries).
template <class T>
void shuffle(std::span<T> items, PhiloxStream& random) {
  for (std::size_t i = items.size(); i > 1; --i) {
    std::size_t const j = static_cast<std::size_t>(random.below(i));
    std::swap(items[i - 1], items[j]);
  }
}

}  // namespace hone::detail

namespace hone::data {

/// The order of the examples in one epoch: a permutation of 0 .. examples - 1 that depends on the seed and the epoch
/// alone, the same on every machine.
/// `order`: an earlier one, whose memory is used again.
std::vector<std::size_t> epoch_order(std::size_t examples, std::uint64_t seed, std::uint32_t epoch,
                                     std::vector<std::size_t> order = {});

/// Where a sampler stands: the next example it gives is number `index` of the epoch's order.
struct SamplerPosition {
  std::uint32_t epoch = 0;
  std::size_t index = 0;

  friend bool operator==(SamplerPosition const&, SamplerPosition const&) = default;
};

/// Batches of training examples, endlessly: each epoch is a new seeded permutation, cut into batches by count; the last
/// batch of an epoch is smaller when the count does not divide. A batch never spans two epochs.
///
/// The position alone, with the same seed and sizes, is enough to continue a run.
class EpochSampler {
 public:
  /// Throws E408 when there are no examples or the batch size is not positive.
  EpochSampler(std::size_t examples, std::size_t batch_size, std::uint64_t seed);

  /// The indices of the next batch; valid until the next call.
  std::span<std::size_t const> next() {
    if (position_.index == examples_) enter({position_.epoch + 1, 0});
    std::size_t const begin = position_.index;
    position_.index = std::min(begin + batch_size_, examples_);
    return {order_.data() + begin, position_.index - begin};
  }

  /// How far it is: before the first batch {0, 0}, after the last of an epoch {epoch, examples}.
  SamplerPosition position() const noexcept { return position_; }

  /// Continues from a position that `position()` gave. Throws E408 when it is beyond the examples.
  void seek(SamplerPosition position);

  /// True before the first batch of an epoch, that is also after the last of the one before.
  bool at_epoch_start() const noexcept { return position_.index == 0 || position_.index == examples_; }

  std::size_t batches_per_epoch() const noexcept { return (examples_ + batch_size_ - 1) / batch_size_; }

 private:
  void enter(SamplerPosition position) {
    if (position.epoch != position_.epoch) order_ = epoch_order(examples_, seed_, position.epoch, std::move(order_));
    position_ = position;
  }

  std::size_t batch_size_;
  std::uint64_t seed_;
  std::size_t examples_;
  std::vector<std::size_t> order_{};
  SamplerPosition position_{};
};

/// Batches for evaluation: all examples once, longest first (equal lengths in input order), each batch with at most
/// `max_examples` examples and `max_tokens` tokens; an example longer than `max_tokens` is a batch of its own.
///
/// The order serves even work and steady memory alone: put the results back by the indices.
/// Throws E408 when a limit is not positive.
std::vector<std::vector<std::size_t>> batches_by_token_budget(std::span<std::int64_t const> lengths,
                                                              std::size_t max_examples, std::int64_t max_tokens);

/// The same, with the lengths of the sequences.
std::vector<std::vector<std::size_t>> batches_by_token_budget(RaggedTokens const& sequences, std::size_t max_examples,
                                                              std::int64_t max_tokens);

#if HONE_BODIES

HONE_INLINE std::vector<std::size_t> epoch_order(std::size_t examples, std::uint64_t seed, std::uint32_t epoch,
                                                 std::vector<std::size_t> order) {
  order.resize(examples);
  std::iota(order.begin(), order.end(), std::size_t{0});
  PhiloxStream random(seed, detail::epoch_order_stream + epoch);
  detail::shuffle(std::span<std::size_t>(order), random);
  return order;
}

HONE_INLINE EpochSampler::EpochSampler(std::size_t examples, std::size_t batch_size, std::uint64_t seed)
    : batch_size_(batch_size), seed_(seed), examples_(examples) {
  if (examples == 0) throw Error(408, "there are no examples to sample from", {}, "check the training data");
  if (batch_size == 0) throw Error(408, "the batch size is zero", {.allowed = "1 or more"}, "set a batch size of 1 or more");
  order_ = epoch_order(examples_, seed_, 0);
}

HONE_INLINE void EpochSampler::seek(SamplerPosition position) {
  if (position.index > examples_)
    throw Error(408, "the position to continue from is beyond the data",
                {.value = std::to_string(position.index), .allowed = "0.." + std::to_string(examples_)},
                "continue with the same training data as before");
  enter(position);
}

HONE_INLINE std::vector<std::vector<std::size_t>> batches_by_token_budget(std::span<std::int64_t const> lengths,
                                                                          std::size_t max_examples,
                                                                          std::int64_t max_tokens) {
  if (max_examples == 0 || max_tokens < 1)
    throw Error(408, "an evaluation batch must hold at least one example and one token", {.allowed = "1 or more"},
                "set a batch size of 1 or more");
  std::vector<std::size_t> order(lengths.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return lengths[a] > lengths[b]; });
  std::vector<std::vector<std::size_t>> batches;
  std::int64_t tokens = 0;
  for (std::size_t const example : order) {
    if (batches.empty() || batches.back().size() == max_examples || lengths[example] > max_tokens - tokens) {
      batches.emplace_back();
      tokens = 0;
    }
    batches.back().push_back(example);
    tokens += lengths[example];
  }
  return batches;
}

HONE_INLINE std::vector<std::vector<std::size_t>> batches_by_token_budget(RaggedTokens const& sequences,
                                                                          std::size_t max_examples,
                                                                          std::int64_t max_tokens) {
  std::vector<std::int64_t> lengths(sequences.size());
  for (std::size_t b = 0; b < lengths.size(); ++b) lengths[b] = sequences.offsets[b + 1] - sequences.offsets[b];
  return batches_by_token_budget(std::span<std::int64_t const>(lengths), max_examples, max_tokens);
}

#endif

}  // namespace hone::data
