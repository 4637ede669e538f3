#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The program on a real device: vhost-user-fs-pci through VFIO, beside the guest kernel's own client."""

import glob
import hashlib
import json
import os
import stat
import tempfile
import time

from cases import Share, Vm, VmCase, main

FILES = 5000
TUNING = {"msix": "0000:00:03.0", "line": "0000:00:04.0"}
MOUNT = "/mnt"
LISTING = f"cd {MOUNT} && find . -exec stat -c '%n|%a|%F|%s|%Y|%h' {{}} + | sort && find . -type f -exec sha256sum {{}} + | sort && cd / && umount {MOUNT}"


def make_tree(folder):
    """FILES files in directories of a hundred, with modes, times, links and names of all sorts."""
    for i in range(FILES):
        place = os.path.join(folder, f"d{i // 100:02}")
        if i % 100 == 0:
            os.makedirs(os.path.join(place, "empty"))
        name = os.path.join(place, ("name with blanks %d", "ünïcödé %d", "-dash%d", "plain%d")[i % 4] % i)
        with open(name, "wb") as file:
            file.write(hashlib.sha256(b"%d" % i).digest() * (i % 300 if i % 50 else 3000))
        os.chmod(name, (0o644, 0o600, 0o755, 0o4711)[i % 4])
        os.utime(name, ns=(10**18 + i, 10**18 + i * 1_000_003))
        if i % 100 == 7:
            os.link(name, name + ".hard")
            os.symlink(os.path.basename(name), name + ".soft")


def facts(folder):
    """All that a copy keeps: {path: (kind, mode, size or target, time, contents)}."""
    found = {}
    for place, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(place, name)
            info = os.lstat(path)
            row = [stat.S_IFMT(info.st_mode), stat.S_IMODE(info.st_mode)]
            if stat.S_ISLNK(info.st_mode):
                row.append(os.readlink(path))
            elif stat.S_ISREG(info.st_mode):
                with open(path, "rb") as file:
                    row += [info.st_mtime_ns, info.st_nlink, hashlib.sha256(file.read()).hexdigest()]
            found[os.path.relpath(path, folder)] = row
    return found


def json_lines(said):
    """What a command with --json printed: one object a line."""
    return [json.loads(line) for line in said.splitlines()]


