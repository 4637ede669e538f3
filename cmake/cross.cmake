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
# Also for i686: a 64-bit x86 kernel may be built without the means to run 32-bit programs. QEMU calls that machine i386.
string(REPLACE i686 i386 emulated "${machine}")
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-${emulated})
