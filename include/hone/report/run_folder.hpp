// The folder that a run writes to.
#pragma once

#include <sys/statvfs.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/report/metrics_jsonl.hpp"

namespace hone {

/// A folder for the files of one run, with its metrics.jsonl open. Made before the work begins, so that a folder that cannot
/// be written is reported at once. If nothing was logged in the end, what was made is removed again.
///
/// Errors: E910 the folder holds an earlier run, E708 another run is writing there, E707 it
/// cannot be made, E702 to E705 it cannot be written.
class RunFolder {
 public:
  /// A new folder PARENT/NAME, or PARENT/NAME-2, PARENT/NAME-3, ...: the first that is not there yet.
  static RunFolder unique(std::filesystem::path const& parent, std::string const& name);
  /// A folder that the user named. One that holds a run (metrics, results or a model) is refused, unless `overwrite`: then
  /// metrics, results, predictions, tables, report and TensorBoard's logs of that run are removed now and its model is
  /// replaced when there is a new one.
  static RunFolder named(std::filesystem::path const& folder, bool overwrite);

  RunFolder(RunFolder&& other) noexcept
      : folder_(std::move(other.folder_)),
        is_new_(std::exchange(other.is_new_, false)),
        parent_is_new_(std::exchange(other.parent_is_new_, false)),
        metrics_(std::move(other.metrics_)) {}
  RunFolder& operator=(RunFolder&&) = delete;
  ~RunFolder();

  std::filesystem::path const& path() const { return folder_; }
  std::filesystem::path operator/(char const* name) const { return folder_ / name; }
  /// One line a step.
  JsonLinesFile& metrics() { return *metrics_; }

  /// Throws E701 when the disk has not so much room.
  void require_space(std::uint64_t bytes) const;

 private:
  RunFolder(std::filesystem::path folder, bool is_new, bool parent_is_new)
      : folder_(std::move(folder)),
        is_new_(is_new),
        parent_is_new_(parent_is_new),
        metrics_(std::make_unique<JsonLinesFile>(folder_ / "metrics.jsonl")) {}

  static void make(std::filesystem::path const& folder) {
    std::error_code failure;
    std::filesystem::create_directories(folder, failure);
    if (failure) throw cannot_make(folder, failure);
  }
  static Error cannot_make(std::filesystem::path const& folder, std::error_code failure) {
    return Error(707, "a folder cannot be made", {.file = folder.string(), .value = failure.message()},
                 "check the path and the permissions");
  }

  std::filesystem::path folder_;
  bool is_new_, parent_is_new_;
  std::unique_ptr<JsonLinesFile> metrics_;
};

#if HONE_BODIES

HONE_INLINE RunFolder RunFolder::unique(std::filesystem::path const& parent, std::string const& name) {
  std::error_code ignored;
  bool const parent_is_new = !std::filesystem::exists(parent, ignored);
  make(parent);
  for (int number = 1;; ++number) {
    std::filesystem::path const folder = parent / (number == 1 ? name : name + "-" + std::to_string(number));
    std::error_code failure;
    bool const made = std::filesystem::create_directory(folder, failure);
    if (failure && failure != std::errc::file_exists) throw cannot_make(folder, failure);
    if (made) return RunFolder(folder, true, parent_is_new);
  }
}

HONE_INLINE RunFolder RunFolder::named(std::filesystem::path const& folder, bool overwrite) {
  std::error_code ignored;
  bool const is_new = !std::filesystem::exists(folder, ignored);
  if (!overwrite)
    for (char const* name : {"metrics.jsonl", "results.json", "model.safetensors"})
      if (std::filesystem::exists(folder / name, ignored) && std::filesystem::file_size(folder / name, ignored) > 0)
        throw Error(910, "the output folder holds an earlier run", {.file = (folder / name).string()},
                    "choose another --out, or give --overwrite to replace that run");
  make(folder);
  RunFolder run(folder, is_new, false);
  for (char const* name : {"results.json", "predictions.jsonl", "evaluations.jsonl", "tables.jsonl", "report.html"})
    std::filesystem::remove(folder / name, ignored);
  for (auto const& file : std::filesystem::directory_iterator(folder / "tensorboard", ignored))
    if (file.path().filename().string().rfind("events.out.tfevents.", 0) == 0)
      std::filesystem::remove(file.path(), ignored);
  return run;
}

HONE_INLINE RunFolder::~RunFolder() {
  if (!metrics_) return;
  std::error_code ignored;
  if (std::filesystem::file_size(folder_ / "metrics.jsonl", ignored) == 0) {
    std::filesystem::remove(folder_ / "metrics.jsonl", ignored);
    if (is_new_) std::filesystem::remove(folder_, ignored);  // only when it is empty
    if (parent_is_new_) std::filesystem::remove(folder_.parent_path(), ignored);  // the same
  }
}

HONE_INLINE void RunFolder::require_space(std::uint64_t bytes) const {
  struct statvfs disk {};
  if (::statvfs(folder_.c_str(), &disk) != 0) return;
  auto const room = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
  if (room < bytes)
    throw Error(701, "the disk has not enough room for the model",
                {.file = folder_.string(),
                 .value = std::to_string(room) + " bytes free",
                 .allowed = std::to_string(bytes) + " bytes needed"},
                "make room or choose another output folder");
}

#endif

}  // namespace hone
