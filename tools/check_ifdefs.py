#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Conditional compilation stays in config.hpp and base/."""

import re

import source_tree as tree

DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(if|ifdef|ifndef|elif)\b(.*)$", re.M)
# What has to tell another library of a compiler it does not know.
HOSTS = ("include/vfsproto/posix/asio_prefix.hpp",)
C_FACE = re.compile(r"\s*(__cplusplus|defined\(__cplusplus\)|VFSPROTO_H)\s*$")

# What a library we do not own has to be told before its first header, and may have been told already.
ALLOWED = {"include/vfsproto/posix/asio_prefix.hpp": "BOOST_ASIO_HAS_CO_AWAIT"}


def main():
    findings = tree.Findings("ifdefs")
    for path in tree.sources(("include", "src")):
        if tree.room(path) in ("config", "base") or path in HOSTS:
            continue
        text = tree.code(tree.read(path), keep_strings=True)
        for match in DIRECTIVE.finditer(text):
            if path.endswith("vfsproto.h") and C_FACE.match(match.group(2)):
                continue
            if ALLOWED.get(path) == match.group(2).strip():
                continue
            findings.add(path, tree.line_of(text, match.start()), f"#{match.group(1)} outside config.hpp and base/")
    findings.finish()


main()
