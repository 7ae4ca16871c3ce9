// The messages in TensorBoard's event files (tensorboard/compat/proto/event.proto, summary.proto and those of its plugins).
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/report/protobuf.hpp"
#include "hone/text/unicode.hpp"

namespace hone::detail::tensorboard {

/// Seconds since 1970.
double wall_time(std::chrono::system_clock::time_point time = std::chrono::system_clock::now());

/// Event: wall_time, step; the caller adds what happened.
ProtobufWriter event(std::int64_t step, double time);

/// Summary.Value with its tag.
ProtobufWriter value(std::string_view tag);

/// SummaryMetadata of a plugin whose values are tensors.
ProtobufWriter metadata(std::string_view plugin, std::string_view content);

enum TensorType : std::int64_t { float_tensor = 1, string_tensor = 7 };

ProtobufWriter shape(std::initializer_list<std::int64_t> sizes);

/// Several values of one step: what an Event holds in one Summary.
class Summary {
 public:
  void scalar(std::string_view tag, double number) {
    values_.message(1, value(tag).real32(2, static_cast<float>(number), Presence::always));
  }
  /// Text that is shown as Markdown.
  void text(std::string_view tag, std::string_view markdown) {
    auto const tensor =
        ProtobufWriter().integer(1, string_tensor).message(2, shape({})).text(8, valid_utf8(markdown), Presence::always);
    values_.message(1, value(tag).message(9, metadata("text", "")).message(8, tensor));
  }
  /// How numbers are spread over `buckets` equal buckets between `low` and `high` (their own extremes where low > high).
  /// Numbers that are not finite are left out. Nothing is written when there is no number.
  void histogram(std::string_view tag, std::span<double const> numbers, int buckets = 30, double low = 1, double high = 0) {
    double least = std::numeric_limits<double>::infinity(), most = -least, sum = 0, squares = 0;
    double count = 0;
    for (double const x : numbers) {
      if (!std::isfinite(x)) continue;
      least = std::min(least, x), most = std::max(most, x);
      sum += x, squares += x * x, ++count;
    }
    if (count == 0) return;
    if (low > high) low = least, high = most;
    std::vector<double> limits, counts(static_cast<std::size_t>(buckets), 0.0);
    for (int b = 1; b <= buckets; ++b) limits.push_back(b == buckets ? high : low + (high - low) / buckets * b);
    for (double const x : numbers)
      if (std::isfinite(x)) {
        auto const at = std::lower_bound(limits.begin(), limits.end() - 1, x) - limits.begin();
        ++counts[static_cast<std::size_t>(at)];
      }
    ProtobufWriter histogram;
    histogram.real(1, least).real(2, most).real(3, count).real(4, sum).real(5, squares);
    histogram.packed_reals(6, limits).packed_reals(7, counts);
    values_.message(1, value(tag).message(5, histogram));
  }
  /// Precision and recall of "class 1 where its probability is t or more" for equally spaced t in [0, 1].
  void precision_recall(std::string_view tag, std::span<double const> is_class, std::span<double const> probability,
                        int thresholds) {
    auto const count = static_cast<std::size_t>(thresholds);
    std::vector<double> right(count + 1), wrong(count + 1);  // predicted as class 1 from threshold j on: sums from the end
    for (std::size_t i = 0; i < is_class.size(); ++i) {
      double const p = probability[i] > 0 ? std::min(probability[i], 1.0) : 0.0;  // NaN counts as 0
      auto const last = static_cast<std::size_t>(p * static_cast<double>(count - 1));
      ++(is_class[i] == 1 ? right : wrong)[last];
    }
    for (std::size_t j = count; j-- > 0;) right[j] += right[j + 1], wrong[j] += wrong[j + 1];
    std::vector<float> rows(6 * count);  // true and false positives, true and false negatives, precision, recall
    for (std::size_t j = 0; j < count; ++j) {
      double const missed = right[0] - right[j], predicted = right[j] + wrong[j];
      double const all[] = {right[j],
                            wrong[j],
                            wrong[0] - wrong[j],
                            missed,
                            predicted > 0 ? right[j] / predicted : 0,
                            right[0] > 0 ? right[j] / right[0] : 0};
      for (std::size_t row = 0; row < 6; ++row) rows[row * count + j] = static_cast<float>(all[row]);
    }
    auto const tensor = ProtobufWriter().integer(1, float_tensor).message(2, shape({6, thresholds})).packed_reals32(5, rows);
    auto const content = ProtobufWriter().integer(2, thresholds);
    values_.message(1, value(tag).message(9, metadata("pr_curves", content.bytes())).message(8, tensor));
  }
  /// HParamsPluginData under its tag.
  void hparams(std::string_view tag, ProtobufWriter const& data) {
    auto const nothing = ProtobufWriter().integer(1, float_tensor).message(2, shape({0}));
    values_.message(1, value(tag).message(9, metadata("hparams", data.bytes())).message(8, nothing));
  }

