#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every row of docs/conformance.md (| § | who | requirement | test |) names tests that exist and have its section in the
comment above them. That those of the rings can fail is shown by `check_mutants.py --tests`."""

import os
import re

import source_tree as tree

PATH = "docs/conformance.md"
CASE = re.compile(r'\b(?:TEST_CASE|TEST_CASE_METHOD|TEMPLATE_TEST_CASE|SCENARIO)\s*\(\s*(?:[A-Za-z_][\w:]*\s*,\s*)?'
                  r'((?:"(?:\\.|[^"\\\n])*"\s*)+)')
SENTENCE = re.compile(r'def test_\w+\(self\):\s+"""(.+?)"""')  # a test that boots a machine
COLUMNS = 4


def tests():
    """The comment above each test, by the test's name. A test that boots a machine has none."""
    above = {}
    for path in tree.sources(("tests",)):
        text = tree.read(path)
        lines, code = text.split("\n"), tree.code(text, keep_strings=True)
        for match in CASE.finditer(code):
            pieces = re.findall(r'"((?:\\.|[^"\\\n])*)"', match.group(1))
            first = last = tree.line_of(code, match.start()) - 1
            while first > 0 and lines[first - 1].startswith("//"):
                first -= 1
            above["".join(pieces).replace('\\"', '"').replace("\\\\", "\\")] = " ".join(lines[first:last])
    for path in tree.files((".py",), ("tests",)):
        above.update((name, None) for name in SENTENCE.findall(tree.read(path)))
    return above


def cells(line):
    """The cells of a table row; a bar inside backticks or after a backslash is none."""
    return [part.strip() for part in re.split(r"(?<!\\)\|(?=(?:[^`]*`[^`]*`)*[^`]*$)", line.strip().strip("|"))]


def main():
    findings = tree.Findings("conformance")
    if not os.path.isfile(os.path.join(tree.ROOT, PATH)):
        findings.add(PATH, 1, "missing")
        findings.finish()
    known = tests()
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
            elif known[name] is not None and not re.search(rf"§{re.escape(row[0])}(?![.\d]*\d)", known[name]):
                findings.add(PATH, number, f"no comment '// virtio 1.2 §{row[0]}' stands above the test: {name}")
    if rows == 0:
        findings.add(PATH, 1, "no rows")
    findings.finish(f"{rows} rows")


main()
