// What every example program needs: errors that end as one sentence and exit code 1.
#pragma once

#include <csignal>
#include <cstdio>
#include <exception>
#include <new>

#include "hone/core/error.hpp"

namespace hone::examples {

/// Runs `body` and returns the exit code: what it returns, or 1 after an error, whose message goes to standard error.
template <class Body>
int run_program(Body&& body) {
  std::signal(SIGXFSZ, SIG_IGN);  // a file beyond `ulimit -f` is then an error of the write, with a number, not the end
  try {
    return body();
  } catch (Error const& error) {
    std::fflush(stdout);
    std::fprintf(stderr, "%s\n", error.what());
  } catch (std::bad_alloc const&) {
    std::fflush(stdout);
    std::fprintf(stderr, "[hone-E711] memory could not be allocated. Next: use a smaller batch or a smaller model.\n");
  } catch (std::exception const& error) {
    std::fflush(stdout);
    std::fprintf(stderr, "unexpected error: %s\n", error.what());
  }
  return 1;
}

}  // namespace hone::examples
