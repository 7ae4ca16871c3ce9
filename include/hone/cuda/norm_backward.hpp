#pragma once

#include "hone/core/rounding.hpp"
#include "hone/cuda/row_tile.hpp"

namespace hone::detail {

/// What dropout acts on in a norm's backward: on dz, giving dx (residual norm), or on dy first (embedding).
enum class DropoutOf { result, input };

/// Layer norm's backward over rows; the formulas are those of ResidualNormBackward and EmbeddingBackward.
template <class P>
struct NormBackward {
  MatrixView<ActivationOf<P> const> dy, z;
  VectorView<StatisticOf<P> const> mean, rstd;
  VectorView<ActivationOf<P> const> gamma;
  Dropout dropout;
  RowMap rows;
  MatrixView<ActivationOf<P>> dz, dx;
};

/// The sums for dgamma and dbeta: each warp over some neighbouring rows, then a block's warps in order, then the blocks. How
/// rows are cut depends on their number alone, so that every device gives the same bits. About 1536 warps keep a device's
/// memory busy; more would only write more partial sums.
inline constexpr Index norm_warps = 1536;
HONE_HOST_DEVICE inline Index norm_rows_per_warp(Index rows) { return (rows + norm_warps - 1) / norm_warps; }
inline Index norm_blocks(Index rows) {
  Index const block_rows = norm_rows_per_warp(rows) * row_warps;
  return rows == 0 ? 0 : (rows + block_rows - 1) / block_rows;
}
/// Values that norm_backward needs at `partials`: dgamma and dbeta of every block.
inline Index norm_partials_size(Index rows, Index width) { return norm_blocks(rows) * 2 * width; }
/// The most of it for so many rows or fewer: with more rows than warps there may be fewer blocks.
inline Index most_norm_partials(Index rows, Index width) {
  return norm_partials_size(rows < norm_warps ? rows : norm_warps, width);
}

/// dz, dx and, where the tile holds rows, the partial sums of dgamma and dbeta in the same pass over dy and z.
template <class P, class Tile, DropoutOf dropout_of>
struct NormBackwardKernel {
  static constexpr char const* name = "norm_backward";
  static constexpr int threads = row_threads;
  using A = ActivationOf<P>;
  using S = StatisticOf<P>;
  using M = MasterOf<P>;
  NormBackward<P> op;
  S scale;      // of what dropout keeps
  M* partials;  // (blocks, 2 * width)

  /// Shared memory of a block: the sums so far, as register k, column i, lane.
  static constexpr std::size_t shared_bytes() { return Tile::holds ? 2 * Tile::room * warp_columns * sizeof(M) : 0; }

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    Index const rows_per_warp = norm_rows_per_warp(op.z.rows);
    Index const first = (thread.block() * row_warps + thread.warp()) * rows_per_warp;
    Index const last = first + rows_per_warp < op.z.rows ? first + rows_per_warp : op.z.rows;
    Octet<A> gamma[Tile::room] = {};
    M dgamma[Tile::room][octet], dbeta[Tile::room][octet];
    HONE_DEVICE_UNROLL
    for (int k = 0; k < Tile::room; ++k) {
      Index const column = Tile::column(thread, k);
      gamma[k] = Tile::holds && column < op.z.cols ? Tile::load(op.gamma.data, column, op.z.cols) : Octet<A>::zero();
      HONE_DEVICE_UNROLL
      for (int i = 0; i < octet; ++i) dgamma[k][i] = dbeta[k][i] = 0;
    }
    for (Index n = first; n < last; ++n) row(thread, n, gamma, dgamma, dbeta);
    if constexpr (Tile::holds) add_warps(thread, dgamma, dbeta);
  }

 private:
  /// dy (masked, but for the scale) and z of one octet.
  template <class Thread>
  HONE_HOST_DEVICE void load(Thread const& thread, Index n, int k, Octet<A>& dy, Octet<A>& z) const {
    Index const column = Tile::column(thread, k), width = op.z.cols;
    if (column >= width) return;
    dy = Tile::load(op.dy.row(n), column, width);
    z = Tile::load(op.z.row(n), column, width);
    if (dropout_of == DropoutOf::input && op.dropout.active()) {
      PhiloxWords const random = dropout_words(op.dropout, op.rows, n, column);
      HONE_DEVICE_UNROLL
      for (int i = 0; i < octet; ++i)
        if (!is_kept(random, i, op.dropout.threshold)) dy.set(i, A(0));
    }
  }

