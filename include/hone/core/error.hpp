#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include "hone/core/config.hpp"

namespace hone {

/// Where an error was found. Every field is optional; what is empty (or negative) is not printed.
struct Where {
  std::string file{};         ///< path of the file, or path inside an archive
  std::string tensor{};       ///< name of the tensor or parameter
  std::int64_t line = -1;     ///< line of the file, from 1
  std::int64_t offset = -1;   ///< byte offset in the file, from 0
  std::string value{};        ///< the value that was found
  std::string allowed{};      ///< what would have been right: a range, a shape, a list
};

/// The one exception type of the library: a stable number, what happened, where, and what to do next.
///
/// `what()` reads "[hone-E231] what happened (file ..., tensor ..., line ..., found ..., allowed ...). Next: what to do."
/// Every number has a section in docs/errors.md. Ranges: 1xx composition (compile time), 2xx files and formats,
/// 3xx text, 4xx data and labels, 5xx models and configurations, 6xx training, 7xx system, 8xx GPU, 9xx usage.
class Error : public std::runtime_error {
 public:
  /// @param number     stable number, printed as hone-E<number>
  /// @param happened   one clause without a full stop
  /// @param where      place, value and allowed range, as far as known
  /// @param next       what the user should do, one sentence without a full stop
  Error(int number, std::string const& happened, Where where, std::string const& next);

  int number() const noexcept { return number_; }
  Where const& where() const noexcept { return where_; }

 private:
  static std::string compose(int number, std::string const& happened, Where const& where, std::string const& next);

  int number_;
  Where where_;
};

#if HONE_BODIES

HONE_INLINE Error::Error(int number, std::string const& happened, Where where, std::string const& next)
    : std::runtime_error(compose(number, happened, where, next)), number_(number), where_(std::move(where)) {}

HONE_INLINE std::string Error::compose(int number, std::string const& happened, Where const& where,
                                       std::string const& next) {
  std::string place;
  auto add = [&place](char const* label, std::string const& text) {
    if (text.empty()) return;
    place += place.empty() ? " (" : ", ";
    place += label;
    place += text;
  };
  add("file ", where.file);
  add("tensor ", where.tensor);
  add("line ", where.line < 0 ? std::string() : std::to_string(where.line));
  add("byte ", where.offset < 0 ? std::string() : std::to_string(where.offset));
  add("found ", where.value);
  add("allowed ", where.allowed);
  if (!place.empty()) place += ")";
  return "[hone-E" + std::to_string(number) + "] " + happened + place + ". Next: " + next + ".";
}

#endif

}  // namespace hone
