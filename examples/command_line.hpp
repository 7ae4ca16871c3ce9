// What every example program needs: options, and errors that end as one sentence and exit code 1.
#pragma once

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <string>

#include "hone/core/error.hpp"
#include "hone/version.hpp"

namespace hone::examples {

/// Reads the command line. False: --help or --version was asked for and shown, there is nothing more to do.
/// Errors: E901 an option that does not exist, or a value that is not one.
inline bool parse_command_line(CLI::App& app, int argc, char** argv) {
  app.set_version_flag("--version", std::string("hone ") + version);
  try {
    app.parse(argc, argv);
  } catch (CLI::ParseError const& error) {
    if (error.get_exit_code() != 0)
      throw Error(901, "the command line is not right: " + std::string(error.what()), {},
                  "see " + app.get_name() + " --help");
    app.exit(error);
    return false;
  }
  return true;
}

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
