// The folder and the log of one Weights & Biases run.
#pragma once

#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "hone/core/atomic_file.hpp"
#include "hone/core/config.hpp"
#include "hone/report/host_info.hpp"
#include "hone/report/run_events.hpp"
#include "hone/report/wandb_file.hpp"
#include "hone/report/wandb_options.hpp"
#include "hone/report/wandb_records.hpp"
#include "hone/report/wandb_table.hpp"

namespace hone {
namespace detail::wandb {

/// What a log says about its run: enough to continue it.
struct LogState {
  ScannedFile file{};
  std::uint64_t end = 0;  ///< of the last record before the exit, or of the last one
  bool has_run = false, has_exit = false;
  std::int64_t records = 0;    ///< before `end`
  std::int64_t next_step = 0;  ///< one after the last line of the history
  std::string run_id{}, project{}, entity{};
  std::map<std::string, std::vector<std::string>> increments{};  ///< artifact paths of incremental tables, by key
  double start_seconds = 0;
};

/// Errors: those of FileScanner::scan.
LogState read_log(std::filesystem::path const& path);

std::filesystem::path log_of(std::filesystem::path const& run_folder, std::string const& id);

/// Makes a folder and those above it. Throws E707.
void make_folder(std::filesystem::path const& folder);

/// Writes a file that nothing points to yet: without the cost of an atomic one.
void write_new_file(std::filesystem::path const& path, std::string_view bytes);

/// wandb-metadata.json: the machine and the command, under the names that W&B's pages look for.
nlohmann::ordered_json metadata_json(RunStart const& start);

/// One run: its folder, and the log to which records are added in the order of the calls.
class RunLog {
 public:
  RunLog(RunStart const& start, WandbOptions const& options);

  std::filesystem::path const& folder() const noexcept { return folder_; }
  std::string const& id() const noexcept { return id_; }
  Index next_step() const noexcept { return next_step_; }
  bool has_metric(std::string const& key) const { return metrics_.count(key) > 0; }  ///< the history has lines with it

  /// The artifact paths of the tables that an incremental table has been made of so far.
  std::vector<std::string>& increments(std::string const& key) { return increments_[key]; }

  std::chrono::system_clock::time_point now() const {
    return start_ + std::chrono::duration_cast<std::chrono::system_clock::duration>(before_ + (Clock::now() - opened_));
  }
  double runtime() const { return std::chrono::duration<double>(before_ + (Clock::now() - opened_)).count(); }

  void add(RecordKind kind, ProtobufWriter const& content) { log_->add(record(++number_, kind, content)); }

  /// One line of the history, drawn over `axis`, which is among the items. The summary gets the same values.
  void add_history(Items items, std::string_view axis);

  void set_summary(std::string_view key, std::string json) { summary_[valid_utf8(key)] = std::move(json); }

  /// Writes what the summary got since the last call.
  void flush();

  void add_artifact(Artifact const& made) { add(artifact, artifact_record(made, id_, project_, entity_)); }

  /// The last records.
  void finish(int exit_code);

 private:
  using Clock = std::chrono::steady_clock;

  void begin(std::filesystem::path const& root);

  /// Opens the newest log of the run `id_`; false: there is none.
  bool reopen(std::filesystem::path const& root);

  static Items config_items(nlohmann::ordered_json const& settings);

  ProtobufWriter run_record(RunStart const& start, WandbOptions const& options, ProtobufWriter const& items) const;

  /// wandb/latest-run points to the run, as it does with W&B's own client. Where links cannot be made there is none.
  void point_latest(std::filesystem::path const& root) const;

