namespace hone::detail::HONE_SIMD {

/// Calls body(begin, end, used) for parts of values `begin` .. `end` - 1, in order: whether they may differ from zero. All
/// parts but the last are multiples of 16 values long.
template <class Body>
HONE_SIMD_INLINE inline void for_used_rows(UsedRows const& rows, Index begin, Index end, Body const& body) {
  constexpr Index together = 16;
  if (!rows.used || (rows.begin - begin) % together != 0 || rows.width % together != 0) return body(begin, end, true);
  Index const first = std::clamp(rows.begin, begin, end), last = std::clamp(rows.begin + rows.count * rows.width, begin, end);
  if (begin < first) body(begin, first, true);
  for (Index i = first; i < last;) {
    Index row = (i - rows.begin) / rows.width, next = i;
    bool const used = rows.used[row] != 0;
    for (; next < last && (rows.used[row] != 0) == used; ++row) next = std::min(last, rows.begin + (row + 1) * rows.width);
    body(i, next, used);
    i = next;
  }
  if (last < end) body(last, end, true);
}

}  // namespace hone::detail::HONE_SIMD
