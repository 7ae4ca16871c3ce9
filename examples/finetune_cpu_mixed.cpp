// As finetune_cpu.cpp, in mixed precision.
#include "finetune_imdb.hpp"

template int hone::examples::finetune<hone::Cpu<hone::mixed>>(hone::examples::Settings,
                                                              hone::Cpu<hone::mixed>::Options const&);
