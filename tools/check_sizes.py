#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""No file has more than 600 lines. (Functions: clang-tidy, readability-function-size and -cognitive-complexity.)"""

import re

import source_tree as tree

FILE_LINES = 600
EXEMPT = re.compile(r"(^|/)(op_table\.hpp|vfsproto\.h)$|golden|^bench/baseline/")


def main():
    findings = tree.Findings("sizes")
    for path in tree.sources(("include", "src", "tests", "examples", "bench", "fuzz", "ports", "tools")):
        lines = tree.read(path).count("\n")
        if lines > FILE_LINES and not EXEMPT.search(path):
            findings.add(path, lines, f"{lines} lines, {FILE_LINES} at most")
    findings.finish()


main()