  template <class Thread>
  HONE_HOST_DEVICE void row(Thread const& thread, Index n, Octet<A> (&gamma)[Tile::room], M (&dgamma)[Tile::room][octet],
                            M (&dbeta)[Tile::room][octet]) const {
    Index const width = op.z.cols;
    S const mean = op.mean[n], rstd = op.rstd[n];
    S const dy_scale = dropout_of == DropoutOf::input && op.dropout.active() ? scale : S(1);
    Octet<A> dy[Tile::room] = {}, z[Tile::room] = {};
    if constexpr (Tile::holds) {
      HONE_DEVICE_UNROLL
      for (int k = 0; k < Tile::room; ++k) load(thread, n, k, dy[k], z[k]);
    }
    S sum_g = 0, sum_g_xhat = 0;
    HONE_DEVICE_UNROLL
    for (int k = 0; k < Tile::octets(width); ++k) {
      Index const column = Tile::column(thread, k);
      if (column >= width) continue;
      if constexpr (!Tile::holds) {
        load(thread, n, k, dy[0], z[0]);
        gamma[0] = Tile::load(op.gamma.data, column, width);
      }
      int const at = Tile::at(k);
      HONE_DEVICE_UNROLL
      for (int i = 0; i < octet; ++i) {
        S const slope = S(dy[at].get(i)) * dy_scale, xhat = (S(z[at].get(i)) - mean) * rstd, g = S(gamma[at].get(i)) * slope;
        sum_g += g;  // zero past the width
        sum_g_xhat += g * xhat;
        if constexpr (Tile::holds) {
          dgamma[at][i] += M(slope * xhat);
          dbeta[at][i] += M(slope);
        }
      }
    }
    S const mean_g = warp_sum(thread, sum_g) / S(width), mean_g_xhat = warp_sum(thread, sum_g_xhat) / S(width);
    HONE_DEVICE_UNROLL
    for (int k = 0; k < Tile::octets(width); ++k) {
      Index const column = Tile::column(thread, k);
      if (column >= width) continue;
      if constexpr (!Tile::holds) {
        load(thread, n, k, dy[0], z[0]);
        gamma[0] = Tile::load(op.gamma.data, column, width);
      }
      int const at = Tile::at(k);
      S values[octet];
      HONE_DEVICE_UNROLL
      for (int i = 0; i < octet; ++i) {
        S const xhat = (S(z[at].get(i)) - mean) * rstd;
        S const g = rounded_product(S(gamma[at].get(i)), S(dy[at].get(i)) * dy_scale);  // D = 1: g = mean(g), to the bit
        values[i] = rstd * (g - mean_g - xhat * mean_g_xhat);
      }
      Octet<A> const dz = to_pack<A>(values);
      Tile::store(op.dz.row(n), column, width, dz);
      if (dropout_of == DropoutOf::input || !op.dx) continue;
      if (op.dropout.active()) {
        HONE_DEVICE_UNROLL
        for (int i = 0; i < octet; ++i) values[i] = S(dz.get(i));  // as rounded: dx is the mask of dz
        drop(dropout_words(op.dropout, op.rows, n, column), op.dropout.threshold, scale, values);
        Tile::store(op.dx.row(n), column, width, to_pack<A>(values));
      } else if (op.dx.data != op.dz.data) {
        Tile::store(op.dx.row(n), column, width, dz);
      }
    }
  }

  /// The block's sums, its warps in order; the last one writes them.
  template <class Thread>
  HONE_HOST_DEVICE void add_warps(Thread const& thread, M (&dgamma)[Tile::room][octet],
                                  M (&dbeta)[Tile::room][octet]) const {
    auto const sums = thread.template shared<M>(0, 2 * Tile::room * warp_columns);
    for (int warp = 0; warp < row_warps; ++warp) {
      if (thread.warp() == warp) {
        HONE_DEVICE_UNROLL
        for (int k = 0; k < Tile::room; ++k) {
          HONE_DEVICE_UNROLL
          for (int i = 0; i < octet; ++i) {
            Index const at = (k * octet + i) * warp_size + thread.lane();  // neighbouring lanes, neighbouring banks
            if (warp > 0) {
              dgamma[k][i] = sums[at] + dgamma[k][i];
              dbeta[k][i] = sums[Tile::room * warp_columns + at] + dbeta[k][i];
            }
            sums[at] = dgamma[k][i];
            sums[Tile::room * warp_columns + at] = dbeta[k][i];
          }
        }
      }
      thread.barrier();
    }
    if (thread.warp() != row_warps - 1) return;
    Index const width = op.z.cols;
    M* const to = partials + thread.block() * 2 * width;
    HONE_DEVICE_UNROLL
    for (int k = 0; k < Tile::room; ++k) {
      Index const column = Tile::column(thread, k);
      if (column >= width) continue;
      Tile::store(to, column, width, to_pack<M>(dgamma[k]));
      Tile::store(to + width, column, width, to_pack<M>(dbeta[k]));
    }
  }
};

