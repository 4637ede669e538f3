#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every public header compiles alone, with both compilers; those below the line freestanding (cmake/headers.cmake)."""

import re
import shutil
import subprocess

import source_tree as tree

PRESETS = {"dev": "clang++-14", "gcc": "g++"}
TARGET = "all_verify_interface_header_sets"


def main():
    findings = tree.Findings("headers")
    missing = [compiler for compiler in PRESETS.values() if not shutil.which(compiler)]
    if missing:
        findings.skip(f"{', '.join(missing)} not installed (./dev setup)")
    for preset, compiler in PRESETS.items():
        subprocess.run(["cmake", "--preset", preset], cwd=tree.ROOT, check=True, stdout=subprocess.DEVNULL)
        done = subprocess.run(["cmake", "--build", "--preset", preset, "--target", TARGET, "--", "-k", "0"],
                              cwd=tree.ROOT, capture_output=True, text=True)
        if done.returncode == 0:
            continue
        print(done.stdout.rstrip())
        failed = re.findall(r"^FAILED: .*?_sets/(vfsproto/\S+)\.cxx\.o", done.stdout, re.M)
        for header in failed or ["vfsproto"]:
            findings.add(f"include/{header}", 1, f"does not compile alone with {compiler}")
    findings.finish()


main()
