// expected-error: \[hone-E141\]
// The second element of a recipe is not a schedule: `factor` takes one argument. Repaired: a schedule of the user's own.
#include "hone/train/recipe.hpp"

struct Cosine {
#ifdef HONE_REPAIRED
  double factor(hone::Index step, hone::Index total) const { return 0.5 + 0.5 * std::cos(3.14159265358979 * double(step) / double(total)); }
#else
  double factor(hone::Index step) const { return std::cos(double(step)); }
#endif
};

hone::Recipe<hone::AdamW, Cosine> recipe;