  std::string id_, project_, entity_;
  std::chrono::system_clock::time_point start_;
  Clock::time_point opened_ = Clock::now();
  Clock::duration before_{0};  // of the run, when the log was opened
  std::filesystem::path folder_{};
  std::unique_ptr<LogFile> log_{};
  std::int64_t number_ = 0;
  Index next_step_ = 0;
  std::map<std::string, std::vector<std::string>> increments_{};
  std::set<std::string> metrics_{};
  std::map<std::string, std::string> summary_{};
};

#if HONE_BODIES

HONE_INLINE RunLog::RunLog(RunStart const& start, WandbOptions const& options)
    : id_(options.run_id), project_(options.project), entity_(options.entity), start_(start.time) {
  auto const root = std::filesystem::absolute(start.folder) / "wandb";
  bool const continues = options.resume && !id_.empty() && reopen(root);
  if (!continues) begin(root);
  ProtobufWriter const items = config_items(start.config).message();
  if (continues) {
    add(config, items);
  } else {
    add(header, header_record("hone-" + std::string(version)));
    add(run, run_record(start, options, items));
  }
  write_new_file(folder_ / "files" / "wandb-metadata.json",
                 metadata_json(start).dump(1, ' ', false, nlohmann::json::error_handler_t::replace));
  add(files, files_record("wandb-metadata.json", false));
  point_latest(root);
}

HONE_INLINE void RunLog::add_history(Items items, std::string_view axis) {
  for (auto const& item : items) {
    if (metrics_.insert(item.first).second) add(metric, metric_record(item.first, item.first == axis ? "" : axis));
  }
  Items line = std::move(items);
  line.integer("_step", next_step_);
  line.number("_runtime", runtime());
  line.number("_timestamp", std::chrono::duration<double>(now().time_since_epoch()).count());
  add(history, history_record(line, next_step_));
  ++next_step_;
  for (auto const& [key, json] : line) summary_[key] = json;
}

HONE_INLINE void RunLog::flush() {
  if (summary_.empty()) return;
  Items items;
  for (auto& [key, json] : summary_) items.add(key, std::move(json));
  summary_.clear();
  items.add("_wandb", "{\"runtime\":" + std::to_string(static_cast<std::int64_t>(runtime())) + "}");
  add(summary, items.message());
}

HONE_INLINE void RunLog::finish(int exit_code) {
  flush();
  add(exit, ProtobufWriter().integer(1, exit_code).integer(2, static_cast<std::int64_t>(runtime())));
  add(final, ProtobufWriter());
  add(footer, ProtobufWriter());
}

HONE_INLINE void RunLog::begin(std::filesystem::path const& root) {
  if (id_.empty()) id_ = random_name(8);
  make_folder(root);
  for (auto seconds = std::chrono::system_clock::to_time_t(start_);; ++seconds) {  // until it is a folder of its own
    std::tm local{};
    ::localtime_r(&seconds, &local);
    char text[32];
    std::string const time(text, std::strftime(text, sizeof text, "%Y%m%d_%H%M%S", &local));
    folder_ = root / ("offline-run-" + time + "-" + id_);
    std::error_code failure;
    if (std::filesystem::create_directory(folder_, failure)) break;
    if (failure) make_folder(folder_ / "files");  // says what is wrong
  }
  make_folder(folder_ / "files");  // sync writes there and does not make it
  log_ = std::make_unique<LogFile>(log_of(folder_, id_));
}

HONE_INLINE bool RunLog::reopen(std::filesystem::path const& root) {
  std::error_code ignored;
  std::filesystem::path newest;
  for (std::filesystem::directory_iterator entry(root, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
    auto const& folder = entry->path();
    if (folder.filename().string().rfind("offline-run-", 0) == 0 && folder > newest &&
        std::filesystem::is_regular_file(log_of(folder, id_), ignored))
      newest = folder;
  }
  if (newest.empty()) return false;
  auto const path = log_of(newest, id_);
  auto log = std::make_unique<LogFile>(path, LogFile::Open::append);  // locks it first
  auto const state = read_log(path);
  if (!state.has_run) return false;
  log->cut(state.end);
  folder_ = newest;
  make_folder(folder_ / "files");
  log_ = std::move(log);
  number_ = state.records;
  next_step_ = static_cast<Index>(state.next_step);
  increments_ = state.increments;
  project_ = state.project;
  entity_ = state.entity;
  auto const since =
      std::chrono::duration_cast<std::chrono::system_clock::duration>(std::chrono::duration<double>(state.start_seconds));
  before_ = std::max(Clock::duration(0), std::chrono::duration_cast<Clock::duration>(start_.time_since_epoch() - since));
  start_ = std::chrono::system_clock::time_point(since);
  std::filesystem::remove(path.string() + ".synced", ignored);  // there is more to upload
  return true;
}

HONE_INLINE Items RunLog::config_items(nlohmann::ordered_json const& settings) {
  Items items;
  if (!settings.is_object()) return items;
  for (auto const& [key, value] : settings.items()) {
    bool const taken = key.empty() || key.rfind("_wandb", 0) == 0;  // W&B's own
    items.add(taken ? "config" + key : key, json_text(value));
  }
  return items;
}

HONE_INLINE ProtobufWriter RunLog::run_record(RunStart const& start, WandbOptions const& options,
                                              ProtobufWriter const& items) const {
  std::string name = valid_utf8(options.name.empty() ? start.name : options.name);
  for (char& c : name) {
    if ((c >= 0 && c < 0x20) || c == 0x7f) c = ' ';
  }
  for (std::size_t i = 0, count = 0; i < name.size(); ++i) {
    if ((name[i] & 0xC0) != 0x80 && ++count > 128) name.resize(i);
  }
  ProtobufWriter writer;
  writer.text(1, id_).text(2, valid_utf8(entity_)).text(3, valid_utf8(project_)).message(4, items);
  writer.text(6, valid_utf8(options.group)).text(7, valid_utf8(options.job_type)).text(8, name);
  writer.text(9, valid_utf8(options.notes));
  for (auto const& tag : options.tags) writer.text(10, valid_utf8(tag));
  utsname about{};
  if (::uname(&about) == 0) writer.text(13, valid_utf8(about.nodename));
  writer.message(17, timestamp(start_));
  ProtobufWriter feature;
  feature.integer(4, 1).integer(57, 1);  // offline, and a client in C++
  return writer.message(19, ProtobufWriter().message(3, feature));
}

HONE_INLINE void RunLog::point_latest(std::filesystem::path const& root) const {
  std::error_code ignored;
  auto const made = root / (".latest-run-" + std::to_string(::getpid()));
  std::filesystem::remove(made, ignored);
  std::filesystem::create_directory_symlink(folder_.filename(), made, ignored);
  if (ignored) return;
  std::filesystem::rename(made, root / "latest-run", ignored);
  if (ignored) std::filesystem::remove(made, ignored);
}

HONE_INLINE LogState read_log(std::filesystem::path const& path) {
  InputFile const file(path);
  LogState state;
  state.end = chunk_header;
  std::uint64_t end_before = chunk_header;  // of the record that is being read
  bool ended = false;
  state.file = FileScanner(file).scan([&](std::uint64_t begin, std::string_view bytes) {
    auto const view = view_record(bytes);
    if (view.kind == run && !state.has_run) {
      state.has_run = true;
      state.run_id = std::string(find_field(view.content, 1).bytes);
      state.entity = std::string(find_field(view.content, 2).bytes);
      state.project = std::string(find_field(view.content, 3).bytes);
      auto const start = find_field(view.content, 17).bytes;
      state.start_seconds =
          static_cast<double>(find_field(start, 1).value) + 1e-9 * static_cast<double>(find_field(start, 2).value);
    }
    if (view.kind == exit || view.kind == final || view.kind == footer) {
      if (!ended) end_before = begin;
      ended = true;
    }
    if (ended) return;
    ++state.records;
    if (view.kind != history) return;
    ProtobufReader fields(view.content);
    while (auto const field = fields.next()) {
      if (field->number == 2) state.next_step = static_cast<std::int64_t>(find_field(field->bytes, 1).value) + 1;
      auto const value = field->number == 1 ? find_field(field->bytes, 16).bytes : std::string_view();
      if (value.find("incremental-table-file") == value.npos) continue;
      auto const table = nlohmann::json::parse(value, nullptr, false);
      if (table.is_object() && table.value("artifact_path", nlohmann::json()).is_string())
        state.increments[std::string(find_field(field->bytes, 1).bytes)].push_back(table["artifact_path"]);
    }
  });
  state.has_exit = ended;
  state.end = ended ? end_before : state.file.end;
  return state;
}

HONE_INLINE std::filesystem::path log_of(std::filesystem::path const& run_folder, std::string const& id) {
  return run_folder / ("run-" + id + ".wandb");
}

HONE_INLINE void make_folder(std::filesystem::path const& folder) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure)
    throw Error(707, "a folder cannot be made", {.file = folder.string(), .value = failure.message()},
                "check the path and the permissions");
}

HONE_INLINE void write_new_file(std::filesystem::path const& path, std::string_view bytes) {
  make_folder(path.parent_path());
  int descriptor = -1;
  do descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) throw write_error(errno, "creating a file", path, bytes.size());
  int code = 0;
  for (std::string_view rest = bytes; !rest.empty() && code == 0;) {
    auto const put = ::write(descriptor, rest.data(), std::min(rest.size(), largest_transfer));
    if (put > 0)
      rest.remove_prefix(static_cast<std::size_t>(put));
    else if (put == 0 || errno != EINTR)
      code = put == 0 ? ENOSPC : errno;
  }
  if (::close(descriptor) != 0 && errno != EINTR && code == 0) code = errno;
  if (code != 0) {
    ::unlink(path.c_str());
    throw write_error(code, "writing", path, bytes.size());
  }
}

