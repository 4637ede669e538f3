#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Rules that a pattern can check: `check_source.py [RULE …]`, all of RULES without one.

A rule says where it looks, what it looks for, and shows a bad and a good file. `./dev check self` runs every example.
"""

import dataclasses
import os
import re
import sys
import typing

import source_tree as tree

PRODUCT = ("include", "src")
CODE = (".hpp", ".cpp", ".h", ".c")

# How a rule reads a file.
PATH = "path"                # its path alone
RAW = "raw"                  # as it is
STATEMENTS = "statements"    # without comments, strings emptied
DIRECTIVES = "directives"    # without comments


@dataclasses.dataclass
class Rule:
    name: str
    says: str
    patterns: tuple                          # of (pattern, message); {} in a message is the text found
    bad: tuple                               # of (path, contents, part of what has to be said)
    good: tuple                              # of (path, contents)
    folders: tuple = PRODUCT
    suffixes: tuple = CODE
    reads: str = STATEMENTS
    applies: typing.Callable = lambda path: True
    excuses: typing.Callable = lambda path, text, match: False


def is_hosted_source(path):
    return path.startswith("src/") and tree.room(path) in tree.HOSTED_ROOMS


C_FACE = re.compile(r"\s*(__cplusplus|defined\(__cplusplus\)|VFSPROTO_H)\s*$")


def may_be_conditional(path, _text, match):
    condition = match.group(2)
    if path.endswith("vfsproto.h") and C_FACE.match(condition):
        return True
    # Asio has to be told of coroutines before its first header, and may have been told already.
    return os.path.basename(path) == "asio_prefix.hpp" and condition.strip() == "BOOST_ASIO_HAS_CO_AWAIT"


MEMBER_CALL = re.compile(r"(?:\.|->|::|~)\s*$")


def is_not_the_word(path, text, match):
    """`= delete`, a member called free(), and the orderings where they are made."""
    word, before = match.group(0), text[max(0, match.start() - 40):match.start()]
    if word.startswith("__"):
        return path == "include/vfsproto/base/fence.hpp"
    if word == "delete":
        return re.search(r"=\s*$", before) is not None
    if word in ("free", "try", "catch"):
        names_something = MEMBER_CALL.search(before) or re.search(r"[\w>&*\]]\s+$", before)
        return bool(names_something) or (word == "free" and text[match.end():match.end() + 1] != "(")
    return False


def version():
    return re.search(r"project\(vfsproto VERSION (\S+)", tree.read("CMakeLists.txt")).group(1)


def is_current(_path, text, match):
    """The newest section is `Unreleased` or the project's version, and has an entry."""
    if text[:match.start()].count("\n## [") or text.startswith("## ["):
        return True
    return match.group(1) in ("Unreleased", version())


