# hone_test(NAME FILE [TIMEOUT seconds] [LIBRARIES library...])
#
# One test program from one file, named folder.base as the file is. Its test cases are discovered when it is built and
# appear in ctest as NAME.<test case>, labelled with the folder. A case that ends in HONE_SKIP counts as skipped.
include_guard(GLOBAL)
include(Catch)

# hone.test.catch: the Catch2 header, precompiled once for all test programs (saves each a second).
# hone.test.main: their main function, which configures Catch2 and so cannot use that.
file(CONFIGURE OUTPUT catch.cpp CONTENT "// Owns the precompiled header.\n")
add_library(hone.test.catch OBJECT "${CMAKE_CURRENT_BINARY_DIR}/catch.cpp")
add_library(hone.test.main OBJECT support/main.cpp)
foreach(target hone.test.catch hone.test.main)
  target_link_libraries(${target} PRIVATE hone_development Catch2::Catch2)
  target_include_directories(${target} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
  target_compile_definitions(${target} PRIVATE HONE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
endforeach()
target_precompile_headers(hone.test.catch PRIVATE support/catch.hpp)

function(hone_test name file)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "TIMEOUT" "LIBRARIES")
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
  target_precompile_headers(${target} REUSE_FROM hone.test.catch)
  catch_discover_tests(${target} TEST_PREFIX "${name}."
    PROPERTIES SKIP_RETURN_CODE 4 TIMEOUT ${arg_TIMEOUT} LABELS "${folder}")
endfunction()
