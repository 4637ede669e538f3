#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# ./dev demo: files through an embedded server, then through a real virtiofsd, and a table of what was done.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

tools/setup.sh
tools/build.sh release

vfsproto=$root/build/release/vfsproto
virtiofsd=/usr/lib/qemu/virtiofsd
scratch=""
[[ -d /dev/shm && -w /dev/shm ]] && scratch=$(mktemp -d -p /dev/shm vfsproto-demo.XXXXXX) # figures want a tmpfs
[[ -n $scratch ]] || scratch=$(mktemp -d)
daemon=""
stop_daemon() {
    if [[ -n $daemon ]]; then
        kill "$daemon" 2>/dev/null || true
        wait "$daemon" 2>/dev/null || true
        daemon=""
    fi
}
trap 'stop_daemon; rm -rf "$scratch"' EXIT

failed=0
table=()
row() { table+=("$(printf '%-10s  %-36s  %-7s  %s' "$1" "$2" "$3" "$4")"); }
title() { printf '\n---- %s\n' "$*"; }

make_sample() {
    mkdir -p sample/docs sample/data/deep
    printf 'Hello from a file system without a mount.\n' >sample/docs/hello.txt
    seq 1 20000 >sample/data/numbers.txt
    ln -s ../docs/hello.txt sample/data/link
    ln sample/docs/hello.txt sample/data/deep/same-file
    truncate -s 64M sample/data/sparse
    head -c 64M /dev/urandom >sample/data/random
    head -c 24M /dev/urandom >upload
}

# A daemon serves one connection and leaves: one is started for each command.
start_daemon() {
    stop_daemon
    rm -f vfs.sock
    "$virtiofsd" -f --socket-path="$PWD/vfs.sock" -o source="$PWD/sample" -o sandbox=chroot -o xattr -o log_level=err \
        >virtiofsd.log 2>&1 &
    daemon=$!
    local deadline=$((SECONDS + 5))
    until [[ -S vfs.sock ]]; do
        if [[ $SECONDS -ge $deadline ]] || ! kill -0 "$daemon" 2>/dev/null; then
            cat virtiofsd.log >&2
            return 1
        fi
        sleep 0.02
    done
}

# on DEVICE-NAME COMMAND…: runs the program against that device.
on() {
    local device=dir:sample
    if [[ $1 == virtiofsd ]]; then
        start_daemon || return 1
        device=vhost-user:vfs.sock
    fi
    shift
    "$vfsproto" --device "$device" "$@"
}

# shown NAME LINES COMMAND…: says the command, runs it, shows at most so many lines, notes how it went.
shown() {
    local name=$1 lines=$2 status=0 total device=dir:sample
    shift 2
    [[ $name == virtiofsd ]] && device=vhost-user:vfs.sock
    printf '\n$ vfsproto --device %s %s\n' "$device" "$*"
    on "$name" "$@" >output 2>&1 || status=$?
    head -n "$lines" output
    total=$(wc -l <output)
    if [[ $total -gt $lines ]]; then echo "… and $((total - lines)) more"; fi
    note "$name" "$1" "$status" "$total line(s)"
}

note() {
    if [[ $3 == 0 ]]; then
        row "$1" "$2" "done" "$4"
    else
        row "$1" "$2" FAILED "exit $3"
        failed=1
    fi
}

copy_there_and_back() {
    local name=$1 status=0 before after
    rm -f download sample/data/upload
    printf '\n$ vfsproto put upload /data/upload && vfsproto get /data/upload download && sha256sum upload download\n'
    { on "$name" put upload /data/upload && on "$name" get /data/upload download; } || status=$?
    if [[ $status == 0 ]]; then
        sha256sum upload download
        before=$(sha256sum <upload)
        after=$(sha256sum <download)
        [[ $before == "$after" ]] || status=1
    fi
    note "$name" "put, get, compare sha256 (24 MiB)" "$status" "equal"
}

measure() {
    local name=$1 op=$2 bs=$3 depth=$4 status=0 figure=""
    printf '\n$ vfsproto bench --op %s --bs %s --iodepth %s --seconds 3 --path /data/random\n' "$op" "$bs" "$depth"
    on "$name" --json bench --op "$op" --bs "$bs" --iodepth "$depth" --seconds 3 --path /data/random >bench.json ||
        status=$?
    if [[ $status == 0 ]]; then
        figure=$(python3 -c '
import json
r = json.load(open("bench.json"))
print("{:,.0f} ops/s, {:,.0f} MiB/s, p50 {:.1f} us, p99 {:.1f} us".format(
    r["ops_per_second"], r["bytes_per_second"] / 2**20, r["p50_us"], r["p99_us"]))') || status=1
        echo "$figure"
    fi
    note "$name" "bench $op, $bs bytes, depth $depth, 3 s" "$status" "$figure"
}

tour() {
    local name=$1
    shown "$name" 18 info
    shown "$name" 12 tree
    shown "$name" 3 cat /docs/hello.txt
    copy_there_and_back "$name"
    measure "$name" read 4096 1
}

cd "$scratch"
make_sample
title "1. An embedded server in the same process: no daemon, no virtual machine, no root"
tour embedded
title "2. Debian's virtiofsd behind a vhost-user socket, this time as a real peer"
if [[ ! -x $virtiofsd ]]; then
    row virtiofsd "everything" skipped "$virtiofsd is not there (package qemu-system-common)"
elif [[ $(id -u) != 0 ]]; then
    row virtiofsd "everything" skipped "virtiofsd -o sandbox=chroot needs root"
else
    tour virtiofsd
fi

title "What was done"
printf '%-10s  %-36s  %-7s  %s\n' device what result detail
printf '%s\n' "${table[@]}"
exit $failed
