#pragma once

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // g++ 12 in its own AVX-512 header, which Eigen includes
#endif
#if defined(__CUDACC__) && !defined(EIGEN_CORE_H) && !defined(EIGEN_NO_CUDA)
#define EIGEN_NO_CUDA  // Eigen is host code here; who wants it on the device includes it before
#endif
#include <Eigen/Core>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#include <string_view>

#include "hone/cpu/backend.hpp"
#include "hone/ops/linear.hpp"

namespace hone {

/// An Eigen map of a view, row-major: for users who go on with Eigen. The view's memory is used, not copied.
///
/// Shapes: m (R, C) -> Eigen matrix (R, C). With T const the map is read-only.
template <class T>
auto as_eigen(MatrixView<T> m) {
  using Plain = Eigen::Matrix<std::remove_const_t<T>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using Shape = std::conditional_t<std::is_const_v<T>, Plain const, Plain>;
  return Eigen::Map<Shape, Eigen::Unaligned, Eigen::OuterStride<>>(m.data, m.rows, m.cols, Eigen::OuterStride<>(m.stride));
}
/// Shapes: v (n) -> Eigen row vector (n).
template <class T>
auto as_eigen(VectorView<T> v) {
  using Plain = Eigen::Matrix<std::remove_const_t<T>, 1, Eigen::Dynamic>;
  return Eigen::Map<std::conditional_t<std::is_const_v<T>, Plain const, Plain>>(v.data, v.size);
}

/// Linear layers as Eigen products: for processors on which the kernels of cpu/ are untried, and to compare them with.
///
/// Rows (or rows of the weight gradient) are cut into chunks of fixed size, one Eigen product each, so that results do not
/// depend on the number of threads. Unlike with Cpu they may depend, in the last bits, on the other rows of a batch: the
/// order of Eigen's sums changes with the number of rows, and with where the operands begin in memory.
template <class Op>
struct EigenKernel : NoKernel {};

struct EigenRung {
  static constexpr std::string_view name = "eigen";
  template <class Op>
  using Kernel = EigenKernel<Op>;
};

/// A backend like Cpu whose products are Eigen's.
template <class P = fp32>
struct EigenCpu {
  using Precision = P;
  using Context = HostContext;
  using Options = HostOptions;
  using Ladder = hone::Ladder<EigenRung, CpuRung, GenericRung>;
  static constexpr std::string_view name = "eigen";
};

namespace detail {

inline constexpr Index eigen_rows = 256;  ///< of one product: enough for Eigen's blocking, small enough to share out

}  // namespace detail

template <class P>
struct EigenKernel<LinearForward<P>> {
  static void run(HostContext& context, LinearForward<P> const& op) {
    context.pool().parallel_for(op.y.rows, detail::eigen_rows, [&](Index begin, Index end) {
      auto y = as_eigen(op.y.row_block(begin, end - begin));
      y.noalias() = as_eigen(op.x.row_block(begin, end - begin)) * as_eigen(op.weight).transpose();
      if (op.bias) y.rowwise() += as_eigen(op.bias);
    });
  }
};

template <class P>
struct EigenKernel<LinearBackwardInput<P>> {
  static void run(HostContext& context, LinearBackwardInput<P> const& op) {
    context.pool().parallel_for(op.dx.rows, detail::eigen_rows, [&](Index begin, Index end) {
      auto dx = as_eigen(op.dx.row_block(begin, end - begin));
      auto const product = as_eigen(op.dy.row_block(begin, end - begin)) * as_eigen(op.weight);
      if (op.write == Write::add) dx.noalias() += product;
      else dx.noalias() = product;
    });
  }
};

template <class P>
struct EigenKernel<LinearBackwardParameters<P>> {
  static void run(HostContext& context, LinearBackwardParameters<P> const& op) {
    context.pool().parallel_for(op.dweight.rows, detail::eigen_rows, [&](Index begin, Index end) {
      auto dweight = as_eigen(op.dweight.row_block(begin, end - begin));
      auto const dy = as_eigen(op.dy.column_block(begin, end - begin));
      if (op.write == Write::add) dweight.noalias() += dy.transpose() * as_eigen(op.x);
      else dweight.noalias() = dy.transpose() * as_eigen(op.x);
      if (!op.dbias) return;
      auto dbias = as_eigen(op.dbias.slice(begin, end - begin));
      if (op.write == Write::add) dbias += dy.colwise().sum();
      else dbias = dy.colwise().sum();
    });
  }
};

static_assert(Backend<EigenCpu<fp32>>);

}  // namespace hone
