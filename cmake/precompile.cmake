# SPDX-License-Identifier: BSD-2-Clause
# Standard headers take half of the time that most files take to compile. With VFSPROTO_PRECOMPILE they are read once for all
# targets that are compiled with the same flags. The preset release leaves it off: there each file shows that it
# includes what it uses.
option(VFSPROTO_PRECOMPILE "precompile the standard headers" OFF)
set(standard_headers <algorithm> <array> <atomic> <charconv> <chrono> <condition_variable> <cstring> <deque> <filesystem>
  <functional> <map> <memory> <mutex> <optional> <random> <set> <span> <sstream> <string> <string_view> <system_error> <thread>
  <utility> <vector>)

# vfsproto_precompiled(HOLDER INCLUDES…): a target that compiles the standard headers and these once.
function(vfsproto_precompiled holder)
  if(NOT VFSPROTO_PRECOMPILE)
    return()
  endif()
  file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/${holder}.cpp "")
  add_library(${holder} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/${holder}.cpp)
  target_compile_features(${holder} PRIVATE cxx_std_20)
  target_precompile_headers(${holder} PRIVATE ${standard_headers} ${ARGN})
endfunction()

# vfsproto_precompile(TARGET INCLUDES…): compiles the standard headers and these once, for this target alone.
function(vfsproto_precompile target)
  if(VFSPROTO_PRECOMPILE)
    target_precompile_headers(${target} PRIVATE ${standard_headers} ${ARGN})
  endif()
endfunction()

# vfsproto_use_precompiled(TARGET HOLDER): only for targets with the flags of the holder.
function(vfsproto_use_precompiled target holder)
  if(TARGET ${holder})
    target_precompile_headers(${target} REUSE_FROM ${holder})
  endif()
endfunction()
