#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <unordered_map>

#include "hone/core/error.hpp"
#include "hone/cuda/gemm_problem.hpp"

namespace hone::detail {

/// An algorithm as cuBLASLt hands it out: eight opaque words, which mean the same to the same version of the library.
struct GemmChoice {
  bool exists = false;     ///< false: cuBLASLt has none for the problem
  float microseconds = 0;  ///< when it was measured; 0: it was not
  std::array<std::uint64_t, 8> words{};
};

/// The algorithms chosen so far, by problem; a text with one JSON object a line, so that a later run can take the same
/// and so repeat its bits.
///
///     {"device": "NVIDIA H200", "cublaslt": 130000, "problem": [0, 1, 3072, ...], "us": 41.5, "words": ["0000...", ...]}
class GemmAlgorithms {
 public:
  GemmChoice const* find(GemmProblem const& problem) const {
    auto const found = choices_.find(problem);
    return found == choices_.end() ? nullptr : &found->second;
  }
  GemmChoice const& set(GemmProblem const& problem, GemmChoice const& choice) { return choices_[problem] = choice; }
  std::size_t size() const { return choices_.size(); }

  /// One line a problem, in the order of the problems.
  std::string text(std::string const& device, std::size_t library) const {
    std::map<std::array<std::int64_t, GemmProblem::fields>, GemmChoice> sorted;
    for (auto const& [problem, choice] : choices_) sorted[problem.values] = choice;
    std::string lines;
    for (auto const& [problem, choice] : sorted) {
      nlohmann::ordered_json line;
      line["device"] = device;
      line["cublaslt"] = library;
      line["problem"] = problem;
      line["us"] = choice.microseconds;
      line["words"] = nlohmann::ordered_json::array();
      if (choice.exists)
        for (auto const word : choice.words) line["words"].push_back(hexadecimal(word));
      lines += line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
    }
    return lines;
  }

  /// Takes the lines of the same device and version of cuBLASLt and returns how many there were; others mean nothing here.
  /// Throws E727 when the text is not one that `text` wrote.
  std::size_t read(std::string const& text, std::string const& device, std::size_t library) {
    std::istringstream lines(text);
    std::unordered_map<GemmProblem, GemmChoice, GemmProblem::Hash> taken;
    std::int64_t number = 0;
    for (std::string line; std::getline(lines, line);) {
      ++number;
      if (line.empty()) continue;
      auto const json = nlohmann::json::parse(line, nullptr, false);
      auto const entry = read_line(json, device, library, number);
      if (entry) taken[entry->first] = entry->second;
    }
    for (auto const& [problem, choice] : taken) choices_[problem] = choice;
    return taken.size();
  }

 private:
  static std::string hexadecimal(std::uint64_t word) {
    std::string digits(16, '0');
    for (std::size_t i = 16; i-- > 0; word >>= 4) digits[i] = "0123456789abcdef"[word & 15];
    return digits;
  }
  static std::optional<std::uint64_t> word_of(nlohmann::json const& json) {
    if (!json.is_string()) return {};
    std::string const& digits = json.get_ref<std::string const&>();
    if (digits.size() != 16) return {};
    std::uint64_t word = 0;
    for (char const c : digits) {
      bool const letter = c >= 'a' && c <= 'f';
      if (!letter && (c < '0' || c > '9')) return {};
      word = word << 4 | static_cast<std::uint64_t>(letter ? c - 'a' + 10 : c - '0');
    }
    return word;
  }
  /// Nothing for another device or version.
  static std::optional<std::pair<GemmProblem, GemmChoice>> read_line(nlohmann::json const& json, std::string const& device,
                                                                     std::size_t library, std::int64_t line) {
    auto const refuse = [line](char const* what) {
      throw Error(727, "the recorded algorithms cannot be read", {.line = line, .value = what},
                  "give the algorithms.jsonl that an earlier run wrote, unchanged, or none");
    };
    if (!json.is_object()) refuse("not a JSON object");
    auto const field = [&](char const* name) -> nlohmann::json const& {
      auto const found = json.find(name);
      if (found == json.end()) refuse(name);
      return *found;
    };
    if (!field("device").is_string()) refuse("device");
    if (!field("cublaslt").is_number_unsigned()) refuse("cublaslt");
    auto const &problem = field("problem"), &words = field("words"), &time = field("us");
    GemmProblem key;
    if (!problem.is_array() || problem.size() != GemmProblem::fields) refuse("problem");
    for (std::size_t i = 0; i < problem.size(); ++i) {
      if (!problem[i].is_number_integer()) refuse("problem");
      key.values[i] = problem[i].get<std::int64_t>();
    }
    GemmChoice choice;
    if (!time.is_number() || !std::isfinite(time.get<float>()) || time.get<float>() < 0) refuse("us");
    choice.microseconds = time.get<float>();
    if (!words.is_array() || (!words.empty() && words.size() != choice.words.size())) refuse("words");
    choice.exists = !words.empty();
    for (std::size_t i = 0; i < words.size(); ++i) {
      auto const word = word_of(words[i]);
      if (!word) refuse("words");
      choice.words[i] = *word;
    }
    if (field("device").get_ref<std::string const&>() != device || field("cublaslt").get<std::size_t>() != library)
      return {};
    return std::pair{key, choice};
  }

  std::unordered_map<GemmProblem, GemmChoice, GemmProblem::Hash> choices_;
};

}  // namespace hone::detail
