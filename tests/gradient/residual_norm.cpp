#include "hone/layers/residual_norm.hpp"

#include "hone/cpu/backend.hpp"
#include "support/backends.hpp"
#include "support/check_layer.hpp"

namespace {

using namespace hone;

template <class B>
void check_layer_norm(Index width, double epsilon) {
  test::check_layer<B>([&](auto& store) { return LayerNorm<B>(store, "norm", width, epsilon); });
}

/// y = layer_norm(residual + dropout(x)) with two inputs; `alias`: how the block calls it, dz in the place of dy.
template <class B>
void check_with_residual(Index width, double dropout, bool alias) {
  INFO("width " << width << ", dropout " << dropout << ", dz in dy " << alias);
  testing::CheckOptions const options = test::affordable<B>({.seed = 3});
  typename B::Context context({1});
  ParameterStore<B> store(context);
  ResidualNorm<B> const layer(store, "norm", width, 1e-12);
  store.allocate();
  typename ResidualNorm<B>::Cache cache{};
  Index const rows = options.batch.rows();
  testing::Differentiable<B> problem;
  problem.inputs = {{"x", rows, width}, {"residual", rows, width}};
  problem.output_rows = rows;
  problem.output_cols = width;
  problem.plan = [&](Plan& plan) { cache = layer.plan(plan, rows); };
  problem.forward = [&](Pass<B>& pass, auto in, Matrix<B> y) {
    layer.forward(pass, in[0], in[1], pass.dropout.site(DropoutSite::feed_forward, 4, dropout), pass.batch.row_map, y,
                  cache);
  };
  problem.backward = [&](Pass<B>& pass, Matrix<B> dy, auto din) {
    layer.backward(pass, dy, alias ? dy : din[1], din[0], cache);
    if (alias) test::copy<B>(pass.context, dy, din[1]);
  };
  auto const report = test::check_report(testing::check_gradients<B>(context, store, std::move(problem), options));
  CHECK(report.dropout_acts == (dropout > 0));
}

template <class B>
void check() {
  check_layer_norm<B>(2, 1e-5);
  check_layer_norm<B>(7, 1e-12);
  check_layer_norm<B>(24, 0.1);
  for (bool const alias : {false, true}) {
    check_with_residual<B>(5, 0, alias);
    check_with_residual<B>(19, 0.3, alias);
    check_with_residual<B>(32, 0.1, alias);
  }
}

TEST_CASE("layer norm, alone and with residual and dropout, on the reference") { check<Reference<fp64>>(); }
TEST_CASE("layer norm, alone and with residual and dropout, on the processor") { check<Cpu<fp64>>(); }
TEMPLATE_TEST_CASE("layer norm, alone and with residual and dropout, on the device's operations", "",
                   HONE_DEVICE_BACKENDS(fp64)) {
  check<TestType>();
}

}  // namespace
