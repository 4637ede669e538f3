# SPDX-License-Identifier: BSD-2-Clause
# What `cmake --install` puts where. The core has an export set of its own, so that it can be found without Boost.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
# The .pc files find their prefix from where they lie, so that an installed tree can be moved.
file(RELATIVE_PATH PREFIX_FROM_PKGCONFIG "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/vfsproto)

install(TARGETS vfsproto_options vfsproto_core EXPORT vfsprotoCoreTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT vfsprotoCoreTargets NAMESPACE vfsproto:: DESTINATION ${package_dir})

set(headers_pattern FILES_MATCHING PATTERN "*.hpp" PATTERN "*.h")
if(TARGET vfsproto)
  install(TARGETS vfsproto EXPORT vfsprotoTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  if(TARGET vfsproto_shared)
    install(TARGETS vfsproto_shared EXPORT vfsprotoTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  endif()
  install(EXPORT vfsprotoTargets NAMESPACE vfsproto:: DESTINATION ${package_dir})
  install(DIRECTORY include/vfsproto DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} ${headers_pattern})
  configure_file(cmake/vfsproto.pc.in vfsproto.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/vfsproto.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
else()
  install(DIRECTORY include/vfsproto DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} ${headers_pattern}
          PATTERN backends EXCLUDE PATTERN posix EXCLUDE)
endif()
if(TARGET vfsproto_cli)
  install(TARGETS vfsproto_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  if(NOT CMAKE_CROSSCOMPILING AND NOT VFSPROTO_SANITIZE)
    include(cmake/pages.cmake)
  endif()
endif()

configure_file(cmake/vfsproto-core.pc.in vfsproto-core.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/vfsproto-core.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
configure_package_config_file(cmake/vfsprotoConfig.cmake.in vfsprotoConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(vfsprotoConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/vfsprotoConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/vfsprotoConfigVersion.cmake
        DESTINATION ${package_dir})
install(FILES LICENSE README.md DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/vfsproto)
include(cmake/package.cmake)
