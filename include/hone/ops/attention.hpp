#pragma once

#include <cstdint>

#include "hone/core/backend.hpp"
#include "hone/core/dropout.hpp"

namespace hone {

/// Multi-head scaled dot-product attention over ragged sequences. For head h, columns h * E .. (h + 1) * E - 1:
///   s(i, j) = scale * <q_i, k_j>,  p = softmax_j(s),  y_i = sum_j mask(i, j) * p(i, j) * v_j / (1 - p_drop)
/// where i and j run over the rows of one sequence. lse(i) = log sum_j exp(s(i, j)) is saved for backward.
///
/// Queries are the first rows of each sequence: sequence b has the query rows query_offsets[b] .. query_offsets[b + 1]
/// (all its tokens, or only the first where nobody reads the others) and key rows key_offsets[b] .. key_offsets[b + 1].
/// Shapes: q, y (M, D), k, v (N, D), each possibly columns of a wider matrix; lse (M, H); offsets (B + 1).
/// The mask's key: position = index of the query in its sequence, column = h * 65536 + index of the key, example =
/// first_example + b. Every sequence has at least one key and one query, and fewer than 65,536 keys.
/// Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2; Dao et al. 2022, arXiv:2205.14135, section 3 (lse, backward).
template <class P>
struct AttentionForward {
  MatrixView<ActivationOf<P> const> q, k, v;
  VectorView<std::int32_t const> query_offsets, key_offsets;
  Index heads;
  double scale;
  Dropout dropout;
  Index first_example;
  MatrixView<ActivationOf<P>> y;
  MatrixView<StatisticOf<P>> lse;
};

/// With P = exp(s - lse), M = mask / (1 - p_drop):  dV = (M * P)^T dY,  dP = M * (dY V^T),
///   delta_i = <dy_i, y_i>,  dS = P * (dP - delta),  dQ = scale * dS K,  dK = scale * dS^T Q
///
/// Shapes as in forward; delta (M, H) is scratch. dq, dk, dv are assigned; they overlap nothing.
/// Every sum over queries and keys has a fixed order.
template <class P>
struct AttentionBackward {
  MatrixView<ActivationOf<P> const> q, k, v, y, dy;
  MatrixView<StatisticOf<P> const> lse;
  VectorView<std::int32_t const> query_offsets, key_offsets;
  Index heads;
  double scale;
  Dropout dropout;
  Index first_example;
  MatrixView<StatisticOf<P>> delta;
  MatrixView<ActivationOf<P>> dq, dk, dv;
};

}  // namespace hone
