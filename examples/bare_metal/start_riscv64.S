# SPDX-License-Identifier: BSD-2-Clause
# QEMU jumps here in machine mode, with translation off, on every processor: all but the first go to sleep.
    .section .text.start, "ax"
    .global _start
_start:
    csrr t0, mhartid
    bnez t0, 3f
    la sp, stack_top
    la t0, bss_start
    la t1, bss_end
1:  bgeu t0, t1, 2f
    sd zero, 0(t0)
    addi t0, t0, 8
    j 1b
2:  call run
3:  wfi
    j 3b
