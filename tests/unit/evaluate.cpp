#include "hone/train/evaluate.hpp"

#include <cmath>
#include <string>
#include <vector>

#include "hone/core/philox.hpp"
#include "hone/loss/l1.hpp"
#include "hone/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/error_matcher.hpp"

using namespace hone;

namespace {

/// Answers with what it was given: logits (first token, last token), star_rating the length. Notes how it was asked.
struct EchoModel {
  using HeadsType = SentimentAndStars;
  std::vector<Index> sizes{}, rows{};

  Outputs<HeadsType> predict(RaggedBatch const& batch) {
    sizes.push_back(batch.size());
    rows.push_back(batch.rows());
    Outputs<HeadsType> outputs;
    for (Index b = 0; b < batch.size(); ++b) {
      auto const begin = std::size_t(batch.offsets[std::size_t(b)]), end = std::size_t(batch.offsets[std::size_t(b) + 1]);
      outputs.heads[0].values.push_back(batch.tokens[begin]);
      outputs.heads[0].values.push_back(batch.tokens[end - 1]);
      outputs.heads[1].values.push_back(double(end - begin));
    }
    return outputs;
  }
};

data::Dataset some_data(std::size_t count, std::int32_t vocabulary, std::size_t longest) {
  data::Dataset data;
  PhiloxStream random(7, 1);
  data.labels = {{"is_positive", {}}, {"star_rating", {}}};
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<std::int32_t> tokens(1 + random.below(longest));
    for (auto& token : tokens) token = std::int32_t(random.below(std::uint64_t(vocabulary)));
    data.tokens.push_back(tokens);
    data.sources.push_back("text " + std::to_string(i));
    data.texts.push_back("");
    data.labels[0].values.push_back(double(random.below(2)));
    data.labels[1].values.push_back(double(1 + random.below(10)));
  }
  return data;
}

}  // namespace

TEST_CASE("predictions come in the order of the data, whatever the batches") {
  auto const data = some_data(101, 1000, 40);
  for (Index const batch_size : {1, 7, 256}) {
    EchoModel model;
    auto const outputs = test_set_predictions(model, data, batch_size);
    REQUIRE(outputs.rows() == 101);
    for (std::size_t i = 0; i < data.size(); ++i) {
      auto const tokens = data.tokens[i];
      REQUIRE(outputs.get<"is_positive">()(Index(i), 0) == tokens.front());
      REQUIRE(outputs.get<"is_positive">()(Index(i), 1) == tokens.back());
      REQUIRE(outputs.get<"star_rating">()(Index(i), 0) == double(tokens.size()));
    }
    for (Index const size : model.sizes) CHECK(size <= batch_size);
  }
}

TEST_CASE("the result is the plain struct of the sentiment and star model") {
  EchoModel model;
  auto const data = some_data(5, 10, 4);
  BertClassifierOutput const output = test_set_predictions(model, data, 2);
  CHECK(output.is_positive.rows() == 5);
  CHECK(output.star_rating.size() == 5);
}

TEST_CASE("a batch holds a bounded number of tokens, one text at least") {
  EchoModel model;
  auto const data = some_data(60, 1000, 40);
  EvaluationOptions options;
  options.max_tokens = 30;
  test_set_predictions(model, data, options);
  for (std::size_t i = 0; i < model.sizes.size(); ++i) CHECK((model.rows[i] <= 30 || model.sizes[i] == 1));
}

TEST_CASE("progress is told, and a stop is obeyed after a batch") {
  EchoModel model;
  auto const data = some_data(10, 10, 4);
  std::atomic<bool> stop{false};
  EvaluationOptions options;
  options.batch_size = 3;
  options.stop = &stop;
  std::vector<Index> seen;
  options.on_progress = [&](Index done, Index total) {
    CHECK(total == 10);
    seen.push_back(done);
  };
  test_set_predictions(model, data, options);
  CHECK(seen == std::vector<Index>{3, 6, 9, 10});
  options.on_progress = [&](Index done, Index) { stop = done >= 6; };
  model.sizes.clear();
  CHECK(test::error_number([&] { test_set_predictions(model, data, options); }) == 630);
  CHECK(model.sizes.size() == 2);
}

