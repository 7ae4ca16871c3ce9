// report.html: what a run came to, on one page that needs nothing else.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/report/report_data.hpp"

#if HONE_BODIES
#include "hone/core/atomic_file.hpp"
#include "hone/core/sha256.hpp"
#include "hone/report/html_browser.hpp"
#include "hone/report/html_charts.hpp"
#include "hone/report/html_data.hpp"
#include "hone/report/html_figures.hpp"
#include "hone/report/html_game.hpp"
#include "hone/report/html_page.hpp"
#include "hone/report/html_style.hpp"
#include "hone/version.hpp"
#endif

namespace hone {

namespace detail {

/// Bytes as text in the alphabet of RFC 4648, section 4.
std::string base64(std::span<unsigned char const> bytes);

/// What a Content-Security-Policy allows: this text alone.
std::string hash_source(std::string_view content);

/// A text of the page with its tokens, positions in UTF-16 units as JavaScript counts.
nlohmann::ordered_json example_json(ReportExample const& example);

}  // namespace detail

/// The page as text: HTML with its own style and script, and the data as JSON. It asks for nothing over the network, and a
/// Content-Security-Policy in it forbids everything but its own style and script.
///
/// Its size is bounded whatever the run: curves of at most 1200 points, at most 6 MiB of texts (each at most 12 kB). A page
/// of 160 reviews is about 1.5 MB.
std::string report_html(ReportData const& report);

/// Writes the page, whole or not at all: a reader never sees half of it. Errors: E70x of the disk.
void write_report(std::filesystem::path const& path, ReportData const& report);

#if HONE_BODIES

namespace detail {

HONE_INLINE std::string base64(std::span<unsigned char const> bytes) {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t word = std::uint32_t{bytes[i]} << 16;
    if (i + 1 < bytes.size()) word |= std::uint32_t{bytes[i + 1]} << 8;
    if (i + 2 < bytes.size()) word |= bytes[i + 2];
    for (std::size_t k = 0; k < 4; ++k) text += i + k > bytes.size() ? '=' : letters[word >> (18 - 6 * k) & 63];
  }
  return text;
}

HONE_INLINE std::string hash_source(std::string_view content) {
  Sha256 sum;
  sum.update(content);
  return "'sha256-" + base64(sum.digest()) + "'";
}

/// JSON that may stand in a <script> element: no "<" in it, so no end tag and no comment, whatever the texts hold.
inline std::string json_for_script(nlohmann::ordered_json const& json) {
  std::string const plain = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  std::string text;
  text.reserve(plain.size() + plain.size() / 50);
  for (char const c : plain) {
    if (c == '<')
      text += "\\u003c";
    else
      text += c;
  }
  return text;
}

/// The UTF-8 bytes of a text that are shown: at most so many, no code point cut in two.
inline std::size_t shown_bytes(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text.size();
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80) --most;
  return most;
}

HONE_INLINE nlohmann::ordered_json example_json(ReportExample const& example) {
  std::size_t const size = shown_bytes(example.text, PageLimits::text_bytes);
  std::string_view const text = std::string_view(example.text).substr(0, size);
  std::vector<std::uint32_t> units(size + 1);  // UTF-16 units before each byte
  std::uint32_t count = 0;
  for (std::size_t i = 0; i < size; ++i) {
    units[i] = count;
    auto const byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xC0) != 0x80) count += byte >= 0xF0 ? 2 : 1;
  }
  units[size] = count;
  nlohmann::ordered_json json{{"row", example.row}, {"source", example.source}, {"text", text}};
  json["more"] = example.text.size() - size;
  json["length"] = example.length;
  json["cut"] = example.cut;
  json["decoded"] = example.decoded;
  json["lists"] = example.lists;
  auto& at = json["at"] = nlohmann::ordered_json::array();
  std::size_t tokens = 0;
  for (auto const& token : example.tokens) {
    if (token.begin < 0 || token.end < token.begin || std::size_t(token.end) > size) break;
    at.push_back(units[std::size_t(token.begin)]);
    at.push_back(units[std::size_t(token.end)]);
    ++tokens;
  }
  auto& heads = json["heads"] = nlohmann::ordered_json::array();
  for (auto const& head : example.heads) {
    nlohmann::ordered_json one{{"truth", short_number(head.truth)}, {"predicted", short_number(head.predicted)}};
    one["error"] = short_number(head.error());
    if (!head.probabilities.empty()) one["p"] = short_numbers(head.probabilities);
    if (!head.weights.empty()) {
      auto& weights = one["w"] = nlohmann::ordered_json::array();
      for (std::size_t t = 0; t < std::min(tokens, head.weights.size()); ++t) {
        char shown[32];
        std::snprintf(shown, sizeof shown, "%.3g", std::isfinite(head.weights[t]) ? head.weights[t] : 0.0);
        weights.push_back(std::strtod(shown, nullptr));
      }
      one["other"] = short_number(head.other_weight);
    }
    heads.push_back(std::move(one));
  }
  return json;
}

