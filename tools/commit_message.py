#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The form of a commit message (CONTRIBUTING.md). `./dev setup` makes it git's commit-msg hook.

    commit_message.py FILE        checks a message; prints what is wrong with it and leaves with 1
    commit_message.py --install   writes the hook, unless there is another one
"""

import os
import re
import stat
import subprocess
import sys

import source_tree as tree

SUBJECT_LENGTH = 72
LINE_LENGTH = 120
# Scopes that are no folder: "build" is CMake, presets, packages, CI and formatting.
OTHER_SCOPES = ("build", "all", "vfsproto")
PARENTS = ("", "include/vfsproto/", "src/", "include/vfsproto/backends/", "src/backends/", "tests/", "docs/", "tools/")
SAYS_NOTHING = re.compile(r"(fix(es|ed)?|updates?|improve(s|d|ments?)?|change(s|d)?|clean(s|ed)?[ -]?ups?|various|misc|wip|some|minor|"
                          r"refactor(s|ed|ing)?|polish(es|ed)?|tweaks?)(\s+(\w+\s*){0,2})?$", re.I)
COMMENT = re.compile(r"^#.*\n?", re.M)
SCISSORS = re.compile(r"^# -+ >8 -+\n.*", re.M | re.S)

HOOK = """#!/bin/sh
# Written by ./dev setup of vfsproto.
check="$(git rev-parse --show-toplevel)/tools/commit_message.py"
[ ! -f "$check" ] || exec python3 "$check" "$1"
"""


def is_scope(scope):
    """True if the scope is a folder of the project, or one of OTHER_SCOPES."""
    return scope in OTHER_SCOPES or any(os.path.isdir(os.path.join(tree.ROOT, parent + scope)) for parent in PARENTS)


def faults(message):
    message = COMMENT.sub("", SCISSORS.sub("", message)).strip()
    lines = message.split("\n")
    subject = lines[0]
    if re.match(r"(Merge|Revert|fixup!|squash!|amend!) ?", subject):
        return []
    found = []
    form = re.fullmatch(r"([a-z0-9_/]+(?:, [a-z0-9_/]+)*): (.+)", subject)
    if not form:
        return ["the subject is 'scope: sentence'; the scope is a folder (posix, fuse/client, docs), or several with commas"]
    for scope in form.group(1).split(", "):
        if not is_scope(scope):
            found.append(f"'{scope}' is no folder; for CMake, packages and CI the scope is 'build'")
    if len(subject) > SUBJECT_LENGTH:
        found.append(f"the subject has {len(subject)} characters, {SUBJECT_LENGTH} at most: the reason goes into the body")
    if subject.endswith("."):
        found.append("the subject ends without a full stop")
    if SAYS_NOTHING.match(form.group(2)):
        found.append("the subject says what the code does now that it did not do before")
    if len(lines) > 1 and lines[1]:
        found.append("the second line is empty")
    if any(len(line) > LINE_LENGTH for line in lines[1:]):
        found.append(f"lines of the body have {LINE_LENGTH} characters at most")
    return found


# What check_self expects of faults().
GOOD = (
    "docs: say how a port is built\n",
    "fuse/client, tests: a reply without an owner latches the lane\n\nWhy, and what was measured.\n# a comment of git's\n",
    "build: install codespell and shellcheck\n",
    "Revert \"docs: say how a port is built\"\n",
)
BAD = (
    ("say how a port is built\n", "'scope: sentence'"),
    ("Docs: say how a port is built\n", "'scope: sentence'"),
    ("habits: no yields among strangers\n", "no folder"),
    ("docs: " + "a long sentence " * 5 + "\n", "characters"),
    ("docs: say how a port is built.\n", "full stop"),
    ("docs: various fixes\n", "does now"),
    ("docs: fix typo\n", "does now"),
    ("docs: say how a port is built\nand why\n", "second line"),
)


def install():
    path = subprocess.run(["git", "rev-parse", "--git-path", "hooks/commit-msg"], cwd=tree.ROOT, check=True,
                          capture_output=True, text=True).stdout.strip()
    path = os.path.join(tree.ROOT, path)
    if os.path.exists(path):
        with open(path, encoding="utf-8") as stream:
            if stream.read() != HOOK:
                print(f"{path} is another hook: left as it is", file=sys.stderr)
            return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(HOOK)
    os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def main():
    if sys.argv[1:] == ["--install"]:
        return install()
    with open(sys.argv[1], encoding="utf-8") as stream:
        found = faults(stream.read())
    for fault in found:
        print(f"commit message: {fault}", file=sys.stderr)
    return sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
