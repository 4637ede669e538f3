#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The core, built by both compilers with kernel flags: what it needs, what it defines, how large it is."""

import os
import re
import shutil
import subprocess
import tempfile

import source_tree as tree

ALLOWED_UNDEFINED = {"memcpy", "memmove", "memset", "memcmp"}
TEXT_LIMIT = 56 * 1024  # bytes of .text with every operation and the connection, over split rings
# … and of what a port that does not use it does not link: (name, first letters of the objects, limit)
APART = (("packed rings", ("packed_",), 9 * 1024),
         ("pci and mmio", ("virtio_pci", "virtio_mmio", "pci_capabilities"), 12 * 1024),
         ("caches", ("lookup_cache", "attribute_cache", "own_changes"), 8 * 1024),
         ("contents", ("content_cache",), 2 * 1024),
         ("notifications", ("notification", "foreign_changes"), 5 * 1024 + 512),
         ("windows", ("dax_window", "mappings"), 6 * 1024),
         ("locks", ("locks",), 2 * 1024),
         ("permissions", ("permissions", "id_map"), 5 * 1024))
PRESETS = {"freestanding": "g++", "freestanding-clang": "clang++-14"}


def run(*command):
    return subprocess.run(command, cwd=tree.ROOT, check=True, capture_output=True, text=True).stdout


def build(preset):
    run("cmake", "--preset", preset)
    run("cmake", "--build", "--preset", preset, "-j", str(os.cpu_count()))
    return os.path.join("build", preset, "src", "libvfsproto-core.a")


def section_sizes(path):
    sizes = {}
    for line in run("size", "-A", path).splitlines():
        fields = line.split()
        if len(fields) >= 2 and fields[0].startswith(".") and fields[1].isdigit():
            sizes[fields[0]] = sizes.get(fields[0], 0) + int(fields[1])
    return sizes


def total(sizes, prefix):
    return sum(size for name, size in sizes.items() if name == prefix or name.startswith(prefix + "."))


def text_of(archive, scratch, prefixes):
    """Of the objects that only one part needs: its files, and the inline functions they alone hold."""
    members = [name for name in run("ar", "t", archive).split() if name.startswith(prefixes)]
    folder = tempfile.mkdtemp(dir=scratch)
    subprocess.run(["ar", "x", os.path.join(tree.ROOT, archive), *members], cwd=folder, check=True)
    return sum(total(section_sizes(os.path.join(folder, name)), ".text") for name in members)


def check(findings, preset, compiler, scratch):
    archive = build(preset)
    whole = os.path.join(scratch, preset + ".o")
    run("ld", "-r", "--whole-archive", archive, "-o", whole)
    for line in run("nm", "-C", whole).splitlines():
        match = re.match(r"[0-9a-f ]{16} (\S) (.*)", line)
        if not match:
            continue
        kind, symbol = match.groups()
        if kind == "U" and symbol not in ALLOWED_UNDEFINED:
            findings.add(archive, 1, f"{compiler}: needs {symbol}")
        elif kind in "wv":
            findings.add(archive, 1, f"{compiler}: weak and undefined: {symbol}")
        elif kind in "WVu" and "vfsproto::" not in symbol and "std::" not in symbol:
            findings.add(archive, 1, f"{compiler}: weak, and no inline function of ours: {symbol}")
    sizes = section_sizes(whole)
    for name in sizes:
        if name.startswith((".init_array", ".ctors", ".fini_array", ".tdata", ".tbss", ".gcc_except_table")):
            findings.add(archive, 1, f"{compiler}: section {name}: a static constructor, thread storage or exceptions")
    parts = [(name, text_of(archive, scratch, prefixes), limit) for name, prefixes, limit in APART]
    text = total(sizes, ".text") - sum(size for _, size, _ in parts)
    for name, size, limit in [("text", text, TEXT_LIMIT), *parts]:
        if size > limit:
            findings.add(archive, 1, f"{compiler}: {name}: {size} bytes, {limit} at most")
    apart = "".join(f"  {name} {size:5}" for name, size, _ in parts)
    return (f"{compiler:<11} text {text:6}{apart}  rodata {total(sizes, '.rodata'):6}  data {total(sizes, '.data'):5}"
            f"  bss {total(sizes, '.bss'):5}")


def main():
    findings = tree.Findings("symbols")
    missing = [tool for tool in ("cmake", "ninja", "ld", "nm", *PRESETS.values()) if not shutil.which(tool)]
    if missing:
        findings.skip(f"{', '.join(missing)} not installed (./dev setup)")
    figures = []
    with tempfile.TemporaryDirectory() as scratch:
        for preset, compiler in PRESETS.items():
            try:
                figures.append(check(findings, preset, compiler, scratch))
            except subprocess.CalledProcessError as error:
                print((error.stdout or "")[-4000:] + (error.stderr or "")[-4000:])
                findings.add("CMakePresets.json", 1, f"preset {preset} does not build")
    print(f"size figures of the freestanding core, bytes (-O2, limit {TEXT_LIMIT} of text):")
    for figure in figures:
        print("  " + figure)
    findings.finish()


main()
