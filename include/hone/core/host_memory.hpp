#pragma once

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>

namespace hone {

namespace detail {

/// The number that a file of the system holds, or 0.
inline std::uint64_t number_in(char const* path) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  return file >> number ? number : 0;  // "max": no limit
}

}  // namespace detail

/// Bytes that the process may still take without swapping: what the system says is available, within the limit of the
/// control group (containers). 0: not known.
inline std::uint64_t available_host_memory() {
  std::uint64_t available = 0;
  std::ifstream file("/proc/meminfo");
  for (std::string name, rest; file >> name; std::getline(file, rest))
    if (name == "MemAvailable:") {
      file >> available;
      available *= 1024;
    }
  std::uint64_t const limit = detail::number_in("/sys/fs/cgroup/memory.max"),
                      used = detail::number_in("/sys/fs/cgroup/memory.current");
  if (available > 0 && limit > 0) available = std::min(available, limit > used ? limit - used : 1);
  return available;
}

}  // namespace hone
