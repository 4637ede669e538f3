#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a guest has: shares through its kernel's own client, IOMMU groups, VFIO, devices that come and go."""

import os
import tempfile

from cases import Share, Vm, VmCase, VmError, main

MOUNT = "/mnt"


class Shares(VmCase):
    def machine():
        Shares.folders = [tempfile.TemporaryDirectory(), tempfile.TemporaryDirectory()]
        first, second = (folder.name for folder in Shares.folders)
        return Vm([Share(first), Share(second, "other", queue_size=128, daemon=["cache=none"], removable=True)],
                  devices=["virtio-rng-pci,iommu_platform=on,packed=on,disable-legacy=on"])

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        for folder in getattr(cls, "folders", ()):
            folder.cleanup()

    def path(self, name, share=0):
        self.vm
        return os.path.join(self.folders[share].name, name)

    def test_kernel_client(self):
        """the guest kernel's own client sees the bytes the host wrote, and the other way round"""
        contents = os.urandom(3 << 20)
        with open(self.path("from-host"), "wb") as file:
            file.write(contents)
        self.vm.check("mount -t virtiofs myfs /mnt")
        self.assertEqual(self.vm.get(f"{MOUNT}/from-host"), contents)
        self.vm.check(f"mkdir {MOUNT}/made && tac {MOUNT}/from-host >{MOUNT}/made/from-guest && sync")
        seen = self.vm.get(f"{MOUNT}/made/from-guest")
        self.vm.check("umount /mnt")
        with open(self.path("made/from-guest"), "rb") as file:
            self.assertEqual(file.read(), seen)
        self.assertEqual(len(seen), len(contents))

    def test_groups(self):
        """every device is in an IOMMU group, a share in one of its own"""
        self.assertEqual(self.vm.address(0), "0000:00:03.0")
        device = "/sys/bus/pci/devices/0000:00:03.0"
        self.assertEqual(self.vm.check(f"cd {device}; cat vendor device"), "0x1af4\n0x105a\n")
        self.assertEqual(self.vm.check(f"ls {device}/iommu_group/devices").split(), ["0000:00:03.0"])
        alone = "for i in /sys/bus/pci/devices/*; do [ -e $i/iommu_group ] || echo $i; done"
        self.assertEqual(self.vm.check(alone), "")

    def test_vfio(self):
        """vfio-pci binds to a share's device, and virtio-pci takes it back"""
        self.vm.bind("0000:00:03.0", "vfio-pci")
        group = self.vm.check("basename $(readlink /sys/bus/pci/devices/0000:00:03.0/iommu_group)").strip()
        self.vm.check(f"[ -c /dev/vfio/{group} -a -c /dev/vfio/vfio ]")
        self.vm.bind("0000:00:03.0", "virtio-pci")
        self.vm.check("mount -t virtiofs myfs /mnt && ls /mnt && umount /mnt")

    def test_qemu_device(self):
        """a device of QEMU's own gives entropy through the emulated IOMMU"""
        self.vm.check("modprobe virtio-rng")
        self.assertEqual(len(self.vm.run("head -c 64 /dev/hwrng").stdout), 64)

    def test_huge_pages(self):
        """huge pages are there, and a file system of them"""
        self.assertIn("HugePages_Free:       64", self.vm.check("cat /proc/meminfo"))
        self.vm.check("grep -q hugetlbfs /proc/mounts && [ -d /dev/hugepages ]")

    def test_replugged(self):
        """a share is unplugged, plugged in again with a new daemon, and serves the same files"""
        with open(self.path("kept", 1), "w", encoding="ascii") as file:
            file.write("still here\n")
        address = self.vm.address(1)
        self.vm.check("mkdir -p /other && mount -t virtiofs other /other && [ -e /other/kept ] && umount /other")
        self.vm.unplug(1)
        self.vm.check(f"[ ! -e /sys/bus/pci/devices/{address} ]")
        self.vm.plug(1)
        self.vm.check(f"until [ -e /sys/bus/pci/devices/{address}/driver ]; do :; done")
        self.assertEqual(self.vm.check("mount -t virtiofs other /other && cat /other/kept"), "still here\n")
        self.vm.check("umount /other")

    def test_dead_daemon(self):
        """a daemon that is killed leaves the guest running, and a new one comes with a new device"""
        self.vm.shares[1].kill()
        self.assertEqual(self.vm.check("echo alive"), "alive\n")
        self.vm.unplug(1)
        self.vm.plug(1)
        self.vm.check(f"until [ -e /sys/bus/pci/devices/{self.vm.address(1)}/driver ]; do :; done")
        self.vm.check("mkdir -p /other && mount -t virtiofs other /other && ls /other && umount /other")


class RustDaemon(VmCase):
    def machine():
        RustDaemon.folder = tempfile.TemporaryDirectory()
        return Vm([Share(RustDaemon.folder.name, server="rust", daemon=["cache=never"])])

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        if hasattr(cls, "folder"):
            cls.folder.cleanup()

    def test_mounted(self):
        """a share can be served by the Rust virtiofsd"""
        self.vm.check("mount -t virtiofs myfs /mnt && cd /mnt && echo from the guest >file && cd / && umount /mnt")
        with open(os.path.join(self.folder.name, "file"), encoding="ascii") as file:
            self.assertEqual(file.read(), "from the guest\n")


class WithoutIommu(VmCase):
    def machine():
        return Vm(iommu=None, cpus=2)

    def test_no_groups(self):
        """a machine can be had without an IOMMU, and with two processors"""
        self.assertEqual(self.vm.check("ls /sys/kernel/iommu_groups; nproc"), "2\n")

    def test_power_off(self):
        """a guest shuts down in order, and is gone then"""
        self.vm.power_off()
        with self.assertRaisesRegex(VmError, "the guest shut down"):
            self.vm.run("true")


main()
