# hone::thrust and hone::cuda, where the CUDA Toolkit is found. Read by hone's own build and by find_package(hone).
#   hone::thrust  what thrust/host_backend.hpp needs: Thrust's headers, for host compilers; no CUDA compiler
#   hone::cuda    what <hone/cuda.cuh> needs, in a .cu file: the runtime, cuBLASLt, C++20
include_guard(GLOBAL)

find_package(CUDAToolkit 12.0 QUIET)
if(CUDAToolkit_FOUND)
  # Since CUDA 13 Thrust lies in a folder of its own that nvcc knows and a host compiler does not.
  find_path(HONE_THRUST_INCLUDE_DIR thrust/version.h HINTS ${CUDAToolkit_INCLUDE_DIRS} PATH_SUFFIXES cccl NO_DEFAULT_PATH)
  mark_as_advanced(HONE_THRUST_INCLUDE_DIR)
endif()
# Global, and with libraries as files: targets of CUDAToolkit would not be seen by whoever takes hone by add_subdirectory.
if(CUDAToolkit_FOUND AND HONE_THRUST_INCLUDE_DIR AND NOT TARGET hone::thrust)
  add_library(hone::thrust INTERFACE IMPORTED GLOBAL)
  target_link_libraries(hone::thrust INTERFACE hone::hone)
  target_include_directories(hone::thrust SYSTEM INTERFACE
    "$<$<COMPILE_LANGUAGE:CXX>:${HONE_THRUST_INCLUDE_DIR};${CUDAToolkit_INCLUDE_DIRS}>")
  if(CUDA_cublasLt_LIBRARY)
    add_library(hone::cuda INTERFACE IMPORTED GLOBAL)
    target_link_libraries(hone::cuda INTERFACE hone::thrust "${CUDA_cublasLt_LIBRARY}")  # CMake links the runtime to .cu files
    # By hand, since CMake before 3.26 does not know the standards of nvcc 13.
    target_compile_options(hone::cuda INTERFACE "$<$<COMPILE_LANGUAGE:CUDA>:-std=c++20>")
  endif()
endif()
