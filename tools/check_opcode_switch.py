#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Nothing switches over opcodes: everything derives from the op table."""

import re

import source_tree as tree

PATTERNS = (
    (re.compile(r"\bswitch\s*\([^{;]*opcode", re.I), "a switch over opcodes: derive it from op_table.hpp"),
    (re.compile(r"\bcase\s+(?:\w+::)*Opcode::"), "a switch over opcodes: derive it from op_table.hpp"),
    (re.compile(r"\bcase\s+FUSE_[A-Z0-9_]+\s*:"), "a switch over opcodes: derive it from op_table.hpp"),
)


def main():
    findings = tree.Findings("opcode_switch")
    for path in tree.sources(("include", "src", "fuzz", "tests", "examples", "ports")):
        text = tree.code(tree.read(path))
        for pattern, message in PATTERNS:
            for match in pattern.finditer(text):
                findings.add(path, tree.line_of(text, match.start()), message)
    findings.finish()


main()
