# hone::kernels: hone::hone, with what takes long to compile compiled once, as a library of the project that links it, by its
# compiler and with its flags: the processor's vector kernels, models, and functions that read and write files, tokenise,
# examine and report.
# Files of such a target only declare these, and compile several times as fast; a change of theirs compiles none of it again.
# (include/hone/core/config.hpp and include/hone/cpu/kernels.hpp say how.) It is built only where it is linked.
if(NOT TARGET hone_kernels)
  set(hone_kernel_files "")
  set(bodies_elsewhere "#define HONE_KERNELS_ELSEWHERE\n#include <hone/core/config.hpp>\n")
  foreach(precision fp32 fp64 mixed)
    set(content "${bodies_elsewhere}#undef HONE_KERNELS_ELSEWHERE\n#include <hone/cpu/kernels.hpp>\n\nnamespace hone {\n")
    string(APPEND content "HONE_CPU_KERNELS(HONE_KERNEL_HERE, ${precision});\n")
    if(precision STREQUAL "mixed")
      string(APPEND content "HONE_CPU_KERNELS_OF_MIXED(HONE_KERNEL_HERE);\n")
    endif()
    set(file "${CMAKE_CURRENT_BINARY_DIR}/hone_kernels/kernels_${precision}.cpp")
    file(CONFIGURE OUTPUT "${file}" CONTENT "${content}}\n" @ONLY)
    list(APPEND hone_kernel_files "${file}")
  endforeach()
  # Models with the usual heads, and every model's encoder (include/hone/models/bert_classifier.hpp).
  foreach(precision fp32 fp64 mixed)
    set(content "#define HONE_KERNELS_ELSEWHERE\n#include <hone/models/bert_classifier.hpp>\n\nnamespace hone {\n")
    string(APPEND content "template class BertEncoder<Cpu<${precision}>>;\n")
    if(NOT precision STREQUAL "fp64")
      string(APPEND content "template class BertClassifier<Cpu<${precision}>, SentimentAndStars>;\n")
    endif()
    set(file "${CMAKE_CURRENT_BINARY_DIR}/hone_kernels/models_${precision}.cpp")
    file(CONFIGURE OUTPUT "${file}" CONTENT "${content}}\n" @ONLY)
    list(APPEND hone_kernel_files "${file}")
  endforeach()
  # The training of these models, and the doctor's examination of it (include/hone/train/trainer.hpp, doctor.hpp).
  foreach(precision fp32 mixed)
    set(content "#define HONE_KERNELS_ELSEWHERE\n#include <hone/train/doctor.hpp>\n#include <hone/train/trainer.hpp>\n\n")
    string(APPEND content "namespace hone {\n")
    foreach(schedule "LinearWarmup" "OneOf<LinearWarmup, LinearWarmupDecay>")
      string(APPEND content "template class Trainer<BertClassifier<Cpu<${precision}>>, Recipe<AdamW, ${schedule}>>;\n"
        "template std::vector<Finding> examine(BertClassifier<Cpu<${precision}>>&, data::Dataset const&, data::Dataset const*,\n"
        "                                      Recipe<AdamW, ${schedule}> const&, DoctorOptions const&);\n")
    endforeach()
    set(file "${CMAKE_CURRENT_BINARY_DIR}/hone_kernels/training_${precision}.cpp")
    file(CONFIGURE OUTPUT "${file}" CONTENT "${content}}\n" @ONLY)
    list(APPEND hone_kernel_files "${file}")
  endforeach()
  # The bodies of each umbrella that are not those of one before it.
  set(declared "${bodies_elsewhere}")
  foreach(umbrella hone doctor report)
    set(file "${CMAKE_CURRENT_BINARY_DIR}/hone_kernels/bodies_${umbrella}.cpp")
    file(CONFIGURE OUTPUT "${file}" @ONLY
      CONTENT "${declared}#undef HONE_BODIES\n#define HONE_BODIES 1\n#include <hone/${umbrella}.hpp>\n")
    list(APPEND hone_kernel_files "${file}")
    string(APPEND declared "#include <hone/${umbrella}.hpp>\n")
  endforeach()
  # The bodies of what needs libarchive, and is in no umbrella: where there is libarchive, which hone::kernels then links.
  if(TARGET LibArchive::LibArchive)
    set(file "${CMAKE_CURRENT_BINARY_DIR}/hone_kernels/bodies_imdb.cpp")
    file(CONFIGURE OUTPUT "${file}" @ONLY
      CONTENT "${bodies_elsewhere}#include <hone/hone.hpp>\n#undef HONE_BODIES\n#define HONE_BODIES 1\n#include <hone/data/imdb.hpp>\n")
    list(APPEND hone_kernel_files "${file}")
  endif()
  add_library(hone_kernels STATIC EXCLUDE_FROM_ALL ${hone_kernel_files})
  target_link_libraries(hone_kernels PUBLIC hone::hone PRIVATE $<TARGET_NAME_IF_EXISTS:LibArchive::LibArchive>)
  target_compile_definitions(hone_kernels INTERFACE HONE_KERNELS_ELSEWHERE)
  add_library(hone::kernels ALIAS hone_kernels)
endif()
