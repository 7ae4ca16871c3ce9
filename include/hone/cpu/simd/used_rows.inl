namespace hone::detail::HONE_SIMD {

/// Calls body(first, last, used) for all parts of values `begin` .. `end` - 1, in order, as long as they can be; where
/// `used` is false they are zero. All parts but the last are multiples of 16 values long.
template <class Body>
HONE_SIMD_INLINE inline void for_rows(UsedRows const& rows, Index begin, Index end, Body const& body) {
  constexpr Index together = 16;
  if (!rows.used || (rows.begin - begin) % together != 0 || rows.width % together != 0) return body(begin, end, true);
  Index const first = std::clamp(rows.begin, begin, end);
  Index const last = std::clamp(rows.begin + rows.count * rows.width, begin, end);
  if (begin < first) body(begin, first, true);
  for (Index i = first, next; i < last; i = next) {
    Index row = (i - rows.begin) / rows.width;
    bool const used = rows.used[row] != 0;
    do {
      ++row;
      next = std::min(last, rows.begin + row * rows.width);
    } while (next < last && (rows.used[row] != 0) == used);
    body(i, next, used);
  }
  if (last < end) body(last, end, true);
}

}  // namespace hone::detail::HONE_SIMD
