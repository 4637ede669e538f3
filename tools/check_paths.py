#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""No path of somebody's machine in the tree; temporary files are made by mktemp, never named."""

import re

import source_tree as tree

# What stands before the slash keeps addresses of pages, and folders of the tree with such names, out.
MACHINE = re.compile(r"(?:^|[\s\"'`(=:])(/(?:home|root|work|workspace|Users|mnt)/[\w.+-]+)", re.M)
TEMPORARY = re.compile(r"(?:^|[\s\"'`(=:])(/tmp/[\w.+-]+)", re.M)
OWN = "tools/check_paths.py"


def main():
    findings = tree.Findings("paths")
    for path in tree.files():
        if path == OWN or path.startswith("fuzz/corpus/"):
            continue
        text = tree.read(path)
        for match in MACHINE.finditer(text):
            findings.add(path, tree.line_of(text, match.start(1)), f"a path of one machine: {match.group(1)}")
        if path.startswith(("include/", "src/", "tools/", "examples/", "bench/")):
            for match in TEMPORARY.finditer(text):
                findings.add(path, tree.line_of(text, match.start(1)), f"a temporary file by name: {match.group(1)}")
    findings.finish()


main()
