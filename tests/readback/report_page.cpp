// Writes the pages that report_page.py opens in a browser: report_page FOLDER
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "hone/core/philox.hpp"
#include "hone/report/html_report.hpp"

namespace {

using namespace hone;

std::vector<std::string> const words{"the",  "film", "was",   "slow",  "but",     "its",    "ending", "moved", "me",
                                     "and",  "I",    "never", "liked", "actors",  "music",  "a",      "great", "dull",
                                     "plot", "with", "of",    "all",   "nothing", "better", "worse"};

/// A text of so many words with one token a word, and weights that look like those of a model.
ReportExample example_of(std::size_t row, std::size_t length, std::vector<HeadPredictions> const& heads) {
  PhiloxStream random(7, row);
  ReportExample example;
  example.row = row;
  example.source = "test/" + std::string(heads[0].truth.empty() || heads[0].truth[row] > 0 ? "pos/" : "neg/") +
                   std::to_string(row) + ".txt";
  example.heads = detail::predictions_of(heads, row);
  for (std::size_t i = 0; i < length; ++i) {
    if (i > 0) example.text += ' ';
    auto const begin = static_cast<std::int64_t>(example.text.size());
    example.text += words[std::size_t(random.below(words.size()))];
    example.tokens.push_back({begin, static_cast<std::int64_t>(example.text.size())});
    for (auto& head : example.heads) head.weights.push_back(std::pow(2 * random.uniform() - 1, 3));
  }
  example.length = Index(length) + 2;
  return example;
}

/// An evaluation of `count` texts: a classifying head that is right more often where it is sure, a rating head.
EvaluationRecord evaluation_of(std::size_t count, bool labels) {
  PhiloxStream random(3, 1);
  HeadPredictions sentiment{"is_positive", 2, {}, {}, {}}, stars{"star_rating", 0, {}, {}, {}};
  for (std::size_t i = 0; i < count; ++i) {
    static double const ratings[] = {1, 2, 3, 4, 7, 8, 9, 10};
    double const truth = ratings[random.below(8)];
    double const logit = (truth > 5 ? 1.0 : -1.0) * 1.6 + 2.2 * (random.uniform() + random.uniform() - 1);
    double const p = 1 / (1 + std::exp(-1.8 * logit));
    if (labels) sentiment.truth.push_back(truth > 5 ? 1 : 0), stars.truth.push_back(truth);
    sentiment.predicted.push_back(p > 0.5 ? 1 : 0);
    sentiment.probabilities.push_back(1 - p);
    sentiment.probabilities.push_back(p);
    stars.predicted.push_back(5.5 + 2.1 * logit + 1.5 * (random.uniform() - 0.5));
  }
  return {600, true, {}, {sentiment, stars}};
}

std::vector<StepReport> steps_of(Index count, bool groups) {
  std::vector<StepReport> steps;
  PhiloxStream random(5, 2);
  double elapsed = 0;
  for (Index i = 1; i <= count; ++i) {
    StepReport step;
    double const t = double(i) / double(count), noise = 0.3 * (random.uniform() - 0.5);
    step.step = i;
    step.total_steps = 600;
    step.losses = {{"is_positive", 0.25 + 0.45 * std::exp(-5 * t) + noise * 0.6},
                   {"star_rating", 1.3 + 2 * std::exp(-4 * t) + noise}};
    step.accuracy = std::min(1.0, 0.5 + 0.4 * (1 - std::exp(-5 * t)) + noise * 0.4);
    step.learning_rate = 2e-5 * (t < 0.1 ? 10 * t : (1 - t) / 0.9);
    step.grad_norm = i == count / 2 ? 60 : 1.5 + 2 * random.uniform();
    if (groups)
      for (char const* name :
           {"embeddings", "layer.0", "layer.1", "layer.2", "layer.3", "layer.4", "layer.5", "is_positive", "star_rating"})
        step.group_norms.emplace_back(name, step.grad_norm * (0.05 + random.uniform()) * (name[0] == 'e' ? 0.1 : 1));
    step.examples = 16;
    step.tokens = 4300;
    step.seconds = 2.1 + noise;
    elapsed += step.seconds;
    step.elapsed = elapsed;
    step.total_tokens = 4300 * i;
    steps.push_back(step);
  }
  return steps;
}

void add_start(ReportData& report, std::string const& name) {
  report.start.name = name;
  report.start.folder = "runs/" + name;
  report.start.heads = {"is_positive", "star_rating"};
  report.start.command = {"hone",   "finetune",          "--model", "models/all-MiniLM-L6-v2",
                          "--data", "my reviews.tar.gz", "--seed",  "3"};
  report.start.config = {{"settings", {{"lr", 2e-5}, {"batch_size", 16}, {"dropout", nullptr}, {"seed", 3}}},
                         {"ledger", {{"loaded", 101}, {"new", 4}, {"ignored", 3}}},
                         {"host", {{"cpu", "Some processor with a long name @ 2.00GHz"}, {"available_threads", 2}}},
                         {"precision", "fp32"}};
}

/// Everything there is, with texts that try to be more than text.
ReportData full() {
  ReportData report;
  add_start(report, "minilm-2000");
  report.steps = steps_of(600, true);
  for (Index step : {200, 400}) {
    double const t = double(step) / 600;
    report.add({step,
                false,
                {{"heads",
                  {{"is_positive",
                    {{"cross_entropy", 0.5 - 0.2 * t},
                     {"accuracy", 0.7 + 0.1 * t},
                     {"accuracy_interval", {0.68 + 0.1 * t, 0.72 + 0.1 * t}}}},
                   {"star_rating", {{"l1", 2.2 - 0.6 * t}, {"mean_absolute_error", 2.2 - 0.6 * t}}}}}},
                {}});
  }
  auto record = evaluation_of(4000, true);
  record.measures = {{"heads",
                      {{"is_positive",
                        {{"cross_entropy", 0.29},
                         {"accuracy", 0.87},
                         {"accuracy_interval", {0.861, 0.879}},
                         {"f1", 0.871},
                         {"confusion", {{1, 2}, {3, 4}}}}},
                       {"star_rating", {{"l1", 1.56}, {"mean_absolute_error", 1.56}}}}}};
  report.add(record);
  auto const& heads = report.evaluations.back().heads;
  PhiloxStream random(2, 2);
  for (std::size_t i = 0; i < 4000; ++i) report.lengths.push_back(20 + Index(std::exp(2 + 4 * random.uniform())));
  for (std::size_t i = 0; i < 60; ++i) {
    auto example = example_of(i, 30 + i, heads);
    example.lists = {-1};
    if (i == 3) example.heads[0].weights.clear(), example.heads[1].weights.clear();  // the time was over
    report.examples.push_back(example);
  }
  for (std::size_t i = 100; i < 130; ++i) {
    auto example = example_of(i, 200, heads);
    example.lists = {int(i % 2)};
    report.examples.push_back(example);
  }
  // The first text that is played, and the worst of them.
  report.examples[0].text =
      "Plain <script>window.hacked = 1</script> and <img src=x onerror='window.hacked = 2'> </script> <!-- \" ' & "
      "\xE2\x80\xA8 line separator, \xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D \xD8\xB3\xD9\x84\xD8\xA7\xD9\x85 \xE2\x80\xAE turned, "
      "\xF0\x9F\x98\x80 smile, e\xCC\x81 accent";
  report.examples[0].source = "test/\"><script>window.hacked = 3</script>.txt";
  auto const place = std::int64_t(report.examples[0].text.find("smile"));
  report.examples[0].tokens = {{0, 5}, {6, 14}, {place - 5, place - 1}, {place, place + 5}};
  for (auto& head : report.examples[0].heads) head.weights = {0.5, -0.4, 0.9, -1};
  auto& longest = report.examples[1];
  longest.text.clear();
  while (longest.text.size() < 100000) longest.text += "Wordwithoutanyblank";
  longest.tokens = {{0, 100000}};
  for (auto& head : longest.heads) head.weights = {1};
  report.examples[2].cut = true;
  report.examples[2].text += " and here it goes on, but the model has not seen it";
  report.start.config["settings"]["</script><script>window.hacked = 4</script>"] = "<b>bold</b>";
  report.findings = {{"D1", Severity::ok, "the weights are pretrained", "101 of 105 tensors were loaded", "", {}},
                     {"D7",
                      Severity::warning,
                      "3 texts are in train and test",
                      "\"<i>the same</i>\"\nsecond line",
                      "remove them from the test set",
                      {}},
                     {"D9", Severity::note, "16 % of the texts are cut at 512 tokens", "", "", {}}};
  report.ledger.emplace();
  report.ledger->add({"bert.pooler.dense.weight", "", LedgerState::ignored, "no layer of the model", {384, 384}});
  report.ledger->add({"", "is_positive.weight", LedgerState::created, "not in the file", {2, 384}});
  report.ledger->add({"embeddings.word_embeddings.weight",
                      "bert.embeddings.word_embeddings.weight",
                      LedgerState::loaded,
                      "",
                      {30522, 384}});
  report.weights_hash = std::string(64, 'a');
  report.finished = true;
  return report;
}

/// Heads of other kinds: four classes; a value that is not whole; two classes named otherwise.
ReportData other_heads() {
  ReportData report;
  add_start(report, "other heads");
  report.steps = steps_of(5000, false);
  for (auto& step : report.steps) {
    step.losses = {{"topic", step.losses[0].second}, {"price", step.losses[1].second * 1000}, {"is_spam", 0.1}};
    step.learning_rate *= 100;
  }
  HeadPredictions topic{"topic", 4, {}, {}, {}}, price{"price", 0, {}, {}, {}}, spam{"is_spam", 2, {}, {}, {}};
  PhiloxStream random(11, 0);
  for (std::size_t i = 0; i < 500; ++i) {
    double const k = double(random.below(4)), said = random.uniform() < 0.7 ? k : double(random.below(4));
    topic.truth.push_back(k);
    topic.predicted.push_back(said);
    for (int c = 0; c < 4; ++c) topic.probabilities.push_back(c == int(said) ? 0.7 : 0.1);
    double const p = std::exp(4 + 3 * random.uniform());
    price.truth.push_back(i == 3 ? std::nan("") : p);
    price.predicted.push_back(i == 4 ? std::nan("") : p * (0.7 + 0.6 * random.uniform()));
    spam.truth.push_back(0);  // one class alone: no ROC
    spam.predicted.push_back(i % 9 == 0);
    spam.probabilities.insert(spam.probabilities.end(), {i % 9 == 0 ? 0.2 : 0.9, i % 9 == 0 ? 0.8 : 0.1});
    report.lengths.push_back(7);  // all of one length
  }
  report.add({5000, true, {}, {topic, price, spam}});
  for (std::size_t i = 0; i < 12; ++i) {
    auto example = example_of(i, 12, report.evaluations.back().heads);
    for (auto& head : example.heads) head.weights.clear();
    example.tokens.clear();
    example.lists = {-1};
    report.examples.push_back(example);
  }
  report.class_names = {{"sport", "world", "science", "business"}, {}, {}};
  report.interrupted = report.finished = true;
  return report;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return std::fputs("report_page FOLDER\n", stderr), 1;
  std::filesystem::path const folder = arguments[1];
  std::filesystem::create_directories(folder);
  write_report(folder / "full.html", full());
  write_report(folder / "other_heads.html", other_heads());
  write_report(folder / "empty.html", {});
  ReportData running;
  add_start(running, "running");
  running.steps = steps_of(40, false);
  write_report(folder / "running.html", running);
  ReportData no_labels;
  add_start(no_labels, "no labels");
  no_labels.add(evaluation_of(200, false));
  for (std::size_t i = 0; i < 5; ++i) {
    no_labels.examples.push_back(example_of(i, 20, no_labels.evaluations.back().heads));
    no_labels.examples.back().lists = {-1};
  }
  no_labels.error = "[hone-E620] a loss is not finite";
  no_labels.finished = true;
  write_report(folder / "no_labels.html", no_labels);
  return 0;
}
