#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "hone/core/matrix.hpp"

namespace hone::detail {

/// Number formats of a product: of A and B, of D, and of the sum.
enum class GemmType : std::int64_t { bf16 = 0, bf16_to_float = 1, float32 = 2, float64 = 3 };

/// What is done with D besides: `bias` adds a vector to every column, `bias_gradient` also sums B over k.
enum class GemmEpilogue : std::int64_t { none = 0, bias = 1, bias_gradient = 2 };

/// A product in the terms of cuBLAS, all matrices column-major: D (m, n) = op(A) op(B) [+ D], op(A) (m, k), op(B) (k, n).
///
/// A row-major matrix is the transpose of a column-major one with the same bytes, which is how ops/linear.hpp gets here.
struct GemmProblem {
  enum Field : std::size_t {
    type,
    epilogue,
    m,
    n,
    k,
    lda,
    ldb,
    ldd,
    transpose_a,
    transpose_b,
    add,
    align_a,
    align_b,
    align_d,
    fields
  };
  std::array<std::int64_t, fields> values{};

  std::int64_t operator[](Field field) const { return values[field]; }
  std::int64_t& operator[](Field field) { return values[field]; }
  bool operator==(GemmProblem const&) const = default;

  /// FNV-1a over the fields.
  struct Hash {
    std::size_t operator()(GemmProblem const& problem) const {
      std::uint64_t hash = 1469598103934665603u;
      for (std::int64_t const value : problem.values) hash = (hash ^ static_cast<std::uint64_t>(value)) * 1099511628211u;
      return static_cast<std::size_t>(hash ^ hash >> 32);
    }
  };
};

/// The sizes that share one algorithm: `rows`, the number of tokens, differs from batch to batch, so that it is rounded up
/// to four steps between powers of two (..., 1024, 1280, 1536, 1792, 2048, ...); up to 16, to a power of two.
inline Index gemm_bucket(Index rows) {
  Index power = 1;
  while (2 * power < rows) power *= 2;  // power < rows <= 2 * power, from 2 on
  if (rows <= 16) return rows <= 1 ? 1 : 2 * power;
  Index const step = power / 4;
  return (rows + step - 1) / step * step;
}

/// The largest power of two up to 256 that divides the address.
inline std::int64_t gemm_alignment(void const* address) {
  auto const value = reinterpret_cast<std::uintptr_t>(address);
  std::int64_t alignment = 256;
  while (value % static_cast<std::uintptr_t>(alignment) != 0) alignment /= 2;
  return alignment;
}

/// Which field of a problem counts tokens; the bucketed problem is the one whose algorithm is looked for.
inline GemmProblem bucketed(GemmProblem problem, GemmProblem::Field tokens) {
  problem[tokens] = gemm_bucket(problem[tokens]);
  return problem;
}

}  // namespace hone::detail
