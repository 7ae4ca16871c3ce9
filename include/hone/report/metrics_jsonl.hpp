// metrics.jsonl: one JSON object a line, one line a step, each on the disk's way as soon as the step is done.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "hone/core/error.hpp"
#include "hone/core/atomic_file.hpp"
#include "hone/train/step_report.hpp"

namespace hone {

/// JSON as one line. Numbers that are not finite become null, bytes that are not UTF-8 become U+FFFD: always valid JSON.
inline std::string json_line(nlohmann::ordered_json const& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// The object of a step: step, epoch, NAME_loss for every head, accuracy, learning_rate, grad_norm (before clipping),
/// group_norms (an object: its parts by layer, where they are known), examples, tokens (real ones of this step), seconds (of
/// this step), elapsed (training seconds so far), total_tokens.
inline nlohmann::ordered_json to_json(StepReport const& step) {
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

/// A file of JSON lines that grows. Each line goes to the system as it is added, whole, so that a run that is killed keeps
/// its lines; a line that a full disk or a power failure tore is cut off when the file is opened again.
///
/// Errors: E701 disk full, E702 permission denied, E703 no such folder, E705 any other failure,
/// E708 another process writes to it. A line that did not fit is
/// taken back: the file then ends with the line before.
class JsonLinesFile {
 public:
  enum class Open { fresh, append };

  explicit JsonLinesFile(std::filesystem::path path, Open how = Open::fresh) : path_(std::move(path)) {
    do descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    while (descriptor_ < 0 && errno == EINTR);
    if (descriptor_ < 0) throw detail::write_error(errno, "creating a file", path_, 1);
    try {
      if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        throw Error(708, "another process is writing to this file", {.file = path_.string()},
                    "wait until it has ended, or choose another output folder");
      if (how == Open::append) cut_torn_line();
      if (how == Open::fresh && ::ftruncate(descriptor_, 0) != 0)
        throw detail::write_error(errno, "emptying a file", path_, 1);
    } catch (...) {
      ::close(descriptor_);
      throw;
    }
  }
  JsonLinesFile(JsonLinesFile const&) = delete;
  JsonLinesFile& operator=(JsonLinesFile const&) = delete;
  ~JsonLinesFile() { ::close(descriptor_); }

  std::filesystem::path const& path() const { return path_; }

  /// Adds one line.
  void add(nlohmann::ordered_json const& json) {
    std::string const line = json_line(json) + "\n";
    struct stat before {};
    ::fstat(descriptor_, &before);
    std::string_view rest = line;
    while (!rest.empty()) {
      auto const put = ::write(descriptor_, rest.data(), rest.size());
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) {
        int const code = put < 0 ? errno : ENOSPC;
        [[maybe_unused]] int const cut = ::ftruncate(descriptor_, before.st_size);
        throw detail::write_error(code, "adding a line", path_, line.size());
      }
      rest.remove_prefix(static_cast<std::size_t>(put));
    }
  }
  void add(StepReport const& step) { add(to_json(step)); }

 private:
  void cut_torn_line() {
    struct stat about {};
    if (::fstat(descriptor_, &about) != 0) throw detail::write_error(errno, "reading a file", path_, 1);
    off_t end = about.st_size;
    char piece[4096];
    while (end > 0) {
      off_t const begin = end > off_t(sizeof piece) ? end - off_t(sizeof piece) : 0;
      auto const got = ::pread(descriptor_, piece, static_cast<std::size_t>(end - begin), begin);
      if (got != end - begin) throw detail::write_error(got < 0 ? errno : EIO, "reading a file", path_, 1);
      auto const newline = std::string_view(piece, static_cast<std::size_t>(got)).rfind('\n');
      if (newline != std::string_view::npos) {
        end = begin + off_t(newline) + 1;
        break;
      }
      end = begin;
    }
    if (end != about.st_size && ::ftruncate(descriptor_, end) != 0)
      throw detail::write_error(errno, "cutting a torn line", path_, 1);
  }

  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace hone
