// The checker itself: a right layer passes, and each deliberately wrong one is caught for the right reason.
#include "hone/testing/check_layer.hpp"
#include "hone/layers/embedding.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"

namespace {

using namespace hone;

enum class Mistake {
  none,
  input_factor,            // dx off by 1e-5
  weight_factor,           // dgain off by 1e-5
  input_added,             // dx += where = is the rule
  weight_always_added,     // dgain += on the first contribution
  weight_always_assigned,  // dgain = on the second
  bias_forgotten,          // no gradient at all
  bias_asked_only,         // gradient_write asked, nothing written
  bias_not_asked,          // written without asking
  output_added,            // y += where = is the rule
  input_changed,
  weight_changed,
  beside_output,  // one value too far
  beside_input_gradient,
  no_mask_backward,   // dropout forgotten in backward
  one_row_short,      // the last row's share of dgain
  forward_has_state,  // another y the second time
  sign_of_dy,         // right for dy > 0 only: not linear
};

/// y = mask * (gain * x + shift), column by column.
template <Backend B>
class Wrong {
 public:
  struct Cache {
    ConstMatrix<B> x;
    Dropout dropout;
    int calls = 0;
  };
  Wrong(ParameterStore<B>& store, Index width, Mistake mistake)
      : width_(width),
        mistake_(mistake),
        gain_(store.add("wrong.gain", {width}, ParameterKind::weight, Initializer::constant(1))),
        shift_(store.add("wrong.shift", {width}, ParameterKind::bias, Initializer::constant(0))) {}
  Index input_width() const { return width_; }
  Index output_width() const { return width_; }
  Cache plan(Plan&, Index) const { return {}; }

  void forward(Pass<B>& pass, ConstMatrix<B> x, Matrix<B> y, Cache& cache) const {
    cache.x = x;
    cache.dropout = pass.dropout.site(DropoutSite::head, 0, 0.3);
    auto const gain = pass.parameters.vector(gain_), shift = pass.parameters.vector(shift_);
    for (Index n = 0; n < x.rows; ++n)
      for (Index c = 0; c < width_; ++c) {
        double const value = factor(pass, cache.dropout, n, c) * (gain[c] * x(n, c) + shift[c]);
        y(n, c) = is(Mistake::output_added) ? y(n, c) + value : value;
      }
    if (is(Mistake::input_changed)) const_cast<double&>(x(0, 0)) += 1e-9;
    if (is(Mistake::weight_changed)) const_cast<double&>(gain[0]) += 1e-9;
    if (is(Mistake::beside_output)) y.data[x.rows * width_] = 1;
    if (is(Mistake::forward_has_state)) y(0, 0) += 1e-12 * ++cache.calls;
  }

  void backward(Pass<B>& pass, Matrix<B> dy, Matrix<B> dx, Cache& cache) const {
    auto& store = pass.parameters;
    auto const x = cache.x;
    auto const gain = store.vector(gain_);
    auto const dgain = store.gradient_vector(gain_), dshift = store.gradient_vector(shift_);
    Write write = store.gradient_write(gain_);
    if (!is(Mistake::bias_forgotten) && !is(Mistake::bias_not_asked)) store.gradient_write(shift_);
    Dropout const dropout = is(Mistake::no_mask_backward) ? Dropout{} : cache.dropout;
    if (is(Mistake::weight_always_added)) write = Write::add;
    if (is(Mistake::weight_always_assigned)) write = Write::assign;
    for (Index c = 0; c < width_; ++c) {
      double sum = 0, plain = 0;
      for (Index n = 0; n < x.rows; ++n) {
        double d = dy(n, c) * factor(pass, dropout, n, c);
        if (is(Mistake::sign_of_dy) && d < 0) d *= 1 + 1e-9;
        double const value = d * gain[c] * (is(Mistake::input_factor) ? 1.00001 : 1);
        dx(n, c) = is(Mistake::input_added) ? dx(n, c) + value : value;
        if (!(is(Mistake::one_row_short) && n + 1 == x.rows)) sum += d * x(n, c);
        plain += d;
      }
      if (is(Mistake::weight_factor)) sum *= 1.00001;
      dgain[c] = write == Write::add ? dgain[c] + sum : sum;
      if (!is(Mistake::bias_forgotten) && !is(Mistake::bias_asked_only))
        dshift[c] = write == Write::add ? dshift[c] + plain : plain;
    }
    if (is(Mistake::beside_input_gradient)) dx.data[-1] = 1;
  }

