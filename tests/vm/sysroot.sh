#!/bin/bash
# Headers and libraries to build Sluice for another architecture: make the folder and print its path.
# usage: sysroot.sh ARCH     (Debian's name: arm64)
set -eu
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=apt.sh
. "$vm_dir/apt.sh"

[ $# -eq 1 ] || vm_usage "usage: $vm_prog ARCH"
arch=$1
packages="libc6-dev libbpf-dev libelf-dev zlib1g-dev libyaml-dev libjansson-dev libssl-dev libcurl4-openssl-dev libncurses-dev"

vm_cache_open
vm_need apt-get apt
vm_need dpkg-deb dpkg
vm_lock sysroot
suite=$(apt_own_suite)
out=$vm_cache/sysroot/$suite-$arch
if [ "$(cat "$out/packages" 2>/dev/null)" = "$packages" ]; then
    printf '%s\n' "$out"
    exit 0
fi

mkdir -p "$vm_cache/sysroot"
tmp=$(mktemp -d "$vm_cache/sysroot/.make.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
# shellcheck disable=SC2086
apt_open "$suite" "$arch" && apt_download_closure $packages || vm_skip "no libraries for $arch: $reason"
vm_usr_links "$tmp/new"
for deb in "$tmp"/deb/*.deb; do
    vm_unpack "$deb" "$tmp/new" || vm_skip "cannot unpack ${deb##*/}"
done
printf '%s\n' "$packages" >"$tmp/new/packages"
rm -rf "$out"
mv "$tmp/new" "$out"
printf '%s\n' "$out"
