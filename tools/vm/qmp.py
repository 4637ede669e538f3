# SPDX-License-Identifier: BSD-2-Clause
"""QEMU's monitor: unplugging and plugging devices, and what else a test wants of the machine's outside."""

import json
import socket
import time

from .errors import TimedOut, VmError


class Monitor:
    def __init__(self):
        self.own, self.machines = socket.socketpair()
        self.received = b""
        self.is_greeted = False
        self.events = []

    def hand_over(self):
        self.machines.close()

    def close(self):
        self.own.close()
        self.machines.close()

    def _message(self, deadline):
        while b"\n" not in self.received:
            self.own.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                some = self.own.recv(1 << 16)
            except socket.timeout:
                raise TimedOut("QEMU's monitor does not answer") from None
            if not some:
                raise VmError("QEMU has gone")
            self.received += some
        line, self.received = self.received.split(b"\n", 1)
        return json.loads(line)

    def _answer(self, deadline):
        while True:
            message = self._message(deadline)
            if "event" in message:
                self.events.append(message)
            else:
                return message

    def command(self, name, seconds=60, **arguments):
        """Does a QMP command and returns its answer; its error is a VmError."""
        deadline = time.monotonic() + seconds
        if not self.is_greeted:
            self._answer(deadline)
            self.own.sendall(b'{"execute": "qmp_capabilities"}\n')
            self._answer(deadline)
            self.is_greeted = True
        self.own.sendall(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
        answer = self._answer(deadline)
        if "error" in answer:
            raise VmError(f"{name}: {answer['error']['desc']}")
        return answer["return"]

    def wait_for(self, event, seconds=60, **data):
        """Waits for an event with these data, one that has come already included."""
        deadline = time.monotonic() + seconds
        while True:
            for message in self.events:
                if message["event"] == event and data.items() <= message.get("data", {}).items():
                    self.events.remove(message)
                    return message
            message = self._message(deadline)
            if "event" in message:
                self.events.append(message)
