// SPDX-License-Identifier: BSD-2-Clause
// QEMU jumps here, at exception level 1, with translation and caches off: memory is strictly ordered, and accesses that
// are not aligned would fault (-mstrict-align). Only the first processor runs; the others wait for the firmware.
    .section .text.start, "ax"
    .global _start
_start:
    ldr x0, =stack_top
    mov sp, x0
    ldr x0, =bss_start
    ldr x1, =bss_end
1:  cmp x0, x1
    b.hs 2f
    stp xzr, xzr, [x0], #16
    b 1b
2:  bl run
    b .
