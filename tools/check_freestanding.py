#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Words that have no place in the freestanding part: exceptions, heap, RTTI, hosted types, floating point."""

import re

import source_tree as tree

WORDS = {
    "exceptions": r"\b(?:throw|catch|try)\b",
    "heap": r"\b(?:new|delete|malloc|calloc|realloc|free)\b(?!\s*\]?\s*\)?\s*noexcept\s*=)",
    "RTTI": r"\b(?:dynamic_cast|typeid)\b",
    "a hosted type": r"\bstd::(?:function|string|string_view|vector|map|shared_ptr|unique_ptr|atomic\w*|mutex|thread)\b",
    "thread-local storage": r"\bthread_local\b",
    "floating point": r"\b(?:float|double)\b",
    "volatile outside asm": r"(?<!asm )(?<!__asm__ )\bvolatile\b",
    "an ordering outside base/fence.hpp": r"\b__(?:atomic|sync)_\w+",
}
ALLOWED_MEMBER_CALL = re.compile(r"(?:\.|->|::|~)\s*$")


def main():
    findings = tree.Findings("freestanding")
    for path in tree.sources(("include", "src")):
        if not tree.is_freestanding(path):
            continue
        text = re.sub(r"=\s*delete\s*;", "= d;", tree.code(tree.read(path)))
        for reason, pattern in WORDS.items():
            if "ordering" in reason and path == "include/vfsproto/base/fence.hpp":
                continue
            for match in re.finditer(pattern, text):
                word, after = match.group(0), text[match.end():match.end() + 1]
                before = text[max(0, match.start() - 40):match.start()]
                names_something = ALLOWED_MEMBER_CALL.search(before) or re.search(r"[\w>&*\]]\s+$", before)
                if word in ("free", "try", "catch") and (names_something or (word == "free" and after != "(")):
                    continue  # a member or a variable of that name, not the C function
                findings.add(path, tree.line_of(text, match.start()), f"'{word}' below the line: {reason}")
    findings.finish()


main()
