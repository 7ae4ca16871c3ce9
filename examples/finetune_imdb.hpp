// Fine-tuning on IMDB with two heads: is a review positive, and how many stars does it give? The model, the recipe and the
// run; finetune_imdb.cpp runs it on the processor, finetune_imdb_cuda.cu on a GPU.
#pragma once

#include <hone/doctor.hpp>
#include <hone/hone.hpp>
#include <hone/report.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <optional>

#include "demo.hpp"
#include "device_record.hpp"
#include "finetune_settings.hpp"
#include "run_log.hpp"
#include "with_progress.hpp"

namespace hone::examples {

// What the model predicts. A head of your own is one more element of the list.
using Predictions = Heads<Classify<"is_positive", 2>, Regress<"star_rating", Affine<5, 5>>>;
// The model, and where it is computed: Cpu<fp32>, Cuda<mixed>, ...
template <Backend B>
using Model = BertClassifier<B, Predictions>;
// How it is trained: one type for each part, and one loss for each head.
using Training =
    Recipe<AdamW, OneOf<LinearWarmup, LinearWarmupDecay>, GlobalNormClip, WeightedSum<CrossEntropy, L1>>;

// Tests the model; shows how far it is. Ctrl-C ends it with error E630 when `stop` is given.
template <Backend B>
Evaluation<Predictions> test(Model<B>& model, data::Dataset const& reviews, Training const& recipe, Settings const& settings,
                             Console& console, std::atomic<bool> const* stop) {
  EvaluationOptions options;
  options.batch_size = settings.eval_batch;
  options.stop = stop;
  auto const begin = std::chrono::steady_clock::now();
  options.on_progress = [&](Index done, Index total) {
    console.progress("testing", done, total,
                     std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  };
  return evaluate(model, reviews, recipe.losses, options);
}

// The recipe that the settings ask for.
inline Training recipe_of(Settings const& settings) {
  Training recipe;
  recipe.optimizer.weight_decay = settings.weight_decay;
  if (settings.schedule == "linear") recipe.schedule.choice = LinearWarmupDecay{settings.warmup};
  else recipe.schedule.choice = LinearWarmup{settings.warmup};
  recipe.clip.max_norm = settings.clip_norm;
  recipe.losses.weights = {1, settings.star_loss_weight};
  return recipe;
}

// Trains the model, saves it, and tests it. Ctrl-C ends training after the step at work; what was learnt until then is saved
// and tested.
template <Backend B>
void train_and_test(Model<B>& model, data::Imdb const& reviews, Trainer<Model<B>, Training>& trainer,
                    Settings const& settings, RunFolder const& folder, RunLog& log, Console& console) {
  auto const log_evaluation = [&](Index step, bool is_last, Evaluation<Predictions> const& tested,
                                  std::atomic<bool> const* stop) {
    log.evaluation(
        {step, is_last, to_json(tested), head_predictions(tested.outputs, reviews.test)},
        [&](ReportData& report, ReportOptions const& options) { add_examples(report, model, reviews.test, options); }, stop);
  };
  console.title("Training (measures are means of the last 20 steps)");
  InterruptFlag interrupt(
      "\nEnding early: this step is finished, then the model saved and tested. Ctrl-C again ends at once.\n");
  FitReport const fitted = trainer.fit(
      reviews.train,
      [&](StepReport const& step) {
        log.step(step, [&] {
          return examples_table("train/examples", step.step, reviews.train, trainer.last_rows(),
                                trainer.last_results().outputs, model.tokenizer());
        });
        console.step(step);
        bool const is_due = settings.eval_every > 0 && step.step % settings.eval_every == 0 && step.step < step.total_steps;
        if (!is_due || interrupt.set()) return;
        try {
          auto const tested = test<B>(model, reviews.test, trainer.recipe(), settings, console, interrupt.flag());
          log_evaluation(step.step, false, tested, interrupt.flag());
          console.print(formatted("after step %lld: accuracy %.2f %%, star error %.3f", static_cast<long long>(step.step),
                                  100 * tested.accuracy(), tested.mean_absolute_error()));
        } catch (Error const& error) {
          if (error.number() != 630) throw;  // 630: Ctrl-C; the test is given up, and training ends
        }
      },
      interrupt.flag());
  console.end_line();
  console.print(training_text(fitted));
  if (std::uint64_t const peak = peak_process_memory(); peak > 0)
    console.print("most memory of the process so far: " + MemoryPlan::size_text(peak));

  // The model is saved first: a Ctrl-C while it is tested loses nothing that took long.
  model.save(folder.path());
  nlohmann::ordered_json results = to_json(fitted);
  add_fields(results, run_description(settings, model));
  describe_device(model.context(), folder, results);
  results["peak_memory_bytes"] = peak_process_memory();
  write_json_file(folder / "results.json", results);
  console.print("the model is saved in " + printable_text(folder.path().string()));

  console.title("Test");
  bool const ended_early = interrupt.set();  // then the next Ctrl-C ends everything, else the first one ends the test
  auto const tested =
      test<B>(model, reviews.test, trainer.recipe(), settings, console, ended_early ? nullptr : interrupt.flag());
  console.end_line();
  console.print(measures_text(tested));
  if (settings.is_demo()) compare_with_bag_of_words(reviews, tested.accuracy(), console, results);
  auto const mistakes = worst_mistakes(tested.outputs, reviews.test, 5);
  console.title("The worst mistakes (texts as the model reads them)");
  console.print(mistakes_text(mistakes, tested.outputs, reviews.test, model.tokenizer(), console.terminal().width));

  // Every number, every prediction.
  add_fields(results, to_json(tested));
  results["worst_mistakes"] = mistakes_json(mistakes, tested.outputs, reviews.test);
  if (settings.doctor) results["findings"] = log.findings();
  write_predictions(folder / "predictions.jsonl", tested.outputs, reviews.test);
  write_json_file(folder / "results.json", results);
  log_evaluation(trainer.steps(), true, tested, ended_early ? nullptr : interrupt.flag());
  log.finish(results, fitted.interrupted, [&model] { return weights_sha256(model); });
}

// What a person should see before the run: model, reviews, settings.
inline void introduce(Settings const& settings, BertConfig const& config, Index parameters, int threads,
                      Ledger const& ledger, Tokenizer const& tokenizer, std::string const& memory, data::Imdb const& reviews,
                      Console& console) {
  console.title("Model");
  console.print(describe(config, parameters, threads));
  if (!settings.computing.empty()) console.print(settings.computing);
  console.print(settings.is_demo() ? "all parameters are new: nothing is pretrained here" : ledger.summary());
  for (auto const& note : tokenizer.notes()) console.print(printable_text(note));
  if (!memory.empty()) console.print("memory for training: " + memory);
  console.title("Reviews");
  console.print("train: " + data_summary(reviews.train) + "\n       " +
                length_summary(reviews.train.tokens, settings.max_length));
  console.print("test:  " + data_summary(reviews.test) + "\n       " +
                length_summary(reviews.test.tokens, settings.max_length));
  if (!reviews.problems.empty()) console.print("problems in the data:\n" + problems_text(reviews.problems));
  console.title("Settings");
  console.print(describe(settings, console.terminal().width));
}

// Looks for mistakes in weights, data and settings. Errors: E928 one was found that no training can mend, and --strict.
template <Backend B>
std::vector<Finding> ask_doctor(Model<B>& model, data::Imdb const& reviews, Training const& recipe,
                                TrainerOptions const& training, std::filesystem::path const& folder,
                                Settings const& settings, Console& console) {
  DoctorOptions doctor;
  doctor.training = training;
  doctor.folder = folder;
  doctor.max_length = settings.max_length;
  console.title("Doctor");
  auto findings = examine(model, reviews.train, &reviews.test, recipe, doctor);
  console.print(findings_text(shown_findings(findings, settings.doctor_only), console.terminal()));
  if (settings.strict || settings.doctor_only) refuse_errors(findings);
  return findings;
}

// What to do, and with what: a backend's options name its threads or its device.
template <Backend B>
int finetune(Settings settings, typename B::Options const& backend) {
  Console console;
  std::optional<RunFolder> folder;
  if (!settings.doctor_only) folder.emplace(make_run_folder(settings));  // first, so that one that cannot be is told at once

  // 1. A model with a tokenizer, and reviews with labels. Without --model and --data both are made from nothing.
  typename Model<B>::ModelOptions const options{backend, settings.seed, settings.dropout, {}};
  data::ImdbOptions subset{0, std::size_t(settings.train_examples), std::size_t(settings.test_examples), settings.seed, {}};
  Training const recipe = recipe_of(settings);
  TrainerOptions const training{settings.lr,     settings.batch_size, settings.step_every,
                                settings.epochs, settings.num_steps,  settings.seed};
  MemoryPlan plan;
  if (!settings.is_demo()) {  // says what is too much before anything is loaded
    auto const config = BertConfig::from_file(std::filesystem::path(settings.model) / "config.json");
    auto largest = training;
    if (settings.train_examples > 0) largest.batch_size = std::min(training.batch_size, settings.train_examples);
    EvaluationOptions evaluation;
    evaluation.batch_size = settings.eval_batch;
    if (settings.test_examples > 0) evaluation.batch_size = std::min(evaluation.batch_size, settings.test_examples);
    plan = training_memory_plan<Model<B>>(config, recipe, largest, settings.max_length, options, evaluation);
    if (settings.num_steps > 0 && settings.epochs > 0) plan.require();
  }
  std::optional<Model<B>> made;
  if (!settings.is_demo()) made = load_model<Model<B>>(settings.model, options, console);
  data::Imdb reviews;
  if (settings.is_demo()) {
    reviews = demo_reviews(subset);
    made = demo_model<Model<B>>(reviews.train, options);
  }
  Model<B>& model = *made;
  use_recorded_algorithms(model.context(), settings, console);
  if (folder) folder->require_space(sizeof(float) * std::uint64_t(model.parameters().values()));

  // 2. Texts become tokens, [CLS] ... [SEP], without padding; those of an earlier run with the same reviews are at hand.
  if (std::string const note = limit_length(settings, model.max_length()); !note.empty()) console.print(note);
  subset.max_length = settings.max_length;
  if (settings.is_demo())
    for (data::Dataset* split : {&reviews.train, &reviews.test}) tokenise(model, *split, settings.max_length, console);
  else
    reviews = tokenised_reviews(model, settings.data, subset, settings.token_cache, console);

  std::string const memory = settings.is_demo()
                                 ? ""
                                 : MemoryPlan::size_text(plan.total()) +
                                       (settings.memory_plan ? "\n" + plan.text() : " (--memory-plan shows its parts)");
  introduce(settings, model.config(), model.parameters().values(), model.context().threads(), model.ledger(),
            model.tokenizer(), memory, reviews, console);

  // 3. The doctor looks for mistakes in weights, data and settings.
  std::vector<Finding> findings;
  if (settings.doctor || settings.doctor_only) {
    findings = ask_doctor<B>(model, reviews, recipe, training, folder ? folder->path() : std::filesystem::current_path(),
                             settings, console);
    if (settings.doctor_only) return 0;
    if (gravest(findings) == Severity::error) console.print("the run goes on all the same (--strict would end it here)");
  }

  // 4. The trainer that follows the recipe; training and testing. Whatever ends it, those who log it are told.
  Trainer trainer(model, training, recipe);
  RunLog log(settings, *folder, model.ledger(), findings, console);
  log.start(run_description(settings, model), Predictions::names());
  try {
    train_and_test<B>(model, reviews, trainer, settings, *folder, log, console);
  } catch (std::exception const& error) {
    log.fail(error.what(), trainer.problem());
    throw;
  }
  console.print(last_words(settings, folder->path()) + log.hints());
  if (settings.is_demo()) console.print(real_thing_text());
  return 0;
}

#if defined(HONE_FINETUNE_CPU_ELSEWHERE)  // in hone's own build: finetune_cpu.cpp, once for all programs
extern template int finetune<Cpu<fp32>>(Settings, Cpu<fp32>::Options const&);
extern template int finetune<Cpu<mixed>>(Settings, Cpu<mixed>::Options const&);
#endif

// On the processor, in the precision that the settings ask for.
inline int finetune_on_processor(Settings settings) {
  HostOptions const options{settings.threads};
  PrecisionChoice const choice = choose_precision(settings.precision, choose_instruction_set());
  settings.computing = "precision " + std::string(choice.name) + ": " + choice.why;
  return choice.name == "mixed" ? finetune<Cpu<mixed>>(std::move(settings), options)
                                : finetune<Cpu<fp32>>(std::move(settings), options);
}

}  // namespace hone::examples
