#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""No boolean parameters in public headers (best effort): an enum says at the call what it means."""

import re

import source_tree as tree

PARAMETER = re.compile(r"[(,]\s*(?:const\s+)?bool\s+(\w+)\s*(?=[,)=])")
# (header, parameter): why it may stay.
ALLOWED = {}


def main():
    findings = tree.Findings("bools")
    for path in tree.sources(("include",)):
        text = tree.code(tree.read(path))
        for match in PARAMETER.finditer(text):
            if (path, match.group(1)) not in ALLOWED:
                findings.add(path, tree.line_of(text, match.start(1)),
                             f"boolean parameter '{match.group(1)}': use an enum, or two functions")
    findings.finish()


main()
