// What the kernels of cpu/ take beside their operands: scratch memory of threads, and packed copies of weights. How much
// that is at the most follows from sizes, and is computed here, for plans; how much it is can be asked for.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "hone/core/backend.hpp"
#include "hone/core/host_context.hpp"
#include "hone/core/instruction_set.hpp"
#include "hone/core/precision.hpp"
#include "hone/cpu/bfloat16_dots.hpp"
#include "hone/cpu/packed_weights.hpp"
#include "hone/cpu/rung.hpp"
#include "hone/cpu/scratch.hpp"
#include "hone/cpu/vector_sizes.hpp"
#include "hone/ops/attention.hpp"
#include "hone/ops/embedding.hpp"
#include "hone/ops/linear.hpp"
#include "hone/ops/residual_norm.hpp"

namespace hone {

/// Bytes that the kernels of a processor hold between their calls, beside what goes through the context's `allocate`.
struct KernelBytes {
  std::size_t scratch = 0;         ///< of the context's threads together
  std::size_t packed_weights = 0;  ///< copies of weights in the order in which products read them

  std::size_t total() const { return scratch + packed_weights; }
};

/// What kernels hold for a context at the moment. The caller is one of the context's threads, and its scratch memory serves
/// all contexts that it works with. Not while the context is at work: then other threads' scratch memory is left out.
inline KernelBytes kernel_bytes(HostContext& context) {
  KernelBytes bytes;
  for (std::size_t const use : detail::scratch_bytes(context)) bytes.scratch += use;
  bytes.packed_weights = context.kept<detail::PackedWeights>().bytes();
  return bytes;
}

namespace detail {

/// What the kernels of a model ask for, the most for each use of scratch memory, and the sum of all packed weights. Filled
/// by the layers as they plan their memory (Plan::kernel).
class KernelDemand {
 public:
  /// @param training   whether the operations of a backward pass are meant
  /// @param sequences  of a batch
  /// @param longest    tokens of the longest sequence
  KernelDemand(InstructionSet set, bool fast_dots, bool training, Index sequences, Index longest)
      : set_(set), fast_dots_(fast_dots), training_(training), sequences_(sequences), longest_(longest) {}

  InstructionSet instruction_set() const { return set_; }
  bool training() const { return training_; }
  Index sequences() const { return sequences_; }
  Index longest() const { return longest_; }
  /// Which kernels compute a precision's products and attention: tiles or dot products of bfloat16, else vectors.
  template <class P>
  bool by_tiles() const {
    return std::is_same_v<ActivationOf<P>, bfloat16> && set_ == InstructionSet::amx;
  }
  template <class P>
  bool by_dots() const {
    return std::is_same_v<ActivationOf<P>, bfloat16> && set_ == InstructionSet::avx512 && fast_dots_;
  }

  /// A kernel asks for `count` values of T at once.
  template <class T>
  void scratch(Scratch use, Index count) {
    std::size_t& most = most_[static_cast<std::size_t>(use)];
    most = std::max(most, static_cast<std::size_t>(count) * sizeof(T));
  }
  /// A weight is kept in a form.
  template <class T>
  void packed(Index count) {
    packed_ += static_cast<std::size_t>(count) * sizeof(T);
  }
  /// Of two that are not at work at once.
  void scratch_of(KernelDemand const& other) {
    for (std::size_t use = 0; use < most_.size(); ++use) most_[use] = std::max(most_[use], other.most_[use]);
  }

  /// What so many threads then hold, by use.
  ScratchBytes scratch_bytes(int threads) const {
    ScratchBytes bytes{};
    for (std::size_t use = 0; use < bytes.size(); ++use) bytes[use] = ScratchBlock::room(most_[use]);
    for (Scratch const use : scratch_of_each_thread)
      bytes[static_cast<std::size_t>(use)] *= static_cast<std::size_t>(threads);
    return bytes;
  }
  KernelBytes bytes(int threads) const {
    KernelBytes sum{0, packed_};
    for (std::size_t const use : scratch_bytes(threads)) sum.scratch += use;
    return sum;
  }

