#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# run.sh [BUILD]: installs a build (build/release unless given) into an empty prefix, then builds and runs outside programs
# against that prefix alone: with find_package, with find_package COMPONENTS core, and with pkg-config, each with both compilers.
# Last a project that takes the sources in by FetchContent.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
root=$(cd ../.. && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/prefix

quietly() { "$@" >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2; echo "install test: failed: $*" >&2; exit 1; }; }

quietly cmake --install "$root/${1:-build/release}" --prefix "$prefix"
# Nothing of the build tree may be needed, or named in what was installed.
if grep -rIl -- "$root" "$prefix" >&2; then
    echo "install test: the files above name the source tree" >&2
    exit 1
fi
cp ./*.cpp CMakeLists.txt "$scratch"
prefix_libraries=$(dirname "$(find "$prefix" -name libvfsproto.so)")

for compiler in g++ clang++-14; do
    for core_only in OFF ON; do
        build=$scratch/build-$compiler-$core_only
        quietly cmake -S "$scratch" -B "$build" -G Ninja -DCMAKE_CXX_COMPILER=$compiler -DCMAKE_PREFIX_PATH="$prefix" \
            -DOUTSIDE_CORE_ONLY=$core_only
        quietly cmake --build "$build"
        quietly "$build/core"
        [[ $core_only == ON ]] && continue
        quietly "$build/hosted"
        quietly "$build/shared"
        quietly "$build/shared_core"
        quietly grep -q 'NEEDED.*libvfsproto\.so\.' <(readelf -d "$build/shared")
    done
    PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name vfsproto.pc)")
    PKG_CONFIG_LIBDIR=$PKG_CONFIG_PATH:$(pkg-config --variable pc_path pkg-config)
    export PKG_CONFIG_PATH PKG_CONFIG_LIBDIR
    for package in vfsproto-core:core vfsproto:hosted; do
        program=$scratch/${package#*:}-$compiler
        # shellcheck disable=SC2046 # the flags are several words
        quietly $compiler -std=c++20 "$scratch/${package#*:}.cpp" -o "$program" \
            $(pkg-config --cflags --libs "${package%:*}")
        LD_LIBRARY_PATH=$prefix_libraries quietly "$program"
    done
done
# The shared library shows nothing but ours. Some names are too long to be demangled.
strangers=$(nm -D --defined-only --demangle "$(find "$prefix" -name libvfsproto.so)" | cut -d' ' -f3- |
    grep -vE 'vfsproto::|^_ZNK?8vfsproto' || true)
if [[ -n $strangers ]]; then
    echo "install test: the shared library shows $strangers" >&2
    exit 1
fi
quietly "$prefix/bin/vfsproto" --help
quietly cmake -S inside -B "$scratch/inside" -G Ninja -DVFSPROTO_ROOT="$root"
quietly cmake --build "$scratch/inside" --target core
quietly "$scratch/inside/core"
if cmake --install "$scratch/inside" --prefix "$scratch/nothing" >/dev/null 2>&1 && [[ -e $scratch/nothing ]]; then
    echo "install test: a project that takes the sources in installs them" >&2
    exit 1
fi
echo "install test: ok"
