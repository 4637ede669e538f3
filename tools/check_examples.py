#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Examples in comments are compiled: the lines indented behind `// Example (PATH):` stand in that file, in one run."""

import os
import re

import source_tree as tree

EXAMPLE = re.compile(r"^// Example \(([^)]+)\):$")


def squeezed(line):
    """The code of a line, without its comment and the space around it."""
    return " ".join(re.sub(r"//.*", "", line).split())


def examples(text):
    """(line, path, code lines) of each example in a header."""
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        match = EXAMPLE.match(line)
        if not match:
            continue
        code = []
        for after in lines[number:]:
            if not re.match(r"//(     |$)", after):
                break
            if code_line := squeezed(after[2:]):
                code.append(code_line)
        yield number, match.group(1), code


def main():
    findings = tree.Findings("examples")
    found = 0
    for path in tree.sources(("include",)):
        for number, where, code in examples(tree.read(path)):
            found += 1
            if not code or not os.path.isfile(os.path.join(tree.ROOT, where)):
                findings.add(path, number, f"no code, or no file {where}")
                continue
            run = [line for line in map(squeezed, tree.read(where).splitlines()) if line]
            if not any(run[at:at + len(code)] == code for at in range(len(run))):
                findings.add(path, number, f"the example is not in {where}")
    findings.finish(f"{found} examples")


if __name__ == "__main__":
    main()
