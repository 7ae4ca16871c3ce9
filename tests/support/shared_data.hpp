// Where the test data that is not part of the project lies, when it is there.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace hone::test {

/// The folder of shared data: $HONE_SHARED_DATA, else shared/data beside the checkout; empty when there is none.
inline std::filesystem::path shared_data() {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (char const* named = std::getenv("HONE_SHARED_DATA")) return fs::is_directory(named, ignored) ? fs::path(named) : fs::path();
  fs::path const beside = fs::path(HONE_SOURCE_DIR) / ".." / "shared" / "data";
  return fs::is_directory(beside, ignored) ? fs::canonical(beside) : fs::path();
}

/// The folder of expected values: $HONE_EXPECTED, else `expected` in the shared data; empty when there is none.
inline std::filesystem::path expected() {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (char const* named = std::getenv("HONE_EXPECTED")) return fs::is_directory(named, ignored) ? fs::path(named) : fs::path();
  fs::path const data = shared_data();
  return !data.empty() && fs::is_directory(data / "expected", ignored) ? data / "expected" : fs::path();
}

}  // namespace hone::test
