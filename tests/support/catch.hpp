// One spelling for Catch2 2.13 and 3, and a way to report a test as skipped that both know.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif

#include <cstdio>

/// Ends the test case and reports it as skipped: ctest reads the line (SKIP_REGULAR_EXPRESSION in tests/CMakeLists.txt).
#define HONE_SKIP(reason)                      \
  do {                                         \
    std::printf("SKIPPED: %s\n", reason);      \
    std::fflush(stdout);                       \
    SUCCEED("skipped: " << (reason));          \
    return;                                    \
  } while (false)
