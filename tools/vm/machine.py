# SPDX-License-Identifier: BSD-2-Clause
"""A virtual machine: started, asked to run commands, told what happens to its devices, ended."""

import collections
import os
import re
import shlex
import shutil
import tempfile
import time

from . import guest
from .channel import Channel, Closed
from .child import Child
from .errors import GuestPanic, TimedOut, VmError
from .qmp import Monitor
from .share import Share

Result = collections.namedtuple("Result", "status stdout stderr")
FIRST_SLOT = 3  # the first share is 0000:00:03.0
KERNEL_ARGS = ("console=ttyS0", "panic=-1", "oops=panic", "quiet", "intel_iommu=on", "mitigations=off",
               # A busy host lets the guest wait: it must not take that for broken timers, clocks and processors.
               "no_timer_check", "tsc=reliable", "nowatchdog", "rcupdate.rcu_cpu_stall_suppress=1")


class Job:
    """A command in the guest. `on_output(stream, bytes)`, with "stdout" or "stderr", takes its output; otherwise it
    is kept here."""

    def __init__(self, number, on_output):
        self.number, self.status, self.stdout, self.stderr = number, None, bytearray(), bytearray()
        self.on_output = on_output or self._keep

    def _keep(self, stream, some):
        getattr(self, stream).extend(some)


