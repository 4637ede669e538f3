#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every row of docs/conformance.md (| § | who | requirement | test |) names tests that exist. Those of the rings are shown to
fail: docs/mutants.md has a line for each that, broken, they notice."""

import os
import re

import source_tree as tree

PATH = "docs/conformance.md"
MUTANTS = "docs/mutants.md"
RINGS = ("tests/unit/virtqueue", "tests/hostile/virtqueue", "tests/sim/virtqueue")
CASE = re.compile(r'\b(?:TEST_CASE|TEST_CASE_METHOD|TEMPLATE_TEST_CASE|SCENARIO)\s*\(\s*(?:[A-Za-z_][\w:]*\s*,\s*)?'
                  r'((?:"(?:\\.|[^"\\\n])*"\s*)+)')
SENTENCE = re.compile(r'def test_\w+\(self\):\s+"""(.+?)"""')  # a test that boots a machine
COLUMNS = 4


def test_names(folders=("tests",)):
    names = set()
    for path in tree.sources(folders):
        for match in CASE.finditer(tree.code(tree.read(path), keep_strings=True)):
            pieces = re.findall(r'"((?:\\.|[^"\\\n])*)"', match.group(1))
            names.add("".join(pieces).replace('\\"', '"').replace("\\\\", "\\"))
    for path in tree.files((".py",), ("tests",)):
        names.update(SENTENCE.findall(tree.read(path)))
    return names


def cells(line):
    """The cells of a table row; a bar inside backticks or after a backslash is none."""
    return [part.strip() for part in re.split(r"(?<!\\)\|(?=(?:[^`]*`[^`]*`)*[^`]*$)", line.strip().strip("|"))]


def main():
    findings = tree.Findings("conformance")
    if not os.path.isfile(os.path.join(tree.ROOT, PATH)):
        findings.add(PATH, 1, "missing")
        findings.finish()
    known = test_names()
    of_rings = test_names(RINGS)
    page = tree.read(MUTANTS) if os.path.isfile(os.path.join(tree.ROOT, MUTANTS)) else None
    shown = set(re.findall(r"^\| `([^`]+)` \| `", page or "", re.M))
    rows = 0
    for number, line in enumerate(tree.read(PATH).splitlines(), 1):
        if not line.lstrip().startswith("|"):
            continue
        row = cells(line)
        if row[0] == "§" or set("".join(row)) <= set("-: "):
            continue
        if len(row) != COLUMNS:
            findings.add(PATH, number, f"{len(row)} columns, {COLUMNS} expected: | § | who | requirement | test |")
            continue
        rows += 1
        named = re.findall(r"`([^`]+)`", row[3])
        if not named and not row[3].startswith("not applicable: "):
            findings.add(PATH, number, "names no test (and gives no 'not applicable: reason')")
        for name in named:
            if name not in known:
                findings.add(PATH, number, f"no test is called: {name}")
            elif page is not None and name in of_rings and name not in shown:
                findings.add(PATH, number, f"not shown to fail (./dev check mutants --tests): {name}")
    if rows == 0:
        findings.add(PATH, 1, "no rows")
    findings.finish(f"{rows} rows")


main()
