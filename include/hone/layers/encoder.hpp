#pragma once

#include <string>
#include <vector>

#include "hone/layers/encoder_block.hpp"

namespace hone {

/// Which rows of the encoder's output somebody reads.
enum class ReadRows : std::uint8_t {
  all,    ///< every token
  first,  ///< the first token of each sequence ([CLS]): the last block computes nothing else
};

/// L encoder blocks, one type in a run-time loop. x (N, D) -> y (N, D), or (B, D) where only first rows are read.
template <Backend B>
class Encoder {
  using A = ActivationOf<typename B::Precision>;

 public:
  struct Cache {
    std::vector<typename EncoderBlock<B>::Cache> blocks;
    std::vector<Matrix<B>> inputs;  ///< inputs[i] enters block i; one more entry for the output
  };

  Encoder(ParameterStore<B>& store, std::string const& name, EncoderBlockShape const& shape, Index layers)
      : width_(shape.width) {
    for (Index i = 0; i < layers; ++i) blocks_.emplace_back(store, name + ".layer." + std::to_string(i), shape, i);
  }

  Index layers() const { return Index(blocks_.size()); }

  /// @param training  false: nothing is kept for backward, and every block uses the same memory
  /// @param cache     an earlier plan's, whose memory on the host is used again
  Cache plan(Plan& plan, Index rows, Index sequences, ReadRows read, bool training, Cache cache = {}) const {
    cache.blocks.clear();
    std::size_t const count = blocks_.size();
    cache.inputs.resize(count + 1);
    bool const first = read == ReadRows::first;
    if (training) {
      for (std::size_t i = 0; i < count; ++i) cache.inputs[i] = plan.saved.matrix<A>(rows, width_);
    } else {  // two buffers in turn
      Matrix<B> const even = plan.saved.matrix<A>(rows, width_), odd = plan.saved.matrix<A>(rows, width_);
      for (std::size_t i = 0; i < count; ++i) cache.inputs[i] = i % 2 == 0 ? even : odd;
    }
    cache.inputs[count] = plan.saved.matrix<A>(first ? sequences : rows, width_);
    std::size_t const scratch = plan.scratch.mark(), saved = plan.saved.mark();
    for (std::size_t i = 0; i < count; ++i) {
      bool const only_first = first && i + 1 == count;
      cache.blocks.push_back(blocks_[i].plan(plan, rows, only_first ? sequences : rows));
      plan.scratch.rewind(scratch);
      if (!training) plan.saved.rewind(saved);
    }
    return cache;
  }

  /// The input of the first block is cache.inputs.front(), the output is cache.inputs.back().
  void forward(Pass<B>& pass, Cache& cache) const {
    for (std::size_t i = 0; i < blocks_.size(); ++i)
      blocks_[i].forward(pass, cache.inputs[i], cache.inputs[i + 1], cache.blocks[i]);
  }

  /// @param dy  gradient of the output, used up  @param dx  (N, D) gradient of the input; where all rows are read it may be
  /// dy
  void backward(Pass<B>& pass, Matrix<B> dy, Matrix<B> dx, Cache& cache) const {
    for (std::size_t i = blocks_.size(); i-- > 0;) {
      blocks_[i].backward(pass, dy, dx, cache.blocks[i]);
      dy = dx;
    }
  }

 private:
  Index width_;
  std::vector<EncoderBlock<B>> blocks_;
};

}  // namespace hone
