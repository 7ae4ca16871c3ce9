#pragma once

#include <cstddef>

#include <thrust/for_each.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/memory.h>
#include <thrust/transform.h>

#include "hone/core/dropout.hpp"
#include "hone/core/host_context.hpp"
#include "hone/core/matrix.hpp"
#include "hone/core/row_map.hpp"
#include "hone/thrust/temporary_memory.hpp"

namespace hone::detail {

/// functor(0) .. functor(count - 1) where the policy runs them, in any order.
template <class Policy, class Functor>
void thrust_each(Policy const& policy, Index count, Functor const& functor) {
  if (count > 0) ::thrust::for_each_n(policy, ::thrust::counting_iterator<Index>(0), count, functor);
}

/// `size` values of T from the policy's allocator, given back at the end of the scope (kernels that still run may read
/// them: the next user is behind them in the same stream).
template <class T, class Policy>
class Temporary {
 public:
  Temporary(Policy& policy, Index size) : policy_(&policy), memory_(::thrust::get_temporary_buffer<T>(policy, size)) {}
  Temporary(Temporary const&) = delete;
  Temporary& operator=(Temporary const&) = delete;
  ~Temporary() { ::thrust::return_temporary_buffer(*policy_, memory_.first, memory_.second); }
  T* data() const { return ::thrust::raw_pointer_cast(memory_.first); }

 private:
  Policy* policy_;
  decltype(::thrust::get_temporary_buffer<T>(*static_cast<Policy*>(nullptr), 0)) memory_;
};

/// What a Temporary of so many values takes of the allocator.
template <class T>
std::size_t temporary_bytes(Index size) {
  return TemporaryMemory<HostContext>::aligned(static_cast<std::size_t>(size) * sizeof(T));
}

template <class T>
bool contiguous(MatrixView<T> const& x) {
  return x.rows <= 1 || x.stride == x.cols;
}

template <class T, class U, class F>
struct TransformElement {
  MatrixView<T const> x;
  MatrixView<U> y;
  F f;
  HONE_HOST_DEVICE void operator()(Index i) const {
    Index const n = i / y.cols, c = i % y.cols;
    y(n, c) = f(x(n, c));
  }
};

/// y = f(x), element by element; y may be x.
template <class Policy, class T, class U, class F>
void thrust_transform(Policy const& policy, MatrixView<T const> x, MatrixView<U> y, F const& f) {
  Index const count = y.rows * y.cols;
  if (contiguous(x) && contiguous(y))
    ::thrust::transform(policy, x.data, x.data + count, y.data, f);
  else
    thrust_each(policy, count, TransformElement<T, U, F>{x, y, f});
}

template <class T1, class T2, class U, class F>
struct TransformPair {
  MatrixView<T1 const> a;
  MatrixView<T2 const> b;
  MatrixView<U> y;
  F f;
  HONE_HOST_DEVICE void operator()(Index i) const {
    Index const n = i / y.cols, c = i % y.cols;
    y(n, c) = f(a(n, c), b(n, c));
  }
};

/// y = f(a, b), element by element; y may be a or b.
template <class Policy, class T1, class T2, class U, class F>
void thrust_transform(Policy const& policy, MatrixView<T1 const> a, MatrixView<T2 const> b, MatrixView<U> y, F const& f) {
  Index const count = y.rows * y.cols;
  if (contiguous(a) && contiguous(b) && contiguous(y))
    ::thrust::transform(policy, a.data, a.data + count, b.data, y.data, f);
  else
    thrust_each(policy, count, TransformPair<T1, T2, U, F>{a, b, y, f});
}

/// Which of eight columns of a row are kept: the random words of columns 8 * block .. 8 * block + 7.
struct KeptColumns {
  PhiloxWords words{};
  std::uint32_t threshold = 0;

  HONE_HOST_DEVICE KeptColumns(Dropout const& dropout, RowMap const& rows, Index row, Index block)
      : threshold(dropout.threshold) {
    if (dropout.active())
      words = dropout.words(static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(rows.position[row]),
                            static_cast<std::uint32_t>(rows.example(row)));
  }
  HONE_HOST_DEVICE bool operator[](Index lane) const {
    return ((words.word[lane / 2] >> (16 * (lane % 2))) & 0xFFFFu) >= threshold;
  }
};

/// Index i of rows * blocks_of(width): eight columns of one row.
struct ColumnBlock {
  Index row, block, begin, end;
  HONE_HOST_DEVICE ColumnBlock(Index i, Index width)
      : row(i / ((width + 7) / 8)),
        block(i % ((width + 7) / 8)),
        begin(8 * block),
        end(begin + 8 < width ? begin + 8 : width) {}
};
inline Index column_blocks(Index rows, Index width) { return rows * ((width + 7) / 8); }

}  // namespace hone::detail
