# SPDX-License-Identifier: BSD-2-Clause
"""The project's files, and source text without comments and strings: what the checks read."""

import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Folders below the line of docs/architecture.md, and the C face: freestanding.
FREESTANDING_ROOMS = ("base", "virtqueue", "transport", "fuse", "c_api")
HOSTED_ROOMS = ("serving", "backends", "posix", "cli")

SKIPPED = 77  # exit status of a check that could not run


def files(suffixes=(), folders=()):
    """Paths relative to the root: tracked, or new and not ignored."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found = []
    for path in sorted(set(listing.split("\0"))):
        if not path or not os.path.isfile(os.path.join(ROOT, path)):
            continue
        if suffixes and not path.endswith(tuple(suffixes)):
            continue
        if folders and not path.startswith(tuple(folder + "/" for folder in folders)):
            continue
        found.append(path)
    return found


def sources(folders=("include", "src")):
    return files((".hpp", ".cpp", ".h", ".c"), folders)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as stream:
        return stream.read()


def room(path):
    """base, virtqueue, …, posix, cli; 'config' for config.hpp, 'c_api' for vfsproto.h; None outside the product."""
    parts = path.split("/")
    if parts[:2] == ["include", "vfsproto"]:
        parts = parts[2:]
    elif parts[0] == "src":
        parts = parts[1:]
    else:
        return None
    if parts == ["config.hpp"]:
        return "config"
    if parts == ["vfsproto.h"]:
        return "c_api"
    return parts[0]


def is_freestanding(path):
    return room(path) in FREESTANDING_ROOMS + ("config",)


TOKEN = re.compile(
    r'//(?:[^\n\\]|\\.|\\\n)*|/\*.*?\*/|R"([^()\s\\]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'", re.S)


def code(text, keep_strings=False):
    """The text with comments blanked and strings emptied; line numbers stay."""
    def blank(match):
        found = match.group(0)
        if found.startswith("/"):
            return " " + "\n" * found.count("\n")
        if keep_strings:
            return found
        return found[0] * 2 + "\n" * found.count("\n") if found[0] in "\"'" else '""' + "\n" * found.count("\n")
    return TOKEN.sub(blank, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


class Findings:
    """Collects what a check has to say, prints it, and gives the exit status."""

    def __init__(self, name):
        self.name = name
        self.count = 0

    def add(self, path, line, message):
        self.count += 1
        print(f"{path}:{line}: {message}")

    def report(self, note=""):
        """Prints the result. True if nothing was found."""
        if self.count:
            print(f"check {self.name}: {self.count} finding{'s' if self.count > 1 else ''}")
        else:
            print(f"check {self.name}: ok" + (f" ({note})" if note else ""))
        return self.count == 0

    def finish(self, note=""):
        sys.exit(0 if self.report(note) else 1)

    def skip(self, reason):
        print(f"check {self.name}: skipped: {reason}")
        sys.exit(SKIPPED)