RULES = (
    Rule("names", "A file is named after the thing in it.",
         ((r"(?:^|[/_])(?:utils?|utilities|common|helpers?|managers?|misc|stuff|impl\d*)(?:_[^/]*)?\.\w+$",
           "a name that says nothing: name the thing"),
          (r"(?:^|/)[^/]*[^a-z0-9_/][^/]*\.\w+$", "file names are snake_case")),
         folders=(), suffixes=CODE + (".py",), reads=PATH,
         bad=(("src/posix/path_utils.cpp", "\n", "says nothing"), ("src/posix/Path.cpp", "\n", "snake_case")),
         good=(("src/posix/open_file.cpp", "\n"), ("src/posix/implied.cpp", "\n"))),
    Rule("bools", "A public function has no boolean parameter: an enum says at the call what it means.",
         ((r"(?<=[(,])\s*(?:const\s+)?bool\s+(\w+)\s*(?=[,)=])", "a boolean parameter: use an enum, or two functions"),),
         folders=("include",),
         bad=(("include/vfsproto/posix/a.hpp", "void open(int fd, bool write);\n", "boolean parameter"),),
         good=(("include/vfsproto/posix/b.hpp", "bool is_open() const; // (bool x)\nbool x = false;\n"),)),
    Rule("once", "A header may be included twice.",
         ((r"\A(?!(?:.*\n)*#pragma once)", "no #pragma once"),),
         folders=("include", "src", "tests", "bench", "fuzz", "examples"), suffixes=(".hpp",), reads=DIRECTIVES,
         applies=lambda path: not path.startswith("bench/baseline/"),
         bad=(("src/posix/a.hpp", "int x();\n", "no #pragma once"),),
         good=(("src/posix/a.hpp", "// A comment.\n#pragma once\n"),)),
    Rule("opcode_switch", "Nothing switches over opcodes: everything derives from the op table.",
         tuple((pattern, "a switch over opcodes: derive it from op_table.hpp") for pattern in
               (r"\bswitch\s*\([^{;]*[Oo]pcode", r"\bcase\s+(?:\w+::)*Opcode::", r"\bcase\s+FUSE_[A-Z0-9_]+\s*:")),
         folders=("include", "src", "fuzz", "tests", "examples", "ports"),
         bad=(("src/fuse/wire/a.cpp", "switch (header.opcode) {\n}\n", "switch over opcodes"),
              ("src/fuse/wire/b.cpp", "case wire::Opcode::read:\n", "switch over opcodes")),
         good=(("src/fuse/wire/c.cpp", "// switch (opcode) is a defect\n"),)),
    Rule("ifdefs", "Conditional compilation stays in config.hpp and base/.",
         ((r"(?m)^[ \t]*#[ \t]*(if|ifdef|ifndef|elif)\b(.*)$", "'{}' outside config.hpp and base/"),),
         reads=DIRECTIVES, applies=lambda path: tree.room(path) not in ("config", "base"), excuses=may_be_conditional,
         bad=(("src/posix/a.cpp", "#ifdef __linux__\n#endif\n", "#ifdef __linux__' outside"),),
         good=(("include/vfsproto/config.hpp", "#ifndef A\n#define A 1\n#endif\n"),)),
    Rule("reinterpret", "reinterpret_cast lives in base/, in layout headers, and where system calls are made.",
         ((r"\breinterpret_cast\b", "reinterpret_cast outside base/ and layout headers"),),
         applies=lambda path: not (tree.room(path) == "base" or path.endswith("_layout.hpp") or is_hosted_source(path)),
         bad=(("src/virtqueue/a.cpp", "auto p = reinterpret_cast<int*>(q);\n", "outside base/"),),
         good=(("src/virtqueue/a_layout.hpp", "auto p = reinterpret_cast<int*>(q);\n"),
               ("src/posix/a.cpp", "auto p = reinterpret_cast<int*>(q);\n"))),
    Rule("freestanding", "The freestanding part has no exceptions, heap, RTTI, hosted types or floating point.",
         ((r"\b(?:throw|catch|try)\b", "'{}' below the line: exceptions"),
          (r"(?<![:<])\b(?:new|delete|malloc|calloc|realloc|free)\b(?!\s*\]?\s*\)?\s*noexcept\s*=)", "'{}' below the line: heap"),
          (r"\b(?:dynamic_cast|typeid)\b", "'{}' below the line: RTTI"),
          (r"\bstd::(?:function|string|string_view|vector|map|shared_ptr|unique_ptr|atomic\w*|mutex|thread)\b",
           "'{}' below the line: a hosted type"),
          (r"\bthread_local\b", "'{}' below the line: thread-local storage"),
          (r"\b(?:float|double)\b", "'{}' below the line: floating point"),
          (r"(?<!asm )(?<!__asm__ )\bvolatile\b", "'{}' below the line: volatile outside asm"),
          (r"\b__(?:atomic|sync)_\w+", "'{}' outside base/fence.hpp: an ordering")),
         applies=tree.is_freestanding, excuses=is_not_the_word,
         bad=(("src/base/a.cpp", "int* p = new int;\n", "'new' below the line"),
              ("src/base/c.cpp", "void f() { throw 1; }\n", "'throw' below the line"),
              ("src/base/d.cpp", "std::string s;\n", "a hosted type"),
              ("src/virtqueue/e.cpp", "__atomic_thread_fence(5);\n", "base/fence.hpp")),
         good=(("src/base/b.cpp", "struct S { S(const S&) = delete; };\n"),
               ("src/base/h.cpp", "auto* p = ::new (&room) Request;\n"),
               ("src/base/f.cpp", "// throw new std::string\nconst char* s = \"throw\";\n"),
               ("src/posix/g.cpp", "std::string s;\n"))),
    # A blank, quote or bracket before the slash tells a path from a part of an address on the web or of another path.
    Rule("paths", "No path of somebody's machine stands in the tree.",
         ((r"(?m)(?:^|(?<=[\s\"'`(=:]))/(?:home|root|work|workspace|Users|mnt)/[\w.+-]+", "a path of one machine: {}"),),
         folders=(), suffixes=(), reads=RAW,
         applies=lambda path: not path.startswith("fuzz/corpus/"),
         bad=(("docs/a.md", "see /home" + "/somebody/notes\n", "a path of one machine"),),
         good=(("docs/b.md", "https://example.org/home/page\n"),)),
    Rule("temporary", "A temporary file is made by mktemp, never named.",
         ((r"(?m)(?:^|(?<=[\s\"'`(=:]))/tmp/[\w.+-]+", "a temporary file by name: {}"),),
         folders=("include", "src", "tools", "examples", "bench"), suffixes=(), reads=RAW,
         applies=lambda path: path != "tools/check_source.py",
         bad=(("src/cli/a.cpp", 'open("/tmp/socket");\n', "a temporary file by name"),),
         good=(("docs/a.md", "mount it on /tmp/x\n"),)),
    Rule("changelog", "The newest section of CHANGELOG.md is [Unreleased] or the project's version, and says something.",
         ((r"\A(?!(?:.*\n)*## \[)", "no section '## [Unreleased]'"),
          (r"(?m)^## \[([^\]]+)\].*$", "the newest section is not the project's version"),
          (r"\A(?:(?!## \[).*\n)*## \[.*\n(?:(?!## \[|- ).*\n)*(?=## \[|\Z)", "the newest section says nothing")),
         folders=(), suffixes=("CHANGELOG.md",), reads=RAW,
         excuses=lambda path, text, match: match.re.groups == 1 and is_current(path, text, match),
         bad=(("CHANGELOG.md", "# Changelog\n\n## [Unreleased]\n\n## [0.0.1]\n- x\n", "says nothing"),
              ("CHANGELOG.md", "# Changelog\n\n## [0.0.9]\n- x\n", "not the project's version"),
              ("CHANGELOG.md", "# Changelog\n", "no section")),
         good=(("CHANGELOG.md", "# Changelog\n\n## [Unreleased]\n\n### base\n- x\n\n## [0.0.9]\n- y\n"),)),
)


def text_of(path, reads):
    if reads == PATH:
        return path
    text = tree.read(path)
    return text if reads == RAW else tree.code(text, keep_strings=reads == DIRECTIVES)


def check(rule):
    findings = tree.Findings(rule.name)
    patterns = [(re.compile(pattern), message) for pattern, message in rule.patterns]
    for path in tree.files(rule.suffixes, rule.folders):
        if not rule.applies(path):
            continue
        text = text_of(path, rule.reads)
        for pattern, message in patterns:
            for match in pattern.finditer(text):
                if not rule.excuses(path, text, match):
                    findings.add(path, tree.line_of(text, match.start()), message.format(match.group(0).strip()))
    return findings


def main():
    wanted = sys.argv[1:] or [rule.name for rule in RULES]
    unknown = set(wanted) - {rule.name for rule in RULES}
    if unknown:
        sys.exit(f"no check and no rule {', '.join(sorted(unknown))}; ./dev check --list names them")
    failed = [rule.name for rule in RULES if rule.name in wanted and not check(rule).report()]
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
