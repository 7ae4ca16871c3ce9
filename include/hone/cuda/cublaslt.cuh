#pragma once

#include <string_view>
#include <type_traits>

#include "hone/core/bfloat16.hpp"
#include "hone/cuda/column_sums.hpp"
#include "hone/cuda/context.cuh"
#include "hone/cuda/gemm.cuh"
#include "hone/generic/linear.hpp"
#include "hone/ops/linear.hpp"

namespace hone {

/// An operation as products by cuBLASLt.
template <class Op>
struct CublasLtKernel : NoKernel {};

/// The first rung of Cuda: the matrix products of ops/linear.hpp. What cuBLASLt has no algorithm for is run by generic/.
struct CublasLtRung {
  static constexpr std::string_view name = "cublaslt";
  template <class Op>
  using Kernel = CublasLtKernel<Op>;
};

namespace detail {

template <class A, class Result>
concept GemmFormats = (std::is_same_v<A, bfloat16> && (std::is_same_v<Result, bfloat16> || std::is_same_v<Result, float>)) ||
                      (std::is_same_v<A, Result> && (std::is_same_v<A, float> || std::is_same_v<A, double>));

template <class A, class Result>
constexpr GemmType gemm_type() {
  if constexpr (std::is_same_v<A, bfloat16>)
    return std::is_same_v<Result, bfloat16> ? GemmType::bf16 : GemmType::bf16_to_float;
  else
    return std::is_same_v<A, float> ? GemmType::float32 : GemmType::float64;
}

/// D (m, n) = op(A) op(B) [+ D] in cuBLAS's terms, from row-major views: a view's rows are columns there.
template <class A, class Result>
GemmProblem gemm_problem(MatrixView<A const> a, bool transpose_a, MatrixView<A const> b, bool transpose_b,
                         MatrixView<Result> d, Write write) {
  GemmProblem problem;
  problem[GemmProblem::type] = static_cast<std::int64_t>(gemm_type<A, Result>());
  problem[GemmProblem::m] = d.cols;
  problem[GemmProblem::n] = d.rows;
  problem[GemmProblem::k] = transpose_a ? a.cols : a.rows;
  problem[GemmProblem::lda] = a.stride;
  problem[GemmProblem::ldb] = b.stride;
  problem[GemmProblem::ldd] = d.stride;
  problem[GemmProblem::transpose_a] = transpose_a;
  problem[GemmProblem::transpose_b] = transpose_b;
  problem[GemmProblem::add] = write == Write::add;
  problem[GemmProblem::align_a] = gemm_alignment(a.data);
  problem[GemmProblem::align_b] = gemm_alignment(b.data);
  problem[GemmProblem::align_d] = gemm_alignment(d.data);
  return problem;
}
inline GemmProblem with_epilogue(GemmProblem problem, GemmEpilogue epilogue) {
  problem[GemmProblem::epilogue] = static_cast<std::int64_t>(epilogue);
  return problem;
}
/// Epilogues read and write their vector 16 bytes at a time.
inline bool fits_epilogue(void const* vector) { return gemm_alignment(vector) >= 16; }

/// Every row of y becomes the bias.
template <class A>
struct FillWithBias {
  VectorView<A const> bias;
  MatrixView<A> y;
  HONE_HOST_DEVICE void operator()(Index i) const { y(i / y.cols, i % y.cols) = bias[i % y.cols]; }
};

}  // namespace detail

/// y^T (O, N) = W x^T + b: the bias by the epilogue, or, where there is none for it (fp64), written to y before and added
/// to.
template <class P>
requires detail::GemmFormats<ActivationOf<P>, ActivationOf<P>>
struct CublasLtKernel<LinearForward<P>> {
  static void run(CudaContext& context, LinearForward<P> const& op) {
    using detail::GemmProblem, detail::GemmEpilogue;
    if (op.y.rows == 0 || op.y.cols == 0) return;
    detail::GemmBuffers buffers{op.weight.data, op.x.data, op.y.data, nullptr};
    auto const problem = [&](Write write) { return detail::gemm_problem(op.weight, true, op.x, false, op.y, write); };
    if (op.x.cols == 0) return GenericKernel<LinearForward<P>>::run(context, op);
    if (!op.bias) {
      if (!context.gemm().run(problem(Write::assign), GemmProblem::n, buffers))
        GenericKernel<LinearForward<P>>::run(context, op);
      return;
    }
    if (detail::fits_epilogue(op.bias.data)) {
      buffers.bias = const_cast<ActivationOf<P>*>(op.bias.data);
      if (context.gemm().run(with_epilogue(problem(Write::assign), GemmEpilogue::bias), GemmProblem::n, buffers)) return;
    }
    context.for_each(op.y.rows * op.y.cols, detail::FillWithBias<ActivationOf<P>>{op.bias, op.y});
    if (!context.gemm().run(problem(Write::add), GemmProblem::n, buffers)) GenericKernel<LinearForward<P>>::run(context, op);
  }
};

/// dx^T (C, N) (+)= W^T dy^T
template <class P>
requires detail::GemmFormats<ActivationOf<P>, ActivationOf<P>>
struct CublasLtKernel<LinearBackwardInput<P>> {
  static void run(CudaContext& context, LinearBackwardInput<P> const& op) {
    if (op.dx.rows == 0 || op.dx.cols == 0) return;
    if (op.dy.cols == 0) return GenericKernel<LinearBackwardInput<P>>::run(context, op);
    detail::GemmBuffers const buffers{op.weight.data, op.dy.data, op.dx.data, nullptr};
    if (!context.gemm().run(detail::gemm_problem(op.weight, false, op.dy, false, op.dx, op.write), detail::GemmProblem::n,
                            buffers))
      GenericKernel<LinearBackwardInput<P>>::run(context, op);
  }
};

/// dW^T (C, O) (+)= x^T dy, db (+)= column sums of dy: by the epilogue where that assigns and costs less than a kernel.
template <class P>
requires detail::GemmFormats<ActivationOf<P>, MasterOf<P>>
struct CublasLtKernel<LinearBackwardParameters<P>> {
  static std::size_t scratch_bytes(Index rows, Index width) {
    return static_cast<std::size_t>(detail::column_partials_size(rows, width)) * sizeof(MasterOf<P>);
  }
  static void run(CudaContext& context, LinearBackwardParameters<P> const& op) {
    using A = ActivationOf<P>;
    using M = MasterOf<P>;
    using detail::GemmProblem, detail::GemmEpilogue;
    if (op.x.rows == 0 || op.dweight.rows == 0 || op.dweight.cols == 0)
      return GenericKernel<LinearBackwardParameters<P>>::run(context, op);
    detail::GemmBuffers const buffers{op.x.data, op.dy.data, op.dweight.data, op.dbias.data};
    // x is (C, N) in cuBLAS's eyes and taken as it is; dy is (O, N) and transposed.
    GemmProblem const plain = detail::gemm_problem(op.x, false, op.dy, true, op.dweight, op.write);
    if (op.dbias && op.write == Write::assign && detail::fits_epilogue(op.dbias.data)) {
      GemmProblem const fused = with_epilogue(plain, GemmEpilogue::bias_gradient);
      if (epilogue_pays(context, plain, fused, buffers) && context.gemm().run(fused, GemmProblem::k, buffers)) return;
    }
    if (!context.gemm().run(plain, GemmProblem::k, buffers)) {
      auto weight_alone = op;
      weight_alone.dbias = {};
      GenericKernel<LinearBackwardParameters<P>>::run(context, weight_alone);
    }
    if (!op.dbias) return;
    void* const partials = context.scratch(scratch_bytes(op.dy.rows, op.dy.cols));
    detail::column_sums<CudaContext, A, M>(context, op.dy, op.dbias, op.write, static_cast<M*>(partials));
  }

 private:
  /// A kernel of its own costs two launches and reading dy, at about half of an H200's bandwidth.
  static bool epilogue_pays(CudaContext& context, detail::GemmProblem const& plain, detail::GemmProblem const& fused,
                            detail::GemmBuffers const& buffers) {
    using detail::GemmProblem;
    auto const& with = context.gemm().choice(fused, GemmProblem::k, buffers);
    if (!with.exists) return false;
    auto const& without = context.gemm().choice(plain, GemmProblem::k, buffers);
    double const bytes = static_cast<double>(detail::bucketed(plain, GemmProblem::k)[GemmProblem::k]) *
                         static_cast<double>(plain[GemmProblem::n]) * sizeof(ActivationOf<P>);
    return !without.exists || with.microseconds <= without.microseconds + 5 + bytes / 2.0e6;
  }
};

}  // namespace hone
