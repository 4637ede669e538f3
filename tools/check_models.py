#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The Promela models of tests/model/rings: sound as they stand, and each way they can be broken (a NO_… macro) is noticed.
docs/models.md ties their steps to statements of the ring code by tags (tools/code_tags.py), which must be there, be in
the order of the page, and make the access that the page says. Each tag of the code is named there or by a mutant."""

import concurrent.futures
import os
import re
import shutil
import subprocess
import tempfile

import code_tags
import source_tree as tree

FOLDER = "tests/model/rings"
PAGE = "docs/models.md"
EQUIVALENT = "tools/mutants/equivalent.txt"
# The same search, deeper, in the long runs.
REQUESTS = {"nightly": 8}


def search(model, macros):
    """What the verifier says of one form of a model: None when it is sound."""
    with tempfile.TemporaryDirectory() as scratch:
        for path in tree.files((".pml",), (FOLDER,)):
            shutil.copy(os.path.join(tree.ROOT, path), scratch)

        def run(*command):
            return subprocess.run(command, cwd=scratch, capture_output=True, text=True)

        made = run("spin", "-a", *["-D" + macro for macro in macros], model + ".pml")
        if made.returncode:
            return "spin: " + (made.stdout + made.stderr).strip().splitlines()[-1]
        built = run("gcc", "-O2", "-w", "-DSAFETY", "-DNOREDUCE", "-DMEMLIM=6000", "-o", "pan", "pan.c")
        if built.returncode:
            return "gcc: " + built.stderr.strip().splitlines()[-1]
        said = run("./pan", "-m1000000").stdout
    errors = re.search(r"errors: (\d+)", said)
    if errors and errors.group(1) == "0" and "Search not completed" not in said:
        return None
    reason = re.search(r"^pan:\d*:? *(.*?)(?: \(at depth|$)", said, re.M)
    return reason.group(1) if reason else "no verdict"


ROW = re.compile(r"\|([^|]*)\| `\[([^`]+)\]` \| `([^`]+)` \|")


def check_page(findings):
    """Rows of the page: | step | `[tag]` | `access` | …."""
    tagged = code_tags.all_tagged(findings)
    named = set(code_tags.tags_in(tree.read(EQUIVALENT)))
    rows = 0
    before = {}  # the last tagged statement of each group: [split.kick.publish] is of the group split.kick
    for number, line in enumerate(tree.read(PAGE).splitlines(), 1):
        match = ROW.match(line)
        if not match:
            continue
        rows += 1
        _, tag, access = match.groups()
        named.add(tag)
        each = tagged.get(tag)
        if each is None:
            findings.add(PAGE, number, f"no statement has the tag [{tag}]")
            continue
        if access + "(" not in each.text:
            findings.add(PAGE, number, f"[{tag}] has no {access}: {each.text}")
        group = tag.rpartition(".")[0]
        if group in before and (before[group].path != each.path or before[group].first > each.first):
            findings.add(PAGE, number, f"[{tag}] stands before the step above it")
        before[group] = each
    for tag in sorted(set(tagged) - named):
        findings.add(tagged[tag].path, tagged[tag].first, f"neither {PAGE} nor {EQUIVALENT} names [{tag}]")
    return rows


def main():
    findings = tree.Findings("models")
    rows = check_page(findings)
    if not shutil.which("spin"):
        findings.finish() if findings.count else findings.skip("spin is not installed")
    requests = REQUESTS.get(os.environ.get("VFSPROTO_TEST_SCOPE", ""))
    more = [f"REQUESTS={requests}"] if requests else []
    searches = []  # path, model, its macros, the macro that breaks it or None
    for path in tree.files((".pml",), (FOLDER,)):
        text = tree.read(path)
        forms = re.search(r"^// Forms: (.*)$", text, re.M)
        if not forms:
            continue  # included by others
        model = os.path.basename(path)[:-len(".pml")]
        broken = sorted(set(re.findall(r"^#ifdef (NO_\w+)$", text, re.M)))
        if not broken:
            findings.add(path, 1, "no way to break it: it may prove nothing")
        for form in forms.group(1).split(", "):
            searches.append((path, model, [form] + more, None))
            searches.extend((path, model, [form, macro], macro) for macro in broken)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        verdicts = pool.map(lambda wanted: search(wanted[1], wanted[2]), searches)
        for (path, _, macros, macro), verdict in zip(searches, verdicts):
            if macro is None and verdict is not None:
                findings.add(path, 1, f"{macros[0]}: {verdict}")
            if macro is not None and verdict is None:
                findings.add(path, 1, f"{macros[0]} with {macro} is not noticed")
    findings.finish(f"{len(searches)} searches, {rows} ties")


if __name__ == "__main__":
    main()