/// Everything that the page's script reads.
inline nlohmann::ordered_json page_json(ReportData const& report) {
  using nlohmann::ordered_json;
  ordered_json json;
  json["name"] = report.start.name.empty() ? report.start.folder.filename().string() : report.start.name;
  json["folder"] = report.start.folder.string();
  json["begun"] = report.start.time.time_since_epoch().count() == 0 ? "" : iso_time(report.start.time);
  json["written"] = iso_time(std::chrono::system_clock::now());
  json["finished"] = report.finished;
  json["interrupted"] = report.interrupted;
  json["error"] = report.error;
  json["hone"] = version;
  json["command"] = report.start.command;
  json["config"] = report.start.config;
  json["results"] = report.results;
  if (json["results"].is_object())  // the page has its own lists of texts and tables
    for (char const* name : {"worst_mistakes", "settings", "ledger", "host", "heads"}) json["results"].erase(name);
  for (char const* name : {"settings", "ledger", "host"}) {
    json[name] = nullptr;
    for (auto const* from : {&report.results, &report.start.config})
      if (from->is_object() && from->contains(name)) json[name] = (*from)[name];
  }
  json["seed"] = nullptr;
  for (ordered_json const* from :
       std::initializer_list<ordered_json const*>{&report.results, &report.start.config, &json["settings"]})
    if (json["seed"].is_null() && from->is_object() && from->contains("seed")) json["seed"] = (*from)["seed"];
  json["weights_hash"] = report.weights_hash;
  json["examined"] = report.examined || !report.findings.empty();
  auto& findings = json["findings"] = ordered_json::array();
  for (auto const& finding : report.findings)
    if (findings.size() < PageLimits::findings) findings.push_back(to_json(finding));
  auto& entries = json["ledger_entries"] = ordered_json::array();
  if (report.ledger)
    for (auto const& entry : report.ledger->entries())
      if (entries.size() < PageLimits::ledger)
        entries.push_back({name(entry.state), entry.tensor, entry.parameter, entry.shape, entry.reason});

  json["steps"] = steps_json(report.steps);
  auto& evaluations = json["evaluations"] = ordered_json::array();
  std::size_t const skipped = report.evaluations.size() - std::min(report.evaluations.size(), PageLimits::evaluations);
  for (std::size_t i = skipped; i < report.evaluations.size(); ++i) {
    auto const& record = report.evaluations[i];
    ordered_json one{{"step", record.step}, {"heads", ordered_json::object()}};
    if (record.measures.is_object() && record.measures.contains("heads"))
      for (auto const& [head, measures] : record.measures["heads"].items()) {
        auto& kept = one["heads"][head] = ordered_json::object();  // numbers and intervals; tables are drawn from the last
        for (auto const& [name, value] : measures.items())
          if (value.is_number() || (value.is_array() && value.size() == 2 && value[0].is_number())) kept[name] = value;
      }
    evaluations.push_back(std::move(one));
  }

  static std::vector<HeadPredictions> const none;
  auto const& predictions = report.evaluations.empty() ? none : report.evaluations.back().heads;
  auto& heads = json["heads"] = ordered_json::array();
  auto add_head = [&](HeadPredictions const& head) {
    std::size_t const place = heads.size();
    ordered_json one{{"name", head.head}, {"classes", head.classes}};
    auto names = page_class_names(head.head, head.classes);
    if (place < report.class_names.size() && report.class_names[place].size() == names.size())
      names = report.class_names[place];
    one["names"] = names;
    if (head.classes > 0)
      add_classifying(one, head, report.lengths);
    else
      add_regressing(one, head, report.lengths);
    one["range"] = head.classes > 0 ? ordered_json() : value_range(head);
    heads.push_back(std::move(one));
  };
  for (auto const& head : predictions) add_head(head);
  if (predictions.empty())
    for (auto const& name : report.start.heads)
      heads.push_back({{"name", name}, {"classes", nullptr}, {"names", ordered_json::array()}});

  auto& examples = json["examples"] = ordered_json::array();
  std::size_t bytes = 0, left_out = 0;
  for (auto const& example : report.examples) {
    auto one = example_json(example);
    bytes += one.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).size();
    if (bytes > PageLimits::examples_bytes)
      ++left_out;
    else
      examples.push_back(std::move(one));
  }
  json["examples_left_out"] = left_out;
  return json;
}

}  // namespace detail

HONE_INLINE std::string report_html(ReportData const& report) {
  std::string const style = page_style();
  std::string script;
  for (auto const part : {page_charts, page_figures, page_browser, page_game, page_main}) script += part;
  std::string text = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  text += "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src " +
          detail::hash_source(style) + "; script-src " + detail::hash_source(script) +
          "; base-uri 'none'; form-action 'none'\">\n";
  text += page_head;
  text += "<style>" + style + "</style>\n</head>\n";
  text += page_body;
  text +=
      "<script type=\"application/json\" id=\"data\">" + detail::json_for_script(detail::page_json(report)) + "</script>\n";
  text += "<script>" + script + "</script>\n</body>\n</html>\n";
  return text;
}

HONE_INLINE void write_report(std::filesystem::path const& path, ReportData const& report) {
  write_file_atomically(path, report_html(report));
}

#endif

}  // namespace hone
