// Fine-tunes a pretrained BERT on IMDB: two heads, "is it positive?" and "how many stars?". Read it from top to bottom.
//
//   finetune_imdb                                                   generated reviews and a tiny model: no download
//   finetune_imdb --model bert-base-cased --data aclImdb_v1.tar.gz  the real thing; --help lists the settings
//
// Output folder: the trained model (config.json, model.safetensors, tokenizer), metrics.jsonl (one line a step), results.json,
// predictions.jsonl (one line a test review) and, with --eval-every, evaluations.jsonl.
#include <hone/hone.hpp>

#include "demo.hpp"
#include "finetune_settings.hpp"
#include "hone/data/imdb.hpp"

using namespace hone;
using examples::Settings;

// The model: where it is computed, and what it predicts. A head of your own is one more element of the list.
using Model = BertClassifier<Cpu<fp32>, Heads<Classify<"is_positive", 2>, Regress<"star_rating", Affine<5, 5>>>>;
// How it is trained: one type for each part, and one loss for each head.
using Training = Recipe<AdamW, LinearWarmup, GlobalNormClip, WeightedSum<CrossEntropy, L1>>;

int finetune(Settings settings) {
  Console console;
  RunFolder run = examples::make_run_folder(settings);

  // A model with a tokenizer, and reviews with labels. Without arguments both are made from nothing.
  Model::ModelOptions const options{{settings.threads}, settings.seed, settings.dropout};
  data::ImdbOptions const subset{0, std::size_t(settings.train_examples), std::size_t(settings.test_examples), settings.seed};
  std::optional<Model> loaded;
  if (!settings.is_demo()) loaded = Model::from_pretrained(settings.model, options);
  data::Imdb reviews = settings.is_demo() ? examples::demo_reviews(subset) : data::read_imdb(settings.data, subset);
  if (settings.is_demo()) loaded = examples::demo_model<Model>(reviews.train, options);
  Model& model = *loaded;
  run.require_space(2 * sizeof(float) * std::uint64_t(model.parameters().values()));

  // Texts become tokens: [CLS] ... [SEP], no padding. Any number of threads gives the same.
  if (std::string const note = examples::limit_length(settings, model.max_length()); !note.empty()) console.print(note);
  for (data::Dataset* split : {&reviews.train, &reviews.test})
    split->tokens = model.tokenizer().encode_batch(split->texts, settings.max_length, model.context().pool());

  console.title("Model");
  console.print(examples::describe(model.config(), model.parameters().values(), model.context().threads()));
  console.print(model.ledger().summary());
  for (auto const& note : model.tokenizer().notes()) console.print(printable_text(note));
  console.title("Reviews");
  console.print("train: " + data_summary(reviews.train) + "\n       " + length_summary(reviews.train.tokens, settings.max_length));
  console.print("test:  " + data_summary(reviews.test) + "\n       " + length_summary(reviews.test.tokens, settings.max_length));
  if (!reviews.problems.empty()) console.print("problems:\n" + problems_text(reviews.problems));
  console.title("Settings");
  console.print(examples::describe(settings));

  // The recipe, and the trainer that follows it.
  Training recipe;
  recipe.optimizer.weight_decay = settings.weight_decay;
  recipe.schedule.warmup = settings.warmup;
  recipe.clip.max_norm = settings.clip_norm;
  recipe.losses.weights = {1, settings.star_loss_weight};
  Trainer trainer{model, TrainerOptions{settings.lr, settings.batch_size, settings.step_every, settings.epochs, settings.num_steps, settings.seed}, recipe};
  EvaluationOptions testing;
  testing.batch_size = settings.eval_batch;

  // Training. Ctrl-C ends it after the step at work; what was learnt is saved and tested all the same.
  console.title("Training");
  InterruptFlag interrupt("\nEnding after this step, then saving and testing. Ctrl-C again ends at once.\n");
  FitReport const fitted = trainer.fit(reviews.train, [&](StepReport const& step) {
    run.metrics().add(step);
    console.step(step);
    if (settings.eval_every > 0 && step.step % settings.eval_every == 0 && step.step < step.total_steps && !interrupt.set()) {
      auto const tested = evaluate(model, reviews.test, recipe.losses, testing);
      console.print(formatted("step %lld, tested: accuracy %.2f %%, star error %.3f", static_cast<long long>(step.step), 100 * tested.accuracy(), tested.mean_absolute_error()));
    }
  }, interrupt.flag());
  console.end_line();

  // What came out: first the model, then its test, so that a Ctrl-C while testing loses nothing that took long.
  model.save(run.path());
  console.title("Test");
  auto const tested = evaluate(model, reviews.test, recipe.losses, testing);
  console.end_line();
  console.print(measures_text(tested));
  auto const mistakes = worst_mistakes(tested.outputs, reviews.test, 5);
  console.print(mistakes_text(mistakes, tested.outputs, reviews.test, model.tokenizer(), console.terminal().width));

  nlohmann::ordered_json results = to_json(tested);
  add_fields(results, to_json(fitted));
  results["seed"] = settings.seed;
  results["settings"] = to_json(settings);
  results["host"] = host_info();
  results["ledger"] = to_json(model.ledger());
  results["worst_mistakes"] = mistakes_json(mistakes, tested.outputs, reviews.test);
  write_predictions(run / "predictions.jsonl", tested.outputs, reviews.test);
  write_json_file(run / "results.json", results);
  return 0;
}

int main(int argc, char** argv) {
  return examples::run_program([&] {
    auto const settings = examples::read_settings(argc, argv);
    return settings ? finetune(*settings) : 0;
  });
}
