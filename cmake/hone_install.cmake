# Install rules and the package that find_package(hone) reads.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(hone_package_dir "${CMAKE_INSTALL_DATADIR}/cmake/hone")
set(hone_generated_dir "${PROJECT_BINARY_DIR}/package")

install(TARGETS hone EXPORT hone_targets FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT hone_targets NAMESPACE hone:: FILE hone-targets.cmake DESTINATION "${hone_package_dir}")

# hone::archive is written by the package file itself, since it exists wherever libarchive is found by the user.
configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/hone-config.cmake.in" "${hone_generated_dir}/hone-config.cmake"
  INSTALL_DESTINATION "${hone_package_dir}")
write_basic_package_version_file("${hone_generated_dir}/hone-config-version.cmake"
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)  # 0.x: a minor version may change the interface
install(FILES "${hone_generated_dir}/hone-config.cmake" "${hone_generated_dir}/hone-config-version.cmake"
  "${CMAKE_CURRENT_LIST_DIR}/Findutf8proc.cmake" "${CMAKE_CURRENT_LIST_DIR}/hone_cuda_targets.cmake"
  "${CMAKE_CURRENT_LIST_DIR}/hone_kernels.cmake" DESTINATION "${hone_package_dir}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DATADIR}/licenses/hone")
