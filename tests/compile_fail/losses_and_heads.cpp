// expected-error: \[hone-E131\]
// A recipe with one loss for a model with two heads. Repaired: one loss for each.
#include "hone/loss/cross_entropy.hpp"
#include "hone/loss/l1.hpp"
#include "hone/models/bert_classifier.hpp"

using Model = hone::BertClassifier<>;

#ifdef HONE_REPAIRED
using Losses = hone::WeightedSum<hone::CrossEntropy, hone::L1>;
#else
using Losses = hone::WeightedSum<hone::CrossEntropy>;
#endif

void learn(Model& model, hone::RaggedBatch const& batch, Model::Labels const& labels) {
  model.accumulate(batch, labels, Losses{}, hone::DropoutKey{});
}
