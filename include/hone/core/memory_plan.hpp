#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hone/core/config.hpp"

#if HONE_BODIES
#include <algorithm>
#include <cstdio>
#include <utility>

#include "hone/core/error.hpp"
#endif

namespace hone {

/// What a piece of work will take of a backend's memory, part by part, told before any of it is taken.
class MemoryPlan {
 public:
  struct Part {
    std::string name;
    std::uint64_t bytes = 0;
  };

  std::uint64_t available = 0;  ///< bytes that are free where the plan is for; 0: not known

  void add(std::string name, std::uint64_t bytes);
  /// For memory that several use in turn: a part of this name has as many bytes as the one who needs the most.
  void add_most(std::string const& name, std::uint64_t bytes);
  std::vector<Part> const& parts() const { return parts_; }
  /// Bytes of the part of this name; 0: there is none.
  std::uint64_t bytes(std::string const& name) const {
    for (auto const& part : parts_)
      if (part.name == name) return part.bytes;
    return 0;
  }
  std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (auto const& part : parts_) sum += part.bytes;
    return sum;
  }

  /// A size for people: 4.3 GiB, 12 MiB, 900 bytes.
  static std::string size_text(std::uint64_t bytes);

  /// One part a line, the sum below them.
  std::string text() const;

  /// Throws E712 when more is planned than there is, where that is known.
  void require() const;

 private:
  std::vector<Part> parts_;
};

#if HONE_BODIES

HONE_INLINE void MemoryPlan::add(std::string name, std::uint64_t bytes) { parts_.push_back({std::move(name), bytes}); }

HONE_INLINE void MemoryPlan::add_most(std::string const& name, std::uint64_t bytes) {
  for (auto& part : parts_)
    if (part.name == name) {
      part.bytes = std::max(part.bytes, bytes);
      return;
    }
  if (bytes > 0) add(name, bytes);
}

HONE_INLINE std::string MemoryPlan::size_text(std::uint64_t bytes) {
  char const* const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  double size = static_cast<double>(bytes);
  int unit = 0;
  while (size >= 1024 && unit < 4) {
    size /= 1024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, unit > 0 && size < 100 ? "%.1f %s" : "%.0f %s", size, units[unit]);
  return text;
}

HONE_INLINE std::string MemoryPlan::text() const {
  std::string lines;
  auto line = [&lines](std::string const& name, std::uint64_t bytes) {
    std::string const size = size_text(bytes);
    lines += "  " + name + std::string(name.size() < 46 ? 46 - name.size() : 1, ' ') +
             std::string(size.size() < 10 ? 10 - size.size() : 0, ' ') + size + "\n";
  };
  for (auto const& part : parts_) line(part.name, part.bytes);
  line("in all", total());
  lines.pop_back();
  return lines;
}

HONE_INLINE void MemoryPlan::require() const {
  if (available == 0 || total() <= available) return;
  Part largest;
  for (auto const& part : parts_)
    if (part.bytes > largest.bytes) largest = part;
  throw Error(712, "the memory that is free is not enough",
              {.value = size_text(total()) + " planned, of which " + largest.name + " " + size_text(largest.bytes),
               .allowed = size_text(available) + ", " + size_text(total() - available) + " less"},
              "give a smaller batch size and take more batches for a step (the step stays the same), cut texts "
              "shorter, or take a smaller model");
}

#endif

}  // namespace hone
