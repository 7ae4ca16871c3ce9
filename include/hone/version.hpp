// The single source of the version: CMakeLists.txt reads the three numbers from this file.
#pragma once

#define HONE_VERSION_MAJOR 0
#define HONE_VERSION_MINOR 1
#define HONE_VERSION_PATCH 0

namespace hone {

/// The library's version as text, "MAJOR.MINOR.PATCH" (semantic versioning).
inline constexpr char version[] = "0.1.0";

}  // namespace hone
