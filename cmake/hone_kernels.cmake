# hone_kernels: the vector kernels of the processor, compiled once for hone's own programs (include/hone/cpu/kernels.hpp says
# how). Users' programs compile the kernels that they use; they may do it this way too.
foreach(precision fp32 fp64 mixed)
  set(content "#include <hone/cpu/kernels.hpp>\n\nnamespace hone {\nHONE_CPU_KERNELS(template, ${precision});\n")
  if(precision STREQUAL "mixed")
    string(APPEND content "template void detail::run_kernel(HostContext&, LinearResidualForward<mixed> const&);\n")
  endif()
  file(CONFIGURE OUTPUT "kernels_${precision}.cpp" CONTENT "${content}}\n" @ONLY)
  list(APPEND hone_kernel_files "${CMAKE_CURRENT_BINARY_DIR}/kernels_${precision}.cpp")
endforeach()
add_library(hone_kernels STATIC ${hone_kernel_files})
target_link_libraries(hone_kernels PRIVATE hone_flags)
