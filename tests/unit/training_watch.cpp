// Warnings while a model trains: planted in step reports, and in a run that a far too high learning rate ruins.
#include "hone/train/training_watch.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "hone/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/clean_data.hpp"

namespace {

using namespace hone;
using Model = BertClassifier<Cpu<fp32>>;

/// A step of 16 examples, half of each class.
StepReport step_of(Index number, Index predicted_positive, Index positive = 8, double loss = 0.69) {
  StepReport report;
  report.step = number;
  report.examples = 16;
  report.learning_rate = 1e-5;
  report.grad_norm = 1;
  report.losses = {{"is_positive", loss}, {"star_rating", 3}};
  report.classes = {{"is_positive", {16 - predicted_positive, predicted_positive}, {16 - positive, positive}}};
  return report;
}

std::vector<std::pair<Index, Finding>> told(std::vector<StepReport> const& steps) {
  TrainingWatch watch;
  std::vector<std::pair<Index, Finding>> all;
  for (auto const& step : steps)
    if (auto const finding = watch.step(step)) all.emplace_back(step.step, *finding);
  return all;
}

TEST_CASE("a run that goes well: nothing is told") {
  std::vector<StepReport> steps;
  for (Index s = 1; s <= 200; ++s) steps.push_back(step_of(s, s % 5 == 0 ? 3 : 8, 8, 0.7 - 0.002 * double(s)));
  CHECK(told(steps).empty());
}

TEST_CASE("D40: predictions of one class alone, once, and again after it was over") {
  std::vector<StepReport> steps;
  for (Index s = 1; s <= 300; ++s) steps.push_back(step_of(s, s >= 100 && s < 120 ? 8 : 16));
  auto const all = told(steps);
  REQUIRE(all.size() == 2);
  CHECK(all[0].first == 40);
  CHECK(all[1].first == 159);  // 40 steps after the last mixed one
  CHECK(all[0].second.number == "D40");
  CHECK(all[0].second.severity == Severity::warning);
  CHECK(all[0].second.title == "is_positive: every prediction of the last 40 steps is class 1; of the labels 50.0 % are");
  CHECK(all[0].second.detail.find("likely causes") != std::string::npos);
}

TEST_CASE("D40: one other prediction in the window is enough, and labels that are nearly of one class") {
  std::vector<StepReport> mixed, skewed;
  for (Index s = 1; s <= 100; ++s) {
    mixed.push_back(step_of(s, s % 30 == 0 ? 15 : 16));
    skewed.push_back(step_of(s, 16, s % 4 == 0 ? 15 : 16, 0.01));
  }
  CHECK(told(mixed).empty());
  CHECK(told(skewed).empty());
}

TEST_CASE("D40: steps that each say one thing, now this, now that") {
  std::vector<StepReport> steps;
  for (Index s = 1; s <= 100; ++s) steps.push_back(step_of(s, s % 2 ? 16 : 0));
  auto const all = told(steps);
  REQUIRE(all.size() == 1);
  CHECK(all[0].second.title.find("now this, now that") != std::string::npos);
}

TEST_CASE("D40: small batches need more steps") {
  std::vector<StepReport> steps;
  for (Index s = 1; s <= 200; ++s) {
    steps.push_back(step_of(s, 0));
    steps.back().examples = 2;
    steps.back().classes = {{"is_positive", {2, 0}, {1, 1}}};
  }
  auto const all = told(steps);
  REQUIRE(all.size() == 1);
  CHECK(all[0].first == 150);  // 300 examples
}

TEST_CASE("D40: the likeliest cause is named first") {
  auto const first_cause = [](auto change) {
    std::vector<StepReport> steps;
    for (Index s = 1; s <= 40; ++s) {
      steps.push_back(step_of(s + 1000, 16));
      change(steps.back());
    }
    return told(steps).at(0).second.data->at("causes")[0].template get<std::string>();
  };
  CHECK(first_cause([](StepReport& s) { s.learning_rate = 1e-2; }).find("learning rate 0.01 is too high") !=
        std::string::npos);
  CHECK(first_cause([](StepReport& s) { s.losses[0].second = 2; }).find("is too high") != std::string::npos);
  CHECK(first_cause([](StepReport& s) {
          s.classes[0].truth = {2, 14}, s.losses[0].second = 0.37;
        }).find("not balanced") != std::string::npos);
  CHECK(first_cause([](StepReport& s) { s.grad_norm = 1e-6; }).find("almost zero") != std::string::npos);
  CHECK(first_cause([](StepReport& s) { s.step -= 1000; }).find("early") != std::string::npos);
  CHECK(first_cause([](StepReport&) {}).find("labels") != std::string::npos);
}

TEST_CASE("D41: a loss that rises above where it began") {
  std::vector<StepReport> steps;
  for (Index s = 1; s <= 200; ++s) steps.push_back(step_of(s, 8, 8, s < 120 ? 0.6 : 1.2));
  auto const all = told(steps);
  REQUIRE(all.size() == 1);
  CHECK(all[0].second.number == "D41");
  CHECK(all[0].second.title.find("is_positive") == 0);
  CHECK(all[0].first > 120);
  CHECK(all[0].first < 160);
}

TEST_CASE("D41: a loss that was never near what the shares of the labels give") {
  std::vector<StepReport> steps;
  for (Index s = 1; s <= 200; ++s) steps.push_back(step_of(s, 8, 8, 5 - 0.001 * double(s)));
  auto const all = told(steps);
  REQUIRE(all.size() == 1);
  CHECK(all[0].first == 80);
  CHECK(all[0].second.title.find("knowing the shares of the labels alone gives 0.693") != std::string::npos);
}

TEST_CASE("a run with a far too high learning rate is told, the same with a good one is not") {
  auto const data = test::clean_data(400);
  auto const run = [&](double rate) {
    auto model = test::clean_model<Model>();
    Trainer<Model, Recipe<>> trainer(
        model, {.learning_rate = rate, .batch_size = 8, .step_every = 1, .epochs = 3, .num_steps = 150, .seed = 1},
        test::clean_recipe());
    TrainingWatch watch;
    std::string numbers;
    trainer.fit(data, [&](StepReport const& step) {
      REQUIRE(step.classes.size() == 1);
      Index predicted = 0, truth = 0;
      for (std::size_t k = 0; k < 2; ++k) predicted += step.classes[0].predicted[k], truth += step.classes[0].truth[k];
      CHECK(predicted == step.examples);
      CHECK(truth == step.examples);
      if (auto const finding = watch.step(step)) numbers += finding->number + " ";
    });
    return numbers;
  };
  CHECK(run(1e-3).empty());
  CHECK_FALSE(run(1.0).empty());
}

}  // namespace
