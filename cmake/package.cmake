# SPDX-License-Identifier: BSD-2-Clause
# A Debian package of all that is installed: ./dev package.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME vfsproto)
set(CPACK_PACKAGE_CONTACT "The vfsproto authors <vfsproto@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "files of a virtio-fs device, without a mount or a virtual machine")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "fuse3") # fusermount3, for mounts of users
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "virtiofsd, libboost-dev, libfmt-dev, libspdlog-dev") # the last three for the headers
include(CPack)
