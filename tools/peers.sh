#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Brings a virtiofsd that this release of Debian does not have: the one in Rust, of the release after it, with the C
# library it wants, into build/peers/. Nothing is installed. Prints its path; does nothing when it is there already.
set -euo pipefail
cd "$(dirname "$0")/.."

release=trixie
packages=(virtiofsd libc6 libgcc-s1 libcap-ng0 libseccomp2)
place=$PWD/build/peers
program=$place/virtiofsd-rust

die() { printf 'peers.sh: %s\n' "$*" >&2; exit 1; }

if [[ -x $program ]]; then
    echo "$program"
    exit
fi
command -v apt-get >/dev/null || die "no apt-get here: the Rust virtiofsd cannot be fetched"
# Takes the mirror this machine has its own packages from. The names after "$" are apt's, not variables.
# shellcheck disable=SC2016
mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
    awk '$3 == "main" && $2 !~ /-/ { print $1; exit }')
[[ -n $mirror ]] || die "apt knows no Debian mirror"

rm -rf "$place"
mkdir -p "$place"/apt/{state/lists/partial,cache/archives/partial} "$place/tree"
: >"$place/apt/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $release main" >"$place/apt/sources.list"
apt_there() {
    apt-get -q -o Dir::Etc::sourcelist="$place/apt/sources.list" -o Dir::Etc::sourceparts=- -o Dir::Etc::preferencesparts=- \
        -o Dir::State="$place/apt/state" -o Dir::State::status="$place/apt/status" -o Dir::Cache="$place/apt/cache" \
        -o APT::Sandbox::User=root -o Acquire::Languages=none "$@" </dev/null >"$place/apt/log" 2>&1 ||
        { tail -5 "$place/apt/log" >&2; die "apt-get $1 failed for $release"; }
}
echo "== fetching the Rust virtiofsd of Debian $release" >&2
apt_there update
(cd "$place/apt/cache" && apt_there download "${packages[@]}")
for package in "$place"/apt/cache/*.deb; do dpkg-deb -x "$package" "$place/tree"; done
rm -rf "$place/apt"

libraries=$place/tree/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || echo "$(uname -m)-linux-gnu")
loader=$(echo "$libraries"/ld-linux-*.so.*)
cat >"$program.new" <<SCRIPT
#!/bin/sh
exec "$loader" --library-path "$libraries" "$place/tree/usr/libexec/virtiofsd" "\$@"
SCRIPT
chmod +x "$program.new"
"$program.new" --version >&2 || die "it was fetched, and does not run"
mv "$program.new" "$program"
echo "$program"
