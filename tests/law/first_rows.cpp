// Computing only the rows that are read is exact: outputs and gradients of ReadRows::first against those of all rows.
#include "hone/generic/backend.hpp"
#include "hone/models/bert_encoder.hpp"
#include "support/catch.hpp"
#include "support/small_bert.hpp"
#include "support/stored_values.hpp"

namespace {

using namespace hone;

struct Outcome {
  std::vector<double> first_rows{};  // (B, D)
  std::vector<std::vector<double>> gradients{};
  std::vector<std::string> names{};
};

template <class B>
Outcome compute(ReadRows read, RaggedBatch const& batch, DropoutKey key) {
  using A = ActivationOf<typename B::Precision>;
  HostContext context({2});
  ParameterStore<B> store(context);
  BertEncoder<B> const encoder(store, test::small_config());
  store.allocate();
  for (Index id = 0; id < store.count(); ++id) store.initialize(id, 3);
  Workspace<B> workspace(context);
  workspace.poison(true);
  BatchMemory<B> memory(context);
  typename BertEncoder<B>::Cache cache{};
  workspace.plan([&](Plan& plan) { cache = encoder.plan(plan, batch.rows(), batch.size(), read, true); });
  Pass<B> pass{context, store, memory.upload(batch), key};
  store.begin_step();
  encoder.forward(pass, cache);
  auto const output = cache.output();
  Index const width = encoder.width();
  auto row_of = [&](Index b) { return read == ReadRows::first ? b : Index(batch.offsets[std::size_t(b)]); };
  Outcome outcome;
  std::vector<A> dy(std::size_t(output.rows * width));
  for (Index b = 0; b < batch.size(); ++b)
    for (Index c = 0; c < width; ++c) {
      outcome.first_rows.push_back(double(output(row_of(b), c)));
      dy[std::size_t(row_of(b) * width + c)] = A(std::cos(double(3 * b + c)));
    }
  encoder.backward(pass, {dy.data(), output.rows, width}, cache);
  store.end_step();
  for (Index id = 0; id < store.count(); ++id) {
    auto const gradient = store.get_gradient(id);
    outcome.gradients.emplace_back(gradient.begin(), gradient.end());
    outcome.names.push_back(store.info(id).name);
  }
  return outcome;
}

template <class B>
void check(DropoutKey key, std::vector<Index> const& lengths) {
  using T = ActivationOf<typename B::Precision>;
  INFO(B::name << " " << B::Precision::name << ", dropout " << key.training);
  RaggedBatch batch = test::random_batch(lengths).batch;
  batch.first_example = 3;
  Outcome const all = compute<B>(ReadRows::all, batch, key), first = compute<B>(ReadRows::first, batch, key);
  // 12 products of up to 28 terms forward and back, sums over the rows.
  double const tolerance = std::is_same_v<T, double> ? 1e-12 : test::rounding_bound<T>(batch.rows() + 2 * 12 * 28, 1);
  test::check_stored("output", first.first_rows, all.first_rows, tolerance);
  double largest = 0;
  for (auto const& gradient : all.gradients) largest = std::max(largest, test::largest(gradient));
  for (std::size_t i = 0; i < all.gradients.size(); ++i) {
    bool const zero = all.names[i].ends_with("key.bias");  // in exact arithmetic: what is there is the others' rounding
    test::check_stored(all.names[i], first.gradients[i], all.gradients[i], tolerance, zero ? largest : 0);
  }
}

template <class B>
void check_all() {
  for (DropoutKey const& key : {DropoutKey{}, DropoutKey{true, 8, 1}}) {
    check<B>(key, {12, 3, 1, 7, 30});
    check<B>(key, {1, 1, 1});  // as many first rows as rows
    check<B>(key, {40});
  }
}

TEST_CASE("first rows alone equal the first of all rows") {
  check_all<Reference<fp64>>();
  check_all<Cpu<fp64>>();
  check_all<Cpu<fp32>>();
}

}  // namespace
