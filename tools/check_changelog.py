#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""CHANGELOG.md has an Unreleased section or one for the version of CMakeLists.txt, and it says something."""

import os
import re

import source_tree as tree


def main():
    findings = tree.Findings("changelog")
    path = "CHANGELOG.md"
    if not os.path.isfile(os.path.join(tree.ROOT, path)):
        findings.add(path, 1, "missing")
        findings.finish()
    version = re.search(r"project\(vfsproto VERSION (\S+)", tree.read("CMakeLists.txt")).group(1)
    text = tree.read(path)
    newest = re.search(r"^## \[([^\]]+)\].*\n((?:(?!^## ).*\n?)*)", text, re.M)
    if not newest:
        findings.add(path, 1, "no section '## [Unreleased]'")
    else:
        line = tree.line_of(text, newest.start())
        if newest.group(1) not in ("Unreleased", version):
            findings.add(path, line, f"the newest section is {newest.group(1)}, the project is {version}")
        if not re.search(r"^- ", newest.group(2), re.M):
            findings.add(path, line, "the newest section says nothing")
    findings.finish()


main()
