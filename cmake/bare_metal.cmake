# SPDX-License-Identifier: BSD-2-Clause
# A toolchain file: VFSPROTO_MACHINE's cross compiler of Debian (g++-VFSPROTO_MACHINE), without anything to run on.
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES VFSPROTO_MACHINE)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
string(REGEX MATCH "^[^-]+" machine "${VFSPROTO_MACHINE}")

set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR ${machine})
set(CMAKE_C_COMPILER ${VFSPROTO_MACHINE}-gcc)
set(CMAKE_CXX_COMPILER ${VFSPROTO_MACHINE}-g++)

set(flags "-ffreestanding -fno-pie -fno-stack-protector -ffunction-sections -fdata-sections")
if(machine STREQUAL aarch64)
  # No floating point registers, no library calls for atomics, no accesses that are not aligned.
  string(APPEND flags " -mgeneral-regs-only -mno-outline-atomics -mstrict-align")
elseif(machine STREQUAL riscv64)
  # Debian has headers for the ABI with floating point alone; nothing here uses any.
  string(APPEND flags " -mcmodel=medany -mno-relax -mstrict-align")
endif()
set(CMAKE_ASM_FLAGS_INIT "${flags}")
set(CMAKE_C_FLAGS_INIT "${flags}")
set(CMAKE_CXX_FLAGS_INIT "${flags} -fno-exceptions -fno-rtti -fno-threadsafe-statics -fno-asynchronous-unwind-tables")
