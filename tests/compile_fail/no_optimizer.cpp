// expected-error: \[hone-E140\]
// The first element of a recipe is not an optimizer. Repaired: it is one.
#include "hone/train/recipe.hpp"

#ifdef HONE_REPAIRED
hone::Recipe<hone::AdamW> recipe;
#else
hone::Recipe<hone::LinearWarmup> recipe;
#endif
