// Ctrl-C that ends a run in good order.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>

namespace hone {

/// While one lives, the first Ctrl-C (SIGINT, also SIGTERM) sets a flag and prints a sentence; whoever computes looks at the
/// flag and ends in good order. The second signal ends the process at once, as it would have without this.
///
/// One at a time. The handler calls nothing but what POSIX lets a signal handler call.
class InterruptFlag {
 public:
  /// @param sentence  printed on standard error at the first signal; a string literal
  explicit InterruptFlag(char const* sentence) {
    text_ = sentence;
    flag_.store(false);
    struct sigaction action {};
    action.sa_handler = &InterruptFlag::on_signal;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    for (std::size_t i = 0; i < 2; ++i) {
      sigaction(signals[i], nullptr, &before_[i]);
      if (before_[i].sa_handler != SIG_IGN) sigaction(signals[i], &action, nullptr);  // nohup and the like stay in force
    }
  }
  InterruptFlag(InterruptFlag const&) = delete;
  InterruptFlag& operator=(InterruptFlag const&) = delete;
  ~InterruptFlag() {
    for (std::size_t i = 0; i < 2; ++i) sigaction(signals[i], &before_[i], nullptr);
  }

  /// True after the first signal.
  bool set() const noexcept { return flag_.load(); }
  std::atomic<bool> const* flag() const noexcept { return &flag_; }

 private:
  static constexpr int signals[2] = {SIGINT, SIGTERM};
  static_assert(std::atomic<bool>::is_always_lock_free);

  static void on_signal(int number) {
    if (flag_.exchange(true)) {  // the second one: as without a handler
      signal(number, SIG_DFL);
      raise(number);
      return;
    }
    int const saved = errno;  // belongs to whatever was interrupted
    char const* const text = text_;
    std::size_t length = 0;
    while (text[length] != '\0') ++length;
    [[maybe_unused]] auto const written = ::write(STDERR_FILENO, text, length);
    errno = saved;
  }

  static inline std::atomic<bool> flag_{false};
  static inline char const* volatile text_ = "";
  struct sigaction before_[2]{};
};

}  // namespace hone
