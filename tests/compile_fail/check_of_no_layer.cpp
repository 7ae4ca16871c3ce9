// expected-error: \[hone-E151\]
// What check_layer is to prove is not a layer: `input_width` is missing. Repaired: it is there.
#include "hone/testing/check_layer.hpp"

template <hone::Backend B>
struct Double {
  struct Cache {};
#ifdef HONE_REPAIRED
  hone::Index input_width() const { return 4; }
#endif
  hone::Index output_width() const { return 4; }
  Cache plan(hone::Plan&, hone::Index) const { return {}; }
  void forward(hone::Pass<B>&, hone::ConstMatrix<B> x, hone::Matrix<B> y, Cache&) const {
    for (hone::Index i = 0; i < x.rows * 4; ++i) y.data[i] = 2 * x.data[i];
  }
  void backward(hone::Pass<B>&, hone::Matrix<B> dy, hone::Matrix<B> dx, Cache&) const {
    for (hone::Index i = 0; i < dy.rows * 4; ++i) dx.data[i] = 2 * dy.data[i];
  }
};

bool check() {
  return hone::testing::check_layer([](auto&) { return Double<hone::Reference<>>{}; }).passed();
}
