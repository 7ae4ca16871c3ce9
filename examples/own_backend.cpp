// A backend of your own in one file: a context that counts, a rung with a kernel of your own, and a ladder that falls back
// to generic/ for all other operations. Nothing above is written again: the same BertClassifier and Trainer run on it.
//
//   own_backend [STEPS]
#include <hone/hone.hpp>

#include <cmath>
#include <cstdlib>
#include <iostream>
#include <string>

using namespace hone;

// What operations run on: here the host's memory and threads, and a count of what the kernel below did.
struct CountingContext : HostContext {
  using HostContext::HostContext;
  long products = 0, multiplications = 0;
};

// A kernel is a specialisation for an operation; the primary template says that there is none.
template <class Op>
struct MyKernel : NoKernel {};

// y = x W^T + b, four outputs of a row at once: x is read once for four, and their sums do not wait for one another.
template <class P>
struct MyKernel<LinearForward<P>> {
  using S = StatisticOf<P>;
  static void run(CountingContext& context, LinearForward<P> const& op) {
    ++context.products;
    context.multiplications += op.y.rows * op.y.cols * op.x.cols;
    context.pool().parallel_for(op.y.rows, 1, [&](Index begin, Index end) {
      for (Index n = begin; n < end; ++n)
        for (Index first = 0; first < op.y.cols; first += 4) {
          Index const count = std::min<Index>(4, op.y.cols - first);
          S sum[4] = {};
          for (Index c = 0; c < op.x.cols; ++c)
            for (Index k = 0; k < count; ++k) sum[k] += S(op.x(n, c)) * S(op.weight(first + k, c));
          for (Index k = 0; k < count; ++k)
            op.y(n, first + k) = ActivationOf<P>(op.bias ? sum[k] + S(op.bias[first + k]) : sum[k]);
        }
    });
  }
};

struct MyRung {
  static constexpr std::string_view name = "mine";
  template <class Op>
  using Kernel = MyKernel<Op>;
};

template <class P>
struct MyBackend {
  using Precision = P;
  using Context = CountingContext;
  using Options = HostOptions;
  using Ladder = hone::Ladder<MyRung, GenericRung>;
  static constexpr std::string_view name = "mine";
};

// A text is positive when it holds more words of the upper half of the vocabulary than of the lower, by stars.
data::Dataset some_texts(std::size_t count) {
  data::Dataset made{{}, {}, {}, {{"is_positive", {}}, {"star_rating", {}}}};
  PhiloxStream random(1, 1);
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<std::int32_t> tokens{0};
    double const stars = 1 + double(random.below(10));
    for (int word = 0; word < 11; ++word)
      tokens.push_back(std::int32_t(1 + random.below(10) + (11 * random.uniform() < stars ? 10 : 0)));
    made.sources.emplace_back(), made.texts.emplace_back();
    made.tokens.push_back(tokens);
    made.labels[0].values.push_back(stars > 5), made.labels[1].values.push_back(stars);
  }
  return made;
}

// Trains on backend B and returns the last step's cross entropy.
template <class B>
double train(BertClassifier<B> model, Index steps) {
  Trainer<BertClassifier<B>, Recipe<>> trainer(model, {.learning_rate = 3e-3, .epochs = 1000, .num_steps = steps});
  double first = 0, last = 0;
  trainer.fit(some_texts(64), [&](StepReport const& step) { (step.step == 1 ? first : last) = step.losses[0].second; });
  std::cout << B::name << ": cross entropy " << first << " at step 1, " << last << " at step " << steps << "\n";
  if constexpr (requires { model.context().products; })
    std::cout << "  products on the rung " << RungOf<B, LinearForward<typename B::Precision>>::name << ": "
              << model.context().products << ", multiplications: " << model.context().multiplications << "\n";
  return last;
}

int main(int argc, char** argv) {
  Index const steps = argc > 1 ? std::atoi(argv[1]) : 40;
  BertConfig config;
  config.vocab_size = 21, config.hidden_size = 16, config.num_hidden_layers = 2, config.num_attention_heads = 2;
  config.intermediate_size = 32, config.max_position_embeddings = 12, config.initializer_range = 0.2;
  double const mine = train(BertClassifier<MyBackend<fp64>>::from_config(config), steps);
  double const reference = train(BertClassifier<Reference<fp64>>::from_config(config), steps);
  bool const same = std::abs(mine - reference) <= 1e-9 * (1 + std::abs(reference));
  std::cout << (same ? "both agree" : "they do NOT agree") << "\n";
  return same ? 0 : 1;
}