 private:
  bool is(Mistake mistake) const { return mistake_ == mistake; }
  static double factor(Pass<B> const& pass, Dropout const& dropout, Index n, Index c) {
    if (!dropout.active()) return 1;
    auto const& rows = pass.batch.row_map;
    return dropout.keeps(c, rows.position[n], rows.example(n)) ? dropout.scale() : 0;
  }
  Index width_;
  Mistake mistake_;
  Index gain_, shift_;
};

testing::CheckReport check(Mistake mistake, testing::CheckOptions const& options = {}) {
  return testing::check_layer([mistake](auto& store) { return Wrong<Reference<fp64>>(store, 4, mistake); }, options);
}

TEST_CASE("a right layer passes, and every value is compared") {
  auto const report = check(Mistake::none);
  INFO(report.text());
  CHECK(report.passed());
  CHECK(bool(report));
  CHECK(report.dropout_acts);
  CHECK(report.values == 2 * (8 * 4 + 4 + 4));
  CHECK(report.largest_error < 1e-10);
  CHECK_NOTHROW(report.require());
  CHECK(check(Mistake::none, {.most_values = 2}).values == 2 * 3 * (2 + 1));
}

TEST_CASE("every mistake is caught and named") {
  struct Case {
    Mistake mistake;
    char const* message;
  };
  for (Case const& c :
       {Case{Mistake::input_factor, "dx("}, Case{Mistake::weight_factor, "dwrong.gain("},
        Case{Mistake::input_added, "backward must assign it"},
        Case{Mistake::weight_always_added, "first contribution assigns"},
        Case{Mistake::weight_always_assigned, "must be added (+=)"}, Case{Mistake::bias_forgotten, "dwrong.shift(0, 0)"},
        Case{Mistake::bias_asked_only, "dwrong.shift(0, 0)"}, Case{Mistake::bias_not_asked, "without asking gradient_write"},
        Case{Mistake::output_added, "forward did not assign"}, Case{Mistake::input_changed, "x was changed"},
        Case{Mistake::weight_changed, "wrong.gain was changed"}, Case{Mistake::beside_output, "beside y"},
        Case{Mistake::beside_input_gradient, "beside dx"}, Case{Mistake::no_mask_backward, "with dropout"},
        Case{Mistake::one_row_short, "dwrong.gain("}, Case{Mistake::forward_has_state, "second time"},
        Case{Mistake::sign_of_dy, "not linear"}}) {
    auto const report = check(c.mistake);
    INFO("mistake " << int(c.mistake) << ": " << report.text());
    CHECK_FALSE(report.passed());
    CHECK(report.text().find(c.message) != std::string::npos);
  }
}

TEST_CASE("mistakes in sums show in the random direction too") {
  // Of 4 values one is compared; the direction sees all.
  for (Mistake const mistake : {Mistake::weight_factor, Mistake::one_row_short, Mistake::input_factor})
    for (std::uint64_t seed = 1; seed < 4; ++seed) CHECK_FALSE(check(mistake, {.seed = seed, .most_values = 1}).passed());
}

TEST_CASE("a failed report throws when it is required") {
  std::string text;
  CHECK(test::error_number([] { check(Mistake::weight_factor).require(); }, &text) == 650);
  CHECK(text.find("dwrong.gain(") != std::string::npos);
}

TEST_CASE("the report names the value with the largest error") {
  auto const report = check(Mistake::weight_factor);
  CHECK(report.where.find("dwrong.gain(") == 0);
  CHECK(report.got == Approx(report.expected * 1.00001).epsilon(1e-7));
  CHECK(report.largest_error == Approx(1e-5).epsilon(1e-3));
}

}  // namespace
