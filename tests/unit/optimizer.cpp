// AdamW, parameter groups, clipping and schedules against their formulas written out.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "hone/cpu/backend.hpp"
#include "hone/generic/backend.hpp"
#include "hone/optim/adamw.hpp"
#include "hone/optim/clip.hpp"
#include "hone/optim/schedule.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

namespace {

using namespace hone;

/// A store of three parameters whose sizes leave gaps, with random weights.
template <class B>
struct Fixture {
  using M = MasterOf<typename B::Precision>;
  HostContext context{HostOptions{2}};
  ParameterStore<B> store{context};
  Index weight = store.add("dense.weight", {5, 7}, ParameterKind::weight, Initializer::normal(1));
  Index bias = store.add("dense.bias", {5}, ParameterKind::bias, Initializer::normal(1));
  Index gamma = store.add("norm.weight", {3}, ParameterKind::norm_weight, Initializer::normal(1));

  Fixture() {
    store.allocate();
    for (Index id = 0; id < store.count(); ++id) store.initialize(id, 1);
  }
  void set_gradient(Index id, std::vector<M> const& values) {
    context.upload(store.gradient_vector(id).data, values.data(), values.size() * sizeof(M));
  }
  std::vector<M> random_gradient(Index id, std::uint64_t seed) {
    std::vector<M> values;
    PhiloxStream random(seed, std::uint64_t(id));
    for (Index i = 0; i < store.info(id).size; ++i) values.push_back(M(2 * random.uniform() - 1));
    return values;
  }
};

/// The rule of torch.optim.AdamW, one number, in long double.
struct Adam {
  long double weight, first = 0, second = 0;
  int steps = 0;
  void step(long double gradient, long double rate, long double decay, long double beta1, long double beta2,
            long double epsilon) {
    ++steps;
    weight -= rate * decay * weight;
    first = beta1 * first + (1 - beta1) * gradient;
    second = beta2 * second + (1 - beta2) * gradient * gradient;
    long double const m = first / (1 - std::pow(beta1, steps)), v = second / (1 - std::pow(beta2, steps));
    weight -= rate * m / (std::sqrt(v) + epsilon);
  }
};

template <class B, class Groups>
void check_adamw(Groups const& groups, BasicAdamW<Groups> optimizer) {
  using M = typename Fixture<B>::M;
  INFO(B::name << " " << B::Precision::name);
  Fixture<B> f;
  optimizer.groups = groups;
  auto state = optimizer.template init<B>(f.context, f.store);
  Buffer<B, double> scale(f.context, 1);
  std::vector<std::vector<Adam>> expected;
  std::vector<std::vector<M>> initial;
  for (Index id = 0; id < 3; ++id) {
    initial.push_back(f.store.get(id));
    expected.emplace_back();
    for (M const w : initial.back()) expected.back().push_back({(long double)w});
  }
  for (int step = 0; step < 12; ++step) {
    double const factor = step == 3 ? 0.125 : 1, rate = 0.01 / (1 + step);
    scale.upload(std::vector<double>{factor});
    for (Index id = 0; id < 3; ++id) {
      auto gradient = f.random_gradient(id, std::uint64_t(step) + 10);
      if (step % 4 == 1) gradient[0] = 0;
      f.set_gradient(id, gradient);
      auto const setting = groups.setting(f.store.info(id));
      for (std::size_t i = 0; i < gradient.size(); ++i)
        if (setting.learning_rate_factor > 0)
          expected[std::size_t(id)][i].step((long double)gradient[i] * factor, rate * setting.learning_rate_factor,
                                            optimizer.weight_decay * setting.weight_decay_factor, optimizer.beta1,
                                            optimizer.beta2, optimizer.epsilon);
    }
    optimizer.template step<B>(f.context, f.store, state, scale.view(), rate);
  }
  CHECK(state.steps == 12);
  for (Index id = 0; id < 3; ++id) {
    INFO(f.store.info(id).name);
    auto const got = f.store.get(id);
    double worst = 0, moved = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      worst = std::max(worst, std::abs(double((long double)got[i] - expected[std::size_t(id)][i].weight)));
      moved = std::max(moved, std::abs(double(got[i] - initial[std::size_t(id)][i])));
    }
    CHECK(worst <= test::rounding_bound<M>(12, 1));  // twelve additions to weights of size one
    bool const frozen = groups.setting(f.store.info(id)).learning_rate_factor == 0;
    CHECK((frozen ? moved == 0 : moved > 1e-3));
  }
  // The gaps between parameters stay zero.
  auto const all = f.store.weights();
  double sum = 0, inside = 0;
  for (Index i = 0; i < all.size; ++i) sum += std::abs(double(all[i]));
  for (Index id = 0; id < 3; ++id)
    for (M const w : f.store.get(id)) inside += std::abs(double(w));
  CHECK(all.size > 43);
  CHECK(sum == Approx(inside).epsilon(1e-6));
}

