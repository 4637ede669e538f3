# SPDX-License-Identifier: BSD-2-Clause
# A toolchain file: no operating system, the flags a kernel would use. Both compilers accept these; stricter ones
# (-mgeneral-regs-only) break clang 14 on standard headers.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
set(flags "-ffreestanding -fno-pie -fno-stack-protector")
execute_process(COMMAND uname -m OUTPUT_VARIABLE machine OUTPUT_STRIP_TRAILING_WHITESPACE)
if(machine STREQUAL x86_64)
  string(APPEND flags " -mcmodel=kernel -mno-red-zone -mno-mmx -mno-sse")
elseif(machine STREQUAL aarch64)
  string(APPEND flags " -mgeneral-regs-only -mno-outline-atomics")
endif()
set(CMAKE_C_FLAGS_INIT "${flags}")
set(CMAKE_CXX_FLAGS_INIT "${flags}")
