// expected-error: \[hone-E123\]
// Two heads of one name, which would share their parameters' names and their labels. Repaired: two names.
#include "hone/heads/heads.hpp"

#ifdef HONE_REPAIRED
using Two = hone::Heads<hone::Classify<"is_positive", 2>, hone::Classify<"topic", 5>>;
#else
using Two = hone::Heads<hone::Classify<"is_positive", 2>, hone::Classify<"is_positive", 5>>;
#endif
static_assert(Two::count == 2);
