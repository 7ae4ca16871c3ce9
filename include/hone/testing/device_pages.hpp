#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"

#if defined(HONE_ADDRESS_SANITIZER)
#include <sanitizer/asan_interface.h>
#endif

namespace hone::testing {

/// Memory that the host cannot touch but while a kernel or a copy runs: it is the emulator's device memory, and code that
/// reads it on the host, which would fail on a device, fails here with a segmentation fault.
class DevicePages {
 public:
  /// @param hidden  false: the host may touch it at any time
  explicit DevicePages(bool hidden) : hidden_(hidden) {
    void* const memory = mmap(nullptr, reserved, protection(), MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) fail(reserved);
    base_ = static_cast<unsigned char*>(memory);
    free_.push_back({0, reserved});
  }
  DevicePages(DevicePages const&) = delete;
  DevicePages& operator=(DevicePages const&) = delete;
  ~DevicePages() {
#if defined(HONE_ADDRESS_SANITIZER)
    __asan_unpoison_memory_region(base_, used_);  // the addresses will be others'
#endif
    munmap(base_, reserved);
  }

  /// Whole pages. Throws E711.
  unsigned char* take(std::size_t bytes) {
    std::size_t const size = rounded(bytes);
    for (auto range = free_.begin(); range != free_.end(); ++range) {
      if (range->size < size) continue;
      std::size_t const begin = range->begin;
      range->begin += size;
      range->size -= size;
      if (range->size == 0) free_.erase(range);
      if (begin + size > used_) {
        used_ = begin + size;
        protect();
      }
      return base_ + begin;
    }
    fail(bytes);
  }
  void give(unsigned char* memory, std::size_t bytes) noexcept {
    Range const back{static_cast<std::size_t>(memory - base_), rounded(bytes)};
    auto const after =
        std::find_if(free_.begin(), free_.end(), [&](Range const& range) { return range.begin > back.begin; });
    auto const at = free_.insert(after, back);
    if (at + 1 != free_.end() && at->begin + at->size == (at + 1)->begin) {
      at->size += (at + 1)->size;
      free_.erase(at + 1);
    }
    if (at != free_.begin() && (at - 1)->begin + (at - 1)->size == at->begin) {
      (at - 1)->size += at->size;
      free_.erase(at);
    }
  }

  /// While one lives the memory can be touched.
  class Open {
   public:
    explicit Open(DevicePages& pages) : pages_(pages) {
      if (pages_.open_++ == 0) pages_.protect();
    }
    ~Open() {
      if (--pages_.open_ == 0) pages_.protect();
    }
    Open(Open const&) = delete;
    Open& operator=(Open const&) = delete;

   private:
    DevicePages& pages_;
  };

 private:
  struct Range {
    std::size_t begin, size;
  };
  static constexpr std::size_t reserved = std::size_t(16) << 30, page = 4096;  // addresses, not memory

  static std::size_t rounded(std::size_t bytes) { return (bytes + page - 1) / page * page; }
  int protection() const { return hidden_ && open_ == 0 ? PROT_NONE : PROT_READ | PROT_WRITE; }
  void protect() {
    if (hidden_ && used_ > 0) static_cast<void>(mprotect(base_, used_, protection()));
  }
  [[noreturn]] static void fail(std::size_t bytes) {
    throw Error(711, "memory could not be allocated", {.value = std::to_string(bytes) + " bytes of an emulated device"},
                "use a smaller batch or a smaller model, or a machine with more memory");
  }

  bool hidden_;
  int open_ = 0;
  unsigned char* base_ = nullptr;
  std::size_t used_ = 0;       // bytes that were ever taken, from the base on
  std::vector<Range> free_{};  // in order, not touching
};

}  // namespace hone::testing