class Device(VmCase):
    def machine():
        Device.folder = tempfile.TemporaryDirectory()
        path = Device.folder.name
        with open(os.path.join(path, "file"), "wb") as file:
            file.write(b"hello\n" * 1000)
        shares = [Share(path), Share(path, "line", queue_size=128, device="vectors=0")]
        return Vm(shares, programs=[program("emulated_devices")], memory=1536, timeout=600)

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        if hasattr(cls, "folder"):
            cls.folder.cleanup()

    def bind(self, *names):
        for name in names or TUNING:
            self.vm.check(f"vfsproto device bind {TUNING[name]}")

    def unbind(self):
        for address in TUNING.values():
            self.vm.check(f"vfsproto device unbind {address}")

    def on(self, which, words):
        return self.vm.check(f"vfsproto --device vfio:{TUNING[which]} {words}")

    def test_list(self):
        """devices are listed with what is in the way, bound, and given back"""
        self.unbind()
        rows = json_lines(self.vm.check("vfsproto --json device list"))
        self.assertEqual([(row["address"], row["driver"], row["usable"]) for row in rows],
                         [(address, "virtio-pci", False) for address in TUNING.values()])
        self.assertIn("vfsproto device bind 0000:00:03.0", rows[0]["obstacle"])
        refused = self.vm.run("vfsproto --device vfio:auto ls")
        self.assertEqual(refused.status, 3)
        self.assertIn(b"several virtio-fs devices", refused.stderr)
        refused = self.vm.run("vfsproto --device vfio:00:03.0 ls")
        self.assertEqual((refused.status, refused.stderr.count(b"\n")), (3, 1))
        self.assertIn(b"device bind", refused.stderr)
        self.bind()
        self.bind()  # nothing more to do
        rows = json_lines(self.vm.check("vfsproto --json device list"))
        self.assertEqual([(row["driver"], row["usable"]) for row in rows], [("vfio-pci", True)] * 2)
        self.assertIn("vfio-pci      2  yes", self.vm.check("vfsproto device list"))
        self.unbind()
        self.assertIn("virtio-pci", self.vm.check("vfsproto device list"))

    def test_info(self):
        """info says how the device is reached, with MSI-X and with a line"""
        self.bind()
        info = {which: json.loads(self.on(which, "--json --queue-size 1024 info"))["device"] for which in TUNING}
        self.assertEqual([info[which]["interrupts"] for which in TUNING], ["MSI-X, 3 vectors", "line (INTx)"])
        self.assertEqual([info[which]["queue_size"] for which in TUNING], [1024, 128])
        self.assertEqual(info["msix"]["registers"], "mapped")
        self.assertIn("physical", info["msix"]["addresses"])
        self.assertIn("IOMMU type 1", info["msix"]["vfio"])

    def test_copies(self):
        """five megabytes go out and come back, asleep and awake, with MSI-X and with a line"""
        self.bind()
        self.vm.check("head -c 5000001 /dev/urandom >/tmp/blob")
        for which in TUNING:
            for way in ("--event", "--poll", "--adaptive"):
                self.on(which, f"{way} put /tmp/blob /blob")
                self.on(which, f"{way} get /blob /tmp/back")
                self.vm.check("cmp /tmp/blob /tmp/back")
                self.on(which, f"{way} rm /blob")

    def test_tree(self):
        """a tree of 5,000 files comes out and goes back, and nothing of it is lost"""
        self.bind()
        source, copy = (os.path.join(self.folder.name, name) for name in ("tree", "copy"))
        make_tree(source)
        self.on("msix", "--event get -rp /tree /tmp/tree")
        self.on("line", "--poll put -rp /tmp/tree /copy")
        self.vm.check("rm -rf /tmp/tree")
        self.assertEqual(facts(source), facts(copy))

    def test_kernel(self):
        """the guest kernel's own client sees the same before and after, and what we wrote as we do"""
        self.unbind()
        folder = os.path.join(self.folder.name, "both")
        os.mkdir(folder)
        self.vm.check(f"mount -t virtiofs myfs {MOUNT} && mkdir -p {MOUNT}/both/sub && cd {MOUNT}/both && echo kernel >k && ln k k2 && ln -s k s "
                      f"&& chmod 640 k && touch -d '2001-02-03 04:05:06' k && cd / && umount {MOUNT}")
        before = self.vm.check(f"mount -t virtiofs myfs {MOUNT} && " + LISTING)
        self.bind()
        rows = json_lines(self.on("msix", "--json stat /both/k /both/k2 /both/s /both/sub"))
        self.assertEqual([(row["type"], row["mode"], row["nlink"]) for row in rows],
                         [("file", "0640", 2), ("file", "0640", 2), ("symlink", "0777", 1), ("directory", "0755", 2)])
        self.assertEqual(rows[0]["mtime"], 981173106)
        self.assertEqual(self.on("line", "cat /both/s"), "kernel\n")
        self.unbind()
        self.assertEqual(self.vm.check(f"mount -t virtiofs myfs {MOUNT} && " + LISTING), before)
        self.bind()
        self.vm.check("echo ours >/tmp/o")
        self.on("msix", "put /tmp/o /both/sub/o")
        self.on("msix", "chmod 600 /both/sub/o")
        self.on("msix", "ln -s o /both/sub/l")
        self.unbind()
        seen = self.vm.check(f"mount -t virtiofs myfs {MOUNT} && cd {MOUNT}/both/sub && cat l && stat -c %a o && cd / && umount {MOUNT}")
        self.assertEqual(seen, "ours\n600\n")

    def test_bench(self):
        """at depth 16 and 32 few requests ring, and few are told of; none is lost at any depth"""
        self.bind()
        for which in TUNING:
            for depth in (1, 16, 32):
                for way in ("--event", "--poll"):
                    done = json.loads(self.on(which, f"{way} --json bench --op randread --bs 4k --size 4m --iodepth {depth} --count 20000"))
                    self.assertEqual((done["operations"], done["violations"]), (20000, 0))
                    if depth > 1:
                        each = done["per_request"]
                        self.assertLessEqual(max(each["kicks"], each["interrupts"]), 0.1, (which, depth, way, each))

    def test_no_pages(self):
        """without huge pages it is refused, and said what to do"""
        self.bind()
        self.vm.check("echo 0 >/proc/sys/vm/nr_hugepages")
        refused = self.vm.run(f"vfsproto --device vfio:{TUNING['msix']} ls")
        self.vm.check("echo 64 >/proc/sys/vm/nr_hugepages")
        self.assertEqual((refused.status, refused.stderr.count(b"\n")), (3, 1))
        self.assertIn(b"echo 64 > /proc/sys/vm/nr_hugepages", refused.stderr)
        self.on("msix", "ls")

    def test_two_at_once(self):
        """a device that a process has is refused to another, and says so"""
        self.bind()
        first = self.hold("msix")
        refused = self.vm.run(f"vfsproto --device vfio:{TUNING['msix']} ls")
        self.assertEqual((refused.status, refused.stderr.count(b"\n")), (3, 1))
        self.assertIn(b"in use by another process", refused.stderr)
        self.vm.signal(first, 9)
        self.assertEqual(self.vm.wait(first, 60).status, 137)
        self.on("msix", "ls")

    def hold(self, which):
        """Starts traffic that goes on until it is stopped."""
        job = self.vm.start(["vfsproto", "--device", f"vfio:{TUNING[which]}", "bench", "--op", "randread", "--bs", "64k",
                             "--size", "4m", "--iodepth", "16", "--seconds", "3000"])
        self.vm.check("n=0; until grep -q . /proc/$(pidof vfsproto)/task/*/comm && ls /proc/$(pidof vfsproto)/fd -l | grep -q vfio-device; "
                      "do n=$((n+1)); [ $n -lt 1000 ] || exit 1; usleep 10000; done; usleep 300000")
        return job

    def test_killed(self):
        """a program that is killed in the middle of traffic leaves a device that the next one takes"""
        self.bind()
        for which in TUNING:
            job = self.hold(which)
            self.vm.signal(job, 9)
            self.assertEqual(self.vm.wait(job, 60).status, 137)
            self.on(which, "ls")
            self.on(which, "get /file /tmp/f")
            self.assertEqual(self.vm.get("/tmp/f"), b"hello\n" * 1000)

    def test_unbound(self):
        """unbinding a device that is in use ends what uses it, with 3; bound again it goes on"""
        for which in TUNING:
            self.bind()
            job = self.hold(which)
            self.vm.check(f"vfsproto device unbind {TUNING[which]}", 60)
            done = self.vm.wait(job, 60)
            self.assertEqual((done.status, done.stderr.count(b"\n")), (3, 1))
            self.assertIn(b"the kernel wants the device back", done.stderr)
            self.bind()
            self.assertIn("file", self.on(which, "ls"))

    def test_often(self):
        """a hundred bring-ups in one process, and as many descriptors and mappings as after the first"""
        self.bind()
        free = "grep HugePages_Free /proc/meminfo"
        before = self.vm.check(free)
        self.assertEqual(self.vm.check(f"emulated_devices bring-ups {TUNING['msix']} 100"), "bring-ups: 100\n")
        self.assertEqual(self.vm.check(free), before)


