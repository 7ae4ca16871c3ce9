// hone predict: rates texts; JSON lines in the order of the texts, as soon as they are known.
#pragma once

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "../finetune_imdb.hpp"
#include "command.hpp"

namespace hone::examples {

/// Reads lines from a descriptor, and knows whether the next one would have to be waited for.
class LineReader {
 public:
  static constexpr std::size_t longest = std::size_t{16} << 20;

  LineReader(int descriptor, std::string name) : descriptor_(descriptor), name_(std::move(name)) {}

  /// The next line, without its end; false after the last one. Errors: E926 it cannot be read, or is too long.
  bool next(std::string& line) {
    std::size_t end;
    while ((end = buffer_.find('\n', begin_)) == buffer_.npos && !at_end_) {
      if (buffer_.size() - begin_ > longest)
        throw Error(926, "a line is too long", {.file = name_, .line = number_ + 1, .allowed = "16 MiB"},
                    "put each text on a line of its own");
      fill();
    }
    if (end == buffer_.npos && begin_ == buffer_.size()) return false;
    line = buffer_.substr(begin_, end == buffer_.npos ? buffer_.npos : end - begin_);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    begin_ = end == buffer_.npos ? buffer_.size() : end + 1;
    ++number_;
    return true;
  }
  /// Another line, or the end, is there without waiting.
  bool ready() {
    while (buffer_.find('\n', begin_) == buffer_.npos && !at_end_) {
      pollfd ask{descriptor_, POLLIN, 0};
      if (::poll(&ask, 1, 0) <= 0) return false;
      if (buffer_.size() - begin_ > longest) return true;
      fill();
    }
    return true;
  }
  std::int64_t number() const { return number_; }

 private:
  void fill() {
    buffer_.erase(0, begin_);
    begin_ = 0;
    char piece[65536];
    ssize_t got;
    do got = ::read(descriptor_, piece, sizeof piece);
    while (got < 0 && errno == EINTR);
    if (got < 0)
      throw Error(926, "a text cannot be read", {.file = name_, .value = std::strerror(errno)}, "check the file");
    if (got == 0) at_end_ = true;
    buffer_.append(piece, static_cast<std::size_t>(got));
  }

  int descriptor_;
  std::string name_;
  std::string buffer_{};
  std::size_t begin_ = 0;
  std::int64_t number_ = 0;
  bool at_end_ = false;
};

/// Rates texts in batches. A text that cannot be rated gets a line with the error, and the rest goes on.
class Predictor {
 public:
  using P = Model<Cpu<fp32>>;

  Predictor(P& model, Index max_length, std::size_t batch_size) : model_(model), max_length_(max_length), at_once_(batch_size) {}

  /// @param id  of a line of JSON, handed through; null: none
  void add(std::string source, std::string text, nlohmann::json id = nullptr) {
    nlohmann::ordered_json line;
    if (!id.is_null()) line["id"] = std::move(id);
    line["source"] = source;
    hone::detail::mend_utf8(text);
    if (hone::detail::is_blank(text)) {
      refuse(std::move(line), Error(404, "there is nothing to rate in a text",
                                    {.file = source, .value = std::to_string(text.size()) + " bytes"},
                                    "give a text with words"));
      return;
    }
    lines_.push_back(std::move(line));
    rows_.push_back(Index(texts_.size()));
    texts_.sources.push_back(std::move(source));
    texts_.texts.push_back(std::move(text));
    if (texts_.size() >= at_once_) flush();
  }
  void refuse(nlohmann::ordered_json line, Error const& error) {
    line["error"] = {{"number", "E" + std::to_string(error.number())}, {"message", error.what()}};
    lines_.push_back(std::move(line));
    rows_.push_back(-1);
    ++refused_;
    if (lines_.size() >= 4 * at_once_) flush();
  }
  /// Writes what has come so far. Errors: E70x standard output cannot be written.
  void flush() {
    if (lines_.empty()) return;
    Outputs<Predictions> outputs;
    if (texts_.size() > 0) {
      texts_.tokens = model_.tokenizer().encode_batch(texts_.texts, max_length_, model_.context().pool());
      outputs = test_set_predictions(model_, texts_, Index(at_once_));
    }
    std::string written;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      if (Index const row = rows_[i]; row >= 0) {
        double const positive = softmax(std::span(outputs.template get<"is_positive">().row(row), 2))[1];
        lines_[i]["is_positive"] = positive >= 0.5;
        lines_[i]["is_positive_probability"] = positive;
        lines_[i]["star_rating"] = outputs.template get<"star_rating">()(row, 0);
        lines_[i]["tokens"] = texts_.tokens[std::size_t(row)].size();
      }
      written += json_line(lines_[i]) + "\n";
    }
    total_ += lines_.size();
    lines_.clear();
    rows_.clear();
    texts_ = {};
    errno = 0;
    if (std::fwrite(written.data(), 1, written.size(), stdout) != written.size() || std::fflush(stdout) != 0)
      throw hone::detail::write_error(errno, "writing predictions", "standard output", written.size());
  }
  std::size_t refused() const { return refused_; }
  std::size_t total() const { return total_ + lines_.size(); }

