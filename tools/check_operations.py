#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""docs/operations.md is what tools/print_op_table prints. `--fix` rewrites it."""

import difflib
import os
import shutil
import subprocess
import sys
import tempfile

import source_tree as tree

PATH = "docs/operations.md"


def main():
    findings = tree.Findings("operations")
    if not shutil.which("g++"):
        findings.skip("g++ not installed (./dev setup)")
    with tempfile.TemporaryDirectory() as scratch:
        program = os.path.join(scratch, "print_op_table")
        subprocess.run(["g++", "-std=c++20", "-Iinclude", "tools/print_op_table.cpp", "-o", program],
                       cwd=tree.ROOT, check=True)
        wanted = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    full = os.path.join(tree.ROOT, PATH)
    if "--fix" in sys.argv[1:]:
        with open(full, "w", encoding="utf-8") as stream:
            stream.write(wanted)
    found = tree.read(PATH) if os.path.isfile(full) else ""
    if found != wanted:
        changed = difflib.unified_diff(found.splitlines(), wanted.splitlines(), PATH, "op_table.hpp", lineterm="", n=0)
        print("\n".join(list(changed)[:20]))
        findings.add(PATH, 1, "is not what the op table says: ./dev check operations --fix")
    findings.finish()


main()
