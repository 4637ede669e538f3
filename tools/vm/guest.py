# SPDX-License-Identifier: BSD-2-Clause
"""What the guest is made of: the newest cloud kernel with the modules that matter, busybox, the agent, our program."""

import glob
import hashlib
import os
import re
import shutil
import subprocess

from .archive import Archive, forget_old
from .errors import MissingNeed, VmError

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OWN = os.path.dirname(os.path.abspath(__file__))
CACHE = os.path.join(ROOT, "build", "vm")
MODULES = ("virtio_pci", "virtio_console", "virtiofs", "virtio_blk", "virtio-rng", "virtio_balloon",
           "vfio-pci", "vfio_iommu_type1", "uio_pci_generic")
HOW = "tools/setup.sh vm installs it"


def version_order(path):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path)]


def kernel():
    """(kernel image, folder of its modules) of the newest cloud kernel that has both."""
    for image in sorted(glob.glob("/boot/vmlinuz-*-cloud-amd64"), key=version_order, reverse=True):
        modules = "/lib/modules/" + os.path.basename(image)[len("vmlinuz-"):]
        if os.path.exists(os.path.join(modules, "modules.dep")) and os.access(image, os.R_OK):
            return image, modules
    raise MissingNeed(f"no cloud kernel in /boot with its modules in /lib/modules ({HOW})")


def needed(program, *places):
    """The path of a program that has to be there."""
    path = shutil.which(program) or shutil.which(program, path=os.pathsep.join(places))
    if path is None:
        raise MissingNeed(f"{program} is not installed ({HOW})")
    return path


def program():
    """The program under test: $VFSPROTO_PROGRAM, or the release build's."""
    path = os.environ.get("VFSPROTO_PROGRAM") or os.path.join(ROOT, "build", "release", "vfsproto")
    if not os.access(path, os.X_OK):
        raise MissingNeed(f"there is no {path}: ./dev build makes it")
    return path


def stripped(path):
    """The same program without what debuggers want, most of a test build: a guest holds its files in memory."""
    path = shutil.which(path) or path
    if not os.access(path, os.X_OK) or os.path.getsize(path) < 1 << 22:
        return path
    facts = os.stat(path)
    identity = repr((os.path.abspath(path), facts.st_size, facts.st_mtime_ns, facts.st_ino))
    key = hashlib.sha256(identity.encode()).hexdigest()
    folder = os.path.join(CACHE, "stripped", key[:20])
    small = os.path.join(folder, os.path.basename(path))
    if not os.path.exists(small):
        forget_old(os.path.join(CACHE, "stripped"))
        os.makedirs(folder, exist_ok=True)
        fresh = f"{small}.{os.getpid()}"
        if subprocess.run([needed("strip"), "-o", fresh, path], capture_output=True).returncode:
            return path
        os.replace(fresh, small)
    return small


def module_name(path):
    return re.sub(r"\.ko(\.\w+)?$", "", os.path.basename(path)).replace("-", "_")


def put_modules(archive, folder, wanted):
    """The modules wanted, those they need, and as much of modprobe's tables as speaks of them."""
    with open(os.path.join(folder, "modules.dep"), encoding="utf-8") as stream:
        needs = dict(line.rstrip("\n").split(":", 1) for line in stream)
    paths = {module_name(path): path for path in needs}
    chosen = {}
    for name in wanted:
        path = paths.get(name.replace("-", "_"))
        if path is None:
            raise VmError(f"the guest's kernel has no module '{name}'")
        for each in [path, *needs[path].split()]:
            chosen[each] = needs[each]
    for path in chosen:
        archive.file(os.path.join(folder, path), os.path.join(folder, path))
    archive.text(os.path.join(folder, "modules.dep"), "".join(f"{path}:{chosen[path]}\n" for path in chosen))
    names = {module_name(path) for path in chosen}
    with open(os.path.join(folder, "modules.alias"), encoding="utf-8") as stream:
        aliases = [line for line in stream if line.split()[-1].replace("-", "_") in names]
    archive.text(os.path.join(folder, "modules.alias"), "".join(aliases))
    for name in ("modules.builtin", "modules.symbols"):
        archive.text(os.path.join(folder, name), "")


def agent():
    """Our process in the guest, built for it without libraries."""
    source, path = os.path.join(OWN, "agent.c"), os.path.join(CACHE, "lab-agent")
    if not os.path.exists(path) or os.path.getmtime(path) < os.path.getmtime(source):
        os.makedirs(CACHE, exist_ok=True)
        fresh = f"{path}.{os.getpid()}"
        done = subprocess.run([needed("gcc"), "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-static",
                               "-o", fresh, source], capture_output=True, text=True)
        if done.returncode:
            raise VmError("the lab's agent does not compile: " + done.stderr.strip().splitlines()[0])
        os.replace(fresh, path)
    return path


def system(modules_folder, extra_modules=()):
    """The part that is the same for every run."""
    archive = Archive()
    for path in ("/proc", "/sys", "/dev", "/job", "/mnt", "/tmp", "/etc", "/sbin", "/usr/bin", "/usr/sbin"):
        archive.directory(path)
    busybox = needed("busybox", "/bin", "/usr/bin")
    archive.file("/bin/busybox", busybox, 0o755)
    for name in subprocess.run([busybox, "--list"], capture_output=True, text=True).stdout.split():
        if name != "busybox":
            archive.link("/bin/" + name, "busybox")
    archive.link("/sbin/modprobe", "../bin/busybox")  # where the kernel looks for it
    archive.file("/init", os.path.join(OWN, "init.sh"), 0o755)
    archive.file("/bin/lab-agent", agent(), 0o755)
    archive.text("/etc/passwd", "root:x:0:0:root:/job:/bin/sh\nnobody:x:65534:65534:nobody:/job:/bin/sh\n")
    archive.text("/etc/group", "root:x:0:\nnogroup:x:65534:\n")
    put_modules(archive, modules_folder, (*MODULES, *extra_modules))
    return archive


def initramfs(path, modules_folder, programs=(), files=(), modules=()):
    """Writes the guest's first file system: the system, our program, programs of the host, files as pairs of its
    path and ours."""
    own = Archive()
    own.program(stripped(program()), "/bin/vfsproto")
    for name in programs:
        own.program(stripped(name))
    parts = [system(modules_folder, modules).cached(CACHE), own.cached(CACHE)]
    with open(path, "wb") as stream:
        for part in parts:
            with open(part, "rb") as source:
                shutil.copyfileobj(source, stream, 1 << 20)
        if files:
            copied = Archive()
            for inside, outside in files:
                copied.tree(inside, outside)
            copied.write(stream)
