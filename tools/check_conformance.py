#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every row of docs/conformance.md (| § | who | requirement | test |) names tests that exist and have its section in the
comment above them. That those of the rings can fail is shown by `check_mutants.py --tests`. The rows of docs/pitfalls.md
(| # | what went wrong elsewhere | what holds here | test |) name tests that exist."""

import os
import re

import source_tree as tree

PATH = "docs/conformance.md"
PITFALLS = "docs/pitfalls.md"
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


def check_page(findings, path, known):
    """The number of rows of this page."""
    rows = 0
    for number, line in enumerate(tree.read(path).splitlines(), 1):
        if not line.lstrip().startswith("|"):
            continue
        row = cells(line)
        if row[0] in ("§", "#") or set("".join(row)) <= set("-: "):
            continue
        if len(row) != COLUMNS:
            findings.add(path, number, f"{len(row)} columns, {COLUMNS} expected; the last one names tests")
            continue
        rows += 1
        named = re.findall(r"`([^`]+)`", row[3])
        if not named and not row[3].startswith("not applicable: "):
            findings.add(path, number, "names no test (and gives no 'not applicable: reason')")
        for name in named:
            if name not in known:
                findings.add(path, number, f"no test is called: {name}")
            elif path == PATH and known[name] is not None and not re.search(rf"§{re.escape(row[0])}(?![.\d]*\d)", known[name]):
                findings.add(path, number, f"no comment '// virtio 1.2 §{row[0]}' stands above the test: {name}")
    if rows == 0:
        findings.add(path, 1, "no rows")
    return rows


def main():
    findings = tree.Findings("conformance")
    known = tests()
    rows = 0
    for path in (PATH, PITFALLS):
        if os.path.isfile(os.path.join(tree.ROOT, path)):
            rows += check_page(findings, path, known)
        elif path == PATH:
            findings.add(path, 1, "missing")
    findings.finish(f"{rows} rows")


main()
