#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The arrows of docs/architecture.md: who may include whom, and which standard headers."""

import os
import re

import source_tree as tree

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
FREESTANDING_HEADERS = {"cstdint", "cstddef", "span", "array", "concepts", "type_traits", "bit", "limits", "new", "utility",
                        "compare", "initializer_list"}
C_HEADERS = {"stdint.h", "stddef.h", "stdbool.h"}  # for vfsproto.h
QUEUE_SEAMS = {"virtqueue/request_queue.hpp", "virtqueue/device_queue.hpp", "virtqueue/queue_ref.hpp",
               "virtqueue/slots.hpp", "virtqueue/prepared_chain.hpp"}
HOST_GROUND = {"backends/file_descriptor.hpp", "backends/signal_free_thread.hpp"}  # what the hosted rooms below the backends may use of backends/
BACKENDS = {"loopback", "vhost_user", "fuse_stream", "vfio_pci", "virtio_mmio", "passthrough", "memfs", "asio", "logging"}
HOST_LIBRARIES = ("boost/", "fmt/", "spdlog/", "fuse3/", "CLI/", "nlohmann/")

# layer -> layers it may include (itself always). fuse/client and fuse/server see virtqueue/ through QUEUE_SEAMS only.
MAY = {
    "config": set(),
    "base": {"config"},
    "abi": {"config", "base"},
    "virtqueue": {"config", "base"},
    "transport": {"config", "base", "virtqueue"},
    "fuse/wire": {"config", "base", "abi"},
    "fuse/client": {"config", "base", "abi", "fuse/wire", "queue seams"},
    "fuse/server": {"config", "base", "abi", "fuse/wire", "queue seams"},
    "c_api": {"config", "base", "abi", "virtqueue", "transport", "fuse/wire", "fuse/client", "fuse/server", "queue seams"},
}
BELOW = set(MAY) - {"c_api"} | {"queue seams"}
MAY["serving"] = BELOW | {"host ground"}
MAY["backends"] = BELOW | {"serving"}  # a backend: itself, and what lies in backends/ and belongs to none
MAY["posix"] = BELOW | {"serving", "backends"}
# A header that gathers a face's headers, for programs; nothing of ours includes one.
GATHERED = {"client.hpp": "gathered core", "server.hpp": "gathered core", "backends.hpp": "gathered", "posix.hpp": "gathered"}
MAY["gathered core"] = set(BELOW)
MAY["gathered"] = BELOW | {"serving", "backends", "posix"}
MAY["kernel_mount"] = BELOW | {"serving", "backends", "posix"}
MAY["cli"] = BELOW | {"serving", "backends", "posix", "kernel_mount"}

# What a program includes of posix/, and how many headers of ours each shows. A number may fall, and rises only by a face that
# is new, a rule of use that is checked (rule.hpp), the caches, whose choices and moments a mount shows, the lanes beside the
# first, the caller that a walk is judged for, or the map of ids that a program gives: the goal is ten.
FACES = {"mount": 12, "lock": 0, "stop_source": 6, "file": 7, "mount_options": 9, "credentials": 1, "server_change": 0,
         "channel_stats": 0, "mount_stats": 1, "io_queue": 94, "read_pool": 95, "mapped_files": 6, "async_mount": 109,
         "open_device": 16, "failure": 5, "reconnect_options": 17, "reconnecting_mount": 29}


# A folder detail/ holds the insides of its room: headers for the room itself and for the rooms that stand on it. Programs include none,
# ours only these of posix/, which measure and watch what a mount does.
PROGRAMS = {"cli"}
MEASURED = {"posix/detail/" + name for name in
            ("channel.hpp", "node_cache.hpp", "node_ref.hpp", "path_walk.hpp")}


def layer(path):
    """The layer of a file below include/vfsproto or src, by its path below there."""
    if path in ("config.hpp", "version.hpp"):
        return "config"
    if path in GATHERED:
        return GATHERED[path]
    if path == "vfsproto.h":
        return "c_api"
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "fuse" else parts[0]


def backend(path):
    """Which backend a file below backends/ belongs to; None for the ground they share, attachment.hpp above all."""
    name = path.split("/")[1].split(".")[0]
    return name if name in BACKENDS else None


def product_path(including, name):
    """What a quoted include names, below include/vfsproto or src; None when it is nothing of the product."""
    if name.startswith("vfsproto/"):
        return name[len("vfsproto/"):]
    beside = os.path.normpath(os.path.join(os.path.dirname(including), name))
    for candidate in (beside, os.path.join("src", name)):
        if os.path.isfile(os.path.join(tree.ROOT, candidate)):
            if candidate.startswith("src/"):
                return candidate[len("src/"):]
            if candidate.startswith("include/vfsproto/"):
                return candidate[len("include/vfsproto/"):]
            return None
    return None


