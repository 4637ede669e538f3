# SPDX-License-Identifier: BSD-2-Clause
"""What can go wrong with a virtual machine, as errors of one line."""


class VmError(Exception):
    """The lab could not do it; the message is one line for the user."""


class MissingNeed(VmError):
    """A program or package that the lab needs is not there: a test skips."""


class TimedOut(VmError):
    """A time limit has passed."""


class GuestPanic(VmError):
    """The guest's kernel gave up; the message has its words."""
