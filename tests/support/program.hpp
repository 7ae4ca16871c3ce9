// Runs a program as a user does: arguments, standard output and error, exit code or signal, limits, Ctrl-C.
#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/temporary_folder.hpp"

namespace hone::test {

struct Ended {
  int code = -1;   ///< exit code; -1 when a signal ended it
  int signal = 0;  ///< the signal that ended it, 0: none
  std::string out{}, error{};
};

/// One run of a program, with its files in a folder of its own.
class Program {
 public:
  std::string input{};           ///< on standard input
  rlim_t largest_file = 0;       ///< bytes, as `ulimit -f`; 0: no limit
  std::string working_folder{};  ///< empty: that of the test

  void start(std::string const& file, std::vector<std::string> const& arguments) {
    write_file(files_ / "in", input);
    std::vector<char*> argv{const_cast<char*>(file.c_str())};
    for (auto const& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    std::string const in = (files_ / "in").string(), out = (files_ / "out").string(), error = (files_ / "error").string();
    process_ = ::fork();
    if (process_ < 0) throw std::runtime_error("cannot fork");
    if (process_ > 0) return;
    ::dup2(::open(in.c_str(), O_RDONLY), 0);
    ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666), 1);
    ::dup2(::open(error.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666), 2);
    if (!working_folder.empty() && ::chdir(working_folder.c_str()) != 0) ::_exit(126);
    for (char const* name : {"COLUMNS", "NO_COLOR"}) ::unsetenv(name);
    std::signal(SIGINT, SIG_DFL);
    if (largest_file > 0) {
      rlimit const limit{largest_file, largest_file};
      ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ::execv(file.c_str(), argv.data());
    ::_exit(127);
  }
  /// Waits until `found` is true of the output so far; false when the program ends before, or after eight minutes.
  bool wait_for(std::function<bool(std::string const&)> const& found) {
    for (int i = 0; i < 96000; ++i) {
      if (found(read_file(files_ / "out"))) return true;
      siginfo_t about{};
      if (::waitid(P_PID, static_cast<id_t>(process_), &about, WEXITED | WNOHANG | WNOWAIT) == 0 && about.si_pid == process_)
        return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  void send(int signal) { ::kill(process_, signal); }
  Ended wait() {
    int status = 0;
    while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {}
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, WIFSIGNALED(status) ? WTERMSIG(status) : 0,
            read_file(files_ / "out"), read_file(files_ / "error")};
  }
  Ended run(std::string const& file, std::vector<std::string> const& arguments) {
    start(file, arguments);
    return wait();
  }

 private:
  TemporaryFolder files_{};
  pid_t process_ = -1;
};

}  // namespace hone::test