struct OnlyDense {
  ParameterSetting setting(ParameterInfo const& info) const {
    return {info.kind == ParameterKind::norm_weight ? 0.0 : info.kind == ParameterKind::bias ? 0.5 : 1.0, 1};
  }
};

template <class B>
void check_all() {
  check_adamw<B>(OneGroup{}, AdamW{});
  check_adamw<B>(OneGroup{}, AdamW{.weight_decay = 0.5, .beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-3, .groups = {}});
  check_adamw<B>(NoDecayForBiasAndNorm{}, BasicAdamW<NoDecayForBiasAndNorm>{.weight_decay = 0.3});
  check_adamw<B>(OnlyDense{}, BasicAdamW<OnlyDense>{});
}

TEST_CASE("AdamW is the rule written out, with groups and a frozen one") {
  check_all<Reference<fp64>>();
  check_all<Cpu<fp64>>();
  check_all<Cpu<fp32>>();
}

/// Three steps with a table of which each uses other rows; with `tracks` AdamW is told which.
template <class B>
std::vector<std::vector<MasterOf<typename B::Precision>>> rows_trained(bool tracks, std::vector<std::uint8_t>* moved) {
  using M = MasterOf<typename B::Precision>;
  constexpr Index rows = 6, width = 32;
  HostContext context{HostOptions{2}};
  ParameterStore<B> store{context};
  Index const bias = store.add("bias", {5}, ParameterKind::bias, Initializer::normal(1));
  Index const table = store.add("table", {rows, width}, ParameterKind::weight, Initializer::normal(1));
  if (tracks) store.track_rows(table);
  store.allocate();
  for (Index id = 0; id < store.count(); ++id) store.initialize(id, 1);
  BasicAdamW<NoDecayForBiasAndNorm> const optimizer{.weight_decay = 0.3};
  auto state = optimizer.template init<B>(context, store);
  double const scale = 0.5;
  for (std::vector<Index> const& batch : {std::vector<Index>{1, 4}, {4}, {0}}) {
    auto const [gradient, used] = store.tracked_gradient(table);
    for (Index r = 0; r < rows; ++r)
      for (Index c = 0; c < width; ++c) {
        bool const now = std::find(batch.begin(), batch.end(), r) != batch.end();
        gradient(r, c) = now ? M(0.01) * M(r + c + 1) : M(0);
        if (used) used[r] = now;
      }
    for (Index i = 0; i < 5; ++i) store.gradient_vector(bias)[i] = M(i);
    optimizer.template step<B>(context, store, state, {&scale, 1}, 0.1);
  }
  if (moved) *moved = state.moved;
  return {store.get(table), store.get(bias), state.first.download(), state.second.download()};
}
template <class B>
void check_moved_rows() {
  std::vector<std::uint8_t> moved;
  auto const got = rows_trained<B>(true, &moved);
  CHECK(moved == std::vector<std::uint8_t>{1, 1, 0, 0, 1, 0});
  CHECK(got == rows_trained<B>(false, nullptr));
}

