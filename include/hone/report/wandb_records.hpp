// The records of a Weights & Biases run: wandb_internal.proto of the wandb package, as far as a training needs it.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/matrix.hpp"
#include "hone/report/protobuf.hpp"
#include "hone/text/unicode.hpp"

namespace hone::detail::wandb {

/// The fields of Record that are used: which of them is there says what the record is.
enum RecordKind : std::uint32_t {
  history = 2,
  summary = 3,
  config = 5,
  files = 6,
  stats = 7,
  artifact = 8,
  metric = 12,
  output_raw = 13,
  run = 17,
  exit = 18,
  final = 20,
  header = 21,
  footer = 22
};

/// A value as JSON. Numbers that are not finite inside of objects become null, bytes that are not UTF-8 become U+FFFD.
std::string json_text(nlohmann::ordered_json const& value);

/// A measured number as JSON, with the words that W&B's own client writes for what is not finite: a loss of NaN is shown so.
std::string number_text(double value);

/// Names and values as JSON: a line of the history, part of the summary or of the configuration.
class Items {
 public:
  void add(std::string_view key, std::string json) { items_.emplace_back(valid_utf8(key), std::move(json)); }
  void number(std::string_view key, double value) { add(key, number_text(value)); }
  void integer(std::string_view key, std::int64_t value) { add(key, std::to_string(value)); }
  bool empty() const { return items_.empty(); }
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }

  /// Item messages in field 1: key (never nested_key, which older versions do not read) and value_json.
  ProtobufWriter message() const {
    ProtobufWriter writer;
    for (auto const& [key, json] : items_) {
      writer.message(1, ProtobufWriter().text(1, key).text(16, json));
    }
    return writer;
  }

 private:
  std::vector<std::pair<std::string, std::string>> items_{};
};

/// google.protobuf.Timestamp
ProtobufWriter timestamp(std::chrono::system_clock::time_point time);

/// The bytes of a record. `number` counts from 1.
std::string record(std::int64_t number, RecordKind kind, ProtobufWriter const& content);

/// HeaderRecord: who wrote it, and the oldest client that can read it (as the real one says).
ProtobufWriter header_record(std::string_view producer);

/// MetricRecord: `name` is drawn over `step_metric` (empty: `name` is such an axis).
ProtobufWriter metric_record(std::string_view name, std::string_view step_metric);

/// HistoryRecord: one line of the history. `items` hold _step too.
ProtobufWriter history_record(Items const& items, Index step);

/// FilesRecord for one file below files/.
ProtobufWriter files_record(std::string_view path, bool media);

/// OutputRawRecord: a line of the console.
ProtobufWriter output_record(std::string_view line, std::chrono::system_clock::time_point time);

/// What stands in a record of a log, as far as continuing that log needs it.
struct RecordView {
  std::uint32_t kind = 0;  ///< a RecordKind, or another field; 0: none
  std::string_view content{};
};

/// The kind and the content of a record.
RecordView view_record(std::string_view bytes);

/// The first field `number` of a message. wire 9: it is not there.
ProtobufField find_field(std::string_view message, std::uint32_t number);

#if HONE_BODIES

HONE_INLINE std::string json_text(nlohmann::ordered_json const& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

HONE_INLINE std::string number_text(double value) {
  if (std::isfinite(value)) return nlohmann::json(value).dump();
  return std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

HONE_INLINE ProtobufWriter timestamp(std::chrono::system_clock::time_point time) {
  auto const nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
  auto const seconds = nanoseconds / 1'000'000'000 - (nanoseconds % 1'000'000'000 < 0 ? 1 : 0);
  return ProtobufWriter().integer(1, seconds).integer(2, nanoseconds - seconds * 1'000'000'000);
}

HONE_INLINE std::string record(std::int64_t number, RecordKind kind, ProtobufWriter const& content) {
  return ProtobufWriter().integer(1, number).message(kind, content).bytes();
}

HONE_INLINE ProtobufWriter header_record(std::string_view producer) {
  return ProtobufWriter().message(1, ProtobufWriter().text(1, producer).text(2, "0.70.0"));
}

HONE_INLINE ProtobufWriter metric_record(std::string_view name, std::string_view step_metric) {
  ProtobufWriter options;
  options.integer(3, 1);  // defined
  return ProtobufWriter().text(1, valid_utf8(name)).text(4, step_metric).message(6, options);
}

HONE_INLINE ProtobufWriter history_record(Items const& items, Index step) {
  return items.message().message(2, ProtobufWriter().integer(1, step));
}

HONE_INLINE ProtobufWriter files_record(std::string_view path, bool media) {
  return ProtobufWriter().message(1, ProtobufWriter().text(1, valid_utf8(path)).integer(3, media ? 2 : 1));
}

HONE_INLINE ProtobufWriter output_record(std::string_view line, std::chrono::system_clock::time_point time) {
  ProtobufWriter writer;
  writer.integer(1, 1);  // standard output
  return writer.message(2, timestamp(time)).text(3, valid_utf8(line) + "\n");
}

HONE_INLINE RecordView view_record(std::string_view bytes) {
  RecordView view;
  ProtobufReader fields(bytes);
  while (auto const field = fields.next()) {
    bool const other = field->number == 1 || field->number == 16 || field->number == 19 || field->number == 200;
    if (field->wire == 2 && !other) view = {field->number, field->bytes};
  }
  return view;
}

HONE_INLINE ProtobufField find_field(std::string_view message, std::uint32_t number) {
  ProtobufReader fields(message);
  while (auto const field = fields.next()) {
    if (field->number == number) return *field;
  }
  ProtobufField none;
  none.wire = 9;
  return none;
}

#endif

}  // namespace hone::detail::wandb