 private:
  InstructionSet set_;
  bool fast_dots_, training_;
  Index sequences_, longest_;
  ScratchBytes most_{};
  std::size_t packed_ = 0;
};

/// Kernels that ask for nothing.
template <class Op>
struct KernelMemory {
  template <class... Sizes>
  static void count(KernelDemand&, Sizes...) {}
};

constexpr Index ceil_div(Index value, Index by) { return (value + by - 1) / by; }

/// Products may not be blocked in larger pieces than these, so that plans hold whatever the blocks are: bytes of a strip of
/// the right operand that all threads read (Scratch::shared_panels of a weight's gradient), and values that a thread packs
/// (row_panels) or keeps between blocks (block_sums), where the kernels' own sizes say nothing else.
inline constexpr Index largest_strip_bytes = Index{4} << 20;
inline constexpr Index largest_block_values = Index{1} << 15;

/// y = x W^T by gemm, W^T (inner, columns): its panels are kept where there are few rows, of which a last batch may have few
/// however many others have.
template <class A, class T = ScalarOf<A>>
void count_gemm(KernelDemand& demand, Index rows, Index inner, Index columns) {
  constexpr Index few_rows = 1024;  // weight_panels: cpu/simd/linear.inl
  auto const sizes = vector_sizes<T>(demand.instruction_set());
  Index const panels = round_up(columns, sizes.cols) * inner;
  demand.packed<T>(panels);
  if (rows > few_rows) demand.scratch<T>(Scratch::shared_panels, panels);
  demand.scratch<T>(Scratch::row_panels, sizes.rows * (std::is_same_v<A, T> ? std::min(inner, sizes.depth) : inner));
  if (!sizes.many_registers)
    for (Scratch const use : {Scratch::row_panels, Scratch::block_sums}) demand.scratch<T>(use, largest_block_values);
}

/// dW = dy^T x by gemm_of_columns, x (rows, columns), dW (results, columns).
template <class T>
void count_gemm_of_columns(KernelDemand& demand, Index rows, Index results, Index columns) {
  auto const sizes = vector_sizes<T>(demand.instruction_set());
  Index const resident = resident_panel_bytes / Index{sizeof(T)}, group = 16;
  Index const panels = ceil_div(columns, sizes.cols), width = panels * sizes.cols;
  Index const chunk = ceil_div(panels, ceil_div(columns, widest_chunk));
  Index const fitting = std::max<Index>(resident / (chunk * sizes.cols), 64), blocks = ceil_div(rows, fitting);
  Index const depth = std::min(rows, round_up(ceil_div(rows, blocks), 2 * sizes.rows));
  demand.scratch<T>(Scratch::reduction, blocks * results);
  demand.scratch<T>(Scratch::row_panels, group * depth);
  demand.scratch<T>(Scratch::shared_panels, depth * width);
  if (sizes.many_registers) return;
  demand.scratch<T>(Scratch::shared_panels, std::min(rows * width, largest_strip_bytes / Index{sizeof(T)}));
  for (Scratch const use : {Scratch::row_panels, Scratch::block_sums}) demand.scratch<T>(use, largest_block_values);
}

/// y = x W^T in squares of bfloat16, x (rows, inner).
inline void count_squares(KernelDemand& demand, Index inner, Index columns) {
  demand.packed<bfloat16>(packed_squares(inner) * packed_squares(columns) * packed_step);
  demand.scratch<bfloat16>(Scratch::row_panels, packed_squares(inner) * packed_step);
  auto const& product = demand.by_tiles<mixed>() ? products_on_tiles : products_by_dots;
  demand.scratch<float>(Scratch::block_sums, product.waiting_sums(packed_squares(inner), packed_squares(columns)));
}

template <class P>
void count_product(KernelDemand& demand, Index rows, Index inner, Index columns) {
  if (demand.by_tiles<P>() || demand.by_dots<P>()) count_squares(demand, inner, columns);
  else count_gemm<ActivationOf<P>>(demand, rows, inner, columns);
}

template <class P>
struct KernelMemory<LinearForward<P>> {
  static void count(KernelDemand& demand, Index rows, Index outputs, Index inputs) {
    count_product<P>(demand, rows, inputs, outputs);
    if (std::is_same_v<P, mixed> && demand.training())  // LinearResidualForward's factors, where it has no tiles
      demand.scratch<float>(Scratch::tile, round_up(outputs, 8 * vector_sizes<float>(demand.instruction_set()).words));
  }
};

template <class P>
struct KernelMemory<LinearBackwardInput<P>> {
  static void count(KernelDemand& demand, Index rows, Index outputs, Index inputs) {
    if (demand.training()) count_product<P>(demand, rows, outputs, inputs);
  }
};

template <class P>
struct KernelMemory<LinearBackwardParameters<P>> {
  static void count(KernelDemand& demand, Index rows, Index outputs, Index inputs) {
    if (!demand.training()) return;
    if (!demand.by_tiles<P>() && !demand.by_dots<P>())
      return count_gemm_of_columns<MasterOf<P>>(demand, rows, outputs, inputs);
    Index const of_outputs = packed_squares(outputs), of_inputs = packed_squares(inputs);
    Index const passing = std::min(of_outputs, of_inputs), staying = std::max(of_outputs, of_inputs);
    Index const steps = std::max<Index>(1, packed_squares(rows));
    demand.scratch<bfloat16>(Scratch::shared_panels, passing * steps * packed_step);
#if defined(HONE_X86_64_KERNELS)
    Index const ranges = gradient_ranges(staying, 1);  // or more
    demand.scratch<bfloat16>(Scratch::row_panels, ceil_div(staying, ranges) * gradient_piece(steps) * packed_step);
    demand.scratch<float>(Scratch::reduction, gradient_floats(staying, passing));
#else
    static_cast<void>(staying);
#endif
  }
};

template <class P>
struct KernelMemory<AttentionForward<P>> {
  static void count(KernelDemand& demand, Index, Index width, Index heads) {
    using T = StatisticOf<P>;
    Index const longest = demand.longest(), head = width / heads;
    demand.scratch<Index>(Scratch::reduction, demand.sequences());
    if (demand.by_tiles<P>()) {
      return demand.scratch<float>(Scratch::attention,
                                   attention_forward_floats(round_up(longest, 32), ceil_div(head, 32)));
    }
    auto const sizes = vector_sizes<T>(demand.instruction_set());
    Index const keys = round_up(longest, 8), block = 3 * sizes.lanes;
    if (demand.by_dots<P>()) {
      Index const all = round_up(head, 32), pairs = all / 2;
      return demand.scratch<float>(Scratch::attention, 2 * keys * pairs + std::max(keys, block) * pairs +
                                                           keys * (block + block / 2) + (pairs + all) * block);
    }
    Index const all = round_up(head, std::max(sizes.rows, sizes.lanes));
    demand.scratch<T>(Scratch::attention, keys * (2 * all + block) + 2 * all * block + 64);
  }
};

template <class P>
struct KernelMemory<AttentionBackward<P>> {
  static void count(KernelDemand& demand, Index, Index width, Index heads) {
    using T = StatisticOf<P>;
    if (!demand.training()) return;
    Index const longest = demand.longest(), head = width / heads;
    if (demand.by_tiles<P>()) {
      Index const slices = ceil_div(head, 32), keys = round_up(longest, 32);
      return demand.scratch<float>(Scratch::attention, attention_backward_floats(keys, slices));
    }
    auto const sizes = vector_sizes<T>(demand.instruction_set());
    Index const keys = round_up(longest, 8), block = 3 * sizes.lanes;
    if (demand.by_dots<P>()) {
      Index const all = round_up(head, 32), pairs = all / 2;
      return demand.scratch<float>(Scratch::attention, keys * (3 * pairs + 2 * all + block / 2) +
                                                           std::max(keys, block) * pairs + 3 * 8 * block +
                                                           (4 * pairs + all) * block);
    }
    Index const all = round_up(head, std::max(sizes.rows, sizes.lanes));
    demand.scratch<T>(Scratch::attention, keys * (5 * all + block) + (5 * all + 8) * block + 256);
  }
};

/// A norm's backward: partial sums of two gradients, and the masks of a strip of rows.
template <class P>
void count_norm_backward(KernelDemand& demand, Index rows, Index width) {
  Index const words = vector_sizes<float>(demand.instruction_set()).words, group = 2 * words;  // DropoutRows
  demand.scratch<std::uint32_t>(Scratch::tile,
                                3 * ceil_div(width, group) * words + 2 * (round_up(width, group) + 2 * words));
  demand.scratch<StatisticOf<P>>(Scratch::reduction, ceil_div(rows, partial_rows) * 2 * width);
}

template <class P>
struct KernelMemory<ResidualNormBackward<P>> {
  static void count(KernelDemand& demand, Index rows, Index width) {
    if (demand.training()) count_norm_backward<P>(demand, rows, width);
  }
};

template <class P>
struct KernelMemory<EmbeddingBackward<P>> {
  static void count(KernelDemand& demand, Index rows, Index width, Index vocabulary, Index positions) {
    if (!demand.training()) return;
    count_norm_backward<P>(demand, rows, width);
    demand.scratch<std::int32_t>(Scratch::reduction, vocabulary + positions + 2 * rows);
  }
};

}  // namespace detail
}  // namespace hone
