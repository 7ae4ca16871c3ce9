// expected-error: \[hone-E120\]
// An element of Heads is not a head: `allowed` is missing. Repaired: a head of the user's own.
#include "hone/heads/heads.hpp"

struct Language {
  using Label = std::int32_t;
  using Map = hone::Identity;
  static constexpr hone::Index width = 3;
  static constexpr std::string_view name() { return "language"; }
  static bool allows(double label) { return label >= 0 && label < 3; }
#ifdef HONE_REPAIRED
  static std::string allowed() { return "0 to 2"; }
#endif
};

using Two = hone::Heads<hone::Classify<"is_positive", 2>, Language>;
static_assert(Two::count == 2);
