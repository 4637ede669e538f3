# SPDX-License-Identifier: BSD-2-Clause
"""Tags: names of statements in the ring code, written in a comment as `// [split.kick.publish]`, so that documents can
name a statement without a copy of it. A tag stands behind its statement, or alone on the line before it."""

import re

import source_tree as tree

FOLDERS = ("include/vfsproto/virtqueue", "src/virtqueue")
TAG = re.compile(r"\[((?:split|packed|ring)(?:\.[a-z_]+)+)\]")


class Tagged:
    """One tagged statement: its lines from `first` to `last`, counted from 1, and its text without comments."""

    def __init__(self, path, first, last, text):
        self.path, self.first, self.last, self.text = path, first, last, text


def tags_in(comment):
    return TAG.findall(comment)


def statement(code, at):
    """The lines, counted from 0, of the statement that line `at` belongs to. A control statement ends at its brace."""
    ends = (";", "{", "}", ":")
    first = last = at
    while first > 0 and code[first - 1].strip() and not code[first - 1].rstrip().endswith(ends):
        first -= 1
    while last + 1 < len(code) and not code[last].rstrip().endswith(ends):
        last += 1
    return first, last


def tagged_in(path, text, findings):
    """The tags of one file: {tag: Tagged}."""
    found = {}
    lines = text.splitlines()
    code = tree.code(text).splitlines()
    for number, line in enumerate(lines):
        comment = line[line.find("//"):] if "//" in line else ""
        for tag in tags_in(comment):
            at = number
            while at < len(code) and not code[at].strip():
                at += 1
            first, last = statement(code, at)
            if tag in found:
                findings.add(path, number + 1, f"[{tag}] names two statements")
            found[tag] = Tagged(path, first + 1, last + 1, " ".join(" ".join(code[first:last + 1]).split()))
    return found


def all_tagged(findings):
    """The tags of the ring code: {tag: Tagged}. One that stands twice is a finding."""
    found = {}
    for path in tree.sources(FOLDERS):
        for tag, each in tagged_in(path, tree.read(path), findings).items():
            if tag in found:
                findings.add(path, each.first, f"[{tag}] is in {found[tag].path} as well")
            found[tag] = each
    return found
