# cmake -DMODE=... -P packaging.cmake: build user/program.cpp as a stranger would, and run it.
#   add_subdirectory, fetch_content   from the source folder; nothing of ours is downloaded, built or installed with it
#   find_package                      from a fresh installation that was moved after it was installed
#   plain                             one compiler command, no CMake
cmake_minimum_required(VERSION 3.24)

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    list(JOIN ARGV " " command)
    message(FATAL_ERROR "failed (${result}): ${command}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

set(user "${CMAKE_CURRENT_LIST_DIR}/user")
file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}")

if(MODE STREQUAL "plain")
  set(include_flags "")
  foreach(dir IN LISTS INCLUDES)
    list(APPEND include_flags -I "${dir}")
  endforeach()
  run("${COMPILER}" -std=c++20 ${include_flags} "${user}/program.cpp" -o "${WORK}/program" "${UTF8PROC}" -pthread)
  run("${WORK}/program" "${VERSION}")
  message(STATUS "${output}")
  return()
endif()

# What is tested is how the library is found and linked: the kernels that compile fastest will do.
set(configure "${CMAKE_COMMAND}" -G "${GENERATOR}" "-DCMAKE_CXX_COMPILER=${COMPILER}"
  "-DCMAKE_CXX_FLAGS=-DHONE_BEST_INSTRUCTION_SET=portable" -S "${user}" -B "${WORK}/build"
  "-DMODE=${MODE}" "-DHONE_SOURCE=${HONE_SOURCE}")
if(MODE STREQUAL "find_package")
  # ".." in the relative paths of a package only works where the package is complete: install, then move it.
  run("${CMAKE_COMMAND}" --install "${HONE_BUILD}" --prefix "${WORK}/installed")
  file(RENAME "${WORK}/installed" "${WORK}/moved")
  foreach(expected include/hone/version.hpp include/hone/core/error.hpp share/licenses/hone/LICENSE
          share/cmake/hone/Findutf8proc.cmake share/cmake/hone/hone_kernels.cmake)
    if(NOT EXISTS "${WORK}/moved/${expected}")
      message(FATAL_ERROR "not installed: ${expected}")
    endif()
  endforeach()
  list(APPEND configure "-DCMAKE_PREFIX_PATH=${WORK}/moved" "-DHONE_WANTED=${VERSION}")
endif()

run(${configure})
run("${CMAKE_COMMAND}" --build "${WORK}/build")
run("${WORK}/build/program" "${VERSION}")
message(STATUS "${output}")
file(GLOB_RECURSE kernels "${WORK}/build/*hone_kernels*.a")
if(MODE STREQUAL "find_package")
  run("${WORK}/build/program_apart" "${VERSION}")
  message(STATUS "with hone::kernels: ${output}")
elseif(kernels)
  message(FATAL_ERROR "kernels were compiled that nobody links: ${kernels}")
endif()

if(MODE STREQUAL "find_package")  # a version that we are not must be refused
  list(APPEND configure -DHONE_WANTED=99.0)
  execute_process(COMMAND ${configure} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(result EQUAL 0)
    message(FATAL_ERROR "find_package(hone 99.0) found ${VERSION}")
  endif()
endif()
