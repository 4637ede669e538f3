#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""examples/bare_metal, booted by QEMU without firmware or operating system, on a share of the C virtiofsd."""

import os
import re
import subprocess
import tempfile
import unittest
import zlib

from cases import ROOT, Share, VmError, main
from vm.child import Child
from vm.guest import needed

SECONDS = 60  # it takes a tenth of one
MEMORY = 128  # MiB
MACHINES = {"aarch64": ["-M", "virt,memory-backend=memory", "-cpu", "cortex-a57"],
            "riscv64": ["-M", "virt,memory-backend=memory", "-bios", "none"]}
MODERN = ["-global", "virtio-mmio.force-legacy=false"]
ENTRY = re.compile(r"^entry (.*)$", re.M)
SUM = re.compile(r"^input: (\d+) bytes, crc32 ([0-9a-f]{8})$", re.M)


def image(machine):
    """Built when it is missing or old."""
    preset = f"bare-metal-{machine}"
    needed(f"{machine}-linux-gnu-g++")
    built = subprocess.run([os.path.join(ROOT, "tools", "build.sh"), preset], capture_output=True, text=True)
    if built.returncode:
        raise VmError(f"{preset} does not build:\n{built.stderr}")
    return os.path.join(ROOT, "build", preset, "bare_metal")


def boot(machine, folder, *options):
    """What it said on the serial line until it powered itself off."""
    serial = os.path.join(folder, "serial")
    # A machine of one processor would be translated without memory barriers (QEMU 7.2).
    command = [needed(f"qemu-system-{machine}"), *MACHINES[machine], "-accel", "tcg,thread=multi", "-smp", "2", "-m", f"{MEMORY}M",
               "-object", f"memory-backend-memfd,id=memory,size={MEMORY}M,share=on", "-nodefaults", "-display", "none", "-no-reboot",
               "-serial", f"file:{serial}", "-kernel", image(machine), *options]
    qemu = Child(command, os.path.join(folder, "qemu"))
    try:
        status = qemu.wait(SECONDS)
    finally:
        qemu.kill()
    with open(serial, encoding="utf-8", errors="replace", newline="") as stream:
        said = stream.read().replace("\r\n", "\n")
    if status != 0:
        raise VmError(f"QEMU's status is {status}\n" + said + "\n".join(qemu.words()))
    return said


class BareMetal(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, *names):
        return os.path.join(self.folder.name, *names)

    def copy(self, machine, device, *options, size=1061345, queue_size=128):
        """Lets the image read and write a share of its own; looks at what it said and at what it wrote."""
        os.mkdir(self.path("share"))
        contents = os.urandom(size)
        with open(self.path("share", "input"), "wb") as stream:
            stream.write(contents)
        # More names than one answer has room for.
        names = ["input", *(f"{number:250}" for number in range(300))]
        for name in names[1:]:
            os.link(self.path("share", "input"), self.path("share", name))
        share = Share(self.path("share"), "bare")
        path = share.start(self.folder.name, "virtiofsd")
        try:
            said = boot(machine, self.folder.name, *options, "-chardev", f"socket,id=share,path={path}",
                        "-device", f"{device},chardev=share,tag=bare,queue-size={queue_size}")
        finally:
            share.kill()
        self.assertIn("mounted bare\n", said)
        self.assertEqual(sorted(ENTRY.findall(said)), sorted([".", "..", *names]), said[-1000:])
        self.assertEqual(SUM.findall(said), [(str(size), f"{zlib.crc32(contents):08x}")], said[-1000:])
        self.assertRegex(said, r"\ndone after \d+ ms\n$")
        with open(self.path("share", "output"), "rb") as stream:
            self.assertEqual(stream.read(), contents)

    def test_aarch64(self):
        """a machine without an operating system reads and writes a share over virtio-mmio (aarch64)"""
        self.copy("aarch64", "vhost-user-fs-device", *MODERN)

    def test_riscv64(self):
        """a machine without an operating system reads and writes a share over virtio-mmio (riscv64)"""
        self.copy("riscv64", "vhost-user-fs-device", *MODERN)

    def test_aarch64_pci(self):
        """a machine without an operating system reads and writes a share over virtio-pci (aarch64)"""
        self.copy("aarch64", "vhost-user-fs-pci")

    def test_riscv64_pci(self):
        """a machine without an operating system reads and writes a share over virtio-pci (riscv64)"""
        self.copy("riscv64", "vhost-user-fs-pci")

    def test_small(self):
        """without an operating system, an empty file and a queue of few entries do as well"""
        self.copy("riscv64", "vhost-user-fs-pci", size=0, queue_size=16)

    def test_host_part(self):
        """what a machine brings to the core is at most 400 lines: start, memory, time, registers, printing"""
        folder = os.path.join(ROOT, "examples", "bare_metal")
        for machine in MACHINES:
            files = [f"start_{machine}.S", "image.ld", "machine.hpp", f"machine_{machine}.cpp", "host.hpp", "host.cpp",
                     "pci_function.hpp", "pci_function.cpp"]
            lines = 0
            for name in files:
                with open(os.path.join(folder, name), encoding="utf-8") as stream:
                    lines += len(stream.readlines())
            self.assertLessEqual(lines, 400)

    def test_symbols(self):
        """on other machines too the core asks for four functions of the C library and nothing else"""
        for machine in MACHINES:
            archive = os.path.join(os.path.dirname(image(machine)), "src", "libvfsproto-core.a")
            whole = self.path("whole.o")
            subprocess.run([f"{machine}-linux-gnu-ld", "-r", "--whole-archive", archive, "-o", whole], check=True)
            names = subprocess.run([f"{machine}-linux-gnu-nm", "-u", whole], check=True, capture_output=True, text=True).stdout
            self.assertLessEqual(set(names.split()) - {"U"}, {"memcpy", "memmove", "memset", "memcmp"})

    def test_no_device(self):
        """a machine without an operating system and without a device says so"""
        self.assertEqual(boot("aarch64", self.folder.name, *MODERN), "failed: virtio-fs: no device\n")
        self.assertEqual(boot("riscv64", self.folder.name, *MODERN), "failed: virtio-fs: no device\n")

    def test_legacy_device(self):
        """a machine without an operating system says that a device is a legacy one"""
        self.assertRegex(boot("aarch64", self.folder.name), "^failed: virtio-fs: no device, unless one of the legacy")


main()
