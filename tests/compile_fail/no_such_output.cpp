// expected-error: \[hone-E124\]
// Asks for the output of a head that the model does not have. Repaired: the name is spelled right.
#include "hone/models/outputs.hpp"

double first_rating(hone::Outputs<hone::SentimentAndStars> const& outputs) {
#ifdef HONE_REPAIRED
  return outputs.get<"star_rating">()(0, 0);
#else
  return outputs.get<"stars">()(0, 0);
#endif
}
