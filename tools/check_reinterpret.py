#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""reinterpret_cast lives in base/, in layout headers, and where system calls are made."""

import re

import source_tree as tree


def main():
    findings = tree.Findings("reinterpret")
    for path in tree.sources(("include", "src")):
        hosted_source = path.startswith("src/") and tree.room(path) in tree.HOSTED_ROOMS
        if tree.room(path) == "base" or path.endswith("_layout.hpp") or hosted_source:
            continue
        text = tree.code(tree.read(path))
        for match in re.finditer(r"\breinterpret_cast\b", text):
            findings.add(path, tree.line_of(text, match.start()), "reinterpret_cast outside base/ and layout headers")
    findings.finish()


main()
