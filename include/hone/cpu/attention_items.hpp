#pragma once

#include <algorithm>
#include <cstdint>

#include "hone/core/host_context.hpp"
#include "hone/core/matrix.hpp"
#include "hone/cpu/scratch.hpp"

namespace hone::detail {

/// Calls body(sequence, head, last) for all of them, spread over the threads: sequences in the order of their work, most
/// first, so that threads end together. A thread takes several heads of a sequence one after the other (their columns are
/// neighbours) where there are enough for all; `last` says that the next head is not the next that it takes.
template <class Body>
void for_attention_items(HostContext& context, VectorView<std::int32_t const> query_offsets,
                         VectorView<std::int32_t const> key_offsets, Index heads, Body const& body) {
  Index const sequences = key_offsets.size - 1;
  Index* const order = scratch<Index>(Scratch::reduction, sequences);
  auto const work = [&](Index b) {
    return Index{query_offsets[b + 1] - query_offsets[b]} * Index{key_offsets[b + 1] - key_offsets[b]};
  };
  for (Index b = 0; b < sequences; ++b) order[b] = b;
  std::sort(order, order + sequences, [&](Index a, Index b) { return work(a) != work(b) ? work(a) > work(b) : a < b; });
  Index const together = std::clamp<Index>(sequences * heads / (8 * context.threads()), 1, heads);
  Index const groups = (heads + together - 1) / together;
  context.pool().parallel_for(sequences * groups, 1, [&](Index i, Index) {
    Index const first = i % groups * together, end = std::min(first + together, heads);
    for (Index h = first; h < end; ++h) body(order[i / groups], h, h + 1 == end);
  });
}

}  // namespace hone::detail
