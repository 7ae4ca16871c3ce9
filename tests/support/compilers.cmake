# For the checks that call a compiler themselves:
#   HONE_TEST_COMPILERS   the compiler at hand, and the other one of g++ and clang++ where it is installed
#   HONE_TEST_INCLUDES    include folders of the library and its dependencies
#   hone_compiler_suffix(variable compiler)   "" for the compiler at hand, else ".gcc" or ".clang"
include_guard(GLOBAL)

set(HONE_TEST_COMPILERS "${CMAKE_CXX_COMPILER}")
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  find_program(HONE_OTHER_COMPILER NAMES g++ DOC "The other compiler, for the checks that headers compile with both")
else()
  find_program(HONE_OTHER_COMPILER NAMES clang++ clang++-19 clang++-18 clang++-17 clang++-16 clang++-15 clang++-14
    DOC "The other compiler, for the checks that headers compile with both")
endif()
mark_as_advanced(HONE_OTHER_COMPILER)
if(HONE_OTHER_COMPILER)
  list(APPEND HONE_TEST_COMPILERS "${HONE_OTHER_COMPILER}")
endif()

function(hone_compiler_suffix variable compiler)
  set(suffix "")
  if(NOT compiler STREQUAL CMAKE_CXX_COMPILER)
    set(suffix ".gcc")
    if(compiler MATCHES "clang")
      set(suffix ".clang")
    endif()
  endif()
  set(${variable} "${suffix}" PARENT_SCOPE)
endfunction()

set(HONE_TEST_INCLUDES "${PROJECT_SOURCE_DIR}/include")
foreach(library Eigen3::Eigen nlohmann_json::nlohmann_json utf8proc::utf8proc LibArchive::LibArchive)
  get_target_property(dirs ${library} INTERFACE_INCLUDE_DIRECTORIES)
  foreach(dir IN LISTS dirs)
    if(IS_DIRECTORY "${dir}" AND NOT dir STREQUAL "/usr/include")
      list(APPEND HONE_TEST_INCLUDES "${dir}")
    endif()
  endforeach()
endforeach()
if(TARGET hone::thrust)  # Thrust's headers for host compilers; without them thrust/ is not compiled
  list(APPEND HONE_TEST_INCLUDES "${HONE_THRUST_INCLUDE_DIR}")
endif()
list(REMOVE_DUPLICATES HONE_TEST_INCLUDES)
