// Same seed, same bits: for one, two and three threads, and for two runs.
#include "hone/generic/backend.hpp"
#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/in_brief.hpp"
#include "support/small_bert.hpp"

namespace {

using namespace hone;

/// The checksum of the weights after ten steps with dropout and clipping (two where kernels are emulated and watched).
template <class B>
std::string train(int threads, std::uint64_t seed = 4, std::uint64_t dropout_seed = 6, bool dropout = true) {
  auto model = test::small_bert<B>(threads, seed);
  AdamW const optimizer;
  auto state = optimizer.init<B>(model.context(), model.parameters());
  ClipState<B> clip(model.context(), model.parameters());
  for (std::uint64_t step = 0; step < (test::in_brief<B> ? 2 : 10); ++step) {
    auto const all = test::random_batch({30, 3, 40, 1, 7, 7, 19, 2, 25}, 20 + step % 3);
    model.begin_step(9);
    for (Index const first : {0, 5}) {
      auto const some = test::part(all, first, first == 0 ? 5 : 4);
      model.accumulate(some.batch, some.labels, test::SentimentLosses{{1, 0.02}}, {dropout, dropout_seed, step});
    }
    model.end_step();
    GlobalNormClip{1.0}.apply<B>(model.context(), model.parameters(), clip);
    REQUIRE(std::isfinite(clip.fetch_norm()));
    optimizer.step<B>(model.context(), model.parameters(), state, clip.scale(), 1e-3);
  }
  return test::weights_hash(model);
}

template <class B>
void check() {
  INFO(B::name << " " << B::Precision::name);
  std::string const one = train<B>(1);
  CHECK(train<B>(3) == one);
  if (test::in_brief<B>) return;
  CHECK(train<B>(1) == one);  // a second run
  CHECK(train<B>(2) == one);
  CHECK(train<B>(2) == one);        // threads meet in another order
  CHECK(train<B>(1, 5) != one);     // other weights
  CHECK(train<B>(1, 4, 7) != one);  // other masks
  CHECK(train<B>(1, 4, 6, false) != one);
}

TEST_CASE("ten steps give the same bits for any thread count and in two runs, on the reference") {
  check<Reference<fp32>>();
}
TEST_CASE("ten steps give the same bits for any thread count and in two runs, in float") { check<Cpu<fp32>>(); }
TEST_CASE("ten steps give the same bits for any thread count and in two runs, in double") { check<Cpu<fp64>>(); }
TEMPLATE_TEST_CASE("ten steps give the same bits for any thread count and in two runs, on the device's operations", "",
                   HONE_DEVICE_BACKENDS(mixed), testing::CudaEmulator<fp32>) {
  check<TestType>();
}

TEST_CASE("new weights depend on the seed and the name alone") {
  HostContext context({1});
  using B = Reference<fp32>;
  auto values = [&](std::vector<std::string> const& names, std::uint64_t seed) {
    ParameterStore<B> store(context);
    for (auto const& name : names) store.add(name, {4, 3}, ParameterKind::weight, Initializer::normal(1));
    store.allocate();
    for (Index id = 0; id < store.count(); ++id) store.initialize(id, seed);
    return store.get(store.find("b"));
  };
  CHECK(values({"a", "b"}, 1) == values({"b"}, 1));
  CHECK(values({"a", "b"}, 1) == values({"b", "c"}, 1));
  CHECK(values({"b"}, 1) != values({"b"}, 2));
}

}  // namespace
