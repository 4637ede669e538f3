#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# fuzz_corpus.sh TARGET: keeps in fuzz/corpus/TARGET the fewest inputs, of those there, of the sessions the simulation writes
# and of what fuzzing found (build/fuzz/corpus), that reach as much of the code as all of them. For the rings' targets.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$1
tools/build.sh fuzz --target "fuzz_$target"
tools/build.sh dev --target sim_virtqueue
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
VFSPROTO_CORPUS=$scratch/sessions build/dev/tests/sim_virtqueue "scripted sessions*" >"$scratch/log"
mkdir -p "$scratch/kept" "$scratch/sessions/$target" "build/fuzz/corpus/$target"
"build/fuzz/fuzz/fuzz_$target" -set_cover_merge=1 -use_counters=0 -max_len=160 "$scratch/kept" "fuzz/corpus/$target" \
    "$scratch/sessions/$target" "build/fuzz/corpus/$target" 2>&1 | tail -1
rm -rf "fuzz/corpus/$target"
cp -r "$scratch/kept" "fuzz/corpus/$target"