TEST_CASE("AdamW remembers which rows of a table ever moved, and trains as without knowing") {
  check_moved_rows<Reference<fp64>>();
  check_moved_rows<Cpu<fp64>>();
  check_moved_rows<Cpu<fp32>>();
  check_moved_rows<Cpu<mixed>>();
}

TEST_CASE("groups become ranges, as long as possible") {
  Fixture<Cpu<fp32>> f;
  CHECK(parameter_ranges(f.store, OneGroup{}).size() == 1);
  auto const ranges = parameter_ranges(f.store, NoDecayForBiasAndNorm{});
  REQUIRE(ranges.size() == 2);
  CHECK(ranges[0].begin == 0);
  CHECK(ranges[0].size == 35);
  CHECK(ranges[0].setting.weight_decay_factor == 1);
  CHECK(ranges[1].begin == f.store.info(f.bias).offset);
  CHECK(ranges[1].begin + ranges[1].size == f.store.info(f.gamma).offset + 3);
  CHECK(ranges[1].setting.weight_decay_factor == 0);
}

template <class B>
void check_not_finite(double scale_value) {
  Fixture<B> f;
  AdamW const optimizer;
  auto state = optimizer.template init<B>(f.context, f.store);
  Buffer<B, double> scale(f.context, 1);
  scale.upload(std::vector<double>{scale_value});
  auto const before = f.store.get(0);
  f.set_gradient(0, f.random_gradient(0, 1));
  optimizer.template step<B>(f.context, f.store, state, scale.view(), 0.1);
  CHECK(f.store.get(0) == before);
  for (auto const m : state.first.download()) CHECK(m == 0);
}

TEST_CASE("a gradient that is not finite never reaches the parameters") {
  for (double const scale : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    check_not_finite<Reference<fp64>>(scale);
    check_not_finite<Cpu<fp32>>(scale);
  }
}

template <class B>
void check_clip() {
  using M = typename Fixture<B>::M;
  INFO(B::name << " " << B::Precision::name);
  Fixture<B> f;
  double squares = 0;
  for (Index id = 0; id < 3; ++id) {
    auto const gradient = f.random_gradient(id, 4);
    f.set_gradient(id, gradient);
    for (M const g : gradient) squares += double(g) * double(g);
  }
  double const norm = std::sqrt(squares);
  ClipState<B> state(f.context, f.store);
  auto clip = [&](auto const& policy) {
    policy.template apply<B>(f.context, f.store, state);
    CHECK(state.fetch_norm() == Approx(norm).epsilon(1e-14));
    return state.scale()[0];
  };
  CHECK(clip(GlobalNormClip{norm / 2}) == Approx(norm / 2 / (norm + 1e-6)).epsilon(1e-14));
  CHECK(clip(GlobalNormClip{norm * 2}) == 1);
  CHECK(clip(GlobalNormClip{norm}) < 1);  // the 1e-6 of torch's clip_grad_norm_
  CHECK(clip(GlobalNormClip{0}) == 1);
  CHECK(clip(NoClip{}) == 1);

  auto bad = f.random_gradient(f.bias, 5);
  for (double const value : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    bad[2] = M(value);
    f.set_gradient(f.bias, bad);
    GlobalNormClip{1}.template apply<B>(f.context, f.store, state);
    CHECK_FALSE(std::isfinite(state.fetch_norm()));
    CHECK(std::isnan(state.scale()[0]));
    NoClip{}.template apply<B>(f.context, f.store, state);
    CHECK(std::isnan(state.scale()[0]));
  }
}

TEST_CASE("clipping by the global norm") {
  check_clip<Reference<fp64>>();
  check_clip<Cpu<fp64>>();
  check_clip<Cpu<fp32>>();
}

