// Single keys from a terminal, or words from a pipe.
#pragma once

#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>

namespace hone::examples {

/// A terminal that gives each key at once and does not show it; as it was before in the end, also when a signal ends the
/// program.
class RawTerminal {
 public:
  RawTerminal() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    active_ = ::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
    for (int const signal : {SIGTERM, SIGHUP, SIGINT}) std::signal(signal, &RawTerminal::end);
  }
  RawTerminal(RawTerminal const&) = delete;
  RawTerminal& operator=(RawTerminal const&) = delete;
  ~RawTerminal() {
    if (active_) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
    for (int const signal : {SIGTERM, SIGHUP, SIGINT}) std::signal(signal, SIG_DFL);
  }

 private:
  static void end(int signal) {
    ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }

  static inline termios before_{};
  bool active_ = false;
};

/// What a person answers, one key at a time. From a pipe each character that is no space is a key.
class Keys {
 public:
  static constexpr int end = -1;

  explicit Keys(bool terminal) : terminal_(terminal) {}

  /// The next key in lower case; `end` for the end of the input, Ctrl-C and Ctrl-D. Keys that send several bytes (arrows)
  /// are left out.
  int next() {
    for (;;) {
      int const key = read_byte();
      if (key == end || key == 3 || key == 4) return end;
      if (key == 27) {
        skip_sequence();
        continue;
      }
      if (!terminal_ && (key == ' ' || key == '\n' || key == '\r' || key == '\t')) continue;
      return key >= 'A' && key <= 'Z' ? key - 'A' + 'a' : key;
    }
  }
  /// After a '1' that may be the beginning of 10: true, and the '0' is taken, when it follows within half a second.
  bool zero_follows() {
    if (ahead_ == no_byte) {
      if (!waits(terminal_ ? 500 : -1)) return false;
      ahead_ = get();
    }
    if (ahead_ != '0') return false;
    ahead_ = no_byte;
    return true;
  }

 private:
  static constexpr int no_byte = -2;

  int read_byte() {
    if (ahead_ == no_byte) return get();
    int const key = ahead_;
    ahead_ = no_byte;
    return key;
  }
  /// The rest of a key that sends several bytes (ECMA-48, 5.4): ESC [ PARAMETERS LETTER, or ESC and one byte.
  void skip_sequence() {
    if (!waits(20)) return;
    int byte = read_byte();
    if (byte != '[' && byte != 'O') return;
    do {
      if (!waits(20)) return;
      byte = read_byte();
    } while (byte != end && (byte < 0x40 || byte > 0x7E));
  }
  static bool waits(int milliseconds) {
    pollfd ask{STDIN_FILENO, POLLIN, 0};
    return ::poll(&ask, 1, milliseconds) > 0;
  }
  static int get() {
    unsigned char byte = 0;
    ssize_t got;
    do got = ::read(STDIN_FILENO, &byte, 1);
    while (got < 0 && errno == EINTR);
    return got == 1 ? byte : end;
  }

  bool terminal_;
  int ahead_ = no_byte;
};

}  // namespace hone::examples
