#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The lab itself: what ./dev vm run promises, and what tests ask of a machine."""

import hashlib
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import unittest

from cases import PROGRAM, ROOT, GuestPanic, MissingNeed, TimedOut, Vm, VmCase, VmError, lab, main


def processes_of(pid):
    """What a process has started and not yet ended."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as stream:
        return [int(word) for word in stream.read().split()]


class CommandLine(unittest.TestCase):
    def setUp(self):
        try:
            Vm().check_needs()
        except MissingNeed as error:
            self.skipTest(str(error))

    def test_output_and_status(self):
        """./dev vm run brings back output, standard error and the exit status, and nothing else"""
        done = lab("run", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (3, b"out\n", b"err\n"))

    def test_time_limit(self):
        """./dev vm run kills everything at its time limit, says so in one line, and leaves with 124"""
        with tempfile.TemporaryDirectory() as share:
            done = lab("run", "--share", share, "--timeout", "8", "--", "sleep 1000")
        self.assertEqual((done.returncode, done.stdout, done.stderr.decode()),
                         (124, b"", "./dev vm: the time limit of 8 s has passed; everything was killed\n"))

    def test_bad_device(self):
        """a device that QEMU does not know is its message in one line"""
        done = lab("run", "--device", "virtio-nonsense-pci", "--", "true")
        self.assertEqual(done.returncode, 125)
        self.assertEqual(done.stderr.decode(), "./dev vm: QEMU: -device virtio-nonsense-pci: "
                                               "'virtio-nonsense-pci' is not a valid device model name\n")

    def test_bad_share(self):
        """a share that is no directory is said so in one line"""
        done = lab("run", "--share", __file__, "--", "true")
        self.assertEqual((done.returncode, done.stderr.decode()),
                         (125, f"./dev vm: the share {__file__} is not a directory\n"))

    def test_panic(self):
        """a panic of the guest's kernel is told"""
        done = lab("run", "--", "echo c >/proc/sysrq-trigger; sleep 1000")
        self.assertEqual((done.returncode, done.stderr.decode()),
                         (125, "./dev vm: the guest's kernel panicked: sysrq triggered crash\n"))

    def test_killed(self):
        """nothing of the lab outlives it when it is killed"""
        with tempfile.TemporaryDirectory() as share:
            environment = {**os.environ, "PYTHONPATH": os.path.join(ROOT, "tools"), "VFSPROTO_PROGRAM": PROGRAM,
                           "TMPDIR": share}  # what it leaves behind goes with the share
            own = subprocess.Popen([sys.executable, "-m", "vm", "run", "--share", share, "--", "echo up; sleep 1000"],
                                   env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            self.assertEqual(own.stdout.readline(), b"up\n")
            children = processes_of(own.pid)
            self.assertGreaterEqual(len(children), 2)  # QEMU, virtiofsd
            ends = [os.pidfd_open(pid) for pid in children]
            own.send_signal(signal.SIGKILL)
            own.wait()
            own.stdout.close()
            for end in ends:
                self.assertEqual(select.select([end], [], [], 60)[0], [end], "still running")
                os.close(end)


class Commands(VmCase):
    def machine():
        return Vm(files=[("/job/brought", __file__)], programs=["getconf"])

    def test_status(self):
        """a command's exit status, a signal's, and that of a command there is none of"""
        self.assertEqual(self.vm.run("exit 42").status, 42)
        self.assertEqual(self.vm.run("kill -9 $$").status, 128 + 9)
        unknown = self.vm.run(["no-such-command", "x"])
        self.assertEqual((unknown.status, unknown.stderr), (127, b"no-such-command: command not found in the guest\n"))
        self.assertEqual(self.vm.run(["/etc/passwd"]).status, 126)

    def test_binary(self):
        """binary output comes back intact, eight megabytes of it"""
        self.vm.check("head -c 8388608 /dev/urandom >/tmp/random")
        self.assertEqual(self.vm.check("sha256sum </tmp/random").split()[0],
                         hashlib.sha256(self.vm.get("/tmp/random")).hexdigest())

    def test_together(self):
        """standard error comes apart, or in the order of writing"""
        words = "echo 1; echo 2 >&2; echo 3; echo 4 >&2"
        self.assertEqual(self.vm.run(words), (0, b"1\n3\n", b"2\n4\n"))
        self.assertEqual(self.vm.run(words, streams="together"), (0, b"1\n2\n3\n4\n", b""))

    def test_arguments(self):
        """arguments arrive as they are"""
        self.assertEqual(self.vm.run(["printf", "[%s]", "", "a b", "'$x*", "é"]).stdout, "[][a b]['$x*][é]".encode())

    def test_files(self):
        """files are brought along, put and fetched while the machine runs"""
        with open(__file__, "rb") as own:
            self.assertEqual(self.vm.get("/job/brought"), own.read())
        contents = bytes(range(256)) * 4096
        self.vm.put("/new/folder/file", contents, 0o640)
        self.assertEqual(self.vm.get("/new/folder/file"), contents)
        self.assertEqual(self.vm.check("stat -c %a /new/folder/file").strip(), "640")
        with self.assertRaisesRegex(VmError, "/none in the guest: .*No such file"):
            self.vm.get("/none")

    def test_programs(self):
        """a program of the host runs in the guest with its libraries"""
        self.assertEqual(self.vm.check("getconf PAGE_SIZE"), "4096\n")

    def test_at_the_same_time(self):
        """commands run beside each other, and a test waits for what one says"""
        self.vm.check("mkfifo /job/pipe")
        first = self.vm.start("echo ready; read line </job/pipe; echo $line")
        self.vm.wait_for_output(first, "ready")
        self.assertEqual(self.vm.run("echo meanwhile").stdout, b"meanwhile\n")
        self.vm.check("echo go on >/job/pipe")
        self.assertEqual(self.vm.wait(first), (0, b"ready\ngo on\n", b""))

    def test_limit_of_one(self):
        """a command that takes too long is killed, and the machine goes on"""
        with self.assertRaisesRegex(TimedOut, "did not end within 0.5 s"):
            self.vm.run("sleep 1000", timeout=0.5)
        self.assertEqual(self.vm.check("while pidof sleep; do :; done; echo fine").splitlines()[-1], "fine")

    def test_left_running(self):
        """what a command leaves behind does not hold it up"""
        self.assertEqual(self.vm.run("sleep 1000 & echo $!").status, 0)
        self.vm.check("killall -9 sleep")

    def test_vfsproto(self):
        """the program under test runs in the guest"""
        self.assertTrue({"bin", "init", "job"} <= set(self.vm.check(["vfsproto", "--device", "dir:/", "ls"]).split()))


class Ends(VmCase):
    def machine():
        return Vm()

    def test_panic(self):
        """a panic in the middle of a command is an error with the kernel's words"""
        with self.assertRaisesRegex(GuestPanic, "sysrq triggered crash"):
            self.vm.run("echo c >/proc/sysrq-trigger; sleep 1000")
        self.assertTrue(re.search("Kernel panic", self.vm.console()))


main()
