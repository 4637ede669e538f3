# SPDX-License-Identifier: BSD-2-Clause
"""Tests that want a virtual machine: a class has one machine, booted when its first test asks for it.

    class Entropy(VmCase):
        def machine():
            return Vm(devices=["virtio-rng-pci,iommu_platform=on,disable-legacy=on"])

        def test_lists(self):
            \"\"\"the program lists the device\"\"\"
            self.assertIn("1af4", self.vm.check("cat /sys/bus/pci/devices/*/vendor"))

    main()

The name of a test is its docstring, a sentence. Without what a machine needs, the tests are skipped and say why.
"""

import os
import subprocess
import sys
import traceback
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))

from vm import GuestPanic, MissingNeed, Share, TimedOut, Vm, VmError  # noqa: E402, F401

PROGRAM = os.environ.get("VFSPROTO_PROGRAM") or os.path.join(ROOT, "build", "release", "vfsproto")


class VmCase(unittest.TestCase):
    maxDiff = None
    _vm = None
    _error = None

    @classmethod
    def tearDownClass(cls):
        if cls._vm:
            cls._vm.close()

    @property
    def vm(self):
        cls = type(self)
        if cls._error:
            raise cls._error
        if cls._vm is None:
            try:
                cls._vm = cls.machine().__enter__()
            except Exception as error:
                cls._error = error
                raise
        return cls._vm


def lab(*words, **options):
    """./dev vm, as its users run it (but with the program that is being tested)."""
    options.setdefault("timeout", 500)
    environment = {**os.environ, "PYTHONPATH": os.path.join(ROOT, "tools"), "VFSPROTO_PROGRAM": PROGRAM}
    return subprocess.run([sys.executable, "-m", "vm", *words], env=environment, capture_output=True,
                          stdin=subprocess.DEVNULL, **options)


class Report(unittest.TestResult):
    """Says what count_results.py reads: the same last lines as a Catch2 program."""

    def name(self, test):
        return test.shortDescription() or test.id()

    def addError(self, test, error):
        if isinstance(error[1], MissingNeed):
            return self.addSkip(test, str(error[1]))
        super().addError(test, error)
        self.tell(test, error)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.tell(test, error)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f"skipped: {self.name(test)}: {reason}", flush=True)

    def tell(self, test, error):
        place = traceback.extract_tb(error[2])[-1]
        rule = "-" * 79
        print(f"{rule}\n{self.name(test)}\n{rule}\n{os.path.basename(place.filename)}:{place.lineno}: FAILED:")
        print("".join(traceback.format_exception(*error)))
        vm = type(test)._vm if isinstance(test, VmCase) else None
        if vm:
            print("the guest's console, at its end:\n" + "\n".join(vm.console().splitlines()[-20:]), flush=True)


def main():
    """Runs the tests of the program's file, or those whose docstring contains the first argument."""
    tests = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    if len(sys.argv) > 1:
        wanted = lambda test: sys.argv[1] in (test.shortDescription() or "")
        tests = unittest.TestSuite(unittest.TestSuite(filter(wanted, group)) for group in tests)
    report = Report()
    tests.run(report)
    failed = len(report.failures) + len(report.errors)
    if failed:
        print(f"test cases: {report.testsRun} | {report.testsRun - failed} passed | {failed} failed")
    else:
        print(f"All tests passed ({report.testsRun} assertions in {report.testsRun} test cases)")
    sys.exit(1 if failed or report.testsRun == 0 else 0)
