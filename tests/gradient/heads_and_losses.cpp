#include "hone/cpu/backend.hpp"
#include "hone/heads/heads.hpp"
#include "hone/loss/cross_entropy.hpp"
#include "hone/loss/l1.hpp"
#include "hone/testing/check_loss.hpp"
#include "support/backends.hpp"
#include "support/check_layer.hpp"

namespace {

using namespace hone;
using hone::test::check_report;

/// A map of a user's own, not linear.
struct Softplus {
  template <class S>
  HONE_HOST_DEVICE static S value(S x) {
    using std::exp, std::log;
    return log(S(1) + exp(x));
  }
  template <class S>
  HONE_HOST_DEVICE static S derivative(S x) {
    using std::exp;
    return S(1) / (S(1) + exp(-x));
  }
};

/// A map whose derivative is wrong by a factor.
struct WrongMap : Softplus {
  template <class S>
  HONE_HOST_DEVICE static S derivative(S x) {
    return S(1.00001) * Softplus::derivative(x);
  }
};

/// A loss of a user's own: mean of squares over the outputs.
struct Squares {
  using Label = double;
  static constexpr char name[] = "squares";
  template <class S>
  HONE_HOST_DEVICE static S row(S const* output, Index width, Label label, S* doutput) {
    S sum = 0;
    for (Index k = 0; k < width; ++k) {
      S const difference = output[k] - S(label);
      sum += difference * difference / S(width);
      if (doutput) doutput[k] = 2 * difference / S(width);
    }
    return sum;
  }
};

template <class B>
void check_all() {
  check_report(testing::check_head<Classify<"a", 2>, B>(24));
  check_report(testing::check_head<Classify<"a", 11>, B>(5));
  check_report(testing::check_head<Regress<"b">, B>(7));
  check_report(testing::check_head<Regress<"b", Affine<5, 5>>, B>(24));
  check_report(testing::check_head<Regress<"b", Affine<-3, 1>>, B>(1));
  check_report(testing::check_head<Regress<"b", Softplus>, B>(9));

  check_report(testing::check_loss<CrossEntropy, B>({0, 1, 1, 0}, 2));
  check_report(testing::check_loss<CrossEntropy, B>({4, 0, 2, 3, 4, 1, 1}, 5));
  check_report(testing::check_loss<L1, B>({1, 10, 7, 0.5}, 1));
  check_report(testing::check_loss<L1, B>({-3.25, 1e3}, 4));
  check_report(testing::check_loss<Squares, B>({1, 10, 7}, 3));
}

TEST_CASE("heads and losses, on the reference") { check_all<Reference<fp64>>(); }
TEST_CASE("heads and losses, on the processor") { check_all<Cpu<fp64>>(); }

TEMPLATE_TEST_CASE("heads and losses, on the device's operations", "", HONE_DEVICE_BACKENDS(fp64)) {
  check_all<TestType>();
}

TEST_CASE("cross entropy of extreme logits is finite and exact") {
  double const apart[2] = {1000, -1000};
  double gradient[2];
  CHECK(CrossEntropy::row<double>(apart, 2, 0, gradient) == 0);
  CHECK(gradient[0] == 0);
  CHECK(gradient[1] == 0);
  CHECK(CrossEntropy::row<double>(apart, 2, 1, gradient) == 2000);
  CHECK(gradient[0] == 1);
  CHECK(gradient[1] == -1);
  float const wide[3] = {3e38f, -3e38f, 0};
  CHECK(CrossEntropy::row<float>(wide, 3, 0, nullptr) == 0);
}

TEST_CASE("the gradient of L1 is zero where output and label are equal") {
  double const output[2] = {3, 4};
  double gradient[2];
  CHECK(L1::row<double>(output, 2, 3.0, gradient) == 0.5);
  CHECK(gradient[0] == 0);
  CHECK(gradient[1] == 0.5);
}

struct WrongSign : Squares {
  template <class S>
  HONE_HOST_DEVICE static S row(S const* output, Index width, Label label, S* doutput) {
    S const loss = Squares::row(output, width, label, doutput);
    if (doutput) doutput[width - 1] = -doutput[width - 1];
    return loss;
  }
};
struct Forgets : Squares {
  template <class S>
  HONE_HOST_DEVICE static S row(S const* output, Index width, Label label, S* doutput) {
    S kept = doutput ? doutput[0] : S(0);
    S const loss = Squares::row(output, width, label, doutput);
    if (doutput) doutput[0] = kept;  // left as it was
    return loss;
  }
};
struct AnotherLossWithoutGradient : Squares {
  template <class S>
  HONE_HOST_DEVICE static S row(S const* output, Index width, Label label, S* doutput) {
    return Squares::row(output, width, label, doutput) + (doutput ? S(1) : S(0));
  }
};

TEST_CASE("wrong heads and losses do not pass") {
  CHECK_FALSE(testing::check_head<Regress<"b", WrongMap>>(9).passed());
  CHECK_FALSE(testing::check_loss<WrongSign>({1, 2, 3}, 3).passed());
  CHECK_FALSE(testing::check_loss<Forgets>({1, 2, 3}, 3).passed());
  CHECK_FALSE(testing::check_loss<AnotherLossWithoutGradient>({1, 2, 3}, 3).passed());
}

}  // namespace
