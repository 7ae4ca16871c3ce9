# hone_development: flags and compiled kernels of hone's own tests, examples and benchmarks. Never linked by a user's target.
# hone_flags: the flags alone.
include(CheckCXXCompilerFlag)

add_library(hone_flags INTERFACE)
target_link_libraries(hone_flags INTERFACE hone::hone hone::archive)
# -Wpedantic is not for .cu files: what nvcc hands to the host compiler is full of GNU extensions.
target_compile_options(hone_flags INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic>"
  "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra>")
if(HONE_WERROR)
  target_compile_options(hone_flags INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:-Werror>"
    "$<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings>")
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # What the optimizer guesses depends on version, level and processor, and is often wrong (GCC bug 105651): shown only.
    foreach(warning array-bounds maybe-uninitialized nonnull restrict stringop-overflow stringop-overread)
      target_compile_options(hone_flags INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:-Wno-error=${warning}>"
        "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wno-error=${warning}>")
    endforeach()
  endif()
endif()

if(HONE_NATIVE)
  check_cxx_compiler_flag(-march=native HONE_HAS_MARCH_NATIVE)
  check_cxx_compiler_flag(-mcpu=native HONE_HAS_MCPU_NATIVE)
  if(HONE_HAS_MARCH_NATIVE)
    target_compile_options(hone_flags INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:-march=native>")
  elseif(HONE_HAS_MCPU_NATIVE)
    target_compile_options(hone_flags INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:-mcpu=native>")
  endif()
endif()

if(HONE_SANITIZE)
  set(hone_sanitize_flags -fsanitize=${HONE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_options(hone_flags INTERFACE ${hone_sanitize_flags})
  target_link_options(hone_flags INTERFACE ${hone_sanitize_flags})
endif()

# Kernels that cannot run here show nothing to a sanitizer, and take most of the compiler's time.
set(hone_best_instruction_set "${HONE_BEST_INSTRUCTION_SET}")
if(HONE_BEST_INSTRUCTION_SET STREQUAL "native")
  try_run(hone_native_code hone_native_compiles "${CMAKE_CURRENT_BINARY_DIR}/native"
    "${CMAKE_CURRENT_LIST_DIR}/native_instruction_set.cpp"
    CMAKE_FLAGS "-DINCLUDE_DIRECTORIES=${PROJECT_SOURCE_DIR}/include" "-DCMAKE_CXX_STANDARD=20"
    COMPILE_OUTPUT_VARIABLE hone_native_log RUN_OUTPUT_VARIABLE hone_best_instruction_set)
  if(NOT hone_native_compiles OR NOT hone_native_code EQUAL 0)
    message(FATAL_ERROR "hone: what this machine runs could not be found out: give HONE_BEST_INSTRUCTION_SET a name.\n"
      "${hone_native_log}")
  endif()
  message(STATUS "hone: kernels are compiled for ${hone_best_instruction_set} at the most")
endif()
if(hone_best_instruction_set)
  if(NOT hone_best_instruction_set MATCHES "^(portable|avx2|avx512|amx)$")
    message(FATAL_ERROR "hone: HONE_BEST_INSTRUCTION_SET is '${hone_best_instruction_set}'. Allowed: portable, avx2, avx512, "
      "amx, native; empty: all.")
  endif()
  target_compile_definitions(hone_flags INTERFACE HONE_BEST_INSTRUCTION_SET=${hone_best_instruction_set})
endif()

target_link_libraries(hone_kernels PRIVATE hone_flags)
if(HONE_SANITIZE)
  # Under sanitizers the vector kernels of the library alone are optimised.
  get_target_property(hone_body_files hone_kernels SOURCES)
  list(FILTER hone_body_files INCLUDE REGEX "/(bodies|models)_[a-z0-9]+\\.cpp$")
  set_source_files_properties(${hone_body_files} PROPERTIES COMPILE_OPTIONS -O0)
endif()
add_library(hone_development INTERFACE)
target_link_libraries(hone_development INTERFACE hone_flags hone_kernels)

if(HONE_CUDA)
  # hone_cuda_development: the same for .cu programs. A call of host code from device code is an error, always.
  add_library(hone_cuda_development INTERFACE)
  target_link_libraries(hone_cuda_development INTERFACE hone_development hone::cuda)
  target_compile_options(hone_cuda_development INTERFACE
    "$<$<COMPILE_LANGUAGE:CUDA>:-Werror=cross-execution-space-call>")
endif()
