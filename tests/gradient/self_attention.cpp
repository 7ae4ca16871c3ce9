#include "hone/layers/self_attention.hpp"

#include "hone/cpu/backend.hpp"
#include "support/backends.hpp"
#include "support/check_layer.hpp"
#include "support/in_brief.hpp"

namespace {

using namespace hone;

template <class B>
SelfAttention<B> attention(ParameterStore<B>& store, Index width, Index heads, double dropout) {
  return SelfAttention<B>(store, "attention", width, heads, 1, dropout, 0.4);
}

template <class B>
void check(Index width, Index heads, double dropout, testing::CheckOptions const& options = {}) {
  INFO("width " << width << ", heads " << heads << ", dropout " << dropout);
  auto const report = test::check_layer<B>([&](auto& store) { return attention<B>(store, width, heads, dropout); }, options);
  CHECK(report.dropout_acts == (dropout > 0));
}

/// Queries for the first row of each sequence alone; they are an input of their own, whose gradient is added to.
template <class B>
void check_first_rows(Index width, Index heads, double dropout) {
  INFO("first rows, width " << width << ", heads " << heads << ", dropout " << dropout);
  testing::CheckOptions const options = test::affordable<B>({.seed = 5});
  typename B::Context context({1});
  ParameterStore<B> store(context);
  auto const layer = attention<B>(store, width, heads, dropout);
  store.allocate();
  typename SelfAttention<B>::Cache cache{};
  Index const rows = options.batch.rows(), size = options.batch.size();
  testing::Differentiable<B> problem;
  problem.inputs = {{"x", rows, width}, {"x_query", size, width}};
  problem.output_rows = size;
  problem.output_cols = width;
  problem.plan = [&](Plan& plan) { cache = layer.plan(plan, rows, size); };
  problem.forward = [&](Pass<B>& pass, auto in, Matrix<B> y) { layer.forward(pass, in[0], in[1], y, cache); };
  problem.backward = [&](Pass<B>& pass, Matrix<B> dy, auto din) {
    pass.context.fill_zero(din[1].data, std::size_t(size * width) * sizeof(double));
    layer.backward(pass, dy, din[0], din[1], cache, Write::assign);
  };
  auto const report = test::check_report(testing::check_gradients<B>(context, store, std::move(problem), options));
  CHECK(report.dropout_acts == (dropout > 0));
}

template <class B>
void check_all() {
  if (!test::sanitized) check<B>(16, 2, 0.2);                         // E = 8
  check<B>(15, 3, 0.2);                                               // E = 5
  check<B>(3, 3, 0);                                                  // E = 1
  check<B>(32, 1, 0.1, {.most_values = test::sanitized ? 60 : 200});  // E = 32
  check<B>(10, 2, 0.5, {.batch = testing::some_batch({1, 1})});       // one key: the softmax is 1
  check<B>(10, 2, 0.3, {.batch = testing::some_batch({19, 2, 1, 8}), .most_values = 60});
  check_first_rows<B>(16, 2, 0.2);
  check_first_rows<B>(15, 3, 0);
}

TEST_CASE("self-attention, on the reference") { check_all<Reference<fp64>>(); }
TEST_CASE("self-attention, on the processor") { check_all<Cpu<fp64>>(); }

TEST_CASE("a longer sequence than a kernel's tile") {
  check<Cpu<fp64>>(8, 1, 0.1, {.batch = testing::some_batch({3, 150}), .most_values = 10});
}
TEMPLATE_TEST_CASE("self-attention, on the device's operations", "", HONE_DEVICE_BACKENDS(fp64)) {
  check_all<TestType>();
}

}  // namespace
