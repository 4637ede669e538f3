# SPDX-License-Identifier: BSD-2-Clause
"""The lab: virtual machines for tests and benchmarks. docs/vm.md shows how to use it."""

from .errors import GuestPanic, MissingNeed, TimedOut, VmError
from .machine import Job, Result, Vm
from .share import Share

__all__ = ("GuestPanic", "Job", "MissingNeed", "Result", "Share", "TimedOut", "Vm", "VmError")
