# For a build of hone itself: optimised unless told otherwise, and compiled through ccache where there is one.
get_property(is_multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(NOT is_multi_config AND NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
  message(STATUS "hone: build type not given, using Release")
endif()

find_program(HONE_CCACHE ccache DOC "Compiler cache; empty to do without")
mark_as_advanced(HONE_CCACHE)
if(HONE_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  # The sloppiness is what ccache's manual asks for with precompiled headers (the tests use one).
  set(CMAKE_CXX_COMPILER_LAUNCHER
    "${CMAKE_COMMAND};-E;env;CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime;${HONE_CCACHE}"
    CACHE STRING "Compiler launcher")
endif()