HONE_INLINE nlohmann::ordered_json metadata_json(RunStart const& start) {
  nlohmann::ordered_json json;
  utsname about{};
  if (::uname(&about) == 0) {
    json["os"] = std::string(about.sysname) + "-" + about.release + "-" + about.machine;
    json["host"] = about.nodename;
  }
  auto const seconds = std::chrono::system_clock::to_time_t(start.time);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[32];
  json["startedAt"] = std::string(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc));
  if (!start.command.empty()) {
    json["program"] = start.command.front();
    json["args"] = std::vector<std::string>(start.command.begin() + 1, start.command.end());
  }
  json["cpu_count_logical"] = available_threads();
  json["cpu"]["model"] = processor_name();
  long const pages = ::sysconf(_SC_PHYS_PAGES), page = ::sysconf(_SC_PAGESIZE);
  if (pages > 0 && page > 0) json["memory"]["total"] = std::to_string(static_cast<std::int64_t>(pages) * page);
  return json;
}

#endif

}  // namespace detail::wandb

/// What repair_wandb_runs found in one log.
struct WandbRepair {
  std::filesystem::path file{};
  std::uint64_t bytes_cut = 0;  ///< of a torn end; 0: it was whole
  std::int64_t records = 0;     ///< whole ones
  bool ended = false;           ///< the run was finished; else W&B shows it as failed
};

