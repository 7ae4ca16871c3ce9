// expected-error: \[hone-E142\]
// The third element of a recipe is not a clipping policy: `apply` is missing. Repaired: one that the library has.
#include "hone/train/recipe.hpp"

struct Nothing {};

#ifdef HONE_REPAIRED
hone::Recipe<hone::AdamW, hone::LinearWarmup, hone::NoClip> recipe;
#else
hone::Recipe<hone::AdamW, hone::LinearWarmup, Nothing> recipe;
#endif
