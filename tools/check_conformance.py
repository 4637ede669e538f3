#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every row of docs/conformance.md (| § | who | requirement | test |) names tests that exist. That those of the rings can
fail is shown by `check_mutants.py --tests`."""

import os
import re

import source_tree as tree

PATH = "docs/conformance.md"
CASE = re.compile(r'\b(?:TEST_CASE|TEST_CASE_METHOD|TEMPLATE_TEST_CASE|SCENARIO)\s*\(\s*(?:[A-Za-z_][\w:]*\s*,\s*)?'
                  r'((?:"(?:\\.|[^"\\\n])*"\s*)+)')
SENTENCE = re.compile(r'def test_\w+\(self\):\s+"""(.+?)"""')  # a test that boots a machine
COLUMNS = 4


def test_names():
    names = set()
    for path in tree.sources(("tests",)):
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
    if rows == 0:
        findings.add(PATH, 1, "no rows")
    findings.finish(f"{rows} rows")


main()
