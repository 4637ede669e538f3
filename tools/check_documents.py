#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The pages name files that exist, and README.md shows the example that is compiled. `--fix` copies the example."""

import os
import re
import sys
import textwrap

import source_tree as tree

EXAMPLE = "examples/1_list_directory.cpp"
SHOWN = re.compile(r"// \[README\.md shows what follows\]\n(.*?)[ \t]*// \[end\]", re.S)
BLOCK = re.compile(r"(<!-- from " + re.escape(EXAMPLE) + r" -->\n```cpp\n)(.*?)(```)", re.S)
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
QUOTED = re.compile(r"`([\w.*{},/-]+)`")
CITED = re.compile(r"(?<![\w/])docs/[\w/]+\.(?:md|json|svg)")
# A name in backticks is a path where it starts with one of these, or, in architecture.md, with a room of the product.
TOP = ("include/", "src/", "tests/", "docs/", "examples/", "bench/", "fuzz/", "tools/", "cmake/", ".ci/")
ROOMS = ("base/", "abi/", "virtqueue/", "transport/", "fuse/", "serving/", "backends/", "posix/", "cli/")
MOST_LINES = {"docs/architecture.md": 150}
# Written by a build or by the reader, or a pattern.
NOT_FILES = re.compile(r"build/|NAME|FOLDER|ROOM|TARGET|\*|…")


def expanded(path):
    """tests/{unit,sim} is two paths."""
    match = re.search(r"\{([^}]*)\}", path)
    if not match:
        return [path]
    return [found for part in match.group(1).split(",")
            for found in expanded(path[:match.start()] + part + path[match.end():])]


def exists(path, roots=("",)):
    return any(os.path.exists(os.path.join(tree.ROOT, root, path)) for root in roots)


def check_page(findings, page):
    text = tree.read(page)
    prose = re.sub(r"^```.*?^```", lambda block: "\n" * block.group(0).count("\n"), text, flags=re.S | re.M)
    for match in LINK.finditer(prose):
        target = match.group(1)
        if not re.match(r"\w+:", target) and not exists(os.path.join(os.path.dirname(page), target)):
            findings.add(page, tree.line_of(text, match.start()), f"a link to nothing: {target}")
    for match in QUOTED.finditer(prose):
        for path in expanded(match.group(1)):
            if NOT_FILES.search(path) or "/" not in path:
                continue
            if path.startswith("vfsproto/"):
                there = exists(path, ("include",))
            elif path.startswith(TOP):
                there = exists(path)
            elif page == "docs/architecture.md" and path.startswith(ROOMS):
                there = exists(path, ("include/vfsproto", "src"))
            else:
                continue
            if not there:
                findings.add(page, tree.line_of(prose, match.start()), f"no such file: {path}")
    lines = text.count("\n")
    if lines > MOST_LINES.get(page, lines):
        findings.add(page, lines, f"{lines} lines, {MOST_LINES[page]} at most")


def check_example(findings):
    page = tree.read("README.md")
    shown = SHOWN.search(tree.read(EXAMPLE))
    block = BLOCK.search(page)
    if not shown or not block:
        findings.add("README.md", 1, f"no block that shows {EXAMPLE}, or no marks there")
        return
    wanted = textwrap.dedent(shown.group(1))
    if block.group(2) == wanted:
        return
    if "--fix" in sys.argv[1:]:
        with open(os.path.join(tree.ROOT, "README.md"), "w", encoding="utf-8") as stream:
            stream.write(page[:block.start(2)] + wanted + page[block.end(2):])
    else:
        findings.add("README.md", tree.line_of(page, block.start()), f"is not {EXAMPLE}: ./dev check documents --fix")


def main():
    findings = tree.Findings("documents")
    pages = [path for path in tree.files((".md",)) if path != "CHANGELOG.md"]
    for page in pages:
        check_page(findings, page)
    for path in tree.files((".hpp", ".cpp", ".py", ".sh", ".txt", ".cmake")):
        text = tree.read(path)
        for match in CITED.finditer(text):
            if not path.startswith("tools/check_") and not exists(match.group(0)):
                findings.add(path, tree.line_of(text, match.start()), f"cites a page that is not there: {match.group(0)}")
    check_example(findings)
    findings.finish(f"{len(pages)} pages")


main()
