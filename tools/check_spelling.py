#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""codespell finds no misspelled word."""

import shutil
import subprocess

import source_tree as tree

# Words it takes for misspelled: names of protocols (OpenIn, FRO), of the rings (inflight), and "statics" of C++.
KNOWN = ("openin", "fro", "inflight", "statics")
SKIPPED = ("fuzz/corpus/", "bench/baseline/", "tests/data/")


def main():
    findings = tree.Findings("spelling")
    if not shutil.which("codespell"):
        findings.skip("codespell not installed (./dev setup)")
    paths = [path for path in tree.files() if not path.startswith(SKIPPED) and not path.endswith((".svg", ".json"))]
    done = subprocess.run(["codespell", "-L", ",".join(KNOWN), *paths], cwd=tree.ROOT, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        path, number, word = line.split(":", 2)
        findings.add(path, int(number), word.strip())
    findings.finish(f"{len(paths)} files")


main()
