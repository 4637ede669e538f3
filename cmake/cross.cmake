# SPDX-License-Identifier: BSD-2-Clause
# Other machines: VFSPROTO_MACHINE's cross compiler of Debian (g++-VFSPROTO_MACHINE), and qemu-user to run what it makes.
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES VFSPROTO_MACHINE)
if(NOT VFSPROTO_MACHINE)
  message(FATAL_ERROR "VFSPROTO_MACHINE is not set: use a preset such as cross-aarch64")
endif()
string(REGEX MATCH "^[^-]+" machine "${VFSPROTO_MACHINE}")

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${machine})
set(CMAKE_C_COMPILER ${VFSPROTO_MACHINE}-gcc)
set(CMAKE_CXX_COMPILER ${VFSPROTO_MACHINE}-g++)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
if(machine STREQUAL powerpc)
  set(CMAKE_CXX_STANDARD_LIBRARIES_INIT -latomic) # it has no instruction for 64 bits at once
endif()
# Also for i686: a 64-bit x86 kernel may be built without the means to run 32-bit programs. QEMU calls that machine i386.
string(REPLACE i686 i386 emulated "${machine}")
# QEMU calls powerpc ppc.
string(REPLACE powerpc ppc emulated "${emulated}")
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-${emulated})
