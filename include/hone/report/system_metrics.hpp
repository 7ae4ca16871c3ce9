// What a run takes of the machine: processor, memory, threads, disk. Read from /proc; what a system does not tell is NaN or
// 0.
#pragma once

#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <thread>
#include <utility>

namespace hone {

/// One look at the process and its machine. Percentages are means since the sample before.
struct SystemSample {
  std::chrono::system_clock::time_point time{};
  double elapsed = 0;                         ///< seconds since the run began
  double cpu_percent = std::nan("");          ///< of the process; 100: one processor wholly, so that it can be more
  double machine_cpu_percent = std::nan("");  ///< of all processors by all processes, 0 to 100
  int processors = 0;
  int threads = 0;                           ///< of the process
  std::uint64_t resident_bytes = 0;          ///< memory of the process that is in RAM
  std::uint64_t memory_bytes = 0;            ///< of the machine
  std::uint64_t memory_available_bytes = 0;  ///< of it, for new work
  std::uint64_t disk_bytes = 0;              ///< the file system of the run's folder
  std::uint64_t disk_free_bytes = 0;         ///< of it, for this user

  /// Percentage of the machine's memory that is taken, by whomever. NaN where it is not known.
  double memory_percent() const { return taken_percent(memory_available_bytes, memory_bytes); }
  /// Percentage of the disk that is taken, by whomever. NaN where it is not known.
  double disk_percent() const { return taken_percent(disk_free_bytes, disk_bytes); }

 private:
  static double taken_percent(std::uint64_t free, std::uint64_t all) {
    return all == 0 ? std::nan("") : 100 * (1 - static_cast<double>(free) / static_cast<double>(all));
  }
};

/// Takes samples. A sample costs some ten microseconds; nothing throws.
class SystemMonitor {
 public:
  /// @param folder  whose disk is looked at
  /// @param proc    where the system tells about itself
  explicit SystemMonitor(std::filesystem::path folder = {}, std::filesystem::path proc = "/proc")
      : folder_(std::move(folder)), proc_(std::move(proc)), begin_(Clock::now()), before_(begin_) {
    process_before_ = process_seconds();
    read_machine_ticks(busy_before_, all_before_);
  }

  /// Percentages are over the time since the sample before (the first: since this was constructed).
  SystemSample sample() {
    SystemSample made;
    auto const now = Clock::now();
    made.time = std::chrono::system_clock::now();
    made.elapsed = std::chrono::duration<double>(now - begin_).count();
    made.processors = static_cast<int>(std::thread::hardware_concurrency());

    double const seconds = std::chrono::duration<double>(now - before_).count(), process = process_seconds();
    if (seconds > 0) made.cpu_percent = 100 * (process - process_before_) / seconds;
    std::uint64_t busy = 0, all = 0;
    if (read_machine_ticks(busy, all) && all > all_before_ && busy >= busy_before_)
      made.machine_cpu_percent = 100 * static_cast<double>(busy - busy_before_) / static_cast<double>(all - all_before_);
    before_ = now, process_before_ = process, busy_before_ = busy, all_before_ = all;

    read_process(made);
    read_memory(made);
    struct statvfs disk {};
    if (!folder_.empty() && ::statvfs(folder_.c_str(), &disk) == 0) {
      made.disk_bytes = static_cast<std::uint64_t>(disk.f_blocks) * disk.f_frsize;
      made.disk_free_bytes = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
    }
    return made;
  }

 private:
  using Clock = std::chrono::steady_clock;

  static double process_seconds() {
    timespec spent{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return static_cast<double>(spent.tv_sec) + 1e-9 * static_cast<double>(spent.tv_nsec);
  }

  /// The first line of stat: "cpu user nice system idle iowait irq softirq steal ...", in ticks.
  bool read_machine_ticks(std::uint64_t& busy, std::uint64_t& all) const {
    std::ifstream file(proc_ / "stat");
    std::string word;
    if (!(file >> word) || word != "cpu") return false;
    std::uint64_t ticks[8] = {};
    for (auto& some : ticks) file >> some;
    if (!file) return false;
    all = 0;
    for (auto const some : ticks) all += some;
    busy = all - ticks[3] - ticks[4];
    return true;
  }

  /// self/stat: "pid (name) state ...", where the name may hold anything, parentheses too; field 20 is the number of
  /// threads, field 24 the resident pages, counted from 1.
  void read_process(SystemSample& made) const {
    std::ifstream file(proc_ / "self" / "stat");
    std::string line{std::istreambuf_iterator<char>(file), {}};
    auto const name_end = line.rfind(')');
    if (name_end == std::string::npos) return;
    std::istringstream rest(line.substr(name_end + 1));
    std::string skipped;
    for (int field = 3; field < 20; ++field) rest >> skipped;
    std::int64_t threads = 0, pages = 0;
    rest >> threads;
    for (int field = 21; field < 24; ++field) rest >> skipped;
    if (!(rest >> pages) || pages < 0) return;
    made.threads = static_cast<int>(threads);
    made.resident_bytes = static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  }

  void read_memory(SystemSample& made) const {
    std::ifstream file(proc_ / "meminfo");
    for (std::string line; std::getline(file, line);) {
      std::istringstream words(line);
      std::string name;
      std::uint64_t kibibytes = 0;
      if (!(words >> name >> kibibytes)) continue;
      if (name == "MemTotal:") made.memory_bytes = kibibytes * 1024;
      if (name == "MemAvailable:") made.memory_available_bytes = kibibytes * 1024;
    }
  }

  std::filesystem::path folder_, proc_;
  Clock::time_point begin_, before_;
  double process_before_ = 0;
  std::uint64_t busy_before_ = 0, all_before_ = 0;
};

}  // namespace hone
