// expected-error: \[hone-E143\]
// The fourth element of a recipe is a loss, not a weighted sum of losses. Repaired: a sum of one.
#include "hone/train/recipe.hpp"

#ifdef HONE_REPAIRED
hone::Recipe<hone::AdamW, hone::LinearWarmup, hone::GlobalNormClip, hone::WeightedSum<hone::L1>> recipe;
#else
hone::Recipe<hone::AdamW, hone::LinearWarmup, hone::GlobalNormClip, hone::L1> recipe;
#endif
