# SPDX-License-Identifier: BSD-2-Clause
"""The host's end of the talk with the guest's agent (agent.c says what the frames are)."""

import collections
import select
import socket
import struct
import time

HEAD = struct.Struct("<IIII")
Frame = collections.namedtuple("Frame", "kind job word payload")


class Closed(Exception):
    """The machine has gone."""


class Channel:
    def __init__(self):
        self.own, self.guests = socket.socketpair()
        self.own.setblocking(False)
        self.received = bytearray()
        self.closed = False

    def hand_over(self):
        """To be called when QEMU has its end."""
        self.guests.close()

    def close(self):
        self.own.close()
        self.guests.close()

    def send(self, kind, job=0, word=0, payload=b""):
        """Also takes in what the guest says meanwhile, so that neither waits for the other for ever."""
        left = memoryview(HEAD.pack(ord(kind), job, word, len(payload)) + payload)
        while left:
            if self.closed:
                raise Closed()
            readable, writable, _ = select.select([self.own], [self.own], [])
            if readable:
                self._take_in()
            if writable and not self.closed:
                try:
                    left = left[self.own.send(left):]
                except OSError:
                    self.closed = True

    def _take_in(self):
        try:
            some = self.own.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            some = b""
        if not some:
            self.closed = True
        self.received += some

    def _next(self):
        if len(self.received) < HEAD.size:
            return None
        kind, job, word, length = HEAD.unpack_from(self.received)
        if len(self.received) < HEAD.size + length:
            return None
        payload = bytes(self.received[HEAD.size:HEAD.size + length])
        del self.received[:HEAD.size + length]
        return Frame(chr(kind), job, word, payload)

    def receive(self, deadline):
        """The next frame, or None at the deadline (of time.monotonic); Closed when the machine is gone."""
        while True:
            frame = self._next()
            if frame is not None:
                return frame
            if self.closed:
                raise Closed()
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            if select.select([self.own], [], [], left)[0]:
                self._take_in()
