#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# run.sh PACKAGE: installs the package into a bare root, as apt does it, and uses what it brings there. Wants root, and a mirror of
# Debian.
set -euo pipefail
package=$(readlink -f "$1")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
root=$scratch/root

fail() {
    echo "package test: $*" >&2
    exit 1
}

mmdebstrap --quiet --variant=apt --customize-hook="copy-in '$package' /tmp" \
    --customize-hook="chroot \"\$1\" apt-get install --quiet --yes /tmp/$(basename "$package")" bookworm "$root" \
    >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2; fail "it cannot be installed"; }
# A served directory is opened by way of /proc.
inside() {
    # shellcheck disable=SC2016 # the inner shell expands them
    unshare --mount sh -c 'mount -t proc proc "$1/proc" && exec chroot "$@"' inside "$root" \
        /usr/bin/env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin "$@"
}

[[ $(inside vfsproto --version) == "vfsproto "* ]] || fail "no version"
[[ $(inside vfsproto --device dir:/etc cat hostname) == "$(cat "$root/etc/hostname")" ]] || fail "no file comes"
inside sh -c 'ldconfig -p' | grep -q 'libvfsproto.so' || fail "the shared library is not known to the loader"
for file in man/man1/vfsproto.1 bash-completion/completions/vfsproto zsh/vendor-completions/_vfsproto \
    fish/vendor_completions.d/vfsproto.fish doc/vfsproto/README.md doc/vfsproto/LICENSE; do
    [[ -s $root/usr/share/$file || -s $root/usr/share/$file.gz ]] || fail "no $file"
done
for file in posix.hpp posix/mount.hpp; do
    [[ -s $root/usr/include/vfsproto/$file ]] || fail "no header $file"
done
inside dpkg --verify vfsproto >"$scratch/differs"
[[ ! -s $scratch/differs ]] || fail "installed otherwise than packed: $(cat "$scratch/differs")"
inside dpkg --purge vfsproto >/dev/null 2>&1 || fail "it cannot be removed"
[[ ! -e $root/usr/include/vfsproto ]] || fail "it leaves headers behind"
echo "package test: ok"
