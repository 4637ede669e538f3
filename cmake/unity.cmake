# SPDX-License-Identifier: BSD-2-Clause
# With VFSPROTO_UNITY, files of one target are compiled eight at a time as one: what their headers bring is compiled once for the
# eight, which takes a third of the time. The presets for tests have it on. The preset release leaves it off: there each file
# shows that it stands alone, and so it does for clang-tidy.
option(VFSPROTO_UNITY "compile files of one target eight at a time" OFF)

# vfsproto_compile_together(TARGET FILES…): all but these, whose unnamed namespaces have names that others of the target have too.
function(vfsproto_compile_together target)
  if(VFSPROTO_UNITY)
    # The compiler takes what is included for a header.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${VFSPROTO_UNITY} UNITY_BUILD_BATCH_SIZE 8)
  if(ARGN)
    set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  endif()
endfunction()
