#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Installs what is missing, quietly and without a question; does nothing, and needs no rights, when nothing is.
# `setup.sh cross`: what the tests on other machines need as well; `setup.sh vm`: what virtual machines need;
# `setup.sh peers`: who our rings talk to in tests/peers (one program of DPDK, 25 MB to fetch, 160 MB installed), and who reads
# what the program says of itself; `setup.sh package`: what makes a package and a bare root to install it into.
# `setup.sh plot`: what draws the plots of docs/bench. `setup.sh release`: what the release build needs, and no more;
# `setup.sh check NAME…`: what these checks need.
set -euo pipefail

release=(g++ cmake ninja-build pkg-config python3 git
    libboost-dev libfmt-dev libspdlog-dev libcli11-dev nlohmann-json3-dev nettle-dev libedit-dev)
packages=("${release[@]}" catch2 libfuse3-dev fuse3
    qemu-system-common clang-14 libclang-rt-14-dev lld clang-format-19 clang-tidy-14 codespell shellcheck valgrind spin)

# of_check NAME: the packages of one check. One that compiles, or runs others, needs all of them.
of_check() {
    case $1 in
        format) echo clang-format-19 ;;
        spelling) echo codespell ;;
        shell) echo shellcheck ;;
        operations) echo g++ ;;
        headers | symbols | models | tidy | self | mutants) printf '%s\n' "${packages[@]}" ;;
    esac
}

case ${1:-} in
    "") ;;
    release) packages=("${release[@]}") ;;
    check)
        wanted=(python3 git)
        for name in "${@:2}"; do mapfile -t -O "${#wanted[@]}" wanted < <(of_check "$name"); done
        packages=("${wanted[@]}") ;;
    cross)
        packages+=(qemu-user g++-aarch64-linux-gnu g++-riscv64-linux-gnu g++-s390x-linux-gnu g++-powerpc-linux-gnu g++-i686-linux-gnu) ;;
    peers) packages+=(dpdk-dev groff-base zsh fish) ;;
    package) packages+=(dpkg-dev mmdebstrap) ;;
    plot) packages+=(gnuplot-nox) ;;
    vm)
        packages+=(qemu-system-x86 linux-image-cloud-amd64 busybox-static kmod fio)
        packages+=(qemu-system-arm qemu-system-misc g++-aarch64-linux-gnu g++-riscv64-linux-gnu) ;;
    *) echo "setup.sh: no packages for '$1'" >&2; exit 2 ;;
esac

command -v dpkg-query >/dev/null || exit 0 # not a Debian: the build says itself what it misses

missing=()
for package in "${packages[@]}"; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [[ $state == installed ]] || missing+=("$package")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

as_root=()
if [[ $(id -u) != 0 ]]; then
    as_root=(sudo)
    command -v sudo >/dev/null || { echo "./dev: not root, no sudo; please install: ${missing[*]}" >&2; exit 2; }
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "== installing ${missing[*]}" >&2
install() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        -o Dpkg::Options::=--force-confold "${missing[@]}" </dev/null >"$log" 2>&1
}
# Package lists may be missing or old: fetch them only when the first try says so.
if ! install && ! { "${as_root[@]}" apt-get update -q </dev/null >"$log" 2>&1 && install; }; then
    tail -20 "$log" >&2
    echo "./dev: apt-get could not install: ${missing[*]}" >&2
    exit 2
fi
