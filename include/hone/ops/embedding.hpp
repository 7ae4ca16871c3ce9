#pragma once

#include <cstdint>

#include "hone/core/backend.hpp"
#include "hone/core/dropout.hpp"
#include "hone/core/row_map.hpp"

namespace hone {

/// z = word[token] + position[position] + segment[segment],  y = dropout(layer_norm(z))
///
/// Shapes: tokens, positions, segments (N); word (V, D), position (P, D), segment (T, D); gamma, beta (D);
/// z, y (N, D); mean, rstd (N). z, mean and rstd are saved for backward. Ids are in range: the batch has been checked.
/// Source: Devlin et al. 2019, arXiv:1810.04805, section 3 (input representation).
template <class P>
struct EmbeddingForward {
  VectorView<std::int32_t const> tokens, positions, segments;
  MatrixView<ActivationOf<P> const> word, position, segment;
  VectorView<ActivationOf<P> const> gamma, beta;
  double epsilon;
  Dropout dropout;
  RowMap rows;
  MatrixView<ActivationOf<P>> z, y;
  VectorView<StatisticOf<P>> mean, rstd;
};

/// dz = layer_norm'(mask * dy);  row i of each table (+)= the sum of dz over the rows that used it, in a fixed order
///
/// Shapes as in forward; dz (N, D) is scratch and may be dy itself. With Write::assign, rows that no token used become zero.
/// used_words (V) or null: before, rows of dword whose byte is zero are zero; kernels that have `keeps_used_rows` leave it
/// so.
template <class P>
struct EmbeddingBackward {
  VectorView<std::int32_t const> tokens, positions, segments;
  MatrixView<ActivationOf<P> const> dy, z;
  VectorView<StatisticOf<P> const> mean, rstd;
  VectorView<ActivationOf<P> const> gamma;
  Dropout dropout;
  RowMap rows;
  MatrixView<ActivationOf<P>> dz;
  MatrixView<MasterOf<P>> dword, dposition, dsegment;
  VectorView<MasterOf<P>> dgamma, dbeta;
  Write write = Write::add;
  std::uint8_t* used_words = nullptr;
};

}  // namespace hone
