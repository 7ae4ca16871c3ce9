# cmake -DCOMPILER=... -DINCLUDES=dir;dir -DSOURCE=file.cpp -P compile_fail.cmake
#
# SOURCE begins with lines that say what to expect:
#   // expected-error: REGEX          the first error must match (a CMake regular expression)
#   // failing-flags: FLAG FLAG...    optional; flags of the failing compilation only
# Passes when the file does not compile, the first error matches, and the file does compile with -DHONE_REPAIRED:
# so that it fails for the stated reason and no other.
cmake_minimum_required(VERSION 3.24)
set(ENV{LC_ALL} C)

file(READ "${SOURCE}" text)
if(NOT text MATCHES "^// expected-error: ([^\n]+)\n")
  message(FATAL_ERROR "${SOURCE}: the first line must be '// expected-error: REGEX'")
endif()
set(expected "${CMAKE_MATCH_1}")
set(failing_flags "")
if(text MATCHES "\n// failing-flags: ([^\n]+)\n")
  separate_arguments(failing_flags UNIX_COMMAND "${CMAKE_MATCH_1}")
endif()

# Kernels and bodies are not what is tested here: they are only declared.
set(command "${COMPILER}" -std=c++20 -fsyntax-only -Wall -Wextra -DHONE_KERNELS_ELSEWHERE)
foreach(dir IN LISTS INCLUDES)
  list(APPEND command -isystem "${dir}")
endforeach()

execute_process(COMMAND ${command} ${failing_flags} "${SOURCE}"
  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(result EQUAL 0)
  message(FATAL_ERROR "compiles, and must not: ${SOURCE}\nexpected: ${expected}")
endif()
if(NOT output MATCHES "error: ([^\n]*)")
  message(FATAL_ERROR "no error in the output of ${COMPILER}, exit code ${result}:\n${output}")
endif()
set(first "${CMAKE_MATCH_1}")
if(NOT first MATCHES "${expected}")
  message(FATAL_ERROR "the first error is another one\nexpected: ${expected}\nfound:    ${first}\n\n${output}")
endif()

execute_process(COMMAND ${command} -DHONE_REPAIRED "${SOURCE}"
  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "the repaired file does not compile: ${SOURCE}\n${output}")
endif()
message(STATUS "refused as it should be: ${first}")
