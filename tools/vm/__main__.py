# SPDX-License-Identifier: BSD-2-Clause
"""./dev vm: a command in a virtual machine."""

import argparse
import os
import signal
import sys

from . import GuestPanic, Share, TimedOut, Vm, VmError

LAB_FAILED, TIMED_OUT = 125, 124

USAGE = """./dev vm run [OPTION…] -- COMMAND…      its output, its exit status
       ./dev vm shell [OPTION…]"""
EPILOG = """COMMAND runs in the guest's directory /job; one word with blanks in it goes to the guest's shell.
Exit status: COMMAND's own; 127 no such command in the guest; 124 the time limit has passed; 125 the lab failed.
A share is the device 0000:00:03.0 (the next 0000:00:04.0, …); the guest's own client mounts it with
'mount -t virtiofs myfs /mnt' (the next: myfs1, …)."""


def options():
    parser = argparse.ArgumentParser(prog="./dev vm", usage=USAGE, epilog=EPILOG,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("verb", choices=("run", "shell"), help=argparse.SUPPRESS)
    add("--share", metavar="DIR", action="append", default=[], help="a directory, with a virtiofsd of its own")
    add("--queue-size", metavar="N", type=int, default=1024, help="entries of the shares' queues (1024)")
    add("--share-device", metavar="PROPERTIES", default="", help="of the shares' device, as QEMU's: vectors=0")
    add("--server", choices=("c", "rust"), default="c", help="which virtiofsd (c)")
    add("--daemon", metavar="OPTION", action="append", default=[], help="option of virtiofsd: cache=none")
    add("--device", metavar="SPEC", action="append", default=[], help="one more device, as QEMU's -device")
    add("--timeout", metavar="S", type=float, help="seconds until everything is killed (run: 300)")
    add("--cpus", metavar="N", type=int, default=1, help="(1)")
    add("--memory", metavar="MIB", type=int, default=1024, help="(1024)")
    add("--hugepages", metavar="N", type=int, default=64, help="pages of 2 MiB set aside (64)")
    add("--no-iommu", action="store_true", help="no IOMMU in the machine")
    add("--add", metavar="PROGRAM", action="append", default=[], help="a program of this host, with its libraries")
    add("--copy-in", metavar="FILE[:PATH]", action="append", default=[], help="a file or directory, to /job or PATH")
    add("--copy-out", metavar="PATH[:FILE]", action="append", default=[], help="a file to fetch at the end")
    add("--module", metavar="NAME", action="append", default=[], help="one more module of the kernel")
    add("--kernel-arg", metavar="ARG", action="append", default=[], help="on the kernel's command line")
    add("--qemu-arg", metavar="ARG", action="append", default=[], help="on QEMU's command line")
    add("--console", metavar="FILE", help="keep what the kernel writes to its console")
    add("--together", action="store_true", help="standard error in standard output, in the order of writing")
    return parser


def machine(arguments):
    shares = [Share(path, f"myfs{i or ''}", arguments.queue_size, arguments.share_device, arguments.daemon,
                    server=arguments.server)
              for i, path in enumerate(arguments.share)]
    files = []
    for pair in arguments.copy_in:
        path, _, inside = pair.partition(":")
        files.append((inside or "/job/" + os.path.basename(os.path.abspath(path)), path))
    return Vm(shares, arguments.device, programs=arguments.add, files=files, modules=arguments.module,
              kernel_args=arguments.kernel_arg, qemu_args=arguments.qemu_arg, cpus=arguments.cpus,
              memory=arguments.memory, hugepages=arguments.hugepages, timeout=arguments.timeout or 300,
              **({"iommu": None} if arguments.no_iommu else {}))


def show(stream, some):
    out = sys.stdout.buffer if stream == "stdout" else sys.stderr.buffer
    out.write(some)
    out.flush()


def run(vm, arguments, command):
    try:
        with vm:
            done = vm.run(command[0] if len(command) == 1 and " " in command[0] else command, on_output=show,
                          streams="together" if arguments.together else "apart")
            for pair in arguments.copy_out:
                path, _, outside = pair.partition(":")
                contents = vm.get(path)
                with open(outside or os.path.basename(path), "wb") as file:
                    file.write(contents)
            return done.status
    finally:
        if arguments.console:
            with open(arguments.console, "w", encoding="utf-8") as file:
                file.write(vm.last_console)


def main():
    own, command = sys.argv[1:], []
    if "--" in own:
        own, command = own[:own.index("--")], own[own.index("--") + 1:]
    parser = options()
    arguments = parser.parse_args(own)
    if arguments.verb == "run" and not command:
        parser.error("what shall the guest run? ./dev vm run -- COMMAND…")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if arguments.verb == "shell":
            arguments.timeout = arguments.timeout or 1e9
            machine(arguments).on_terminal()
            return 0
        return run(machine(arguments), arguments, command)
    except TimedOut as error:
        print(f"./dev vm: {error}; everything was killed", file=sys.stderr)
        return TIMED_OUT
    except (GuestPanic, VmError, OSError) as error:
        print(f"./dev vm: {error}", file=sys.stderr)
        return LAB_FAILED
    except KeyboardInterrupt:
        return 130


sys.exit(main())