/// Cuts the torn ends off the logs of the runs below `folder`/wandb: those of a run that was killed while it wrote, so that
/// `wandb sync` reads them to their end. Logs that another process is writing are left alone and not listed.
///
/// Errors: E746 not the log of a run, E747 damaged inside, E702 and E705 it cannot be written.
std::vector<WandbRepair> repair_wandb_runs(std::filesystem::path const& folder);

#if HONE_BODIES

HONE_INLINE std::vector<WandbRepair> repair_wandb_runs(std::filesystem::path const& folder) {
  std::vector<std::filesystem::path> logs;
  std::error_code ignored;
  for (std::filesystem::directory_iterator run(folder / "wandb", ignored), end; !ignored && run != end;
       run.increment(ignored)) {
    if (run->is_symlink(ignored)) continue;  // latest-run
    std::error_code none;
    for (std::filesystem::directory_iterator file(run->path(), none), last; !none && file != last; file.increment(none)) {
      if (file->path().extension() == ".wandb" && file->is_regular_file(ignored)) logs.push_back(file->path());
    }
  }
  std::sort(logs.begin(), logs.end());
  std::vector<WandbRepair> repaired;
  for (auto const& path : logs) {
    try {
      detail::wandb::LogFile const log(path, detail::wandb::LogFile::Open::append);
      repaired.push_back({path, log.torn(), log.records(), detail::wandb::read_log(path).has_exit});
    } catch (Error const& error) {
      if (error.number() != 708) throw;
    }
  }
  return repaired;
}

#endif

}  // namespace hone
