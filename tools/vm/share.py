# SPDX-License-Identifier: BSD-2-Clause
"""A directory of the host that a guest gets as a virtio-fs device, and the virtiofsd that serves it."""

import os
import socket

from .child import Child
from .errors import MissingNeed, VmError
from .guest import needed


class Share:
    """`device` are more properties of QEMU's vhost-user-fs-pci ("vectors=0"), `daemon` more -o options ("cache=none").
    A removable one sits behind a PCIe port of its own and can be unplugged."""

    def __init__(self, path, tag="myfs", queue_size=1024, device="", daemon=(), removable=False):
        self.path, self.tag, self.queue_size, self.device = os.path.abspath(path), tag, queue_size, device
        self.daemon_options, self.removable = tuple(daemon), removable
        self.daemon = None
        self.socket = None
        self.starts = 0
        if not os.path.isdir(self.path):
            raise VmError(f"the share {path} is not a directory")

    def check_needs(self):
        if os.geteuid() != 0:
            raise MissingNeed("virtiofsd needs root for its sandbox")
        return needed("virtiofsd", "/usr/lib/qemu", "/usr/libexec")

    def start(self, folder, name):
        """Starts a daemon that listens on a new socket in that folder, and returns the socket's path."""
        self.starts += 1
        self.socket = os.path.join(folder, f"{name}.{self.starts}")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(self.socket)
            listener.listen(1)
            command = [self.check_needs(), "-f", f"--fd={listener.fileno()}",
                       "-o", f"source={self.path}", "-o", "sandbox=chroot", "-o", "log_level=warn"]
            for option in self.daemon_options:
                command += ["-o", option]
            self.daemon = Child(command, self.socket + ".log", pass_fds=(listener.fileno(),))
        return self.socket

    def kill(self):
        """Kills the daemon, as a crash would."""
        if self.daemon:
            self.daemon.kill()
