#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""shellcheck has nothing to say about the scripts, notes on style and information included."""

import shutil
import subprocess

import source_tree as tree

SHEBANGS = ("#!/usr/bin/env bash", "#!/bin/bash", "#!/bin/sh")


def main():
    findings = tree.Findings("shell")
    if not shutil.which("shellcheck"):
        findings.skip("shellcheck not installed (./dev setup)")
    paths = [path for path in tree.files() if path.endswith(".sh") or tree.read(path).startswith(SHEBANGS)]
    done = subprocess.run(["shellcheck", "--format=gcc", *paths], cwd=tree.ROOT, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        path, number, _column, message = line.split(":", 3)
        findings.add(path, int(number), message.strip())
    findings.finish(f"{len(paths)} scripts")


main()
