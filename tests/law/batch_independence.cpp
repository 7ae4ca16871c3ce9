// What a model says of a text does not depend on the texts beside it, their number or their order: to the bit.
#include "hone/generic/backend.hpp"
#include "support/catch.hpp"
#include "support/small_bert.hpp"

namespace {

using namespace hone;

template <class B>
void check() {
  INFO(B::name << " " << B::Precision::name);
  auto model = test::small_bert<B>(2);
  model.poison(true);
  auto const all = test::random_batch({12, 3, 40, 1, 7, 7, 9, 2, 25, 1, 33, 18});
  auto const together = model.predict(all.batch);
  auto compare = [&](Outputs<SentimentAndStars> const& got, std::size_t at, std::size_t text) {
    INFO("text " << text);
    for (Index k = 0; k < 2; ++k) CHECK(got.heads[0](Index(at), k) == together.heads[0](Index(text), k));
    CHECK(got.heads[1](Index(at), 0) == together.heads[1](Index(text), 0));
  };
  for (std::size_t b = 0; b < 12; ++b) compare(model.predict(test::chosen(all, {b}).batch), 0, b);
  std::vector<std::size_t> const order{7, 11, 0, 3, 2, 10, 9, 1, 8, 4, 6, 5};
  auto const shuffled = model.predict(test::chosen(all, order).batch);
  for (std::size_t i = 0; i < order.size(); ++i) compare(shuffled, i, order[i]);
  auto const pair = model.predict(test::chosen(all, {2, 3}).batch);
  compare(pair, 0, 2);
  compare(pair, 1, 3);
  CHECK(together.heads[0](0, 0) != together.heads[0](1, 0));  // texts do differ
}

TEST_CASE("a text's prediction is the same in any batch, to the bit") {
  check<Reference<fp64>>();
  check<Reference<fp32>>();
  check<Cpu<fp64>>();
  check<Cpu<fp32>>();
}

TEST_CASE("the first example's number changes nothing without dropout") {
  auto model = test::small_bert<Cpu<fp32>>();
  auto all = test::random_batch({5, 9});
  auto const before = model.predict(all.batch);
  all.batch.first_example = 1000;
  CHECK(model.predict(all.batch).heads[0].values == before.heads[0].values);
}

}  // namespace
