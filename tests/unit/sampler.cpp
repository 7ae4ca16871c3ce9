#include "hone/data/sampler.hpp"

#include <cmath>
#include <map>
#include <set>

#include "support/catch.hpp"
#include "support/error_matcher.hpp"

using hone::data::batches_by_token_budget;
using hone::data::epoch_order;
using hone::data::EpochSampler;
using hone::data::SamplerPosition;
using hone::test::error_number;

namespace {

using Batch = std::vector<std::size_t>;

Batch next(EpochSampler& sampler) {
  auto const batch = sampler.next();
  return Batch(batch.begin(), batch.end());
}

}  // namespace

TEST_CASE("the order of an epoch is the same everywhere and for ever") {
  // Fisher-Yates on Philox4x32-10, worked out by a separate program. A change here means that no old run repeats.
  CHECK(epoch_order(10, 0, 0) == Batch{3, 2, 0, 6, 1, 4, 5, 7, 9, 8});
  CHECK(epoch_order(10, 0, 1) == Batch{8, 1, 9, 4, 3, 0, 7, 5, 2, 6});
  CHECK(epoch_order(7, 0x123456789ABCDEFu, 3) == Batch{2, 6, 0, 4, 1, 5, 3});
}

TEST_CASE("each epoch has every example once, in another order") {
  EpochSampler sampler(103, 16, 7);
  CHECK(sampler.batches_per_epoch() == 7);
  std::set<Batch> orders;
  for (int epoch = 0; epoch < 20; ++epoch) {
    Batch order;
    for (int batch = 0; batch < 7; ++batch) {
      CHECK(sampler.at_epoch_start() == (batch == 0));
      Batch const some = next(sampler);
      CHECK(some.size() == (batch < 6 ? 16u : 7u));
      order.insert(order.end(), some.begin(), some.end());
    }
    CHECK(sampler.position() == SamplerPosition{static_cast<std::uint32_t>(epoch), 103});
    orders.insert(order);
    std::sort(order.begin(), order.end());
    for (std::size_t i = 0; i < order.size(); ++i) CHECK(order[i] == i);
  }
  CHECK(orders.size() == 20);
}

TEST_CASE("all permutations are equally likely") {
  std::map<Batch, int> seen;
  int const draws = 24000;
  for (int i = 0; i < draws; ++i) ++seen[epoch_order(4, static_cast<std::uint64_t>(i) * 1000003, 2)];
  CHECK(seen.size() == 24);
  for (auto const& [order, count] : seen) CHECK(std::abs(count - draws / 24) < 5 * std::sqrt(draws / 24.0));
}

TEST_CASE("a sampler continues from a position") {
  EpochSampler whole(50, 8, 3);
  for (int i = 0; i < 30; ++i) {
    SamplerPosition const position = whole.position();
    EpochSampler resumed(50, 8, 3);
    resumed.seek(position);
    CHECK(resumed.position() == position);
    Batch const expected = next(whole);
    CHECK(next(resumed) == expected);
    EpochSampler copy = whole;
    for (int j = 0; j < 9; ++j) CHECK(next(resumed) == next(copy));
  }
  EpochSampler sampler(50, 8, 3);
  CHECK(error_number([&] { sampler.seek({0, 51}); }) == 408);
  CHECK(error_number([&] { EpochSampler(0, 8, 3); }) == 408);
  CHECK(error_number([&] { EpochSampler(8, 0, 3); }) == 408);
}

TEST_CASE("evaluation batches hold every example once, within both limits, longest first") {
  std::vector<std::int64_t> lengths;
  for (std::int64_t i = 0; i < 500; ++i) lengths.push_back(3 + i * i % 509);
  for (auto const& [examples, tokens] : {std::pair<std::size_t, std::int64_t>(32, 4000), {7, 100000}, {1, 5}, {1000, 600}}) {
    auto const batches = batches_by_token_budget(lengths, examples, tokens);
    Batch all;
    std::int64_t longest_before = 1 << 20;
    for (auto const& batch : batches) {
      REQUIRE_FALSE(batch.empty());
      CHECK(batch.size() <= examples);
      std::int64_t sum = 0;
      for (std::size_t const i : batch) {
        CHECK(lengths[i] <= longest_before);
        longest_before = lengths[i];
        sum += lengths[i];
        all.push_back(i);
      }
      CHECK((sum <= tokens || batch.size() == 1));
    }
    std::sort(all.begin(), all.end());
    REQUIRE(all.size() == lengths.size());
    for (std::size_t i = 0; i < all.size(); ++i) CHECK(all[i] == i);
  }
  CHECK(batches_by_token_budget(std::vector<std::int64_t>{5, 9, 5, 1}, 2, 100) == std::vector<Batch>{{1, 0}, {2, 3}});
  CHECK(batches_by_token_budget(std::vector<std::int64_t>{5, 9, 5, 1}, 4, 11) == std::vector<Batch>{{1}, {0, 2, 3}});
  CHECK(batches_by_token_budget(std::vector<std::int64_t>{}, 4, 11).empty());
  CHECK(error_number([&] { batches_by_token_budget(lengths, 0, 11); }) == 408);
  CHECK(error_number([&] { batches_by_token_budget(lengths, 4, 0); }) == 408);

  hone::RaggedTokens ragged;
  for (int length : {2, 4, 1}) ragged.push_back(std::vector<std::int32_t>(static_cast<std::size_t>(length), 7));
  CHECK(batches_by_token_budget(ragged, 8, 5) == std::vector<Batch>{{1}, {0, 2}});
}
