#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""clang-format 19 has nothing to change. `--fix` lets it."""

import re
import shutil
import subprocess
import sys

import source_tree as tree


def main():
    findings = tree.Findings("format")
    if not shutil.which("clang-format-19"):
        findings.skip("clang-format-19 not installed (./dev setup)")
    paths = [path for path in tree.sources(("include", "src", "tests", "examples", "bench", "fuzz", "ports", "tools"))
             if not path.startswith("bench/baseline/")]
    action = ["-i"] if "--fix" in sys.argv[1:] else ["--dry-run", "-Werror"]
    done = subprocess.run(["clang-format-19", *action, *paths], cwd=tree.ROOT, capture_output=True, text=True)
    first = {}
    for match in re.finditer(r"^([^:\n]+):(\d+):\d+: error: .*clang-format-violations", done.stderr, re.M):
        first.setdefault(match.group(1), []).append(int(match.group(2)))
    for path, lines in first.items():
        findings.add(path, lines[0], f"not formatted ({len(lines)} places): ./dev check format --fix")
    if done.returncode and not first:
        findings.add(".clang-format", 1, done.stderr.strip())
    findings.finish(f"{len(paths)} files")


main()
