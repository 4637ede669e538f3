# SPDX-License-Identifier: BSD-2-Clause
"""A process of the lab: ended with it, whatever happens to the lab, and only ever by its own id."""

import ctypes
import os
import signal
import subprocess

PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)


class Child:
    def __init__(self, command, log, pass_fds=(), **options):
        """Its output goes to the file `log` (unless `options` say otherwise)."""
        parent = os.getpid()

        def end_with_parent():
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

        self.log = log
        options.setdefault("stdin", subprocess.DEVNULL)
        with open(log, "wb") as stream:
            self.process = subprocess.Popen(command, preexec_fn=end_with_parent, pass_fds=pass_fds,
                                            **{"stdout": stream, "stderr": stream, **options})

    @property
    def pid(self):
        return self.process.pid

    def words(self):
        with open(self.log, encoding="utf-8", errors="replace") as stream:
            return [line.strip() for line in stream if line.strip()]

    def is_alive(self):
        return self.process.poll() is None

    def wait(self, seconds=None):
        """Its exit status, or None when it still runs then."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self):
        if self.is_alive():
            self.process.kill()
        self.process.wait()
