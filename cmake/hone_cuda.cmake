# The CUDA language for hone's own programs, and the architectures that they are built for.
include_guard(GLOBAL)
if(NOT CMAKE_CUDA_COMPILER)
  message(FATAL_ERROR "hone: HONE_CUDA is on and no CUDA compiler was found. Install the CUDA Toolkit 12 or newer, or say where "
    "it is: -DCMAKE_CUDA_COMPILER=/usr/local/cuda/bin/nvcc, or do without: -DHONE_CUDA=OFF.")
endif()

# hone_cuda_devices: the compute capabilities of the devices that are here, "8.0;9.0"; empty where none is.
set(hone_cuda_devices "")
execute_process(COMMAND nvidia-smi --query-gpu=compute_cap --format=csv,noheader
  OUTPUT_VARIABLE capabilities ERROR_QUIET RESULT_VARIABLE code)
if(code EQUAL 0)
  string(REGEX MATCHALL "[0-9]+\\.[0-9]" hone_cuda_devices "${capabilities}")
endif()

# CMAKE_CUDA_ARCHITECTURES (or the environment's CUDAARCHS) is taken as it is given.
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES AND "$ENV{CUDAARCHS}" STREQUAL "")
  set(architectures "")
  if(HONE_CUDA_ALL_ARCHITECTURES)
    execute_process(COMMAND "${CMAKE_CUDA_COMPILER}" --list-gpu-arch OUTPUT_VARIABLE known ERROR_QUIET)
    foreach(architecture 80 90 100 120)
      if("${known}\n" MATCHES "compute_${architecture}[\r\n]")
        list(APPEND architectures ${architecture}-real)
        set(newest ${architecture})
      endif()
    endforeach()
    list(APPEND architectures ${newest}-virtual)  # for devices that are not there yet
  else()
    if(hone_cuda_devices)
      string(REPLACE "." "" architectures "${hone_cuda_devices}")
      list(REMOVE_DUPLICATES architectures)
    else()
      set(architectures 80)  # machine code for 8.0, and PTX, which the driver translates for everything newer
    endif()
  endif()
  set(CMAKE_CUDA_ARCHITECTURES "${architectures}" CACHE STRING "Architectures that CUDA code is built for")
endif()

if(HONE_CCACHE AND NOT DEFINED CMAKE_CUDA_COMPILER_LAUNCHER)
  set(CMAKE_CUDA_COMPILER_LAUNCHER "${HONE_CCACHE}" CACHE STRING "Compiler launcher")
endif()
enable_language(CUDA)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12.0)
  message(FATAL_ERROR "hone: CUDA 12.0 or newer is needed, found ${CMAKE_CUDA_COMPILER_VERSION}; or -DHONE_CUDA=OFF.")
endif()
if(NOT TARGET hone::cuda)
  message(FATAL_ERROR "hone: a CUDA compiler is there (${CMAKE_CUDA_COMPILER}), but not the Toolkit's Thrust and cuBLASLt. "
    "Install them, say where they are (-DCUDAToolkit_ROOT=PLACE), or -DHONE_CUDA=OFF.")
endif()
message(STATUS "hone: CUDA ${CMAKE_CUDA_COMPILER_VERSION}, architectures ${CMAKE_CUDA_ARCHITECTURES}")
