# SPDX-License-Identifier: BSD-2-Clause
"""Question: inside a guest, how much faster is the program than the guest kernel's own virtio-fs client?

One machine, one device, one daemon, one share on a tmpfs. In turn: the kernel's client, mounted and measured with fio
(direct) and bench/baseline/meta.c; then the device is given to vfio-pci and the program measures the same. The ratio is
the median over the rounds. Emulation is slow, but it is slow for both.

usage: ./dev bench vm [--json FILE] [--rounds N] [--seconds S] [--case NAME]... [--cpus N] [--queue-size N]
                      [--server c|rust] [--daemon OPTION]... [--kernel-only]
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tools"))

from vm import Share, Vm, VmError  # noqa: E402

FILE_MIB = 256
FILES = 1000  # whose attributes are asked for
MOUNT = "/mnt"

# name, fio's and the program's operation, block, depth, goal
CASES = (
    ("4k random read, depth 1", "randread", "4k", 1, 2.0),
    ("4k random read, depth 16", "randread", "4k", 16, 3.0),
    ("4k random write, depth 1", "randwrite", "4k", 1, 2.0),
    ("4k random write, depth 16", "randwrite", "4k", 16, 3.0),
    ("1m read, depth 16", "read", "1m", 16, 1.0),
    ("uncached stat", "stat", None, 1, 2.0),
)


class Work:
    """How much of this host others have used while something ran here: the machine's own part is subtracted."""

    def __init__(self, vm):
        self.pids = [vm.qemu.pid, vm.shares[0].daemon.pid]
        self.before = self.now()

    def now(self):
        with open("/proc/stat", encoding="ascii") as stream:
            ticks = [int(word) for word in stream.readline().split()[1:9]]
        own = 0
        for pid in self.pids:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stream:
                own += sum(int(word) for word in stream.read().rsplit(")", 1)[1].split()[11:13])
        return sum(ticks), sum(ticks) - ticks[3] - ticks[4] - own

    def of_others(self):
        total, others = (after - before for after, before in zip(self.now(), self.before))
        return max(0.0, others / total) if total else 0.0


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.cases = [case for case in CASES if not arguments.case or any(part in case[0] for part in arguments.case)]
        self.share = tempfile.mkdtemp(prefix="vfsproto-bench-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        with open(os.path.join(self.share, "data"), "wb") as file:
            for _ in range(FILE_MIB):
                file.write(os.urandom(1 << 20))
        self.vm = Vm([Share(self.share, queue_size=arguments.queue_size, daemon=arguments.daemon,
                            server=arguments.server)], cpus=arguments.cpus,
                     programs=["fio", os.path.join(ROOT, "build", "release", "bench", "meta")], timeout=3600)

    def __enter__(self):
        try:
            self.vm.__enter__()
        except BaseException:
            shutil.rmtree(self.share)
            raise
        return self

    def __exit__(self, *_):
        self.vm.close()
        shutil.rmtree(self.share)

    def interrupts(self):
        """Those of the share's request queue so far, as the guest's kernel counts them."""
        lines = [line.split() for line in self.vm.check("cat /proc/interrupts").splitlines() if "-requests" in line]
        return sum(int(word) for line in lines for word in line[1:1 + self.arguments.cpus])

    def kernel(self, case):
        """(operations a second, interrupts per operation) of the guest's own client."""
        _, operation, block, depth, _ = case
        before = self.interrupts()
        if operation == "stat":
            said = self.vm.check(f"cd {MOUNT} && meta . {FILES}", timeout=300)
            rate = float(said.split("stat1/s=")[1].split()[0])
            return {"ops": rate}
        said = self.vm.check(
            f"cd {MOUNT} && fio --name=job --filename=data --direct=1 --ioengine=libaio --rw={operation} --bs={block} "
            f"--iodepth={depth} --runtime={self.arguments.seconds} --time_based --randrepeat=0 --output-format=json",
            timeout=300)
        job = json.loads(said[said.index("{"):])["jobs"][0]
        side = job["write" if "write" in operation else "read"]
        return {"ops": side["iops"], "interrupts": round((self.interrupts() - before) / max(1, side["total_ios"]), 4)}

    def program(self, case):
        _, operation, block, depth, _ = case
        command = ["vfsproto", "--device", "vfio:auto", "--queue-size", str(self.arguments.queue_size), "--json",
                   "bench", "--op", operation, "--iodepth", str(depth), "--seconds", str(self.arguments.seconds)]
        if block:
            command += ["--bs", block, "--path", "/data"]
        result = json.loads(self.vm.check(command, timeout=300))
        return {"ops": result["ops_per_second"], **result["per_request"]}

    def measured(self, how, case):
        work = Work(self.vm)
        start = time.monotonic()
        result = how(case)
        result.update(others=round(work.of_others(), 3), seconds=round(time.monotonic() - start, 1))
        return result

    def side(self, name):
        """One of the two sides, all cases in a row."""
        address = self.vm.address()
        if name == "kernel":
            self.vm.bind(address, "virtio-pci")
            self.vm.check(f"mount -t virtiofs myfs {MOUNT}")
            results = [self.measured(self.kernel, case) for case in self.cases]
            self.vm.check(f"umount {MOUNT}")
        else:
            self.vm.bind(address, "vfio-pci")
            results = [self.measured(self.program, case) for case in self.cases]
        return results

    def rows(self):
        rounds = []
        sides = ("kernel",) if self.arguments.kernel_only else ("kernel", "program")
        for i in range(self.arguments.rounds):
            results = {name: self.side(name) for name in (sides if i % 2 == 0 else sides[::-1])}
            rounds.append(results)
            print(f"round {i + 1} of {self.arguments.rounds}", file=sys.stderr, flush=True)
        for i, (name, _, _, _, goal) in enumerate(self.cases):
            row = {"case": name, "goal": goal}
            for side in sides:
                row[side] = [results[side][i] for results in rounds]
            if "program" in sides:
                row["ratios"] = [round(mine["ops"] / theirs["ops"], 2)
                                 for mine, theirs in zip(row["program"], row["kernel"])]
                row["ratio"] = statistics.median(row["ratios"])
            yield row


def shown(row):
    theirs = statistics.median(each["ops"] for each in row["kernel"])
    others = max(each["others"] for side in ("kernel", "program") for each in row.get(side, ()))
    line = f"{row['case']:<28}kernel {theirs:>8.0f}/s"
    if "ratio" in row:
        ours = statistics.median(each["ops"] for each in row["program"])
        last = row["program"][-1]
        line += (f"   program {ours:>8.0f}/s   {row['ratio']:5.2f}x (goal {row['goal']:.1f})"
                 f"   kicks {last['kicks']:.3f} interrupts {last['interrupts']:.3f}")
    return line + f"   others used {100 * others:.0f} % of the host"


def main():
    parser = argparse.ArgumentParser(prog="./dev bench vm")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--case", action="append", help="only cases whose name contains this")
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--queue-size", type=int, default=1024)
    parser.add_argument("--daemon", action="append", help="option of virtiofsd (no caching unless given)")
    parser.add_argument("--server", choices=("c", "rust"), default="c")
    parser.add_argument("--kernel-only", action="store_true", help="the baseline alone")
    arguments = parser.parse_args()
    arguments.daemon = arguments.daemon or ["cache=none" if arguments.server == "c" else "cache=never"]
    report = {"machine": f"{os.cpu_count()} CPUs, {os.uname().release}; guest: QEMU TCG, {arguments.cpus} CPU",
              "daemon": [arguments.server, *arguments.daemon],
              "queue_size": arguments.queue_size, "seconds": arguments.seconds, "rows": []}
    try:
        with Bench(arguments) as bench:
            report["guest"] = bench.vm.check("uname -r").strip()
            for row in bench.rows():
                report["rows"].append(row)
                print(shown(row), flush=True)
    except VmError as error:
        sys.exit(f"vm: {error}")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