 private:
  P& model_;
  Index max_length_;
  std::size_t at_once_;
  data::Dataset texts_{};
  std::vector<nlohmann::ordered_json> lines_{};  ///< what is known before rating
  std::vector<Index> rows_{};                    ///< of each line its text; -1: it was refused
  std::size_t refused_ = 0, total_ = 0;
};

struct PredictOptions {
  std::string run{}, format = "auto";
  std::vector<std::string> texts{}, files{}, whole_files{};
  int threads = 0;
  std::int64_t max_length = 512, batch_size = 32;
};

/// Rates every line of a descriptor. Lines are texts, or JSON objects with "text" (and "id", handed through).
inline void predict_lines(Predictor& predictor, int descriptor, std::string const& name, std::string const& format) {
  LineReader reader(descriptor, name);
  std::string line;
  enum class Kind { unknown, text, json } kind = format == "text" ? Kind::text : format == "jsonl" ? Kind::json : Kind::unknown;
  while (reader.next(line)) {
    std::string const source = (name.empty() ? "" : name + ": ") + "line " + std::to_string(reader.number());
    if (kind == Kind::unknown && !hone::detail::is_blank(line)) {  // the first line with something in it decides
      auto const object = nlohmann::json::parse(line, nullptr, false);
      kind = object.is_object() && object.contains("text") ? Kind::json : Kind::text;
    }
    if (kind != Kind::json || hone::detail::is_blank(line)) {
      predictor.add(source, line);
    } else {
      try {
        auto const object = parse_json(line, source);
        if (!object.is_object() || !object.contains("text") || !object["text"].is_string())
          throw Error(926, "a line is not a JSON object with a text", {.file = source, .allowed = "{\"text\": \"...\"}"},
                      "correct the line, or give --format text");
        predictor.add(source, object["text"].get<std::string>(), object.value("id", nlohmann::json()));
      } catch (Error const& error) {
        predictor.refuse({{"source", source}}, error);
      }
    }
    if (!reader.ready()) predictor.flush();  // somebody waits for an answer
  }
}

inline int predict(PredictOptions const& options) {
  Console console(stderr);
  auto model = trained_model<Predictor::P>(options.run, options.threads, console);
  Predictor predictor(model, std::min(options.max_length, model.max_length()), std::size_t(options.batch_size));
  for (std::size_t i = 0; i < options.texts.size(); ++i)
    predictor.add("argument " + std::to_string(i + 1), options.texts[i]);
  for (auto const& file : options.whole_files) predictor.add(file, read_file(file, std::uint64_t{1} << 24));
  for (auto const& file : options.files) {
    if (file == "-") {
      predict_lines(predictor, STDIN_FILENO, "", options.format);
      continue;
    }
    int const descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
      throw Error(201, "a file cannot be opened", {.file = file, .value = std::strerror(errno)}, "check the path");
    std::unique_ptr<int const, void (*)(int const*)> const closing(&descriptor, [](int const* open) { ::close(*open); });
    predict_lines(predictor, descriptor, file, options.format);
  }
  if (options.texts.empty() && options.files.empty() && options.whole_files.empty())
    predict_lines(predictor, STDIN_FILENO, "", options.format);
  predictor.flush();
  if (predictor.refused() > 0)
    throw Error(927, "some texts could not be rated",
                {.value = std::to_string(predictor.refused()) + " of " + std::to_string(predictor.total())},
                "see the lines with \"error\"; all others are rated");
  return 0;
}

inline Command predict_command(CLI::App& hone) {
  auto* const app = add_command(
      hone, "predict",
      "Rates texts: how likely each is positive, and how many stars it gives. JSON lines, in the order of the texts.",
      {"runs/demo \"what a film!\"\ta text as argument", "runs/demo < reviews.txt > ratings.jsonl\ta text a line"},
      ", also when one of the texts could not be rated");
  auto options = std::make_shared<PredictOptions>();
  app->add_option("RUN", options->run, "folder of a run, or of a model that it saved")->required();
  app->add_option("TEXT", options->texts, "texts to rate; none: lines of standard input");
  app->add_option("--file", options->files, "files with a text a line; - is standard input")->expected(1);
  app->add_option("--whole-file", options->whole_files, "files that are one text each")->expected(1);
  app->add_option("--format", options->format,
                  "of lines: text, or jsonl: objects with \"text\", and \"id\" if you like; auto: by the first line")
      ->check(CLI::IsMember({"auto", "text", "jsonl"}))
      ->capture_default_str();
  app->add_option("--max-length", options->max_length, "tokens of a text, longer ones are cut")
      ->check(CLI::Range(2, 65535))
      ->capture_default_str();
  app->add_option("--batch-size", options->batch_size, "texts at once")->check(CLI::Range(1, 100000))->capture_default_str();
  app->add_option("--threads", options->threads, "threads; 0: all that the process may use")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  return {app, [options](auto const&) { return predict(*options); }};
}

}  // namespace hone::examples
