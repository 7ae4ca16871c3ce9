// A program in a terminal, as a person has it: columns, keys, what the screen shows.
#pragma once

#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace hone::test {

/// One run of a program whose standard input, output and error are a terminal.
class PseudoTerminal {
 public:
  using Variables = std::vector<std::pair<std::string, std::string>>;

  /// @param variables  of the environment; an empty value removes one
  PseudoTerminal(std::string const& file, std::vector<std::string> const& arguments, int columns, Variables const& variables = {}) {
    winsize size{};
    size.ws_col = static_cast<unsigned short>(columns);
    size.ws_row = 24;
    process_ = ::forkpty(&terminal_, nullptr, nullptr, &size);
    if (process_ < 0) throw std::runtime_error("no pseudo terminal");
    if (process_ > 0) return;
    for (char const* name : {"COLUMNS", "NO_COLOR", "LC_ALL", "LC_CTYPE"}) ::unsetenv(name);
    ::setenv("TERM", "xterm", 1);
    ::setenv("LANG", "C.UTF-8", 1);
    for (auto const& [name, value] : variables) value.empty() ? ::unsetenv(name.c_str()) : ::setenv(name.c_str(), value.c_str(), 1);
    std::vector<char*> argv{const_cast<char*>(file.c_str())};
    for (auto const& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  PseudoTerminal(PseudoTerminal const&) = delete;
  PseudoTerminal& operator=(PseudoTerminal const&) = delete;
  ~PseudoTerminal() {
    ::close(terminal_);
    if (!ended_) {
      ::kill(process_, SIGKILL);
      ::waitpid(process_, nullptr, 0);
    }
  }

  /// Waits until `text` is written, after what was waited for before; false when the program ends, or after a minute.
  bool wait_for(std::string const& text) {
    auto const end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    for (;;) {
      if (auto const at = written_.find(text, seen_); at != written_.npos) {
        seen_ = at + text.size();
        return true;
      }
      if (std::chrono::steady_clock::now() > end || !read_some()) return false;
    }
  }
  void press(std::string const& keys) {
    if (::write(terminal_, keys.data(), keys.size()) != static_cast<ssize_t>(keys.size()))
      throw std::runtime_error("the terminal takes no keys");
  }
  void resize(int columns) {
    winsize size{};
    size.ws_col = static_cast<unsigned short>(columns);
    size.ws_row = 24;
    ::ioctl(terminal_, TIOCSWINSZ, &size);
  }
  /// Waits for the end: the exit code, or minus the signal.
  int wait() {
    while (read_some()) {}
    int status = 0;
    ::waitpid(process_, &status, 0);
    ended_ = true;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  /// Whether keys are given to the program line by line, and shown, as a shell wants to find its terminal.
  bool is_cooked() const {
    termios now{};
    return ::tcgetattr(terminal_, &now) == 0 && (now.c_lflag & ICANON) != 0 && (now.c_lflag & ECHO) != 0;
  }
  std::string const& written() const { return written_; }
  void send(int signal) const { ::kill(process_, signal); }

 private:
  bool read_some() {
    pollfd ask{terminal_, POLLIN, 0};
    if (::poll(&ask, 1, 1000) == 0) return true;
    char piece[4096];
    ssize_t const got = ::read(terminal_, piece, sizeof piece);
    if (got <= 0) return false;
    written_.append(piece, static_cast<std::size_t>(got));
    return true;
  }

  int terminal_ = -1;
  pid_t process_ = -1;
  bool ended_ = false;
  std::string written_{};
  std::size_t seen_ = 0;
};

}  // namespace hone::test
