#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every public header compiles alone, and twice in a row, with both compilers (C headers as C and as C++)."""

import concurrent.futures
import os
import shutil
import subprocess

import source_tree as tree

WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wno-sign-conversion", "-Werror"]
FREESTANDING = ["-ffreestanding", "-fno-exceptions", "-fno-rtti"]
HOSTED = ["-DBOOST_ASIO_HAS_CO_AWAIT"]


def compile_alone(job):
    compiler, language, path = job
    flags = FREESTANDING if tree.is_freestanding(path) else HOSTED
    standard = "-std=c++20" if language == "c++" else "-std=c11"
    if language == "c":
        flags = ["-ffreestanding"]
    name = path[len("include/"):]
    unit = f'#include "{name}"\n#include "{name}"\nint self_contained;\n'
    done = subprocess.run(
        [compiler, standard, "-fsyntax-only", "-Iinclude", *WARNINGS, *flags, "-x", language, "-"],
        input=unit, cwd=tree.ROOT, capture_output=True, text=True)
    return path, compiler, done.returncode, done.stderr


def main():
    findings = tree.Findings("headers")
    jobs = []
    for path in tree.sources(("include",)):
        for compiler in ("g++", "clang++-14"):
            jobs.append((compiler, "c++", path))
        if path.endswith(".h"):
            for compiler in ("gcc", "clang-14"):
                jobs.append((compiler, "c", path))
    missing = sorted({job[0] for job in jobs if not shutil.which(job[0])})
    if missing:
        findings.skip(f"{', '.join(missing)} not installed (./dev setup)")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, compiler, status, errors in pool.map(compile_alone, jobs):
            if status:
                print(errors.rstrip())
                findings.add(path, 1, f"does not compile alone with {compiler}")
    findings.finish(f"{len(jobs)} compilations")


main()
