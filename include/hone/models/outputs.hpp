#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "hone/heads/heads.hpp"

namespace hone {

/// A row-major matrix on the host, with its memory.
struct HostMatrix {
  std::vector<double> values{};
  Index cols = 1;

  Index rows() const { return cols > 0 ? Index(values.size()) / cols : 0; }
  double operator()(Index row, Index col) const { return values[std::size_t(row * cols + col)]; }
  double const* row(Index r) const { return values.data() + r * cols; }
  /// The column with the largest value of a row, the first of equals: the predicted class.
  Index argmax(Index r) const {
    Index best = 0;
    for (Index c = 1; c < cols; ++c)
      if ((*this)(r, c) > (*this)(r, best)) best = c;
    return best;
  }
};

/// What a model says of a batch: one matrix (B, K) for each head, `out.get<"is_positive">()`.
template <class HeadList>
struct Outputs {
  std::array<HostMatrix, HeadList::count> heads{};

  Outputs() {
    for_each_index<HeadList::count>([this](auto i) { heads[i].cols = HeadList::template At<i>::width; });
  }
  template <FixedString Name>
  HostMatrix const& get() const {
    static_assert(HeadList::template index<Name>() < HeadList::count,
                  "[hone-E124] Outputs: the model has no head of that name. See docs/errors.md#e124.");
    return heads[HeadList::template index<Name>()];
  }
  Index rows() const { return heads[0].rows(); }
};

/// What there is to know of a head where its type plays no part.
struct HeadInfo {
  std::string_view name{};
  Index width = 1;
  bool classifies = false;
};

/// The heads of a list, in their order.
template <class HeadList>
std::array<HeadInfo, HeadList::count> head_infos() {
  std::array<HeadInfo, HeadList::count> infos;
  for_each_index<HeadList::count>([&](auto i) {
    using H = typename HeadList::template At<i>;
    infos[i] = {H::name(), H::width, ClassifyingHead<H>};
  });
  return infos;
}

/// The two heads of the sentiment and star-rating model: logits of negative and positive, and 5 * linear + 5.
using SentimentAndStars = Heads<Classify<"is_positive", 2>, Regress<"star_rating", Affine<5, 5>>>;

/// The output of a model with SentimentAndStars as a plain struct.
struct BertClassifierOutput {
  HostMatrix is_positive{};           ///< logits (B, 2)
  std::vector<double> star_rating{};  ///< (B)

  BertClassifierOutput() = default;
  BertClassifierOutput(Outputs<SentimentAndStars> const& outputs)  // NOLINT: a view of the same thing, meant to be implicit
      : is_positive(outputs.heads[0]), star_rating(outputs.heads[1].values) {}
};

}  // namespace hone