TEST_CASE("wrong uses have numbers") {
  EchoModel model;
  auto data = some_data(4, 10, 4);
  CHECK(test::error_number([&] { test_set_predictions(model, data, 0); }) == 408);
  WeightedSum<CrossEntropy, L1> const losses;
  data.labels[1].values.pop_back();
  CHECK(test::error_number([&] { evaluate(model, data, losses); }) == 421);
  data.labels.pop_back();
  CHECK(test::error_number([&] { evaluate(model, data, losses); }) == 401);
  data.tokens = {};
  CHECK(test::error_number([&] { test_set_predictions(model, data, 2); }) == 422);
  std::string text;
  auto wrong = some_data(4, 10, 4);
  wrong.labels[0].values[2] = 2;
  CHECK(test::error_number([&] { evaluate(model, wrong, losses); }, &text) == 420);
  CHECK(text.find("text 2") != std::string::npos);
  CHECK(model.sizes.empty());  // labels are checked before anything is computed
}

TEST_CASE("measures by head, against sums written out") {
  EchoModel model;
  auto const data = some_data(50, 5, 12);
  auto const result = evaluate(model, data, WeightedSum<CrossEntropy, L1>{{1, 0.02}});
  double loss = 0, error = 0;
  Index right = 0;
  for (std::size_t i = 0; i < 50; ++i) {
    auto const tokens = data.tokens[i];
    double const a = tokens.front(), b = tokens.back(), label = data.labels[0].values[i];
    loss += std::log(std::exp(a) + std::exp(b)) - (label == 1 ? b : a);
    right += (b > a) == (label == 1) ? 1 : 0;  // of equals the first class is predicted
    error += std::abs(double(tokens.size()) - data.labels[1].values[i]);
  }
  REQUIRE(result.heads.size() == 2);
  CHECK(result.examples == 50);
  CHECK(result.cross_entropy() == Approx(loss / 50));
  CHECK(result.heads[0].loss == Approx(loss / 50));
  CHECK(result.accuracy() == Approx(double(right) / 50));
  CHECK(result.heads[0].confusion.total() == 50);
  CHECK(result.heads[0].accuracy_interval.low < result.accuracy());
  CHECK(result.mean_absolute_error() == Approx(error / 50));
  CHECK(result.heads[1].loss_name == "l1");
}

TEST_CASE("every measure that suits a head is taken, by the functions of the metrics library") {
  EchoModel model;
  auto const data = some_data(80, 4, 12);
  auto const result = evaluate(model, data, WeightedSum<CrossEntropy, L1>{{1, 0.02}});
  auto const& truth = data.labels[0].values;
  auto const& stars = data.labels[1].values;
  std::vector<double> predicted, score, table, rated, errors;
  for (std::size_t i = 0; i < 80; ++i) {
    auto const tokens = data.tokens[i];
    double const p = 1 / (1 + std::exp(double(tokens.front()) - double(tokens.back())));
    predicted.push_back(tokens.back() > tokens.front() ? 1 : 0);
    score.push_back(p);
    table.insert(table.end(), {1 - p, p});
    rated.push_back(double(tokens.size()));
    errors.push_back(std::abs(rated.back() - stars[i]));
  }
  auto const& head = result.heads[0];
  CHECK(head.measures.f1 == Approx(f1(truth, predicted)));
  CHECK(head.measures.precision == Approx(precision(truth, predicted)));
  CHECK(head.measures.recall == Approx(recall(truth, predicted)));
  CHECK(head.mcc == Approx(mcc(truth, predicted)));
  CHECK(head.roc_auc == Approx(roc_auc(truth, score)));
  CHECK(head.pr_auc == Approx(average_precision(truth, score)));
  CHECK(head.brier_score == Approx(brier_score(truth, score)));
  CHECK(head.expected_calibration_error == Approx(expected_calibration_error(truth, table, 2)));
  REQUIRE(head.calibration.size() == 15);
  CHECK(std::isnan(head.spearman));
  CHECK(std::isnan(head.mean_absolute_error));
  auto const& other = result.heads[1];
  CHECK(other.mean_absolute_error_interval.low == bootstrap_interval(errors).low);
  CHECK(other.mean_absolute_error_interval.low < other.mean_absolute_error);
  CHECK(other.mean_absolute_error_interval.high > other.mean_absolute_error);
  CHECK(other.root_mean_square_error == Approx(root_mean_square_error(stars, rated)));
  CHECK(other.spearman == Approx(spearman(stars, rated)));
  CHECK(other.quadratic_kappa == Approx(quadratic_kappa(stars, rated)));
  CHECK(std::isnan(other.roc_auc));
  CHECK(std::isnan(other.measures.f1));
}

