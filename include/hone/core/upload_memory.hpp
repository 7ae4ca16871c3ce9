#pragma once

#include <concepts>
#include <cstddef>
#include <cstring>
#include <utility>
#include <vector>

#include "hone/core/backend.hpp"

namespace hone {

/// A context that copies from pinned host memory, which the system does not move, by itself and while the host goes on.
template <class Context>
concept PinnedUploads = requires(Context& context, void* to, void const* from, std::size_t bytes) {
  { context.allocate_pinned(bytes) } -> std::same_as<void*>;
  { context.deallocate_pinned(to, bytes) };
  { context.upload_pinned(to, from, bytes) };
};

/// Host memory to copy to the backend from: pinned where the backend has a use for it.
///
/// Filled by any thread; `resize` beyond what is reserved, and the destructor, by the thread that uses the context.
template <Backend B>
class UploadMemory {
  using Context = typename B::Context;

 public:
  explicit UploadMemory(Context& context) : context_(&context) {}
  UploadMemory(UploadMemory&& other) noexcept { swap(other); }
  UploadMemory& operator=(UploadMemory&& other) noexcept {
    UploadMemory(std::move(other)).swap(*this);
    return *this;
  }
  ~UploadMemory() {
    if constexpr (PinnedUploads<Context>)
      if (data_) context_->deallocate_pinned(data_, capacity_);
  }

  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  /// What was there stays.
  void resize(std::size_t bytes) {
    if (bytes > capacity_) reserve(bytes + bytes / 2);
    size_ = bytes;
  }
  void reserve(std::size_t bytes) {
    if (bytes <= capacity_) return;
    if constexpr (PinnedUploads<Context>) {
      auto* const larger = static_cast<std::byte*>(context_->allocate_pinned(bytes));
      if (size_ > 0) std::memcpy(larger, data_, size_);
      if (data_) context_->deallocate_pinned(data_, capacity_);
      data_ = larger;
    } else {
      memory_.resize(bytes);
      data_ = memory_.data();
    }
    capacity_ = bytes;
  }
  /// Copies all of it in the order of the context's work. Where it is pinned nothing is waited for: it must not be changed
  /// before the context has been synchronised.
  void upload(void* to) const {
    if constexpr (PinnedUploads<Context>)
      context_->upload_pinned(to, data_, size_);
    else
      context_->upload(to, data_, size_);
  }
  void swap(UploadMemory& other) noexcept {
    std::swap(context_, other.context_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    memory_.swap(other.memory_);
  }

 private:
  Context* context_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0, capacity_ = 0;
  std::vector<std::byte> memory_{};  ///< where it is not pinned
};

}  // namespace hone
