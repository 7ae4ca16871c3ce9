// expected-error: \[hone-E132\]
// Losses in another order than the heads: L1 of a class, cross entropy of a number. Repaired: the order of the heads.
#include "hone/loss/cross_entropy.hpp"
#include "hone/loss/l1.hpp"
#include "hone/models/bert_classifier.hpp"

using Model = hone::BertClassifier<>;

#ifdef HONE_REPAIRED
using Losses = hone::WeightedSum<hone::CrossEntropy, hone::L1>;
#else
using Losses = hone::WeightedSum<hone::L1, hone::CrossEntropy>;
#endif

void learn(Model& model, hone::RaggedBatch const& batch, Model::Labels const& labels) {
  model.accumulate(batch, labels, Losses{}, hone::DropoutKey{});
}
