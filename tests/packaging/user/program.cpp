// What a user's first program does with the library: program VERSION, where VERSION is what the build believes to use.
// It teaches a tiny model to tell two texts apart, with a number as a second target, and prints how the loss falls.
#include <hone/hone.hpp>

#include <cstdio>
#include <cstring>

int main(int argc, char* argv[]) {
  if (argc != 2 || std::strcmp(argv[1], hone::version) != 0) {
    std::printf("built for version %s, compiled with %s\n", argc == 2 ? argv[1] : "?", hone::version);
    return 1;
  }
  using Model = hone::BertClassifier<>;
  hone::BertConfig config;
  config.vocab_size = 20;
  config.hidden_size = 8;
  config.num_hidden_layers = 1;
  config.num_attention_heads = 2;
  config.intermediate_size = 16;
  config.max_position_embeddings = 10;

  hone::data::Dataset data;
  data.sources = {"first", "second"};
  data.texts = {"", ""};
  data.tokens.push_back(std::vector<std::int32_t>{1, 5, 6, 2});
  data.tokens.push_back(std::vector<std::int32_t>{1, 7, 2});
  data.labels = {{"is_positive", {0, 1}}, {"star_rating", {2, 9}}};

  Model model = Model::from_config(config);
  hone::Trainer<Model, hone::Recipe<>> trainer{model, {.learning_rate = 1e-2, .batch_size = 2, .epochs = 60}};
  double first = 0, last = 0;
  trainer.fit(data, [&](hone::StepReport const& step) {
    last = step.losses[0].second;
    if (step.step == 1) first = last;
  });
  std::printf("hone %s: loss from %.3f to %.3f\n", hone::version, first, last);
  if (!(last < first / 2)) return 1;

  try {
    hone::BertConfig::from_file("there is no such folder/config.json");
  } catch (hone::Error const& error) {
    std::printf("%s\n", error.what());
    return 0;
  }
  return 1;
}
