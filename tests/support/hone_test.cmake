# hone_test(NAME FILE [OPTIMIZED | BRIEF] [TIMEOUT seconds] [LIBRARIES library...])
#
# One test program from one file, named folder.base as the file is. Its test cases are discovered when it is built and
# appear in ctest as NAME.<test case>, labelled with the folder. A case that ends in HONE_SKIP counts as skipped.
#
# A test is compiled with light optimisation, in half the time; the processor's kernels, which it links, have that of the
# build. OPTIMIZED: so has the test, since it is about kernels, or runs longer than it compiles. BRIEF: it hardly runs, and is
# not optimised at all, which under sanitizers halves the time again.
include_guard(GLOBAL)
include(Catch)

# hone.test.catch, ..._optimized, ..._brief: the Catch2 header, precompiled once for all test programs (saves each a second).
# hone.test.main: their main function, which configures Catch2 and so cannot use that.
set(hone_test_light "$<$<NOT:$<CONFIG:Debug>>:-O1>")
file(CONFIGURE OUTPUT catch.cpp CONTENT "// Owns the precompiled header.\n")
add_library(hone.test.catch OBJECT "${CMAKE_CURRENT_BINARY_DIR}/catch.cpp")
add_library(hone.test.catch_optimized OBJECT "${CMAKE_CURRENT_BINARY_DIR}/catch.cpp")
add_library(hone.test.catch_brief OBJECT "${CMAKE_CURRENT_BINARY_DIR}/catch.cpp")
add_library(hone.test.main OBJECT support/main.cpp)
foreach(target hone.test.catch hone.test.catch_optimized hone.test.catch_brief hone.test.main)
  target_link_libraries(${target} PRIVATE hone_development Catch2::Catch2)
  target_include_directories(${target} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
  target_compile_definitions(${target} PRIVATE HONE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
endforeach()
foreach(target hone.test.catch hone.test.catch_optimized hone.test.catch_brief)
  target_precompile_headers(${target} PRIVATE support/catch.hpp)
endforeach()
target_compile_options(hone.test.catch_brief PRIVATE -O0)
foreach(target hone.test.catch hone.test.main)
  target_compile_options(${target} PRIVATE "${hone_test_light}")
endforeach()

function(hone_test name file)
  cmake_parse_arguments(PARSE_ARGV 2 arg "OPTIMIZED;BRIEF" "TIMEOUT" "LIBRARIES")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 600)
  endif()
  if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
    message(FATAL_ERROR "hone_test(${name} ${file}): there is no tests/${file}")
  endif()
  get_filename_component(folder "${file}" DIRECTORY)
  set(target "hone.test.${name}")
  add_executable(${target} ${file} $<TARGET_OBJECTS:hone.test.main>)
  target_link_libraries(${target} PRIVATE hone_development Catch2::Catch2 ${arg_LIBRARIES})
  target_include_directories(${target} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
  target_compile_definitions(${target} PRIVATE HONE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  if(arg_OPTIMIZED)
    target_precompile_headers(${target} REUSE_FROM hone.test.catch_optimized)
  elseif(arg_BRIEF)
    target_compile_options(${target} PRIVATE -O0)
    target_precompile_headers(${target} REUSE_FROM hone.test.catch_brief)
  else()
    target_compile_options(${target} PRIVATE "${hone_test_light}")
    target_precompile_headers(${target} REUSE_FROM hone.test.catch)
  endif()
  catch_discover_tests(${target} TEST_PREFIX "${name}."
    PROPERTIES SKIP_RETURN_CODE 4 TIMEOUT ${arg_TIMEOUT} LABELS "${folder}")
endfunction()