class Removable(VmCase):
    def machine():
        Removable.folder = tempfile.TemporaryDirectory()
        with open(os.path.join(Removable.folder.name, "file"), "wb") as file:
            file.write(b"hello\n")
        return Vm([Share(Removable.folder.name, removable=True)])

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        if hasattr(cls, "folder"):
            cls.folder.cleanup()

    def traffic(self):
        """Starts a benchmark and returns once its file is whole, which the daemon's folder shows: then it reads."""
        self.vm.check("until [ -e /sys/bus/pci/devices/0000:01:00.0/driver ]; do :; done; vfsproto device bind auto")
        files = os.path.join(Removable.folder.name, ".vfsproto-bench.*")
        for left in glob.glob(files):
            os.unlink(left)
        job = self.vm.start("vfsproto --device vfio:auto --silence 3 bench --op randread --bs 64k --size 4m --iodepth 16 --seconds 3000")
        while not any(os.path.getsize(file) == 4 << 20 for file in glob.glob(files)):
            self.assertIsNone(job.status, job.stderr)
            self.vm.check("usleep 10000")
        return job

    def check_failed(self, job, words):
        done = self.vm.wait(job, 60)
        self.assertEqual((done.status, done.stderr.count(b"\n")), (3, 1), done)
        self.assertIn(words, done.stderr)

    def test_reset(self):
        """a reset in the middle of traffic, behind our back, is noticed; afterwards the device works"""
        job = self.traffic()
        self.vm.check("echo 1 >/sys/bus/pci/devices/0000:01:00.0/reset")
        self.check_failed(job, b"somebody else has reset the device")
        self.assertEqual(self.vm.check("vfsproto --device vfio:auto cat /file"), "hello\n")

    def test_unplugged(self):
        """a device that is unplugged in the middle of traffic is let go; plugged in again it works"""
        job = self.traffic()
        self.vm.unplug()
        self.check_failed(job, b"the device is gone")
        self.vm.plug()
        self.vm.check("until [ -e /sys/bus/pci/devices/0000:01:00.0/driver ]; do :; done; vfsproto device bind auto")
        self.assertEqual(self.vm.check("vfsproto --device vfio:auto cat /file"), "hello\n")

    def test_dead_daemon(self):
        """a daemon that is killed in the middle of traffic is noticed, and everything ends in order"""
        job = self.traffic()
        self.vm.shares[0].kill()
        start = time.monotonic()
        self.check_failed(job, b"has answered nothing for 3 s (--silence)")
        self.assertLess(time.monotonic() - start, 30)
        self.vm.unplug()
        self.vm.plug()
        self.vm.check("until [ -e /sys/bus/pci/devices/0000:01:00.0/driver ]; do :; done; vfsproto device bind auto")
        self.assertEqual(self.vm.check("vfsproto --device vfio:auto cat /file"), "hello\n")


def program(name):
    """A program of tests/vm/programs, as it was built beside the program under test."""
    from vm import MissingNeed
    built = os.path.join(os.environ.get("VFSPROTO_BUILD", ""), "tests", name)
    if not os.access(built, os.X_OK):
        raise MissingNeed(f"there is no {built}: ctest says where the build is")
    return built


main()
