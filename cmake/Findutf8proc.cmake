# Finds utf8proc and defines utf8proc::utf8proc. Debian's package has a pkg-config file and no CMake configuration;
# vcpkg and newer releases of utf8proc have one, which is taken where it exists.
#
# Sets utf8proc_FOUND, utf8proc_VERSION, and in the cache utf8proc_INCLUDE_DIR and utf8proc_LIBRARY.
if(TARGET utf8proc::utf8proc)
  set(utf8proc_FOUND TRUE)
  return()
endif()

find_package(utf8proc CONFIG QUIET)
if(utf8proc_FOUND AND NOT TARGET utf8proc::utf8proc AND TARGET utf8proc)
  add_library(utf8proc::utf8proc ALIAS utf8proc)
endif()
if(TARGET utf8proc::utf8proc)
  set(utf8proc_FOUND TRUE)
  return()
endif()

find_path(utf8proc_INCLUDE_DIR utf8proc.h)
find_library(utf8proc_LIBRARY NAMES utf8proc utf8proc_static)
mark_as_advanced(utf8proc_INCLUDE_DIR utf8proc_LIBRARY)

if(utf8proc_INCLUDE_DIR AND EXISTS "${utf8proc_INCLUDE_DIR}/utf8proc.h")
  set(utf8proc_VERSION "")
  foreach(utf8proc_part MAJOR MINOR PATCH)
    file(STRINGS "${utf8proc_INCLUDE_DIR}/utf8proc.h" utf8proc_line REGEX "#define UTF8PROC_VERSION_${utf8proc_part} ")
    string(REGEX REPLACE ".*UTF8PROC_VERSION_${utf8proc_part} +([0-9]+).*" "\\1" utf8proc_number "${utf8proc_line}")
    string(APPEND utf8proc_VERSION "${utf8proc_number}.")
  endforeach()
  string(REGEX REPLACE "\\.$" "" utf8proc_VERSION "${utf8proc_VERSION}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(utf8proc REQUIRED_VARS utf8proc_LIBRARY utf8proc_INCLUDE_DIR
  VERSION_VAR utf8proc_VERSION)

if(utf8proc_FOUND)
  add_library(utf8proc::utf8proc UNKNOWN IMPORTED)
  set_target_properties(utf8proc::utf8proc PROPERTIES
    IMPORTED_LOCATION "${utf8proc_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${utf8proc_INCLUDE_DIR}")
endif()
