// Fine-tunes a pretrained BERT on IMDB with two heads: is a review positive, and how many stars does it give?
//
//   finetune_imdb                                                   generated reviews and a tiny model: no download
//   finetune_imdb --model bert-base-cased --data aclImdb_v1.tar.gz  the real thing; --help lists the settings
//
// The output folder gets the trained model (config.json, model.safetensors, tokenizer), metrics.jsonl (a line a step),
// results.json, predictions.jsonl (a line a test review) and, with --eval-every, evaluations.jsonl.
//
// What happens is in finetune_imdb.hpp, to be read from top to bottom; here is where it is computed.
#include "finetune_imdb.hpp"
#include "run_program.hpp"

using namespace hone;

int main(int argc, char** argv) {
  return examples::run_program([&] {
    auto const settings = examples::read_settings(argc, argv);
    return settings ? examples::finetune_on_processor(*settings) : 0;
  });
}
