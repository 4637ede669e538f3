# SPDX-License-Identifier: BSD-2-Clause
# Every public header compiles alone, those below the line as freestanding ones: target all_verify_interface_header_sets
# (./dev check headers). The libraries here exist for that target only; nothing links them.
set(include_dir ${PROJECT_SOURCE_DIR}/include)
file(GLOB_RECURSE hosted_headers CONFIGURE_DEPENDS ${include_dir}/vfsproto/*.hpp)
file(GLOB_RECURSE core_headers CONFIGURE_DEPENDS ${include_dir}/vfsproto/abi/*.hpp ${include_dir}/vfsproto/base/*.hpp
  ${include_dir}/vfsproto/virtqueue/*.hpp ${include_dir}/vfsproto/transport/*.hpp ${include_dir}/vfsproto/fuse/*.hpp)
list(APPEND core_headers ${include_dir}/vfsproto/config.hpp ${include_dir}/vfsproto/version.hpp
  ${include_dir}/vfsproto/client.hpp ${include_dir}/vfsproto/server.hpp)
list(REMOVE_ITEM hosted_headers ${core_headers})

function(vfsproto_verify_headers name headers)
  add_library(${name} INTERFACE)
  target_sources(${name} INTERFACE FILE_SET HEADERS BASE_DIRS ${include_dir} FILES ${headers})
  target_link_libraries(${name} INTERFACE vfsproto_options vfsproto_warnings)
  target_compile_options(${name} INTERFACE -Werror ${ARGN})
  set_target_properties(${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
endfunction()

vfsproto_verify_headers(vfsproto_core_headers "${core_headers}" -ffreestanding -fno-exceptions -fno-rtti)
