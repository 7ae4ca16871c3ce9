#pragma once

#include <cstdint>
#include <type_traits>

#include "hone/core/config.hpp"

namespace hone {

/// Sizes and positions. Signed, so that loops may count down and differences are differences.
using Index = std::int64_t;

/// A view of `size` consecutive values. Owns nothing; trivially copyable, so that kernels take it by value.
template <class T>
struct VectorView {
  T* data = nullptr;
  Index size = 0;

  HONE_HOST_DEVICE constexpr T& operator[](Index i) const { return data[i]; }
  HONE_HOST_DEVICE constexpr explicit operator bool() const { return data != nullptr; }

  /// A view that promises not to write.
  template <class U = T>
    requires(!std::is_const_v<U>)
  HONE_HOST_DEVICE constexpr operator VectorView<U const>() const {
    return {data, size};
  }
  HONE_HOST_DEVICE constexpr VectorView slice(Index begin, Index count) const { return {data + begin, count}; }
};

/// A row-major view of `rows` x `cols` values; row r begins at data + r * stride. Owns nothing.
template <class T>
struct MatrixView {
  T* data = nullptr;
  Index rows = 0, cols = 0, stride = 0;

  constexpr MatrixView() = default;
  HONE_HOST_DEVICE constexpr MatrixView(T* d, Index r, Index c) : data(d), rows(r), cols(c), stride(c) {}
  HONE_HOST_DEVICE constexpr MatrixView(T* d, Index r, Index c, Index s) : data(d), rows(r), cols(c), stride(s) {}

  HONE_HOST_DEVICE constexpr T& operator()(Index r, Index c) const { return data[r * stride + c]; }
  HONE_HOST_DEVICE constexpr T* row(Index r) const { return data + r * stride; }
  HONE_HOST_DEVICE constexpr explicit operator bool() const { return data != nullptr; }

  template <class U = T>
    requires(!std::is_const_v<U>)
  HONE_HOST_DEVICE constexpr operator MatrixView<U const>() const {
    return {data, rows, cols, stride};
  }
  /// `count` rows from row `begin` on.
  HONE_HOST_DEVICE constexpr MatrixView row_block(Index begin, Index count) const {
    return {data + begin * stride, count, cols, stride};
  }
  /// `count` columns from column `begin` on; the stride stays.
  HONE_HOST_DEVICE constexpr MatrixView column_block(Index begin, Index count) const {
    return {data + begin, rows, count, stride};
  }
};

/// What an operation does with the values already at its destination: replace them, or add to them.
///
/// Parameter gradients: the first contribution of a step assigns (so that nothing need be zeroed), later ones add.
enum class Write : std::uint8_t { assign, add };

}  // namespace hone
