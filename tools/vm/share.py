# SPDX-License-Identifier: BSD-2-Clause
"""A directory of the host that a guest gets as a virtio-fs device, and the virtiofsd that serves it."""

import os
import socket

from .child import Child
from .errors import MissingNeed, VmError
from .guest import ROOT, needed

RUST = os.path.join(ROOT, "build", "peers", "virtiofsd-rust")


class Share:
    """`device` are more properties of QEMU's vhost-user-fs-pci ("vectors=0"), `daemon` more options of the daemon
    ("cache=none"; as -o options with the C daemon, "cache=never" as --cache=never with server="rust"). A removable one
    sits behind a PCIe port of its own and can be unplugged."""

    def __init__(self, path, tag="myfs", queue_size=1024, device="", daemon=(), removable=False, server="c"):
        self.server = server
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
        if self.server == "rust":
            if not os.access(RUST, os.X_OK):
                raise MissingNeed("no Rust virtiofsd here (tools/peers.sh fetches it)")
            return RUST
        return needed("virtiofsd", "/usr/lib/qemu", "/usr/libexec")

    def _command(self, listener):
        program = self.check_needs()
        if self.server == "rust":
            return [program, f"--fd={listener}", f"--shared-dir={self.path}", "--sandbox=none", "--log-level=warn",
                    *(f"--{option}" for option in self.daemon_options)]
        options = [f"source={self.path}", "sandbox=chroot", "log_level=warn", *self.daemon_options]
        return [program, "-f", f"--fd={listener}", *(word for option in options for word in ("-o", option))]

    def start(self, folder, name):
        """Starts a daemon that listens on a new socket in that folder, and returns the socket's path."""
        self.starts += 1
        self.socket = os.path.join(folder, f"{name}.{self.starts}")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(self.socket)
            listener.listen(1)
            self.daemon = Child(self._command(listener.fileno()), self.socket + ".log", (listener.fileno(),))
        return self.socket

    def kill(self):
        """Kills the daemon, as a crash would."""
        if self.daemon:
            self.daemon.kill()
