#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# build.sh PRESET [options of cmake --build]: configures and builds; shows what the tools said only when they fail.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=$1
shift
log=build/$preset.log
mkdir -p build
echo "== build $preset" >&2
failed() {
    echo "./dev: build $preset failed; all of it is in $log" >&2
    exit 1
}
if ! cmake --preset "$preset" >"$log" 2>&1; then
    tail -40 "$log" >&2
    failed
fi
if ! cmake --build --preset "$preset" -j "$(nproc)" "$@" >"$log" 2>&1; then
    grep -vE '^\[[0-9]+/[0-9]+\] ' "$log" | tail -60 >&2
    failed
fi
