// expected-error: \[hone-E101\]
// failing-flags: -ffast-math
// -ffast-math breaks equal bits and the detection of NaN. Repaired: compiled without it.
#include "hone/core/config.hpp"
#ifdef HONE_REPAIRED
static_assert(true);
#endif
