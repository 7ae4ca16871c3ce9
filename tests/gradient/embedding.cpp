#include "hone/layers/embedding.hpp"

#include "hone/cpu/backend.hpp"
#include "support/backends.hpp"
#include "support/check_layer.hpp"

namespace {

using namespace hone;

template <class B>
void check(Index width, double dropout) {
  INFO("width " << width << ", dropout " << dropout);
  EmbeddingShape const shape{7, 5, 2, width, 1e-12, dropout, 0.5};
  auto const make = [&](auto& store) { return Embedding<B>(store, "embeddings", shape); };
  CHECK(test::check_layer<B>(make).dropout_acts == (dropout > 0));
}

/// The gradient of a layer's word embeddings after one backward with dy = 1, 2, 3, ...
template <class B>
std::vector<double> word_gradient(Index padding) {
  Index const width = 4;
  typename B::Context context({1});
  ParameterStore<B> store(context);
  Embedding<B> const layer(store, "embeddings", {7, 5, 2, width, 1e-12, 0, 0.5, padding});
  store.allocate();
  for (Index id = 0; id < store.count(); ++id) store.initialize(id, 3);
  auto const batch = testing::some_batch({4, 3}, 3);
  BatchMemory<B> memory(context);
  Workspace<B> workspace(context);
  typename Embedding<B>::Cache cache{};
  workspace.plan([&](Plan& plan) { cache = layer.plan(plan, batch.rows()); });
  std::vector<double> gradient(std::size_t(batch.rows() * width));
  for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] = double(i * i % 11);
  Buffer<B, double> y(context, Index(gradient.size())), dy(context, Index(gradient.size()));
  dy.upload(gradient);
  Pass<B> pass{context, store, memory.upload(batch)};
  store.begin_step();
  layer.forward(pass, {y.data(), batch.rows(), width}, cache);
  layer.backward(pass, {dy.data(), batch.rows(), width}, cache);
  store.end_step();
  return store.get_gradient(store.find("embeddings.word_embeddings.weight"));
}

template <class B>
void check_padding() {
  auto const all = word_gradient<B>(-1), padded = word_gradient<B>(1);
  for (std::size_t i = 0; i < all.size(); ++i) {
    INFO("value " << i);
    bool const in_padding_row = i / 4 == 1;
    if (in_padding_row) CHECK(all[i] != 0);  // the token is in the batch
    CHECK(padded[i] == (in_padding_row ? 0 : all[i]));
  }
}

TEST_CASE("embeddings, on the reference") {
  check<Reference<fp64>>(5, 0);
  check<Reference<fp64>>(12, 0.3);
}
TEST_CASE("embeddings, on the processor") {
  check<Cpu<fp64>>(5, 0);
  check<Cpu<fp64>>(12, 0.3);
  check<Cpu<fp64>>(33, 0.1);
}
TEST_CASE("the padding token's embedding gets no gradient, the others the same") {
  check_padding<Reference<fp64>>();
  check_padding<Cpu<fp64>>();
}
TEMPLATE_TEST_CASE("embeddings, on the device's operations", "", HONE_DEVICE_BACKENDS(fp64)) {
  check<TestType>(5, 0);
  check<TestType>(12, 0.3);
  check_padding<TestType>();
}

}  // namespace
