#pragma once

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "hone/cuda/check.cuh"

namespace hone::detail {

/// Copies from ordinary host memory to the device without waiting: through a ring of pinned blocks.
///
/// The source is copied into the ring before `upload` returns, so it may be a temporary. Small uploads share a block; a
/// block is used again when the stream has passed its last copy, which is waited for only if the ring is full.
class Staging {
 public:
  Staging() = default;
  Staging(Staging const&) = delete;
  Staging& operator=(Staging const&) = delete;
  /// The stream must have been synchronised.
  ~Staging() {
    for (auto& block : blocks_) {
      if (block.passed) static_cast<void>(cudaEventDestroy(block.passed));
      if (block.memory) static_cast<void>(cudaFreeHost(block.memory));
    }
  }

  void upload(void* to, void const* from, std::size_t bytes, cudaStream_t stream) {
    auto* target = static_cast<unsigned char*>(to);
    auto const* source = static_cast<unsigned char const*>(from);
    while (bytes > 0) {
      if (used_ == block_bytes) next_block(stream);
      Block& block = blocks_[at_];
      if (!block.memory) make(block);
      std::size_t const part = std::min(bytes, block_bytes - used_);
      std::memcpy(block.memory + used_, source, part);
      check_cuda(cudaMemcpyAsync(target, block.memory + used_, part, cudaMemcpyHostToDevice, stream), "cudaMemcpyAsync");
      used_ = std::min(block_bytes, (used_ + part + 255) / 256 * 256);
      target += part;
      source += part;
      bytes -= part;
    }
  }

 private:
  static constexpr std::size_t block_bytes = std::size_t(4) << 20;
  static constexpr int count = 4;
  struct Block {
    unsigned char* memory = nullptr;
    cudaEvent_t passed = nullptr;  ///< after the last copy from it
  };

  static void make(Block& block) {
    void* memory = nullptr;
    check_cuda(cudaHostAlloc(&memory, block_bytes, cudaHostAllocDefault), "cudaHostAlloc");
    block.memory = static_cast<unsigned char*>(memory);
    check_cuda(cudaEventCreateWithFlags(&block.passed, cudaEventDisableTiming), "cudaEventCreateWithFlags");
  }
  void next_block(cudaStream_t stream) {
    check_cuda(cudaEventRecord(blocks_[at_].passed, stream), "cudaEventRecord");
    at_ = (at_ + 1) % count;
    used_ = 0;
    if (blocks_[at_].memory) check_cuda(cudaEventSynchronize(blocks_[at_].passed), "cudaEventSynchronize");
  }

  Block blocks_[count]{};
  int at_ = 0;
  std::size_t used_ = 0;
};

}  // namespace hone::detail
