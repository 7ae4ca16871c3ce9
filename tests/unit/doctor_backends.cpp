// The doctor knows a model's public interface alone: every backend, every precision.
#include "hone/train/doctor.hpp"

#include <string>
#include <vector>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/clean_data.hpp"

namespace {

using namespace hone;

template <class Model>
auto values_of(Model const& model) {
  std::vector<decltype(model.parameters().get(0))> all;
  for (Index id = 0; id < model.parameters().count(); ++id) all.push_back(model.parameters().get(id));
  return all;
}

TEMPLATE_TEST_CASE("a clean model is clean, and the same afterwards", "", Cpu<fp64>, Cpu<mixed>,
                   HONE_DEVICE_BACKENDS(fp32)) {
  using Model = BertClassifier<TestType>;
  auto config = test::small_config();
  auto tokenizer = test::word_tokenizer();
  config.vocab_size = tokenizer.vocabulary_size();
  config.initializer_range = 0.1;
  auto model = Model::from_config(config, std::move(tokenizer), {.backend = {}, .seed = 1, .dropout = {}});
  auto const train = test::clean_data(60), other = test::clean_data(20, 2);
  auto const before = values_of(model);
  DoctorOptions options;
  options.seconds = 1e9;
  options.training.learning_rate = 1e-3;
  auto const findings = examine(model, train, &other, test::clean_recipe(), options);
  for (auto const& finding : findings) {
    INFO(finding.number << " " << finding.title << " " << finding.detail);
    CHECK((finding.severity == Severity::ok || finding.number == "D01"));
  }
  CHECK(test::verdict(findings, "D22") == "ok");
  CHECK(test::verdict(findings, "D23") == "ok");
  CHECK(values_of(model) == before);
}

}  // namespace
