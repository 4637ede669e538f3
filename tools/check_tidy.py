#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""clang-tidy 14 over src/, and what clang itself says of it, lock rules included (.clang-tidy).

usage: check_tidy.py [FILE]...

A full run of the tests leaves out src/cli, which takes half of the time; at night, and by hand, it is in.

A file that passed is not looked at again until it, a header of ours or .clang-tidy changes.
"""

import concurrent.futures
import hashlib
import json
import os
import shutil
import subprocess
import sys

import source_tree as tree

MEMORY = os.path.join(tree.ROOT, "build", "tidy")


def digest(paths, extra=""):
    total = hashlib.sha256(extra.encode())
    for path in paths:
        total.update(tree.read(path).encode())
    return total.hexdigest()


# Writes a database in which each file stands alone. Returns the files it knows.
def write_database():
    subprocess.run(["cmake", "--preset", "dev", "-B", MEMORY, "-DVFSPROTO_PRECOMPILE=OFF", "-DVFSPROTO_UNITY=OFF"],
                   cwd=tree.ROOT, check=True, stdout=subprocess.DEVNULL)
    with open(os.path.join(MEMORY, "compile_commands.json"), encoding="utf-8") as stream:
        return {os.path.relpath(entry["file"], tree.ROOT) for entry in json.load(stream)}


def tidy(path):
    done = subprocess.run(["clang-tidy-14", "--quiet", "-p", MEMORY, path], cwd=tree.ROOT, capture_output=True, text=True)
    return path, done.returncode, done.stdout, done.stderr


def main():
    if {"-h", "--help"} & set(sys.argv[1:]):
        return print(__doc__.strip())
    findings = tree.Findings("tidy")
    if not shutil.which("clang-tidy-14"):
        findings.skip("clang-tidy-14 not installed (./dev setup)")
    known = write_database()

    wanted = [path for path in sys.argv[1:] if not path.startswith("-")]
    paths = wanted or [path for path in tree.sources(("src",)) if path.endswith(".cpp") and path in known]
    if os.environ.get("VFSPROTO_TEST_SCOPE") == "full" and not wanted:
        paths = [path for path in paths if not path.startswith("src/cli/")]
    headers = digest([".clang-tidy"] + [path for path in tree.sources(("include", "src")) if path.endswith(".hpp")])
    todo = {path: os.path.join(MEMORY, digest([path], headers + path)) for path in paths}
    todo = {path: mark for path, mark in todo.items() if not os.path.exists(mark)}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, status, output, errors in pool.map(tidy, todo):
            if status:
                print(output.rstrip() or errors.rstrip())
                findings.add(path, 1, "clang-tidy has something to say")
            else:
                with open(todo[path], "w", encoding="utf-8"):
                    pass
    findings.finish(f"{len(paths)} files, {len(todo)} looked at")


main()