TEST_CASE("frozen parameters are in no norm, until they are trained again") {
  using B = Cpu<fp32>;
  Fixture<B> f;
  ClipState<B> clip(f.context, f.store);
  auto norm_of_step = [&] {
    f.store.begin_step();
    double squares = 0;
    for (Index id = 0; id < 3; ++id) {
      f.store.gradient_write(id);
      auto const gradient = f.random_gradient(id, 4);
      f.set_gradient(id, gradient);
      if (id == f.gamma) continue;
      for (float const g : gradient) squares += double(g) * double(g);
    }
    f.store.end_step();
    NoClip{}.apply<B>(f.context, f.store, clip);
    return std::pair(clip.fetch_norm(), std::sqrt(squares));
  };
  auto const frozen = BasicAdamW<OnlyDense>{}.init<B>(f.context, f.store);
  auto const [norm, without_gamma] = norm_of_step();
  CHECK(norm == Approx(without_gamma).epsilon(1e-14));
  auto const all = AdamW{}.init<B>(f.context, f.store);
  CHECK(norm_of_step().first > 1.01 * without_gamma);
}

TEST_CASE("the group of a parameter") {
  CHECK(parameter_group("bert.embeddings.word_embeddings.weight") == "embeddings");
  CHECK(parameter_group("embeddings.LayerNorm.bias") == "embeddings");
  CHECK(parameter_group("bert.encoder.layer.0.attention.self.query.weight") == "layer.0");
  CHECK(parameter_group("bert.encoder.layer.11.output.dense.bias") == "layer.11");
  CHECK(parameter_group("encoder.layer.weight") == "encoder.layer");
  CHECK(parameter_group("layer..weight") == "layer.");
  CHECK(parameter_group("is_positive.weight") == "is_positive");
  CHECK(parameter_group("embeddings") == "embeddings");
  CHECK(parameter_group("layer") == "layer");
  CHECK(parameter_group("").empty());
}

/// Parameters of these groups and sizes, with random gradients: the parts of the norm against sums by hand.
template <class B>
void check_groups(std::vector<std::pair<std::string, Index>> const& parameters) {
  using M = MasterOf<typename B::Precision>;
  INFO(B::name << " " << B::Precision::name);
  std::vector<GradientNorms> of_threads;
  for (int const threads : {1, 3}) {
    HostContext context(HostOptions{threads});
    ParameterStore<B> store(context);
    for (auto const& [name, size] : parameters) store.add(name, {size}, ParameterKind::weight, Initializer::constant(0));
    store.allocate();
    std::vector<std::pair<std::string, double>> squares;
    double all = 0;
    PhiloxStream random(1, 2);
    for (Index id = 0; id < store.count(); ++id) {
      std::vector<M> gradient;
      double sum = 0;
      for (Index i = 0; i < store.info(id).size; ++i) {
        gradient.push_back(M(2 * random.uniform() - 1));
        sum += double(gradient.back()) * double(gradient.back());
      }
      context.upload(store.gradient_vector(id).data, gradient.data(), gradient.size() * sizeof(M));
      std::string const group = parameter_group(store.info(id).name);
      auto at = std::find_if(squares.begin(), squares.end(), [&](auto const& entry) { return entry.first == group; });
      if (at == squares.end()) at = squares.insert(at, {group, 0.0});
      at->second += sum;
      all += sum;
    }
    ClipState<B> state(context, store);
    CHECK(state.fetch_norms().groups.empty());  // nothing was computed
    GlobalNormClip{1}.template apply<B>(context, store, state);
    GradientNorms const norms = state.fetch_norms();
    CHECK(norms.norm == state.fetch_norm());
    CHECK(norms.norm == Approx(std::sqrt(all)).epsilon(1e-12));
    REQUIRE(norms.groups.size() == squares.size());
    for (std::size_t g = 0; g < squares.size(); ++g) {
      INFO(squares[g].first);
      CHECK(norms.groups[g].first == squares[g].first);
      CHECK(norms.groups[g].second == Approx(std::sqrt(squares[g].second)).epsilon(1e-12));
    }
    of_threads.push_back(norms);
  }
  CHECK(of_threads[0].norm == of_threads[1].norm);
  CHECK(of_threads[0].groups == of_threads[1].groups);  // the same bits
}

