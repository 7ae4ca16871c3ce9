// expected-error: \[hone-E122\]
// A model without a head. Repaired: with one.
#include "hone/heads/heads.hpp"

#ifdef HONE_REPAIRED
using None = hone::Heads<hone::Regress<"star_rating">>;
#else
using None = hone::Heads<>;
#endif
constexpr std::size_t count = None::count;
