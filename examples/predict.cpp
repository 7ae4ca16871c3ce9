// Rates texts with a model that finetune_imdb has saved: how likely a text is positive, and how many stars it gives.
//
//   predict runs/demo "The plot is anything but dull."        texts as arguments
//   predict runs/demo --file review.txt                       each file is one text
//   predict runs/demo < reviews.txt                           each line is one text
//   predict runs/demo --json ...                              one JSON object a text
#include <hone/hone.hpp>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "command_line.hpp"
#include "hone/data/imdb.hpp"
#include "hone/report/console.hpp"
#include "hone/report/metrics_jsonl.hpp"
#include "run_program.hpp"

using namespace hone;
using Model = BertClassifier<Cpu<fp32>, SentimentAndStars>;

struct Options {
  std::string model{};
  std::vector<std::string> texts{}, files{};
  bool json = false;
  int threads = 0;
  std::int64_t max_length = 512, batch_size = 32;
};

// Rates texts and forgets them. They come from anywhere, so they are made safe for the terminal.
void show(Model& model, data::Dataset& some, Options const& options) {
  some.tokens =
      model.tokenizer().encode_batch(some.texts, std::min(options.max_length, model.max_length()), model.context().pool());
  BertClassifierOutput const ratings = test_set_predictions(model, some, Index(options.batch_size));
  for (std::size_t i = 0; i < some.size(); ++i) {
    double const positive = softmax(std::span(ratings.is_positive.row(Index(i)), 2))[1];
    double const stars = ratings.star_rating[i];
    if (options.json) {
      nlohmann::ordered_json json;
      json["source"] = some.sources[i];
      json["is_positive"] = positive >= 0.5;
      json["is_positive_probability"] = positive;
      json["star_rating"] = stars;
      json["tokens"] = some.tokens[i].size();
      std::cout << json_line(json) << '\n';
    } else {
      std::string const text = printable_text(some.texts[i]);
      std::string const start = cut_to_width(text, 60);
      std::cout << formatted("%s %5.1f %%  %4.1f stars  ", positive >= 0.5 ? "positive" : "negative",
                             100 * std::max(positive, 1 - positive), stars)
                << start << (start.size() < text.size() ? "..." : "") << '\n';
    }
  }
  std::cout.flush();
  some = {};
}

int predict(Options const& options) {
  Model model = Model::from_pretrained(options.model, {{options.threads}, 0, 0.0});
  if (std::size_t const untrained = model.ledger().count(LedgerState::created); untrained > 0)
    throw Error(905, "the model has not been trained to rate reviews",
                {.file = options.model, .value = std::to_string(untrained) + " parameters of the heads are not in its file"},
                "train it first: finetune_imdb --model " + options.model + " --data PATH");
  data::Dataset some;
  auto const add = [&](std::string const& source, std::string text) {
    if (detail::is_blank(text)) {
      show(model, some, options);  // what came before is rated all the same
      throw Error(404, "there is nothing to rate in a text",
                  {.file = source, .value = std::to_string(text.size()) + " bytes"}, "give a text with words");
    }
    detail::mend_utf8(text);
    some.sources.push_back(source);
    some.texts.push_back(std::move(text));
  };
  for (std::size_t i = 0; i < options.texts.size(); ++i) add("argument " + std::to_string(i + 1), options.texts[i]);
  for (auto const& file : options.files) add(file, read_file(file, std::uint64_t{1} << 24));
  if (!options.texts.empty() || !options.files.empty()) {
    show(model, some, options);
    return 0;
  }
  // Lines are rated in batches, so that input without end needs no memory without end; of a person's, each at once.
  std::size_t const at_once = ::isatty(STDIN_FILENO) ? 1 : std::size_t(options.batch_size);
  std::string line;
  for (std::size_t number = 1; std::getline(std::cin, line); ++number) {
    add("line " + std::to_string(number), line);
    if (some.size() == at_once) show(model, some, options);
  }
  show(model, some, options);
  return 0;
}

int main(int argc, char** argv) {
  return examples::run_program([&] {
    Options options;
    CLI::App app("Rates texts with a model saved by finetune_imdb: texts as arguments, files, or lines of standard input.",
                 "predict");
    app.add_option("model", options.model, "folder of the model")->required();
    app.add_option("text", options.texts, "texts to rate");
    app.add_option("--file", options.files, "files to rate, each one text");
    app.add_flag("--json", options.json, "one JSON object a text");
    app.add_option("--max-length", options.max_length, "tokens of a text, longer ones are cut")
        ->check(CLI::Range(2, 65535))
        ->capture_default_str();
    app.add_option("--batch-size", options.batch_size, "texts at once")->check(CLI::Range(1, 100000))->capture_default_str();
    app.add_option("--threads", options.threads, "threads; 0: all that the process may use")
        ->check(CLI::Range(0, 1024))
        ->capture_default_str();
    return examples::parse_command_line(app, argc, argv) ? predict(options) : 0;
  });
}
