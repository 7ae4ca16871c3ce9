#pragma once

#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "hone/core/backend.hpp"

namespace hone {

/// Memory of a backend that owns `size` values of T; moves, does not copy. The context must outlive it.
template <Backend B, class T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Buffer() = default;
  Buffer(typename B::Context& context, Index size)
      : context_(&context), data_(size > 0 ? static_cast<T*>(context.allocate(bytes(size))) : nullptr), size_(size) {}
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer(std::move(other)).swap(*this);
    return *this;
  }
  ~Buffer() {
    if (data_) context_->deallocate(data_, bytes(size_));
  }

  T* data() const { return data_; }
  Index size() const { return size_; }
  VectorView<T> view() const { return {data_, size_}; }

  void fill_zero() { context_->fill_zero(data_, bytes(size_)); }
  /// Copies from the host; `from` has size() values.
  void upload(std::span<T const> from) { context_->upload(data_, from.data(), from.size_bytes()); }
  /// Copies to the host and waits until it is there.
  std::vector<T> download() const {
    std::vector<T> host;
    download(host);
    return host;
  }
  /// The same into a vector whose memory is used again.
  void download(std::vector<T>& host) const {
    host.resize(static_cast<std::size_t>(size_));
    if (size_ > 0) {
      context_->download(host.data(), data_, bytes(size_));
      context_->synchronize();
    }
  }
  void swap(Buffer& other) noexcept {
    std::swap(context_, other.context_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

 private:
  static std::size_t bytes(Index size) { return static_cast<std::size_t>(size) * sizeof(T); }

  typename B::Context* context_ = nullptr;
  T* data_ = nullptr;
  Index size_ = 0;
};

}  // namespace hone
