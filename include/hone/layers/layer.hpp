#pragma once

#include <concepts>

#include "hone/core/backend.hpp"
#include "hone/core/dropout.hpp"
#include "hone/core/parameter_store.hpp"
#include "hone/core/ragged_batch.hpp"
#include "hone/core/workspace.hpp"
#include "hone/ops/activation.hpp"
#include "hone/ops/linear.hpp"

namespace hone {

/// What every layer of one forward and backward pass sees: where to compute, the parameters, the batch, the random key.
template <Backend B>
struct Pass {
  typename B::Context& context;
  ParameterStore<B>& parameters;
  BatchView batch;
  DropoutKey dropout{};
  bool for_backward = true;      ///< a backward pass follows: what it reads is kept
  bool for_input_alone = false;  ///< backward is wanted for dx: linear layers leave their parameters' gradients out
};

/// A matrix of activations of backend B.
template <Backend B>
using Matrix = MatrixView<ActivationOf<typename B::Precision>>;
template <Backend B>
using ConstMatrix = MatrixView<ActivationOf<typename B::Precision> const>;

namespace detail {

/// Whether a kernel that does what several operations do is there, on the rung on which all of them run.
template <class B, class Fused, class... Parts>
inline constexpr bool runs_fused = (std::is_same_v<RungOf<B, Fused>, RungOf<B, Parts>> && ...);

}  // namespace detail

/// A layer: y = f(x), and backward defined by <y, dy> = f  =>  dx = df/dx.
///
/// It declares its parameters when constructed, plans its memory (`plan` returns a Cache of views), and then
///   forward(pass, x, y, cache)    assigns y; x must live until backward
///   backward(pass, dy, dx, cache) assigns dx, contributes to the parameters' gradients; dy may be used as scratch
/// x (N, input_width), y (N, output_width). `hone::testing::check_layer` proves it.
template <class L, class B>
concept Layer = Backend<B> && requires(L const& layer, Plan& plan, Pass<B>& pass, typename L::Cache& cache, ConstMatrix<B> x,
                                       Matrix<B> y, Index rows) {
  { layer.plan(plan, rows) } -> std::same_as<typename L::Cache>;
  { layer.forward(pass, x, y, cache) } -> std::same_as<void>;
  { layer.backward(pass, y, y, cache) } -> std::same_as<void>;
  { layer.input_width() } -> std::convertible_to<Index>;
  { layer.output_width() } -> std::convertible_to<Index>;
};

}  // namespace hone
