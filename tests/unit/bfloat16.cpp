// bfloat16, and models in `mixed` precision: what is rounded, and what is not.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "hone/core/bfloat16.hpp"
#include "hone/generic/backend.hpp"
#include "support/catch.hpp"
#include "support/small_bert.hpp"

namespace {

using namespace hone;

/// The upper half of a float's bits, without bfloat16's help.
float upper_half(std::uint16_t bits) {
  std::uint32_t const word = std::uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &word, sizeof value);
  return value;
}

TEST_CASE("every bfloat16 is a float and comes back") {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    auto const value = bfloat16::from_bits(std::uint16_t(bits));
    float const wide = value;
    if (std::isnan(wide)) {
      CHECK(std::isnan(float(bfloat16(wide))));
      continue;
    }
    REQUIRE(wide == upper_half(std::uint16_t(bits)));
    REQUIRE(bfloat16(wide).bits == bits);
  }
}

TEST_CASE("floats round to the nearest bfloat16, ties to even") {
  // Between two neighbours: a little below the middle, the middle, a little above.
  for (std::uint32_t bits = 0; bits < 0x7F7F; bits += 7) {
    double const low = upper_half(std::uint16_t(bits)), high = upper_half(std::uint16_t(bits + 1)), middle = (low + high) / 2;
    std::uint32_t const even = bits % 2 == 0 ? bits : bits + 1;
    REQUIRE(bfloat16(float(middle)).bits == even);
    REQUIRE(bfloat16(std::nextafter(float(middle), 0.0f)).bits == bits);
    REQUIRE(bfloat16(std::nextafter(float(middle), HUGE_VALF)).bits == bits + 1);
    REQUIRE(bfloat16(-float(middle)).bits == (even | 0x8000u));
  }
  float const infinity = std::numeric_limits<float>::infinity();
  CHECK(float(bfloat16(std::numeric_limits<float>::max())) == infinity);  // nearer to 2^128 than to the largest finite one
  CHECK(float(bfloat16(-infinity)) == -infinity);
  CHECK(std::isnan(float(bfloat16(std::numeric_limits<float>::quiet_NaN()))));
  std::uint32_t const low_nan = 0x7F800001u;  // a NaN whose payload is in the lower half alone
  float value;
  std::memcpy(&value, &low_nan, sizeof value);
  CHECK(std::isnan(float(bfloat16(value))));
  CHECK(float(bfloat16(3)) == 3.0f);
  CHECK(machine_epsilon<bfloat16> == double(upper_half(bfloat16(1).bits + 1)) - 1);
}

/// Steps of AdamW without dropout; the losses of each step, by head.
template <class B>
std::vector<double> losses_of(BertClassifier<B>& model, int steps) {
  auto const made = test::random_batch({9, 3, 6, 12});
  AdamW const optimizer;
  auto state = optimizer.init<B>(model.context(), model.parameters());
  ClipState<B> clip(model.context(), model.parameters());
  std::vector<double> losses;
  for (int step = 0; step < steps; ++step) {
    model.begin_step(4);
    model.accumulate(made.batch, made.labels, test::SentimentLosses{}, {});
    model.end_step();
    GlobalNormClip{}.apply<B>(model.context(), model.parameters(), clip);
    auto const results = model.step_results();
    for (auto const& head : results.losses)
      for (double const loss : head) losses.push_back(loss);
    optimizer.step<B>(model.context(), model.parameters(), state, clip.scale(), 1e-3);
  }
  return losses;
}

TEST_CASE("mixed precision follows float within the rounding of its activations") {
  auto exact = test::small_bert<Reference<fp32>>();
  auto rounded = test::small_bert<Reference<mixed>>();
  auto const expected = losses_of(exact, 5), got = losses_of(rounded, 5);
  REQUIRE(got.size() == expected.size());
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i)
    worst = std::max(worst, std::abs(got[i] - expected[i]) / std::max(1.0, std::abs(expected[i])));
  CHECK(worst < 32 * machine_epsilon<bfloat16>);  // some forty roundings of relative 2^-9 on the way to a loss
  CHECK(worst > 1e-5);                            // it is not float in disguise
}

TEST_CASE("master weights move by less than a bfloat16 can tell, and the working copy is their rounding") {
  auto model = test::small_bert<Reference<mixed>>();
  auto& store = model.parameters();
  auto check_working = [&] {
    std::vector<float> master(std::size_t(store.weights().size));
    std::vector<bfloat16> working(master.size());
    model.context().download(master.data(), store.weights().data, master.size() * sizeof(float));
    model.context().download(working.data(), store.working().data, working.size() * sizeof(bfloat16));
    for (std::size_t i = 0; i < master.size(); ++i) REQUIRE(working[i].bits == bfloat16(master[i]).bits);
    return master;
  };
  auto const before = check_working();
  AdamW const optimizer;
  auto state = optimizer.init<Reference<mixed>>(model.context(), store);
  ClipState<Reference<mixed>> clip(model.context(), store);
  auto const made = test::random_batch({9, 3});
  model.begin_step(2);
  model.accumulate(made.batch, made.labels, test::SentimentLosses{}, {});
  model.end_step();
  GlobalNormClip{}.apply<Reference<mixed>>(model.context(), store, clip);
  optimizer.step<Reference<mixed>>(model.context(), store, state, clip.scale(), 1e-5);
  auto const after = check_working();
  std::size_t moved = 0, same_rounded = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i] == after[i]) continue;
    ++moved;
    same_rounded += bfloat16(before[i]).bits == bfloat16(after[i]).bits ? 1 : 0;
  }
  CHECK(moved > before.size() / 2);
  CHECK(same_rounded > moved / 2);  // without master weights these steps would be lost
}

TEST_CASE("parameters keep the precision of the master weights when they are set and read") {
  auto model = test::small_bert<Reference<mixed>>();
  auto& store = model.parameters();
  std::vector<float> values(std::size_t(store.info(0).size), 0.1f);
  store.set(0, values);
  CHECK(store.get(0) == values);
  CHECK(float(store.matrix(0)(0, 0)) == float(bfloat16(0.1f)));
  STATIC_REQUIRE(std::is_same_v<decltype(store.matrix(0)), MatrixView<bfloat16 const>>);
}

}  // namespace
