#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# ./dev test: every kind of test once, small, in one build. --full: what CI runs: each test in one build, and what that build alone
# finds. --nightly: all tests in all builds, more machines, and the long runs as well.
# With arguments for ctest: those tests of the dev build, and nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."

scope=small
case ${1:-} in
    --full) scope=full; shift ;;
    --nightly) scope=nightly; shift ;;
esac
export VFSPROTO_TEST_SCOPE=$scope # tests that scale read it: small, full or nightly
results=build/results
rm -rf "$results"
mkdir -p "$results"
jobs=$(nproc)

# run NAME COMMAND…: one stage without test cases of its own; it passes or fails as a whole.
run() {
    local name=$1 start=$SECONDS status=0
    shift
    "$@" || status=$?
    printf '%s\t%d\t%d\n' "$name" "$status" "$((SECONDS - start))" >>"$results/stages.tsv"
    return $status
}

# build PRESET [TARGET…]
build() {
    local preset=$1 targets=()
    shift
    [[ $# == 0 ]] || targets=(--target "$@")
    run "build $preset" tools/build.sh "$preset" ${targets[@]+"${targets[@]}"}
}

# ctest_in PRESET [ctest arguments…]: its test cases are counted from the report.
ctest_in() {
    local preset=$1
    shift
    echo "== test $preset" >&2
    ctest --preset "$preset" -j "$jobs" --output-junit "$PWD/$results/$preset.xml" --test-output-size-passed 4000000 \
        --test-output-size-failed 4000000 "$@" >"$results/$preset.log" 2>&1 ||
        grep -vE '^ *[0-9]+/[0-9]+ Test|^ +Start|Passed' "$results/$preset.log" | tail -100 >&2 || true
}

# part PRESET [ctest arguments…]: the programs, and the tests, of a part of a preset. A test program and its test have the same name.
# With `beside=NAME part …`, the tests of the preset NAME run beside them and beside what follows. With `goes_on=yes part …`, all
# tests run beside what follows.
part() {
    local preset=$1 names=()
    shift
    if ! cmake --preset "$preset" >"$results/$preset.log" 2>&1; then
        tail -40 "$results/$preset.log" >&2
        run "configure $preset" false || true
        return 0
    fi
    mapfile -t names < <(ctest --preset "$preset" -N "$@" | sed -n 's/^ *Test *#[0-9]*: *//p')
    [[ ${#names[@]} -gt 0 ]] || return 0
    build "$preset" "${names[@]}" || return 0
    if [[ -n ${beside:-} ]]; then
        ctest_in "$beside" &
    fi
    if [[ -n ${goes_on:-} ]]; then
        ctest_in "$preset" "$@" &
        return 0
    fi
    ctest_in "$preset" "$@"
}

# each_check NAME…
each_check() {
    local name
    echo "== check" >&2
    for name in "$@"; do
        local status=0 start=$SECONDS
        tools/check.sh "$name" >"$results/check.log" 2>&1 || status=$?
        cat "$results/check.log"
        printf 'check %s\t%d\t%d\t%s\n' "$name" "$status" "$((SECONDS - start))" "$(tail -1 "$results/check.log")" \
            >>"$results/stages.tsv"
    done
}

tools/setup.sh
tools/peers.sh >/dev/null || true # what cannot be had is skipped by the tests, with the reason
if [[ $# -gt 0 ]]; then
    export VFSPROTO_TEST_SCOPE=full # who picks tests wants all of them
    if build dev; then ctest_in dev "$@"; fi
elif [[ $scope == small ]]; then
    if build dev; then ctest_in dev -E '^vm_(bare_metal|iommu|lab|vfio)$'; fi # one machine
    # Each of the others takes as long as all that are left.
    mapfile -t checks < <(tools/check.sh --list | grep -vxE 'tidy|headers|models|symbols')
    each_check "${checks[@]}"
else
    fuzz_seconds=5
    [[ $scope == nightly ]] && fuzz_seconds=600
    run "setup peers" tools/setup.sh peers || true # as below: without it the tests of tests/peers are skipped
    run "setup vm" tools/setup.sh vm || true # without it, the tests that boot machines are skipped and say so
    if [[ $scope == nightly ]] && build dev; then ctest_in dev; fi
    if build gcc; then ctest_in gcc; fi
    mapfile -t checks < <(tools/check.sh --list)
    # Each source includes its header first, so that most of it is seen by every build.
    [[ $scope == nightly ]] || mapfile -t checks < <(printf '%s\n' "${checks[@]}" | grep -vx headers)
    each_check "${checks[@]}"
    run "install" tests/install/run.sh build/gcc || true
    # Each build is one for what it alone finds: ASan for all code, TSan for the libraries with threads, one machine for byte order
    # and word size. What clang says of the product, its lock rules included, clang-tidy repeats, and it sees each file without
    # precompiled headers. At night all of it.
    if [[ $scope == nightly ]]; then
        beside=asan-program part asan
        wait
        beside=tsan-program part tsan
        wait
        run "check mutants" python3 tools/check_mutants.py --all --tests || true
        if build release; then run "install release" tests/install/run.sh build/release || true; fi
        if run "build package" ./dev package; then run "package" tests/package/run.sh build/package/*.deb || true; fi
        machines=(powerpc s390x i686 aarch64 riscv64)
    else
        # Both take a minute to compile and to run, and other tests lead through the code that they find faults in. The commands are
        # one process after the other: they go on while the next build compiles.
        beside=asan-program part asan -E '^(sim_virtqueue|peers)$'
        # unit_posix is one program that takes one CPU for minutes.
        goes_on=yes part tsan -R '^(hostile_client|unit_(posix|serving|loopback|passthrough|vhost_user|vfio_pci))$'
        machines=(powerpc)
    fi
    if run "setup cross" tools/setup.sh cross; then
        for machine in "${machines[@]}"; do
            if build "cross-$machine"; then ctest_in "cross-$machine"; fi
        done
    fi
    wait
    if build fuzz; then
        for source in fuzz/fuzz_*.cpp; do
            [[ -f $source ]] || continue
            name=$(basename "$source" .cpp)
            run "fuzz seeds ${name#fuzz_}" tools/fuzz.sh "${name#fuzz_}" "$fuzz_seconds" >"$results/$name.log" 2>&1 ||
                tail -40 "$results/$name.log" >&2
        done
    fi
fi
python3 tools/count_results.py "$results"
