#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# fuzz.sh TARGET SECONDS: seeds from fuzz/corpus/TARGET, findings to build/fuzz/found. 0 seconds: the seeds alone, once.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$1 seconds=$2
program=build/fuzz/fuzz/fuzz_$target
mkdir -p "build/fuzz/corpus/$target" build/fuzz/found
folders=("build/fuzz/corpus/$target")
if [[ -d fuzz/corpus/$target ]]; then folders+=("fuzz/corpus/$target"); fi
if [[ $seconds == 0 ]]; then
    exec "$program" -runs=0 "${folders[@]}"
fi
exec "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/found/$target-" "${folders[@]}"
