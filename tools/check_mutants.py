#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Breaks the ring code, one place at a time, and looks whether a test notices (docs/mutants.md).

check_mutants.py [--all | --again | --sample N] [--seed N] [--only TEXT] [--tests]
  --all      every mutant; without it a sample that takes some minutes
  --again    those that survived the last time
  --only     those whose file, function or text has TEXT in it
  --tests    finds for every ring test that docs/conformance.md names a mutant that it alone is enough to notice, and
             writes them to build/mutants/tests.md; a test without one is an error"""

import argparse
import concurrent.futures
import glob
import hashlib
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile

import code_tags
import mutate
import source_tree as tree

HEADERS = "include/vfsproto/virtqueue/"
MUTATED = [HEADERS + name + ".hpp" for name in
           ("split_driver", "detail/split_driver_fast", "split_device", "detail/split_device_fast", "detail/split_layout",
            "packed_driver", "detail/packed_driver_fast", "packed_device", "detail/packed_device_fast", "detail/packed_layout",
            "detail/ring_layout", "detail/notification")]
BODIES = "src/virtqueue"
TESTS = ("tests/unit/virtqueue", "tests/hostile/virtqueue", "tests/sim/virtqueue")
EQUIVALENT = "tools/mutants/equivalent.txt"
PAGE = "docs/mutants.md"
SCRATCH = "build/mutants"
TABLE = SCRATCH + "/tests.md"
SURVIVORS = SCRATCH + "/survivors"
LEAST = 95  # per cent
SAMPLE = 600
QUICK = 20_000  # microseconds: tests that take longer come later
FLAGS = ["-std=c++20", "-w", "-Wno-c++11-narrowing", "-D_GLIBCXX_ASSERTIONS", "-DVFSPROTO_SLOW_BUILD", "-include", "tools/mutants/mutant.hpp",
         "-include", "tests/support/interleave.hpp"]


def absolute(path):
    return os.path.join(tree.ROOT, path)


class Program:
    """Ring tests on the mutated source, built with some more flags."""

    def __init__(self, name, flags, tests):
        self.folder = absolute(f"{SCRATCH}/{name}")
        self.flags = flags
        self.units = [path for folder in TESTS for path in sorted(glob.glob(folder + "/" + tests, root_dir=tree.ROOT))]
        self.tests = {}  # name: (microseconds, mutants it comes by)
        self.pattern = {}  # name: how Catch2 wants to hear it; a template has many tests

    def build(self, mark):
        units = sorted(glob.glob(f"{SCRATCH}/source/{BODIES}/*.cpp", root_dir=tree.ROOT))
        units += sorted(glob.glob("src/base/*.cpp", root_dir=tree.ROOT)) + self.units + ["tools/mutants/mutant_main.cpp"]
        os.makedirs(self.folder, exist_ok=True)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = list(pool.map(lambda unit: self.compile(unit, mark), units))
        self.run_tool(["clang++-14", *self.flags, *objects, "-lpthread", "-o", self.folder + "/tests"])

    def compile(self, unit, mark):
        """Unless it was compiled from the same."""
        output = os.path.join(self.folder, unit.replace("/", "_") + ".o")
        mark = hashlib.sha256((mark + tree.read(unit)).encode()).hexdigest()
        if os.path.exists(output + ".mark") and tree.read(output + ".mark") == mark:
            return output
        self.run_tool(["clang++-14", *FLAGS, *self.flags, f'-DVFSPROTO_SOURCE_DIR="{tree.ROOT}"',
                       f"-I{SCRATCH}/source/include", f"-I{SCRATCH}/source/{BODIES}", "-Itests", "-c", unit, "-o", output])
        with open(output + ".mark", "w", encoding="utf-8") as stream:
            stream.write(mark)
        return output

    @staticmethod
    def run_tool(command):
        done = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"check mutants: {' '.join(command)}\n{done.stderr[:4000]}")

    def map(self):
        """Which tests come by which mutants, and how long they take."""
        path = os.path.join(self.folder, "map")
        done = subprocess.run([self.folder + "/tests"], env={**os.environ, "MUTANT_MAP": path}, capture_output=True,
                              text=True, cwd=tree.ROOT)
        if done.returncode:
            sys.exit("check mutants: the tests fail without any mutant\n" + done.stdout[-4000:])
        self.tests = {}
        with open(path, encoding="utf-8") as stream:
            for line in stream:
                name, took, numbers = line.rstrip("\n").split("\t")
                name, instance = re.fullmatch(r"(.*?)( - \w+)?", name).groups()
                self.pattern[name] = re.sub(r"([,\\\[\]\"])", r"\\\1", name) + (" - *" if instance else "")
                before, reached = self.tests.get(name, (0, set()))
                self.tests[name] = (before + int(took), reached | set(map(int, numbers.split())))

    def notices(self, number, names):
        """Does one of these tests fail with that mutant?"""
        if not names:
            return False
        seconds = sum(self.tests[name][0] for name in names) / 1e6
        processor = int(8 * seconds) + 3

        def limit():
            resource.setrlimit(resource.RLIMIT_CPU, (processor, processor))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as chosen:
            chosen.write("".join(self.pattern[name] + "\n" for name in names))
            chosen.flush()
            try:
                done = subprocess.run([self.folder + "/tests", "--abort", "-w", "NoTests", "-f", chosen.name], cwd=tree.ROOT,
                                      env={**os.environ, "MUTANT": str(number)}, preexec_fn=limit,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20 + 20 * seconds)
            except subprocess.TimeoutExpired:
                return True
        return done.returncode != 0

    def kills(self, number):
        reaching = [name for name, (_, numbers) in self.tests.items() if number in numbers]
        quick = [name for name in reaching if self.tests[name][0] <= QUICK]
        slow = [name for name in reaching if self.tests[name][0] > QUICK]
        return self.notices(number, quick) or self.notices(number, slow)


def read_equivalent(findings):
    """Blocks of: a tag with the changes to its statement that make no difference, and the reason."""
    known = {}
    number = 0
    for block in re.split(r"\n[ \t]*\n", tree.read(EQUIVALENT)):
        at, number = number + 1, number + block.count("\n") + 2
        lines = [line for line in block.splitlines() if line.strip() and not line.startswith("#")]
        if not lines:
            continue
        match = re.fullmatch(r"\[([^\]]+)\] (.+)", lines[0])
        if not match or len(lines) < 2:
            findings.add(EQUIVALENT, at, "not a block of '[tag] change; change' and a reason")
        else:
            known[match.group(1)] = (at, [change.strip() for change in match.group(2).split(";")])
    return known


def equivalents(mutants, findings):
    """The numbers of the mutants that EQUIVALENT names: {number: line of the list}."""
    numbers = {}
    tagged = code_tags.all_tagged(findings)
    for tag, (line, changes) in read_equivalent(findings).items():
        if tag not in tagged:
            findings.add(EQUIVALENT, line, f"no statement has the tag [{tag}]")
            continue
        place = tagged[tag]
        there = [mutant for mutant in mutants if mutant.path == place.path and place.first <= mutant.line <= place.last]
        for change in changes:
            name, _, nth = change.partition(" #")
            alike = there if name == "any" else [mutant for mutant in there if mutant.change == name]
            if nth:
                alike = sorted(alike, key=lambda mutant: mutant.offset)[int(nth) - 1:int(nth)]
            if not alike:
                findings.add(EQUIVALENT, line, f"no such mutant: [{tag}] {change}")
            numbers.update((mutant.number, line) for mutant in alike)
    return numbers


def prepare():
    """The mutants, and the source that has them all, written where the programs are built from."""
    paths = MUTATED + sorted(glob.glob(BODIES + "/*", root_dir=tree.ROOT))
    mutator = mutate.Mutator(tree.ROOT, paths)
    for path in paths:
        if path.endswith(".cpp"):
            mutator.read(path, ["-std=c++20", "-Iinclude", "-I" + BODIES])
    source = absolute(SCRATCH + "/source")
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(absolute("include"), source + "/include")
    shutil.copytree(absolute(BODIES), f"{source}/{BODIES}")
    for path, each in mutator.sources.items():
        with open(os.path.join(source, path), "w", encoding="utf-8") as stream:
            stream.write(each.mutated())
    return mutator.mutants


def fingerprint():
    """Of all that each unit includes."""
    digest = hashlib.sha256()
    for path in tree.sources(("include/vfsproto", BODIES, "src/base", "tests/support", "tools/mutants", "fuzz")):
        digest.update(path.encode() + b"\0" + tree.read(path).encode() + b"\0")
    for path in tree.files((".hpp",), TESTS) + ["tools/mutate.py"]:
        digest.update(tree.read(path).encode())
    return digest.hexdigest()


def programs():
    mutants = prepare()
    plain = Program("plain", ["-O1"], "*.cpp")
    # Notices a store or a load that orders nothing.
    racy = Program("racy", ["-O1", "-fsanitize=thread"], "ring_threads_test.cpp")
    for program in (plain, racy):
        program.build(fingerprint())
        program.map()
    return mutants, plain, racy


def verdict(mutant, plain, racy):
    if plain.kills(mutant.number):
        return True
    return mutant.kind == "ordering" and racy.kills(mutant.number)


def judge(chosen, plain, racy, known, findings):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        killed = list(pool.map(lambda mutant: verdict(mutant, plain, racy), chosen))
    table = {}
    with open(absolute(SURVIVORS), "w", encoding="utf-8") as stream:
        stream.writelines(" | ".join(each.key()) + "\n" for each, is_killed in zip(chosen, killed) if not is_killed)
    for mutant, is_killed in zip(chosen, killed):
        row = table.setdefault(mutant.kind, [0, 0, 0, 0])
        row[0] += 1
        if is_killed:
            row[1] += 1
            if mutant.number in known:
                findings.add(EQUIVALENT, known[mutant.number], f"is noticed after all: {mutant.function}: {mutant.before} => {mutant.after}")
        elif mutant.number in known:
            row[2] += 1
        else:
            row[3] += 1
            print(f"{mutant.path}:{mutant.line}: survived: {mutant.function}: {mutant.before} => {mutant.after or '(nothing)'}")
    return table


def print_table(table):
    rows = [[kind, *table[kind]] for kind in sorted(table)]
    rows.append(["all", *[sum(row[i] for row in table.values()) for i in range(4)]])
    print("| kind | mutants | killed | equivalent | survived | score |\n|---|---|---|---|---|---|")
    for kind, made, killed, equivalent, survived in rows:
        score = 100 * killed / max(1, made - equivalent)
        print(f"| {kind} | {made} | {killed} | {equivalent} | {survived} | {score:.1f} % |")
    return 100 * rows[-1][2] / max(1, rows[-1][1] - rows[-1][3])


def escaped(text):
    return text.replace("|", "\\|")


def conformance_tests():
    page = tree.read("docs/conformance.md")
    return [name for name in dict.fromkeys(re.findall(r"`([^`]+)`", page))]


def find_rows(mutants, plain, racy, findings):
    """For each test, the mutant that the fewest tests come by among those it notices alone: rows of TABLE."""
    popular = {}
    for _, reached in plain.tests.values():
        for number in reached:
            popular[number] = popular.get(number, 0) + 1
    order = {"statement": 0, "condition": 1, "comparison": 2, "ordering": 2}

    def find(test):
        candidates = [mutant for mutant in mutants if mutant.number in plain.tests[test][1]]
        candidates.sort(key=lambda mutant: (order.get(mutant.kind, 3) > 2, popular[mutant.number], mutant.number))
        if "two threads" in test:
            candidates.sort(key=lambda mutant: mutant.kind != "ordering")
        for mutant in candidates[:400]:
            is_race = mutant.kind == "ordering" and test in racy.tests and racy.notices(mutant.number, [test])
            if is_race or plain.notices(mutant.number, [test]):
                return mutant
        return None
    names = [name for name in conformance_tests() if name in plain.tests]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for test, mutant in zip(names, pool.map(find, names)):
            if mutant is None:
                findings.add(PAGE, 1, f"notices no mutant: {test}")
                continue
            yield (f"| `{escaped(test)}` | `{mutant.path}` `{mutant.function}` | `` {escaped(mutant.before)} `` "
                   f"| `` {escaped(mutant.after) or '(nothing)'} `` |")


def write_table(rows):
    with open(absolute(TABLE), "w", encoding="utf-8") as stream:
        stream.write("| test | where | this | became |\n|---|---|---|---|\n" + "\n".join(rows) + "\n")


def main():
    findings = tree.Findings("mutants")
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--sample", type=int, default=SAMPLE)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument("--only", default="")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--tests", action="store_true")
    asked = parser.parse_args()
    if not shutil.which("clang++-14"):
        findings.skip("clang is not installed")
    mutants, plain, racy = programs()
    known = equivalents(mutants, findings)
    if asked.tests:
        rows = list(find_rows(mutants, plain, racy, findings))
        write_table(rows)
        print(f"{len(rows)} tests notice a mutant alone: {TABLE}")
        if not asked.all:
            findings.finish()
    chosen = [mutant for mutant in mutants if asked.only in " ".join(mutant.key())]
    if asked.again:
        survivors = set(tree.read(SURVIVORS).splitlines())
        chosen = [mutant for mutant in chosen if " | ".join(mutant.key()) in survivors]
    is_sampled = not asked.all and not asked.only and asked.sample < len(chosen)
    if is_sampled:
        chosen = sorted(random.Random(asked.seed).sample(chosen, asked.sample), key=lambda mutant: mutant.number)
    table = judge(chosen, plain, racy, known, findings)
    score = print_table(table)
    if score < LEAST:
        findings.add(PAGE, 1, f"{score:.1f} % are noticed, {LEAST} % expected")
    what = f"a sample by --seed {asked.seed}" if is_sampled else "all" if not asked.only else f"those with '{asked.only}'"
    findings.finish(f"{len(chosen)} of {len(mutants)} mutants, {what}: {score:.1f} % noticed")


if __name__ == "__main__":
    main()
