// The main function of every test program. Exit code: 0 all passed, 4 all passed and something was skipped, else failed.
#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_RUNNER
#endif
#include "support/catch.hpp"

int main(int argc, char* argv[]) {
  constexpr int skipped_code = 4;  // ctest's SKIP_RETURN_CODE; Catch2 3 insists on this one
  int const result = Catch::Session().run(argc, argv);
  if (result == 0) return hone::test::skipped ? skipped_code : 0;
  return result == skipped_code ? skipped_code + 1 : result;  // Catch2 2 answers the number of failures
}
