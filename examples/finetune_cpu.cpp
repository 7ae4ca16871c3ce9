// finetune on the processor, compiled once for the programs of this build that have it: finetune_imdb and hone. Both
// precisions are in one file, since most of what they need is the same.
#include "finetune_imdb.hpp"

template int hone::examples::finetune<hone::Cpu<hone::fp32>>(hone::examples::Settings,
                                                             hone::Cpu<hone::fp32>::Options const&);
template int hone::examples::finetune<hone::Cpu<hone::mixed>>(hone::examples::Settings,
                                                              hone::Cpu<hone::mixed>::Options const&);