class Vm:
    """with Vm(shares=[Share(path)], devices=["virtio-rng-pci"]) as vm: print(vm.run("uname -a").stdout)

    shares      Share objects or paths: the first is the device 0000:00:03.0, tag myfs, the next 0000:00:04.0, myfs1 …
    devices     more devices, each as after QEMU's -device
    programs    programs of this host to take along, with their libraries
    files       (path in the guest, path here) of files and directories to take along
    modules     more modules of the kernel to take along
    timeout     seconds that the machine may live
    """

    def __init__(self, shares=(), devices=(), *, programs=(), files=(), modules=(), kernel_args=(), qemu_args=(),
                 cpus=1, memory=1024, hugepages=64, iommu="intel-iommu,intremap=on", timeout=300):
        self.shares = [share if isinstance(share, Share) else Share(share, f"myfs{i or ''}")
                       for i, share in enumerate(shares)]
        self.devices, self.iommu, self.qemu_args = list(devices), iommu, list(qemu_args)
        self.inside = {"programs": programs, "files": files, "modules": modules}
        self.kernel_args = [*KERNEL_ARGS, f"hugepages={hugepages}", *kernel_args]
        self.cpus, self.memory, self.timeout = cpus, memory, timeout
        self.folder = self.qemu = None
        self.channel, self.monitor = Channel(), Monitor()
        self.jobs = {}
        self.deadline = None
        self.last_console = ""

    # -- its life ------------------------------------------------------------------------------------------------------

    def __enter__(self):
        try:
            self._start(["-chardev", f"file,id=console,path={self._in_folder('console')}"])
            self._until(lambda: self.is_ready, self.deadline, "the guest did not come up")
            os.unlink(self._in_folder("initramfs"))  # QEMU has it, and the guest has unpacked it
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def on_terminal(self):
        """Starts it with this terminal as its console and a shell on it; returns when it has ended."""
        size = shutil.get_terminal_size()
        self.kernel_args += ["lab.shell", f"TERM={os.environ.get('TERM', 'linux')}", f"LAB_ROWS={size.lines}",
                             f"LAB_COLUMNS={size.columns}"]
        try:
            self._start(["-chardev", "stdio,id=console,signal=off"], stdin=None, stdout=None)
            if self.qemu.wait() != 0:
                raise VmError(self._last_words() or "QEMU ended with an error")
        finally:
            self.close()

    def check_needs(self):
        """MissingNeed when this host cannot have such a machine."""
        guest.kernel()
        guest.program()
        for name in ("qemu-system-x86_64", "gcc"):
            guest.needed(name)
        guest.needed("busybox", "/bin", "/usr/bin")
        for share in self.shares:
            share.check_needs()

    def _start(self, console, **streams):
        self.check_needs()
        self.deadline = time.monotonic() + self.timeout
        self.is_ready = False
        image, modules = guest.kernel()
        initramfs = self._in_folder("initramfs")
        guest.initramfs(initramfs, modules, **self.inside)
        command = [guest.needed("qemu-system-x86_64"), *self._machine(), *console, "-serial", "chardev:console",
                   "-kernel", image, "-initrd", initramfs, "-append", " ".join(self.kernel_args)]
        for i, share in enumerate(self.shares):
            path = share.start(self.folder, f"fs{i}")
            command += ["-chardev", f"socket,id=fs{i}.{share.starts},path={path}"]
            if share.removable:
                port = f"pcie-root-port,id=port{i},chassis={i + 1},slot={i + 1},addr={FIRST_SLOT + i:x}"
                command += ["-device", port]
            properties = ",".join(f"{name}={value}" for name, value in self._properties(i).items())
            command += ["-device", properties.replace("driver=", "", 1)]
        for spec in self.devices:
            command += ["-device", spec]
        self.qemu = Child(command + self.qemu_args, self._in_folder("qemu.log"), (
            self.channel.guests.fileno(), self.monitor.machines.fileno()), **streams)
        self.channel.hand_over()
        self.monitor.hand_over()

    def _machine(self):
        # A machine that can only ever have one processor is translated without memory barriers (QEMU 7.2), as if no
        # daemon looked at the same memory: kicks and interrupts get lost. So there is always room for a second one.
        processors = f"{self.cpus},maxcpus={max(2, self.cpus)}"
        memory = f"memory-backend-memfd,id=memory,size={self.memory}M,share=on"
        command = ["-accel", "tcg,thread=multi", "-machine", "q35,kernel-irqchip=split", "-smp", processors,
                   "-nodefaults", "-display", "none", "-no-reboot", "-m", f"{self.memory}M",
                   "-object", memory, "-numa", "node,memdev=memory",
                   "-chardev", f"socket,id=control,fd={self.channel.guests.fileno()}",
                   "-chardev", f"socket,id=monitor,fd={self.monitor.machines.fileno()}",
                   "-mon", "chardev=monitor,mode=control"]
        if self.iommu:
            command += ["-device", self.iommu]
        return command + ["-device", "virtio-serial-pci,addr=0x1d",
                          "-device", "virtserialport,chardev=control,name=control"]

    def _properties(self, i):
        share = self.shares[i]
        properties = {"driver": "vhost-user-fs-pci", "id": f"fs{i}", "chardev": f"fs{i}.{share.starts}",
                      "tag": share.tag, "queue-size": share.queue_size}
        properties.update({"bus": f"port{i}"} if share.removable else {"addr": f"{FIRST_SLOT + i:x}"})
        properties.update(pair.split("=", 1) for pair in share.device.split(",") if "=" in pair)
        return properties

    def _in_folder(self, name):
        if self.folder is None:
            self.folder = tempfile.mkdtemp(prefix="vfsproto-vm.")
        return os.path.join(self.folder, name)

    def close(self):
        """Ends the machine and its daemons; it can be called again."""
        if self.qemu:
            if self.qemu.is_alive():
                self.qemu.process.terminate()
                self.qemu.wait(10)
            self.qemu.kill()
        for share in self.shares:
            share.kill()
        self.channel.close()
        self.monitor.close()
        if self.folder:
            self.last_console = self.console()
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None

    # -- commands ------------------------------------------------------------------------------------------------------

    def start(self, command, on_output=None, streams="apart"):
        """Starts a command: words, or one string for the guest's shell. With streams="together" its standard error goes
        where its standard output goes, in the order of writing."""
        words = ["sh", "-c", command] if isinstance(command, str) else list(command)
        job = self._new_job(on_output)
        arguments = b"".join(os.fsencode(word) + b"\0" for word in words)
        self._send("S", job.number, 1 if streams == "together" else 0, arguments)
        return job

    def wait(self, job, timeout=None):
        """Waits for a job's end; with a time limit, kills it when that has passed."""
        what = f"the command did not end within {timeout:g} s" if timeout else None
        try:
            self._until(lambda: job.status is not None, self._limit(timeout), what)
        except TimedOut:
            self.signal(job, 9)
            raise
        return Result(job.status, bytes(job.stdout), bytes(job.stderr))

    def run(self, command, timeout=None, streams="apart", on_output=None):
        """Runs a command and returns (status, stdout, stderr), the last two as bytes."""
        return self.wait(self.start(command, on_output, streams), timeout)

    def check(self, command, timeout=None):
        """Its standard output as text; a VmError with what it said if it fails."""
        result = self.run(command, timeout)
        if result.status:
            words = (result.stderr or result.stdout).decode(errors="replace").strip().replace("\n", " | ")
            name = command if isinstance(command, str) else shlex.join(command)
            raise VmError(f"'{name}' failed in the guest with status {result.status}: {words}")
        return result.stdout.decode(errors="replace")

    def wait_for_output(self, job, text, timeout=None):
        """Waits until a job has written this text to its standard output (so: in the middle of it)."""
        found = lambda: text.encode() in job.stdout or job.status is not None
        self._until(found, self._limit(timeout), f"the command did not say '{text}' in time")
        if text.encode() not in job.stdout:
            raise VmError(f"the command ended with status {job.status} and never said '{text}'")

    def signal(self, job, number):
        self._send("K", job.number, number)

    def put(self, path, contents, mode=0o755):
        """Writes a file of the guest."""
        job = self._new_job(None)
        self._send("W", job.number, mode, path.encode() + b"\0" + contents)
        self._until(lambda: job.status is not None, self.deadline, None)
        if job.status:
            raise VmError(f"{path} in the guest: {os.strerror(job.status)}")

    def get(self, path):
        """The contents of a file of the guest."""
        result = self.run(["cat", path])
        if result.status:
            raise VmError(f"{path} in the guest: {result.stderr.decode().strip()}")
        return result.stdout

    def power_off(self):
        """Has the guest shut down (the kernel's way, its drivers included) and waits for that."""
        self._send("Q")
        try:
            self._until(lambda: False, self.deadline, None)
        except VmError as error:
            if self.qemu.wait(10) != 0:
                raise error

    # -- devices -------------------------------------------------------------------------------------------------------

    def address(self, i=0):
        """Where the guest finds share number i: "0000:00:03.0"."""
        slot = f"0000:00:{FIRST_SLOT + i:02x}.0"
        if not self.shares[i].removable:
            return slot
        return self.check(f"cd /sys/bus/pci/devices/{slot} && ls -d *:*:*.* | grep -v pcie").strip()

    def bind(self, address, driver):
        """Gives a device of the guest to a driver (vfio-pci, virtio-pci), as plain writes to sysfs."""
        got = self.check(f"""cd /sys/bus/pci/devices/{address} || exit 1
[ "$(basename "$(readlink driver)")" = {driver} ] && echo {driver} && exit
[ -e driver ] && echo {address} >driver/unbind
echo {driver} >driver_override && echo {address} >/sys/bus/pci/drivers_probe
basename "$(readlink driver)"
""").strip()
        if got != driver:
            raise VmError(f"{address} does not bind to {driver}: the guest says '{got}'")

    def unplug(self, i=0):
        """Takes a removable share's device away (the guest has to let go) and ends its daemon."""
        self.monitor.command("device_del", id=f"fs{i}")
        self.monitor.wait_for("DEVICE_DELETED", device=f"fs{i}")
        self.monitor.command("chardev-remove", id=f"fs{i}.{self.shares[i].starts}")
        self.shares[i].kill()

    def plug(self, i=0):
        """Gives a removable share a new daemon and a new device."""
        path = self.shares[i].start(self.folder, f"fs{i}")
        address = {"type": "unix", "data": {"path": path}}
        self.monitor.command("chardev-add", id=f"fs{i}.{self.shares[i].starts}",
                             backend={"type": "socket", "data": {"addr": address, "server": False}})
        self.monitor.command("device_add", **self._properties(i))

    def console(self):
        """What the kernel and the firmware have written so far."""
        if self.folder is None:
            return self.last_console
        try:
            with open(self._in_folder("console"), encoding="utf-8", errors="replace") as stream:
                return stream.read()
        except OSError:
            return ""

    # -- inside --------------------------------------------------------------------------------------------------------

    def _new_job(self, on_output):
        job = Job(len(self.jobs) + 1, on_output)
        self.jobs[job.number] = job
        return job

    def _limit(self, timeout):
        return self.deadline if timeout is None else min(self.deadline, time.monotonic() + timeout)

    def _send(self, *frame):
        try:
            self.channel.send(*frame)
        except Closed:
            raise self._loss() from None

    def _until(self, is_reached, deadline, what):
        """Takes frames in until the condition holds."""
        while not is_reached():
            try:
                frame = self.channel.receive(deadline)
            except Closed:
                raise self._loss() from None
            if frame is None:
                over = time.monotonic() >= self.deadline
                raise TimedOut(f"the time limit of {self.timeout:g} s has passed" if over or not what else what)
            job = self.jobs.get(frame.job)
            if frame.kind == "H":
                self.is_ready = True
            elif job and frame.kind == "X":
                job.status = frame.word
            elif job and frame.kind in "OE":
                job.on_output("stdout" if frame.kind == "O" else "stderr", frame.payload)

    def _last_words(self):
        """What QEMU complained of, in one line."""
        words = [re.sub(r"^qemu-system-x86_64: ", "", line) for line in self.qemu.words()]
        real = [line for line in words if not re.match(r"warning: |terminating on signal", line)]
        return real[0] if real else ""

    def _loss(self):
        """Why the machine has gone."""
        status = self.qemu.wait(10)
        console = self.console()
        panic = re.search(r"Kernel panic - not syncing: (.*)", console)
        if panic:
            cause = re.findall(r"\] ((?:BUG|kernel BUG|general protection|Oops)\b.*)", console)
            why = panic.group(1).strip() + (f" ({cause[0].strip()})" if cause else "")
            return GuestPanic(f"the guest's kernel panicked: {why}")
        if status != 0:
            return VmError(f"QEMU: {self._last_words() or f'ended with status {status}'}")
        return VmError("the guest " + ("shut down before the command ended" if self.is_ready else "did not come up: "
                                       + (console.strip().splitlines() or ["it said nothing"])[-1].strip()))
