// metrics.jsonl: one JSON object a line, one line a step, each on the disk's way as soon as the step is done.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "hone/core/config.hpp"
#include "hone/core/growing_file.hpp"
#include "hone/core/input_file.hpp"
#include "hone/train/step_report.hpp"

#if HONE_BODIES
#include <nlohmann/json.hpp>
#endif

namespace hone {

/// JSON as one line. Numbers that are not finite become null, bytes that are not UTF-8 become U+FFFD: always valid JSON.
std::string json_line(nlohmann::ordered_json const& json);

/// The object of a step: step, epoch, NAME_loss for every head, accuracy, learning_rate, grad_norm (before clipping),
/// group_norms (an object: its parts by layer, where they are known), examples, tokens (real ones of this step), seconds (of
/// this step), elapsed (training seconds so far), total_tokens.
nlohmann::ordered_json to_json(StepReport const& step);

/// A file of JSON lines that grows. Each line goes to the system as it is added, whole, so that a run that is killed keeps
/// its lines; a line that a full disk or a power failure tore is cut off when the file is opened again.
///
/// Errors: E701 disk full, E702 permission denied, E703 no such folder, E705 any other failure,
/// E708 another process writes to it. A line that did not fit is
/// taken back: the file then ends with the line before.
class JsonLinesFile {
 public:
  enum class Open { fresh, append };

  explicit JsonLinesFile(std::filesystem::path path, Open how = Open::fresh) : file_(std::move(path)) {
    file_.cut(how == Open::append ? end_of_lines() : 0);
  }

  std::filesystem::path const& path() const { return file_.path(); }

  /// Adds one line.
  void add(nlohmann::ordered_json const& json);
  void add(StepReport const& step);

 private:
  /// Where the last whole line ends.
  std::uint64_t end_of_lines() const;

  GrowingFile file_;
};

#if HONE_BODIES

HONE_INLINE std::string json_line(nlohmann::ordered_json const& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

HONE_INLINE nlohmann::ordered_json to_json(StepReport const& step) {
  nlohmann::ordered_json json;
  json["step"] = step.step;
  json["epoch"] = step.epoch;
  for (auto const& [head, loss] : step.losses) json[head + "_loss"] = loss;
  json["accuracy"] = step.accuracy;
  json["learning_rate"] = step.learning_rate;
  json["grad_norm"] = step.grad_norm;
  for (auto const& [group, norm] : step.group_norms) json["group_norms"][group] = norm;
  json["examples"] = step.examples;
  json["tokens"] = step.tokens;
  json["seconds"] = step.seconds;
  json["elapsed"] = step.elapsed;
  json["total_tokens"] = step.total_tokens;
  return json;
}

HONE_INLINE void JsonLinesFile::add(nlohmann::ordered_json const& json) {
  file_.add(json_line(json) + "\n", "adding a line");
}

HONE_INLINE void JsonLinesFile::add(StepReport const& step) { add(to_json(step)); }

HONE_INLINE std::uint64_t JsonLinesFile::end_of_lines() const {
  InputFile const file(file_.path());
  char piece[4096];
  for (std::uint64_t end = file.size(); end > 0;) {
    std::uint64_t const begin = end > sizeof piece ? end - sizeof piece : 0;
    std::string_view const bytes(piece, file.read_some(begin, piece, static_cast<std::size_t>(end - begin)));
    if (auto const newline = bytes.rfind('\n'); newline != std::string_view::npos) return begin + newline + 1;
    end = begin;
  }
  return 0;
}

#endif

}  // namespace hone
