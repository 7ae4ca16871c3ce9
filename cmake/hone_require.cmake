# hone_require(PACKAGE DEBIAN_PACKAGE PURPOSE [CONFIG] [MINIMUM version] [TARGET target]): find_package that remembers what is missing.
# hone_require_report(): ends the configuration with one message that names everything missing.
include_guard(GLOBAL)

set_property(GLOBAL PROPERTY HONE_MISSING "")

macro(hone_require package debian purpose)
  cmake_parse_arguments(hone_require_arg "CONFIG" "MINIMUM;TARGET" "" ${ARGN})
  if(hone_require_arg_TARGET AND TARGET ${hone_require_arg_TARGET})
    set(${package}_FOUND TRUE)  # the surrounding project brings its own
  elseif(hone_require_arg_CONFIG)
    find_package(${package} CONFIG QUIET)
  else()
    find_package(${package} QUIET)
  endif()
  # The version is compared here: a package of a later major version (Eigen 5) calls itself incompatible otherwise.
  if(NOT ${package}_FOUND)
    set_property(GLOBAL APPEND PROPERTY HONE_MISSING "${debian}|${package} (${purpose})")
  elseif(hone_require_arg_MINIMUM AND ${package}_VERSION AND ${package}_VERSION VERSION_LESS hone_require_arg_MINIMUM)
    set_property(GLOBAL APPEND PROPERTY HONE_MISSING
      "${debian}|${package} >= ${hone_require_arg_MINIMUM}, found ${${package}_VERSION} (${purpose})")
  endif()
endmacro()

function(hone_require_report)
  get_property(missing GLOBAL PROPERTY HONE_MISSING)
  if(NOT missing)
    return()
  endif()
  set(packages "")
  set(list "")
  foreach(entry IN LISTS missing)
    string(REGEX MATCH "^([^|]*)\\|(.*)$" unused "${entry}")
    string(APPEND packages " ${CMAKE_MATCH_1}")
    string(APPEND list "  ${CMAKE_MATCH_2}\n")
  endforeach()
  message(FATAL_ERROR "hone: not found:\n${list}"
    "On Debian or Ubuntu:\n  sudo apt-get install${packages}\n"
    "or run scripts/install_dependencies.sh, which installs everything that is missing. "
    "In another place: -DCMAKE_PREFIX_PATH=PLACE.\n")
endfunction()
