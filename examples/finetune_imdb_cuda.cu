// finetune_imdb on an NVIDIA GPU: the same program, settings and outputs, and the options of a GPU.
//
//   finetune_imdb_cuda --info                                             what devices there are
//   finetune_imdb_cuda --model bert-base-cased --data aclImdb_v1.tar.gz   in bf16 with fp32 master weights
//   finetune_imdb_cuda --precision fp32 ...                               the processor's losses, to rounding
//
// The output folder also gets algorithms.jsonl: a run that is given them by --algorithms repeats the bits of this one.
#include <hone/cuda.cuh>

#include "finetune_imdb.hpp"
#include "finetune_options.hpp"
#include "run_program.hpp"

using namespace hone;

int main(int argc, char** argv) {
  return examples::run_program([&] {
    CudaOptions cuda;
    bool info = false;
    auto const settings =
        examples::read_settings(argc, argv, "finetune_imdb_cuda", [&](CLI::App& app, examples::Settings& s) {
          app.add_option("--device", cuda.device, "number of the GPU")->check(CLI::Range(0, 1023))->capture_default_str();
          app.add_option("--algorithms", s.algorithms, "algorithms.jsonl of an earlier run, to repeat its bits");
          app.add_flag("!--no-graphs", cuda.graphs, "launch the kernels of a step one by one, not as one CUDA graph");
          app.add_flag("--check-kernels", cuda.check_kernels,
                       "wait after every kernel, so that one that fails is named: slow");
          app.add_flag("--info", info, "show devices and versions, and end");
        });
    if (!settings) return 0;
    if (info) {
      std::printf("%s", cuda_info_text().c_str());
      return 0;
    }
    cuda.threads = settings->threads;
    return settings->precision == "fp32" ? examples::finetune<Cuda<fp32>>(*settings, cuda)  // no TF32 either
                                         : examples::finetune<Cuda<mixed>>(*settings, cuda);
  });
}
