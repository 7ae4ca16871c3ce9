// An operation on a backend (Cpu<P> unless told otherwise) against the same on Reference<P>: values, equal bits for any
// thread count, nothing written beside.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <type_traits>
#include <variant>
#include <vector>

#include "hone/core/philox.hpp"
#include "hone/cpu/backend.hpp"
#include "hone/generic/backend.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

namespace hone::test {

/// Memory as backends give it, from a cache line on: the order of Eigen's sums depends on where its operands begin.
template <class T>
struct LineAllocator {
  using value_type = T;
  LineAllocator() = default;
  template <class U>
  LineAllocator(LineAllocator<U> const&) {}
  T* allocate(std::size_t count) { return static_cast<T*>(::operator new (count * sizeof(T), std::align_val_t{64})); }
  void deallocate(T* memory, std::size_t) { ::operator delete (memory, std::align_val_t{64}); }
  bool operator==(LineAllocator const&) const { return true; }
};

/// A matrix whose rows are `gap` values apart; the gaps hold NaN and must keep it.
template <class T>
class Grid {
 public:
  using Value = T;
  Grid() = default;
  Grid(Index rows, Index cols, Index gap = 0)
      : rows_(rows),
        cols_(cols),
        stride_(cols + gap),
        values_(static_cast<std::size_t>(rows * (cols + gap)), static_cast<T>(std::numeric_limits<float>::quiet_NaN())) {}
  /// Uniform in (-size, size).
  static Grid random(Index rows, Index cols, std::uint64_t seed, double size = 1, Index gap = 0) {
    Grid grid(rows, cols, gap);
    PhiloxStream stream(seed, 77);
    for (Index r = 0; r < rows; ++r)
      for (Index c = 0; c < cols; ++c) grid(r, c) = static_cast<T>(size * (2 * stream.uniform() - 1));
    return grid;
  }
  T& operator()(Index r, Index c) { return values_[static_cast<std::size_t>(r * stride_ + c)]; }
  T operator()(Index r, Index c) const { return values_[static_cast<std::size_t>(r * stride_ + c)]; }
  MatrixView<T> view() { return {values_.data(), rows_, cols_, stride_}; }
  MatrixView<T const> view() const { return {values_.data(), rows_, cols_, stride_}; }
  /// A one-row grid as a vector.
  VectorView<T> vector() { return {values_.data(), cols_}; }
  VectorView<T const> vector() const { return {values_.data(), cols_}; }
  Index rows() const { return rows_; }
  Index cols() const { return cols_; }
  bool same_bits(Grid const& other) const {
    return values_.size() == other.values_.size() &&
           (values_.empty() || std::memcmp(values_.data(), other.values_.data(), values_.size() * sizeof(T)) == 0);
  }
  bool gaps_untouched() const {
    for (Index r = 0; r < rows_; ++r)
      for (Index c = cols_; c < stride_; ++c)
        if (!std::isnan(static_cast<double>((*this)(r, c)))) return false;
    return true;
  }

