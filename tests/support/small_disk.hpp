// A disk that is soon full: a process of its own whose files may not grow beyond a limit.
#pragma once

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "support/catch.hpp"

namespace hone::test {

/// Runs body() in a process that may write no file beyond `bytes`, and gives what body gave, which is less than 256.
template <class Body>
int with_small_disk(rlim_t bytes, Body&& body) {
  pid_t const child = ::fork();  // the limit belongs to a process
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit const limit{bytes, bytes};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::_exit(body());
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

}  // namespace hone::test