/// The partial sums of dgamma and dbeta where no tile holds a row: a thread a column, a block some neighbouring rows.
/// Blocks along the first axis take columns, along the second rows.
template <class P, DropoutOf dropout_of>
struct NormParameterPartialsKernel {
  static constexpr char const* name = "norm_parameter_partials";
  static constexpr int threads = row_threads;
  using S = StatisticOf<P>;
  using M = MasterOf<P>;
  NormBackward<P> op;
  S scale;
  M* partials;

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    Index const c = thread.block() * threads + thread.index();
    if (c >= op.z.cols) return;
    Index const count = norm_rows_per_warp(op.z.rows) * row_warps, first = thread.block_y() * count;
    Index const last = first + count < op.z.rows ? first + count : op.z.rows;
    M gamma_sum = 0, beta_sum = 0;
    for (Index n = first; n < last; ++n) {
      S slope = S(op.dy(n, c));
      if (dropout_of == DropoutOf::input && op.dropout.active())
        slope = op.dropout.keeps(c, op.rows.position[n], op.rows.example(n)) ? slope * scale : S(0);
      gamma_sum += M(slope * ((S(op.z(n, c)) - op.mean[n]) * op.rstd[n]));
      beta_sum += M(slope);
    }
    M* const to = partials + thread.block_y() * 2 * op.z.cols;
    to[c] = gamma_sum;
    to[op.z.cols + c] = beta_sum;
  }
};

/// dgamma and dbeta from the blocks' sums: 32 columns a block; warp w adds the blocks w, w + 16, ..., then the warps in
/// order.
template <class M>
struct NormParameterSumsKernel {
  static constexpr char const* name = "norm_parameter_sums";
  static constexpr int threads = 512;
  M const* partials;  // (count, 2 * width)
  Index count;
  VectorView<M> dgamma, dbeta;
  bool adds;

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    constexpr int warps = threads / warp_size;
    Index const width = dgamma.size, c = thread.block() * warp_size + thread.lane();
    M sum = 0;
    if (c < 2 * width)
      for (Index b = thread.warp(); b < count; b += warps) sum += partials[b * 2 * width + c];
    auto const sums = thread.template shared<M>(0, threads);
    sums[thread.index()] = sum;
    thread.barrier();
    if (thread.warp() > 0 || c >= 2 * width) return;
    for (int w = 1; w < warps; ++w) sum += sums[w * warp_size + thread.lane()];
    M& to = c < width ? dgamma[c] : dbeta[c - width];
    to = adds ? to + sum : sum;
  }
};

/// Launches the kernels above. @param partials  norm_partials_size() values of scratch memory, aligned to 16 bytes
template <DropoutOf dropout_of, class P, class Context>
void norm_backward(Context& context, NormBackward<P> const& op, VectorView<MasterOf<P>> dgamma,
                   VectorView<MasterOf<P>> dbeta, Write write, MasterOf<P>* partials) {
  using S = StatisticOf<P>;
  using M = MasterOf<P>;
  S const scale = S(op.dropout.scale());
  Index const blocks = norm_blocks(op.z.rows), width = op.z.cols;
  bool const wide = is_wide(op.dy) && is_wide(op.z) && is_wide(op.gamma) && is_wide(op.dz) && is_wide(op.dx);
  with_row_tile<sizeof(M) == 8 ? 2 : 4>(width, wide, [&]<class Tile>(Tile) {
    using Kernel = NormBackwardKernel<P, Tile, dropout_of>;
    if constexpr (!Tile::holds)  // before the rows: dz may take the place of dy
      context.launch(LaunchShape{.blocks = (width + row_threads - 1) / row_threads, .blocks_y = blocks},
                     NormParameterPartialsKernel<P, dropout_of>{op, scale, partials});
    context.launch(LaunchShape{.blocks = blocks, .shared_bytes = Kernel::shared_bytes()}, Kernel{op, scale, partials});
  });
  using Sums = NormParameterSumsKernel<M>;
  context.launch(LaunchShape{.blocks = (2 * width + warp_size - 1) / warp_size, .shared_bytes = Sums::threads * sizeof(M)},
                 Sums{partials, blocks, dgamma, dbeta, write == Write::add});
}

}  // namespace hone::detail
