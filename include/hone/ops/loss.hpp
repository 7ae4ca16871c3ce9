#pragma once

#include "hone/core/backend.hpp"

namespace hone {

/// losses[b] = Loss of row b;  doutputs = scale * d losses[b] / d outputs(b, :)
///
/// Loss is a policy (loss/): `static T row(T const* output, Index width, Label label, T* doutput)` in HONE_HOST_DEVICE code.
/// Shapes: outputs (B, K), labels (B), losses (B), doutputs (B, K) or empty (evaluation).
template <class P, class Loss>
struct LossForwardBackward {
  MatrixView<StatisticOf<P> const> outputs;
  VectorView<typename Loss::Label const> labels;
  double scale;
  VectorView<StatisticOf<P>> losses;
  MatrixView<StatisticOf<P>> doutputs;
};

/// y = Map(x), element by element, from activations to statistics: what a head does to its linear layer's output.
template <class P, class Map>
struct MapForward {
  MatrixView<ActivationOf<P> const> x;
  MatrixView<StatisticOf<P>> y;
};

/// dx = dy * Map'(x)
template <class P, class Map>
struct MapBackward {
  MatrixView<ActivationOf<P> const> x;
  MatrixView<StatisticOf<P> const> dy;
  MatrixView<ActivationOf<P>> dx;
};

}  // namespace hone
