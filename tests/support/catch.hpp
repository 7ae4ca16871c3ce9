// One spelling for Catch2 2.13 and 3, and a way to report a test as skipped that both know.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif

#include <cstdio>

namespace hone::test {

/// Set when a test case of this program was skipped; main() then answers ctest's SKIP_RETURN_CODE, if nothing failed.
inline bool skipped = false;

}  // namespace hone::test

/// Ends the test case and reports it as skipped. A failed check in the same test case still makes it fail.
#define HONE_SKIP(reason)                 \
  do {                                    \
    std::printf("SKIPPED: %s\n", reason); \
    std::fflush(stdout);                  \
    hone::test::skipped = true;           \
    SUCCEED("skipped: " << (reason));     \
    return;                               \
  } while (false)
