#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""No file above 600 lines, no function above 60 (best effort: braces are matched, nothing is parsed)."""

import re

import source_tree as tree

FILE_LINES, FUNCTION_LINES = 600, 60
EXEMPT = re.compile(r"(^|/)(op_table\.hpp|vfsproto\.h)$|golden|^bench/baseline/")
CONTAINER = re.compile(r"\b(namespace|extern|class|struct|union|enum|concept|requires)\b")
CONTROL = re.compile(r"^\s*(if|for|while|switch|do|else|try|catch)\b")


def functions(text):
    """(name, first line, last line) of every block that looks like a function body."""
    stack, header_start = [], 0  # of (is function, first line, name)
    line, first_code_line = 1, None
    for index, char in enumerate(text):
        if char == "\n":
            line += 1
            continue
        if first_code_line is None and not char.isspace():
            first_code_line = line
        if char == "{":
            header = text[header_start:index]
            inside = any(entry[0] for entry in stack)
            before_paren = header.split("(")[0]
            is_function = (not inside and "(" in header and not CONTROL.match(header)
                           and not re.search(r"\b(namespace|enum)\b", before_paren)
                           and not re.match(r"\s*(template\s*<.*>\s*)?(class|struct|union|concept)\b", header, re.S))
            name = re.findall(r"([~\w:]+)\s*$", before_paren)
            stack.append((is_function, first_code_line or line, name[-1] if name else "?"))
            header_start, first_code_line = index + 1, None
        elif char == "}":
            if stack:
                is_function, start, name = stack.pop()
                if is_function:
                    yield name, start, line
            header_start, first_code_line = index + 1, None
        elif char == ";" and not is_in_parentheses(text, header_start, index):
            header_start, first_code_line = index + 1, None


def is_in_parentheses(text, start, end):
    return text.count("(", start, end) > text.count(")", start, end)


def main():
    findings = tree.Findings("sizes")
    for path in tree.sources(("include", "src", "tests", "examples", "bench", "fuzz", "ports", "tools")):
        if EXEMPT.search(path):
            continue
        text = tree.read(path)
        lines = text.count("\n")
        if lines > FILE_LINES:
            findings.add(path, lines, f"{lines} lines, {FILE_LINES} at most")
        if path.startswith("tests/"):
            continue
        plain = re.sub(r"^[ \t]*#.*$", "", tree.code(text), flags=re.M)
        for name, first, last in functions(plain):
            if last - first + 1 > FUNCTION_LINES:
                findings.add(path, first, f"{name}: {last - first + 1} lines, {FUNCTION_LINES} at most")
    findings.finish()


main()
