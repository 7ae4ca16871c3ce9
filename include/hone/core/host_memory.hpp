#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <string>

#include "hone/core/config.hpp"

#if HONE_BODIES
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <algorithm>
#include <fstream>
#endif

namespace hone {

namespace detail {

/// The number that a file of the system begins with, or 0 ("max", or no such file).
std::uint64_t number_in(char const* path);
/// The number behind a name at the beginning of a line, or 0.
std::uint64_t number_of(char const* path, std::string const& wanted);

inline constexpr std::size_t huge_page = std::size_t{2} << 20;  ///< bytes, on x86-64 and most others
inline constexpr std::align_val_t host_alignment(std::size_t bytes) {
  return std::align_val_t{bytes >= 2 * huge_page ? huge_page : 64};
}

/// Memory that begins on a cache line; null where there is not so much. Large blocks begin on a huge page, and the system is
/// asked for huge pages: rows of a matrix are often pages apart, and the processor knows the places of few pages at a time.
void* allocate_host_memory(std::size_t bytes);
/// Gives back what allocate_host_memory gave for so many bytes.
inline void free_host_memory(void* memory, std::size_t bytes) { ::operator delete(memory, host_alignment(bytes)); }

#if HONE_BODIES

HONE_INLINE std::uint64_t number_in(char const* path) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  return file >> number ? number : 0;
}

HONE_INLINE std::uint64_t number_of(char const* path, std::string const& wanted) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  for (std::string name, rest; file >> name; std::getline(file, rest))
    if (name == wanted) return file >> number ? number : 0;
  return 0;
}

HONE_INLINE void* allocate_host_memory(std::size_t bytes) {
  void* const memory = ::operator new(bytes, host_alignment(bytes), std::nothrow);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  if (memory && bytes >= 2 * huge_page) ::madvise(memory, bytes / huge_page * huge_page, MADV_HUGEPAGE);  // a wish
#endif
  return memory;
}

#endif

}  // namespace detail

/// The most memory that this process has had at once, in bytes, as the system counts it (VmHWM). 0: not known.
std::uint64_t peak_process_memory();

/// Bytes that the process may still take without swapping: what the system says is available, within the limit of the
/// control group (containers), whose copies of files are given back when memory is short. 0: not known.
std::uint64_t available_host_memory();

#if HONE_BODIES

HONE_INLINE std::uint64_t peak_process_memory() { return detail::number_of("/proc/self/status", "VmHWM:") * 1024; }

HONE_INLINE std::uint64_t available_host_memory() {
  std::uint64_t const available = detail::number_of("/proc/meminfo", "MemAvailable:") * 1024;
  std::uint64_t const limit = detail::number_in("/sys/fs/cgroup/memory.max");
  if (available == 0 || limit == 0) return available;
  char const* const group = "/sys/fs/cgroup/memory.stat";
  std::uint64_t const files = detail::number_of(group, "inactive_file") + detail::number_of(group, "active_file");
  std::uint64_t const held = detail::number_in("/sys/fs/cgroup/memory.current"), used = held > files ? held - files : 0;
  return std::min(available, limit > used ? limit - used : 1);
}

#endif

}  // namespace hone
