// The main function of suites on a device: without one everything is skipped, exit code 4.
#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_RUNNER
#endif
#include "hone/cuda/info.cuh"
#include "support/catch.hpp"

int main(int argc, char* argv[]) {
  constexpr int skipped_code = 4;
  try {
    hone::cuda_devices();
  } catch (hone::Error const& error) {
    std::printf("SKIPPED: %s\n", error.what());
    return skipped_code;
  }
  int const result = Catch::Session().run(argc, argv);
  if (result == 0) return hone::test::skipped ? skipped_code : 0;
  return result == skipped_code ? skipped_code + 1 : result;
}
