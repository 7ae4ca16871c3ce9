#include "hone/train/interrupt.hpp"

#include <sys/wait.h>

#include <csignal>

#include "support/catch.hpp"

using hone::InterruptFlag;

namespace {

/// Runs `body` in a process of its own; what became of it, as waitpid tells it.
template <class Body>
int in_child(Body const& body) {
  pid_t const child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    for (int const number : {SIGINT, SIGTERM}) std::signal(number, SIG_DFL);  // the test framework has its own
    body();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

}  // namespace

TEST_CASE("the first signal sets a flag, the second one ends the process") {
  for (int const number : {SIGINT, SIGTERM}) {
    int const once = in_child([number] {
      InterruptFlag const interrupt("");
      if (interrupt.set()) ::_exit(1);
      ::raise(number);
      ::_exit(interrupt.set() && interrupt.flag()->load() ? 42 : 2);
    });
    REQUIRE(WIFEXITED(once));
    CHECK(WEXITSTATUS(once) == 42);
    int const twice = in_child([number] {
      InterruptFlag const interrupt("");
      ::raise(SIGINT);
      ::raise(number);
      ::_exit(1);
    });
    REQUIRE(WIFSIGNALED(twice));
    CHECK(WTERMSIG(twice) == number);
  }
}

TEST_CASE("without the flag, and after it, a signal does what it did before") {
  int const after = in_child([] {
    { InterruptFlag const interrupt(""); }
    ::raise(SIGINT);
  });
  REQUIRE(WIFSIGNALED(after));
  CHECK(WTERMSIG(after) == SIGINT);
  int const ignored = in_child([] {
    std::signal(SIGTERM, SIG_IGN);
    InterruptFlag const interrupt("");
    ::raise(SIGTERM);
    ::_exit(interrupt.set() ? 1 : 42);  // what was ignored stays ignored
  });
  REQUIRE(WIFEXITED(ignored));
  CHECK(WEXITSTATUS(ignored) == 42);
  int const again = in_child([] {
    {
      InterruptFlag const interrupt("");
      ::raise(SIGINT);
    }
    InterruptFlag const interrupt("");
    ::_exit(interrupt.set() ? 1 : 42);  // a new one begins unset
  });
  REQUIRE(WIFEXITED(again));
  CHECK(WEXITSTATUS(again) == 42);
}