 private:
  Index rows_ = 0, cols_ = 0, stride_ = 0;
  std::vector<T, LineAllocator<T>> values_;
};

/// An output of any format: those of `mixed` differ (activations, statistics, sums).
using AnyGrid = std::variant<Grid<float>, Grid<double>, Grid<bfloat16>>;

/// Every value is within the rounding of its sum; inputs are of size 1, so partial sums are no smaller than that.
/// @tparam Format  the format whose rounding counts: the output's, or that of what the sums are made from
template <class Format = void, class T>
void require_close(Grid<T> const& got, Grid<T> const& expected, std::int64_t terms) {
  REQUIRE(got.rows() == expected.rows());
  REQUIRE(got.cols() == expected.cols());
  double scale = 1, worst = 0;
  Index at_row = 0, at_col = 0;
  for (Index r = 0; r < got.rows(); ++r)
    for (Index c = 0; c < got.cols(); ++c) {
      double const e = static_cast<double>(expected(r, c)), difference = std::abs(static_cast<double>(got(r, c)) - e);
      scale = std::max(scale, std::abs(e));
      if (!(difference <= worst)) worst = std::isnan(difference) ? HUGE_VAL : difference, at_row = r, at_col = c;
    }
  INFO("row " << at_row << " column " << at_col << ": got " << static_cast<double>(got(at_row, at_col)) << ", expected "
              << static_cast<double>(expected(at_row, at_col)) << "; largest value " << scale);
  REQUIRE(scale < HUGE_VAL);
  REQUIRE(worst <= rounding_bound<std::conditional_t<std::is_void_v<Format>, T, Format>>(terms, scale));
}

/// `compare(a, b)` of two outputs of one format.
template <class T, class Compare>
void both(Grid<T> const& a, Grid<T> const& b, Compare const& compare) {
  compare(a, b);
}
template <class Compare>
void both(AnyGrid const& a, AnyGrid const& b, Compare const& compare) {
  REQUIRE(a.index() == b.index());
  std::visit([&](auto const& one) { compare(one, std::get<std::decay_t<decltype(one)>>(b)); }, a);
}

/// What a test of Tested runs on: every instruction set that the processor has where kernels differ by it, else the best.
template <template <class> class Tested>
std::vector<InstructionSet> instruction_sets() {
  std::vector<InstructionSet> sets;
  InstructionSet const best = choose_instruction_set();
  for (auto const set : {InstructionSet::portable, InstructionSet::avx2, InstructionSet::avx512, InstructionSet::amx})
    if (set <= best && (set == best || std::is_same_v<Tested<fp32>, Cpu<fp32>>)) sets.push_back(set);
  return sets;
}

/// `compute(backend tag, context)` runs an operation and returns its outputs: std::vector of Grid<T>, or of AnyGrid. Checks
/// Tested<P> against Reference<P> on every instruction set, and that one, two and three threads and a second run give the
/// same bits.
///
/// @tparam Format  the format whose rounding counts; the activations' by default, since they are what sums are made from
template <class P, template <class> class Tested = Cpu, class Format = ActivationOf<P>, class Compute>
void check_against_reference(Compute const& compute, std::int64_t terms) {
  using Context = typename Tested<P>::Context;
  HostContext reference({1});
  auto const expected = compute(std::type_identity<Reference<P>>{}, reference);
  for (InstructionSet const set : instruction_sets<Tested>()) {
    INFO("instruction set " << name(set));
    Context one({1, set}), two({2, set}), three({3, set});
    auto const got = compute(std::type_identity<Tested<P>>{}, one);
    REQUIRE(got.size() == expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      INFO("output " << i << " of " << P::name);
      both(got[i], expected[i], [&](auto const& g, auto const& e) {
        require_close<Format>(g, e, terms);
        REQUIRE(g.gaps_untouched());
      });
    }
    for (Context* context : {&one, &two, &three}) {
      INFO(context->threads() << " threads, " << P::name);
      auto const again = compute(std::type_identity<Tested<P>>{}, *context);
      for (std::size_t i = 0; i < got.size(); ++i)
        both(again[i], got[i], [&](auto const& a, auto const& g) { REQUIRE(a.same_bits(g)); });
    }
  }
}

/// The rows of a batch of sequences of the given lengths.
struct Rows {
  std::vector<std::int32_t> sequence, position, offsets{0};
  Index first_example = 5;
  explicit Rows(std::vector<int> const& lengths) {
    for (std::size_t b = 0; b < lengths.size(); ++b) {
      for (int i = 0; i < lengths[b]; ++i) {
        sequence.push_back(static_cast<std::int32_t>(b));
        position.push_back(i);
      }
      offsets.push_back(offsets.back() + lengths[b]);
    }
  }
  Index size() const { return static_cast<Index>(sequence.size()); }
  RowMap map() const { return {{sequence.data(), size()}, {position.data(), size()}, first_example}; }
  VectorView<std::int32_t const> offset_view() const { return {offsets.data(), static_cast<Index>(offsets.size())}; }
};

inline Dropout some_dropout(double p) {
  return DropoutKey{true, 0x123456789ABCDEFull, 3}.site(DropoutSite::feed_forward, 2, p);
}

}  // namespace hone::test