def check_product_file(findings, path):
    own_path = path.split("/", 2)[2] if path.startswith("include/vfsproto/") else path.split("/", 1)[1]
    own = layer(own_path)
    text = tree.code(tree.read(path), keep_strings=True)
    if own not in MAY:
        findings.add(path, 1, f"no such room in docs/architecture.md: {own}")
        return
    below = own in BELOW or own in ("c_api", "gathered core")
    for match in INCLUDE.finditer(text):
        line, name = tree.line_of(text, match.start()), match.group(2)
        if match.group(1) == "<":
            allowed = FREESTANDING_HEADERS | (C_HEADERS if own == "c_api" else set())
            if below and name not in allowed:
                findings.add(path, line, f"<{name}> below the line: allowed are {', '.join(sorted(allowed))}")
            continue
        target = product_path(path, name)
        if target is None:
            if "tests/" in name or name.startswith("support/"):
                findings.add(path, line, f'product code includes "{name}" of the tests')
            elif name.startswith(HOST_LIBRARIES) and not below:
                pass
            else:
                findings.add(path, line, f'"{name}" is not a header of the product')
            continue
        theirs = layer(target)
        if "/detail/" in target and own in PROGRAMS and target not in MEASURED:
            findings.add(path, line, f"{target} is an inside of {theirs}")
        if theirs == "virtqueue" and own.startswith("fuse/"):
            if own == "fuse/wire" or target not in QUEUE_SEAMS:
                findings.add(path, line, f"{own} sees the queue seams alone, not {target}")
        elif own == "backends" and theirs == "backends":
            mine = backend(own_path)
            if backend(target) not in (mine, None):
                findings.add(path, line, f"backend {mine or 'ground'} includes backend {backend(target)}")
        elif own == "serving" and target in HOST_GROUND:
            pass
        elif theirs != own and theirs not in MAY[own]:
            findings.add(path, line, f"{own} must not include {theirs} ({target})")


def shown_by(header, seen):
    """Adds to `seen` the headers of ours that one includes, however deep."""
    for match in INCLUDE.finditer(tree.code(tree.read("include/vfsproto/" + header), keep_strings=True)):
        target = match.group(2).removeprefix("vfsproto/")
        if match.group(1) == '"' and match.group(2).startswith("vfsproto/") and target not in seen:
            seen.add(target)
            shown_by(target, seen)
    return seen


def check_faces(findings):
    folder = os.path.join(tree.ROOT, "include/vfsproto/posix")
    for name in sorted(os.listdir(folder)):
        face, path = name.removesuffix(".hpp"), "include/vfsproto/posix/" + name
        if name == "detail":
            continue
        if face not in FACES:
            findings.add(path, 1, "an inside of posix/: it belongs into posix/detail/")
            continue
        shown = len(shown_by("posix/" + name, set()))
        if shown > FACES[face]:
            findings.add(path, 1, f"shows {shown} headers of ours, {FACES[face]} before")


def faces():
    """What a program may include: the headers that gather faces, those they gather, and Asio's."""
    found = {"posix/async_mount.hpp"}
    for name in GATHERED:
        if os.path.isfile(os.path.join(tree.ROOT, "include/vfsproto", name)):
            text = tree.code(tree.read("include/vfsproto/" + name), keep_strings=True)
            found |= {match.group(2).removeprefix("vfsproto/") for match in INCLUDE.finditer(text)} | {name}
    return found


def main():
    findings = tree.Findings("layers")
    may_include = faces()
    for path in sorted(name for name in may_include if "/detail/" in name):
        findings.add("include/vfsproto/" + path, 1, "an inside, and yet a gathering header has it")
    if os.path.isdir(os.path.join(tree.ROOT, "include/vfsproto/posix")):
        check_faces(findings)
    for path in tree.sources(("include", "src")):
        check_product_file(findings, path)
    for path in tree.sources(("examples",)):
        text = tree.code(tree.read(path), keep_strings=True)
        for match in INCLUDE.finditer(text):
            beside = os.path.isfile(os.path.join(tree.ROOT, os.path.dirname(path), match.group(2)))
            if match.group(1) == '"' and not match.group(2).startswith("vfsproto/") and not beside:
                findings.add(path, tree.line_of(text, match.start()),
                             "an example includes installed headers and its own alone")
            name = match.group(2).removeprefix("vfsproto/")
            is_port = path.startswith("examples/bare_metal/") # it stands on the seams of docs/porting.md
            if match.group(2).startswith("vfsproto/") and (
                    "/detail/" in name or name not in may_include and not is_port):
                findings.add(path, tree.line_of(text, match.start()), f"{name} is an inside: no gathering header has it")
    findings.finish()


main()
