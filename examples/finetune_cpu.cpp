// finetune on the processor, compiled once for the programs of this build that have it: finetune_imdb and hone.
#include "finetune_imdb.hpp"

template int hone::examples::finetune<hone::Cpu<hone::fp32>>(hone::examples::Settings,
                                                             hone::Cpu<hone::fp32>::Options const&);
