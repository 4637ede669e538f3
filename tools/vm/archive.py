# SPDX-License-Identifier: BSD-2-Clause
"""A cpio archive of the kind the kernel unpacks at its start, named after what is in it, so that it is made once."""

import hashlib
import os
import re
import shutil
import stat
import subprocess
import tempfile

from .errors import VmError

KEPT = 12  # entries that stay in a cache


class Archive:
    """Directories, files (of the host, or contents given) and symbolic links, by their path in the guest."""

    def __init__(self):
        self.entries = {}  # path without leading '/': (mode, contents or None, path on the host or None)

    def directory(self, path):
        path = path.strip("/")
        if path and path not in self.entries:
            self.directory(os.path.dirname(path))
            self.entries[path] = (stat.S_IFDIR | 0o755, b"", None)

    def file(self, path, source, mode=None):
        self.directory(os.path.dirname(path))
        try:
            own = stat.S_IMODE(os.stat(source).st_mode)
        except OSError as error:
            raise VmError(f"{source}: {error.strerror}") from None
        self.entries[path.strip("/")] = (stat.S_IFREG | (own if mode is None else mode), None, source)

    def text(self, path, contents, mode=0o644):
        self.directory(os.path.dirname(path))
        self.entries[path.strip("/")] = (stat.S_IFREG | mode, contents.encode(), None)

    def link(self, path, target):
        self.directory(os.path.dirname(path))
        self.entries[path.strip("/")] = (stat.S_IFLNK | 0o777, target.encode(), None)

    def tree(self, path, source):
        """A file, or a directory with all that is in it."""
        if not os.path.isdir(source):
            return self.file(path, source)
        self.directory(path)
        for entry in os.scandir(source):
            inside = os.path.join(path, entry.name)
            if entry.is_symlink():
                self.link(inside, os.readlink(entry.path))
            elif entry.is_dir() or entry.is_file():
                self.tree(inside, entry.path)

    def program(self, source, path=None):
        """A program with the shared libraries it wants, where it wants them."""
        found = source if os.sep in source else shutil.which(source)
        if found is None or not os.access(found, os.X_OK):
            raise VmError(f"there is no program '{source}' to put into the guest")
        self.file(path or "/bin/" + os.path.basename(found), os.path.realpath(found))
        listing = subprocess.run(["ldd", found], capture_output=True, text=True).stdout
        for library in re.findall(r"^\s+(?:\S+ => )?(/\S+) \(0x", listing, re.M):
            self.file(library, os.path.realpath(library), 0o755)

    def key(self):
        """A name that changes when anything in it does."""
        sum_ = hashlib.sha256()
        for path, (mode, contents, source) in sorted(self.entries.items()):
            facts = os.stat(source) if source else None
            identity = facts and (facts.st_size, facts.st_mtime_ns, facts.st_ino)
            sum_.update(repr((path, mode, contents, identity)).encode())
        return sum_.hexdigest()[:20]

    def write(self, stream):
        def record(number, path, mode, contents):
            name = path.encode() + b"\0"
            head = "070701" + "".join(f"{value:08x}" for value in (
                number, mode, 0, 0, 2 if stat.S_ISDIR(mode) else 1, 0, len(contents), 0, 0, 0, 0, len(name), 0))
            stream.write(head.encode() + name + bytes(-(110 + len(name)) % 4))
            stream.write(contents + bytes(-len(contents) % 4))

        for number, (path, (mode, contents, source)) in enumerate(sorted(self.entries.items()), 1):
            if contents is None:
                with open(source, "rb") as file:
                    contents = file.read()
            record(number, path, mode, contents)
        record(0, "TRAILER!!!", 0, b"")
        stream.write(bytes(-stream.tell() % 512))

    def cached(self, folder):
        """The path of the archive in this folder; it is written only if it is not there."""
        path = os.path.join(folder, f"{self.key()}.cpio")
        if os.path.exists(path):
            os.utime(path)
            return path
        os.makedirs(folder, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as stream:
            self.write(stream)
        os.replace(stream.name, path)
        forget_old(folder)
        return path


def forget_old(folder):
    """Leaves the entries of a cache that were made or used last."""
    if not os.path.isdir(folder):
        return
    paths = [os.path.join(folder, name) for name in os.listdir(folder) if name not in ("stripped", "lab-agent")]
    for path in sorted(paths, key=os.path.getmtime)[:-KEPT]:
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