TEST_CASE("the norm's parts by layer add up to it, wherever the borders lie") {
  auto check = [](std::vector<std::pair<std::string, Index>> const& parameters) {
    check_groups<Reference<fp64>>(parameters);
    check_groups<Cpu<fp32>>(parameters);
    check_groups<Reference<mixed>>(parameters);
  };
  check(
      {{"bert.embeddings.a", 40000}, {"bert.embeddings.b", 7}, {"layer.0.a", 100}, {"layer.0.b", 70000}, {"layer.1.a", 16}});
  check({{"layer.0.a", norm_chunk}, {"layer.1.a", 2 * norm_chunk}, {"layer.2.a", 1}, {"mine.weight", 5}, {"mine.bias", 1}});
  check({{"mine.weight", 3}});
  check({{"layer.0.a", 20000}, {"mine.weight", 33000}, {"layer.0.b", 17}});  // a group in two places
}

TEST_CASE("a gradient that is not finite shows in its group alone") {
  using B = Cpu<fp32>;
  HostContext context(HostOptions{1});
  ParameterStore<B> store(context);
  for (char const* name : {"layer.0.a", "layer.1.a", "layer.2.a"})
    store.add(name, {50000}, ParameterKind::weight, Initializer::constant(0));
  store.allocate();
  store.gradients()[store.info(1).offset + 49999] = std::numeric_limits<float>::infinity();
  ClipState<B> state(context, store);
  NoClip{}.apply<B>(context, store, state);
  auto const norms = state.fetch_norms();
  CHECK(std::isinf(norms.norm));
  REQUIRE(norms.groups.size() == 3);
  CHECK(norms.groups[0].second == 0);
  CHECK(std::isinf(norms.groups[1].second));
  CHECK(norms.groups[2].second == 0);
}

TEST_CASE("schedules at chosen steps") {
  CHECK(Constant{}.factor(0, 10) == 1);
  CHECK(Constant{}.factor(9, 10) == 1);

  LinearWarmup const warmup{4};
  CHECK(warmup.factor(0, 100) == 0.25);
  CHECK(warmup.factor(2, 100) == 0.75);
  CHECK(warmup.factor(3, 100) == 1);
  CHECK(warmup.factor(50, 100) == 1);
  CHECK(LinearWarmup{}.factor(0, 100) == 1);

  LinearWarmupDecay const both{4};
  CHECK(both.factor(0, 10) == 0.25);
  CHECK(both.factor(1, 10) == Approx(0.5 * 0.9).epsilon(1e-15));
  CHECK(both.factor(5, 10) == 0.5);
  CHECK(both.factor(9, 10) == Approx(0.1).epsilon(1e-15));
  CHECK(LinearWarmupDecay{}.factor(0, 10) == 1);

  OneOf<Constant, LinearWarmup, LinearWarmupDecay> chosen{LinearWarmup{4}};
  CHECK(chosen.factor(1, 10) == 0.5);
  chosen.choice = Constant{};
  CHECK(chosen.factor(1, 10) == 1);
  chosen.choice = LinearWarmupDecay{4};
  CHECK(chosen.factor(5, 10) == 0.5);
}

/// A schedule of a user's own.
struct Halving {
  double factor(Index step, Index) const { return std::pow(0.5, double(step)); }
};
static_assert(Schedule<Halving> && Schedule<OneOf<Halving, Constant>> && !Schedule<int>);
TEST_CASE("a schedule of a user's own is one of several") {
  CHECK(OneOf<Constant, Halving>{Halving{}}.factor(3, 9) == 0.125);
}

}  // namespace