TEST_CASE("kappa is of labels that are whole numbers; a model that says NaN has measures that say so") {
  EchoModel model;
  auto data = some_data(30, 4, 12);
  data.labels[1].values[3] = 2.5;
  WeightedSum<CrossEntropy, L1> const losses;
  auto const fraction = evaluate(model, data, losses);
  CHECK(std::isnan(fraction.heads[1].quadratic_kappa));
  CHECK_FALSE(std::isnan(fraction.heads[1].spearman));
  auto outputs = fraction.outputs;
  outputs.heads[0].values[7] = outputs.heads[1].values[7] = std::nan("");
  auto const measures = measure(outputs, labels_for<SentimentAndStars>(data), losses);
  CHECK(std::isnan(measures[0].roc_auc));
  CHECK(std::isnan(measures[0].brier_score));
  CHECK(std::isnan(measures[0].expected_calibration_error));
  CHECK(measures[0].confusion.total() == 30);
  CHECK(std::isnan(measures[1].mean_absolute_error));
  CHECK(std::isnan(measures[1].mean_absolute_error_interval.low));
  CHECK(std::isnan(measures[1].spearman));
}

TEST_CASE("a head of three classes has means over its classes") {
  using Topics = Heads<Classify<"topic", 3>>;
  Outputs<Topics> outputs;
  std::vector<double> truth, table;
  Topics::Labels labels;
  PhiloxStream random(3, 3);
  for (int i = 0; i < 60; ++i) {
    std::vector<double> scores{random.uniform(), random.uniform(), random.uniform()};
    outputs.heads[0].values.insert(outputs.heads[0].values.end(), scores.begin(), scores.end());
    auto const shares = softmax(scores);
    table.insert(table.end(), shares.begin(), shares.end());
    truth.push_back(double(random.below(3)));
    std::get<0>(labels).push_back(std::int32_t(truth.back()));
  }
  auto const head = measure(outputs, labels, WeightedSum<CrossEntropy>{}).at(0);
  CHECK(head.measures.f1 == Approx(average_measures(head.confusion, Average::macro).f1));
  CHECK(head.roc_auc == Approx(roc_auc(truth, table, 3)));
  CHECK(head.pr_auc == Approx(pr_auc(truth, table, 3)));
  CHECK(head.brier_score == Approx(brier_score(truth, table, 3)));
  CHECK(head.cross_entropy == Approx(log_loss(truth, table, 3)));
}

TEST_CASE("no examples give no numbers, and no error") {
  EchoModel model;
  data::Dataset empty;
  empty.labels = {{"is_positive", {}}, {"star_rating", {}}};
  auto const result = evaluate(model, empty, WeightedSum<CrossEntropy, L1>{});
  CHECK(std::isnan(result.accuracy()));
  CHECK(std::isnan(result.mean_absolute_error()));
}

TEST_CASE("a real model's predictions do not depend on the batch size beyond rounding") {
  BertConfig config;
  config.vocab_size = 50;
  config.hidden_size = 24;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 3;
  config.intermediate_size = 40;
  config.max_position_embeddings = 30;
  auto model = BertClassifier<Cpu<fp64>>::from_config(config);
  auto const data = some_data(23, 50, 30);
  auto const one = test_set_predictions(model, data, 1), all = test_set_predictions(model, data, 256);
  for (std::size_t head = 0; head < 2; ++head)
    for (std::size_t i = 0; i < one.heads[head].values.size(); ++i)
      CHECK(std::abs(one.heads[head].values[i] - all.heads[head].values[i]) < 1e-12);
}
