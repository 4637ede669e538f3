#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Devices that QEMU itself implements, behind its IOMMU, driven through VFIO and our rings: split and packed, with and without
event index. And what the IOMMU is for."""

import os
import struct
import tempfile

from cases import PROGRAM, MissingNeed, Vm, VmCase, main

PLATFORM = "iommu_platform=on,packed=on,disable-legacy=on"
ENTROPY, BLOCKS = "0000:00:05.0", "0000:00:06.0"
SECTORS = 256


class Emulated(VmCase):
    def machine():
        built = os.path.join(os.environ.get("VFSPROTO_BUILD") or os.path.dirname(PROGRAM), "tests", "emulated_devices")
        if not os.access(built, os.X_OK):
            raise MissingNeed(f"there is no {built}: ctest says where the build is")
        Emulated.folder = tempfile.TemporaryDirectory()
        image = os.path.join(Emulated.folder.name, "image")
        with open(image, "wb") as file:
            for i in range(SECTORS):
                file.write(struct.pack("<Q", i).ljust(512, b"."))
        return Vm(devices=[f"virtio-rng-pci,addr=5,{PLATFORM}", f"virtio-blk-pci,addr=6,drive=disk,{PLATFORM}"],
                  qemu_args=["-drive", f"file={image},format=raw,if=none,id=disk"], programs=[built])

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        if hasattr(cls, "folder"):
            cls.folder.cleanup()

    def drive(self, what, address, *words):
        self.vm.bind(address, "vfio-pci")
        return self.vm.check(["emulated_devices", what, address, *words], 60)

    def test_entropy(self):
        """entropy comes through the IOMMU, on split and packed rings, with and without event index"""
        for ring in ("split", "packed"):
            for events in ("events", "no-events"):
                self.assertIn("entropy: 38400 bytes", self.drive("entropy", ENTROPY, ring, events))

    def test_blocks(self):
        """sectors are read, written and read again through the IOMMU, on split and packed rings, with and without event index"""
        for ring in ("split", "packed"):
            for events in ("events", "no-events"):
                self.assertIn("blocks: 256 read, written", self.drive("blocks", BLOCKS, ring, events))

    def test_stray(self):
        """a transfer to memory that was not mapped for the device is blocked, and the memory is as it was"""
        said = self.drive("stray", ENTROPY)
        self.assertIn("stray: kept", said)
        self.assertRegex(self.vm.check("dmesg"), r"DMAR: \[DMA Write.*\] Request device \[00:05.0\] fault addr")
        self.assertIn("entropy:", self.drive("entropy", ENTROPY, "split", "events"))  # and it can be used again


main()
