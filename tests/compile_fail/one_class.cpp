// expected-error: \[hone-E121\]
// A head that chooses among one class. Repaired: two.
#include "hone/heads/heads.hpp"

#ifdef HONE_REPAIRED
using Choice = hone::Heads<hone::Classify<"is_positive", 2>>;
#else
using Choice = hone::Heads<hone::Classify<"is_positive", 1>>;
#endif
static_assert(Choice::count == 1);
