#include "hone/layers/encoder_block.hpp"

#include "hone/cpu/backend.hpp"
#include "hone/layers/encoder.hpp"
#include "support/backends.hpp"
#include "support/check_layer.hpp"

namespace {

using namespace hone;

EncoderBlockShape shape(Index width, Index heads, Index inner, double dropout, Activation activation = Activation::gelu) {
  return {width, heads, inner, activation, 1e-12, dropout, dropout, 0.4};
}

template <class B>
void check(EncoderBlockShape const& shape, testing::CheckOptions options) {
  INFO("width " << shape.width << ", heads " << shape.heads << ", inner " << shape.inner << ", first rows "
                << options.first_rows);
  auto const report = test::check_layer<B>([&](auto& store) { return EncoderBlock<B>(store, "block", shape, 2); }, options);
  CHECK(report.dropout_acts == (shape.dropout > 0));
}

template <class B>
void check_blocks() {
  for (bool const first : {false, true}) {
    check<B>(shape(10, 2, 7, 0.2), {.most_values = 80, .first_rows = first});
    if (test::in_brief<B>) continue;
    check<B>(shape(16, 2, 24, 0.1, Activation::gelu_new), {.most_values = 40, .first_rows = first});
    check<B>(shape(6, 3, 5, 0), {.first_rows = first});
    check<B>(shape(10, 2, 7, 0.2), {.batch = testing::some_batch({1, 5, 1}), .most_values = 40, .first_rows = first});
  }
}

TEST_CASE("encoder blocks, all rows and first rows, on the reference") { check_blocks<Reference<fp64>>(); }
TEST_CASE("encoder blocks, all rows and first rows, on the processor") { check_blocks<Cpu<fp64>>(); }

/// A stack of blocks, as a layer.
template <class B>
void check_encoder(ReadRows read) {
  INFO("first rows " << (read == ReadRows::first));
  testing::CheckOptions const options = test::affordable<B>({.seed = 2, .most_values = 30});
  typename B::Context context({1});
  ParameterStore<B> store(context);
  Encoder<B> const encoder(store, "encoder", shape(10, 2, 7, 0.15), 3);
  store.allocate();
  typename Encoder<B>::Cache cache{};
  Index const rows = options.batch.rows(), size = options.batch.size();
  testing::Differentiable<B> problem;
  problem.inputs = {{"x", rows, 10}};
  problem.output_rows = read == ReadRows::first ? size : rows;
  problem.output_cols = 10;
  problem.plan = [&](Plan& plan) { cache = encoder.plan(plan, rows, size, read, true); };
  problem.forward = [&](Pass<B>& pass, auto in, Matrix<B> y) {
    test::copy<B>(pass.context, in[0], cache.inputs.front());
    encoder.forward(pass, cache);
    test::copy<B>(pass.context, cache.inputs.back(), y);
  };
  problem.backward = [&](Pass<B>& pass, Matrix<B> dy, auto din) { encoder.backward(pass, dy, din[0], cache); };
  CHECK(test::check_report(testing::check_gradients<B>(context, store, std::move(problem), options)).dropout_acts);
}

TEST_CASE("an encoder of three blocks, on the reference") {
  check_encoder<Reference<fp64>>(ReadRows::all);
  check_encoder<Reference<fp64>>(ReadRows::first);
}
TEST_CASE("an encoder of three blocks, on the processor") {
  check_encoder<Cpu<fp64>>(ReadRows::all);
  check_encoder<Cpu<fp64>>(ReadRows::first);
}
TEMPLATE_TEST_CASE("encoder blocks and an encoder of three, on the device's operations", "", HONE_DEVICE_BACKENDS(fp64)) {
  check_blocks<TestType>();
  if (!test::in_brief<TestType>) check_encoder<TestType>(ReadRows::all);
  check_encoder<TestType>(ReadRows::first);
}

}  // namespace
