#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Files are named after the thing in them."""

import os
import re

import source_tree as tree

EMPTY_WORD = re.compile(r"(^|_)(utils?|utilities|common|helpers?|managers?|misc|stuff|impl\d*)(_|$)")


def main():
    findings = tree.Findings("names")
    for path in tree.files((".hpp", ".cpp", ".h", ".c", ".py")):
        stem = os.path.splitext(os.path.basename(path))[0]
        if EMPTY_WORD.search(stem):
            findings.add(path, 1, "a name that says nothing: name the thing")
        if not re.fullmatch(r"[a-z0-9_]+", stem):
            findings.add(path, 1, "file names are snake_case")
    findings.finish()


main()