  bool empty() const { return values_.bytes().empty(); }
  std::string event(std::int64_t step, double time = wall_time()) const {
    return tensorboard::event(step, time).message(5, values_).bytes();
  }

 private:
  ProtobufWriter values_{};
};

/// google.protobuf.Value of a setting. What is no number, text or truth value is shown as JSON.
ProtobufWriter setting_value(nlohmann::ordered_json const& json);

using Setting = std::pair<std::string, nlohmann::ordered_json>;

/// HParamsPluginData {session_start_info}: the settings of a run.
ProtobufWriter session_start(std::vector<Setting> const& settings, std::string_view group, double time);
/// HParamsPluginData {session_end_info}.
ProtobufWriter session_end(bool success, double time);
/// HParamsPluginData {experiment}: which settings and which scalars are columns of the table.
ProtobufWriter experiment(std::vector<Setting> const& settings, std::vector<std::string> const& metrics, double time);

/// Text as Markdown shows it, letter by letter: what could be markup, or end a table's cell, becomes a reference to a
/// character. Line ends become spaces.
std::string escaped_markdown(std::string_view text);

#if HONE_BODIES

HONE_INLINE double wall_time(std::chrono::system_clock::time_point time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

HONE_INLINE ProtobufWriter event(std::int64_t step, double time) { return ProtobufWriter().real(1, time).integer(2, step); }

HONE_INLINE ProtobufWriter value(std::string_view tag) { return ProtobufWriter().text(1, valid_utf8(tag)); }

HONE_INLINE ProtobufWriter metadata(std::string_view plugin, std::string_view content) {
  constexpr int tensor_class = 2;
  return ProtobufWriter().message(1, ProtobufWriter().text(1, plugin).text(2, content)).integer(4, tensor_class);
}

HONE_INLINE ProtobufWriter shape(std::initializer_list<std::int64_t> sizes) {
  ProtobufWriter shape;
  for (auto const size : sizes) shape.message(2, ProtobufWriter().integer(1, size));
  return shape;
}

HONE_INLINE ProtobufWriter setting_value(nlohmann::ordered_json const& json) {
  if (json.is_boolean()) return ProtobufWriter().integer(4, json.get<bool>() ? 1 : 0, Presence::always);
  if (json.is_number()) return ProtobufWriter().real(2, json.get<double>(), Presence::always);
  std::string const text =
      json.is_string() ? json.get<std::string>() : json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return ProtobufWriter().text(3, valid_utf8(text), Presence::always);
}

HONE_INLINE ProtobufWriter session_start(std::vector<Setting> const& settings, std::string_view group, double time) {
  ProtobufWriter info;
  for (auto const& [name, setting] : settings)
    info.message(1, ProtobufWriter().text(1, valid_utf8(name)).message(2, setting_value(setting)));
  info.text(4, valid_utf8(group)).real(5, time);
  return ProtobufWriter().message(3, info);
}

HONE_INLINE ProtobufWriter session_end(bool success, double time) {
  return ProtobufWriter().message(4, ProtobufWriter().integer(1, success ? 1 : 2).real(2, time));
}

HONE_INLINE ProtobufWriter experiment(std::vector<Setting> const& settings, std::vector<std::string> const& metrics,
                                      double time) {
  ProtobufWriter made;
  made.real(3, time);
  for (auto const& [name, setting] : settings) {
    int const type = setting.is_boolean() ? 2 : setting.is_number() ? 3 : 1;
    made.message(4, ProtobufWriter().text(1, valid_utf8(name)).integer(4, type));
  }
  for (auto const& tag : metrics) made.message(5, ProtobufWriter().message(1, ProtobufWriter().text(2, valid_utf8(tag))));
  return ProtobufWriter().message(2, made);
}

HONE_INLINE std::string escaped_markdown(std::string_view text) {
  std::string out;
  for (char const c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      out += ' ';
    else if (std::string_view("\\`*_[]<>#!|&~").find(c) != std::string_view::npos)
      out += "&#" + std::to_string(static_cast<int>(c)) + ";";
    else
      out += c;
  }
  return out;
}

#endif

}  // namespace hone::detail::tensorboard
