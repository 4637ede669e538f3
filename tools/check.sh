#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs one check: check.sh NAME [OPTION…]. NAME is a script, tools/check_NAME.py, or a rule of tools/check_source.py.
# `check.sh --list` prints all names in the order they run, the quick ones first.
set -euo pipefail
cd "$(dirname "$0")/.."

checks=(layers sizes names comments spelling shell documents opcode_switch bools freestanding reinterpret ifdefs paths temporary changelog once
        conformance examples operations format headers symbols models tidy self)

name=$1
shift
if [[ $name == --list ]]; then
    printf '%s\n' "${checks[@]}"
elif [[ -f tools/check_$name.py && $name != source ]]; then
    exec python3 "tools/check_$name.py" "$@"
else
    exec python3 tools/check_source.py "$name"
fi
