#!/bin/bash
# Get one of the kernels of kernels.txt and print the folder it lies in:
#   vmlinuz  config  version  arch  lib/modules/VERSION   (and busybox, for another architecture)
set -eu
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=apt.sh
. "$vm_dir/apt.sh"

usage() {
    cat <<EOF
usage: $vm_prog [--update] KERNEL
KERNEL is one of: $(vm_kernel_ids)
  --update  look for a newer package although one is cached
Exit status: 0 fetched, 2 usage, 77 cannot be fetched here.
EOF
}

update=no
while [ $# -gt 0 ]; do
    case $1 in
    --update) update=yes ;;
    -h | --help) usage; exit 0 ;;
    -*) vm_usage "unknown option $1: try $vm_prog --help" ;;
    *) break ;;
    esac
    shift
done
[ $# -eq 1 ] || { usage >&2; exit 2; }
kernel=$1
arch=$(vm_kernel_row "$kernel" 2)
[ -n "$arch" ] || vm_usage "unknown kernel '$kernel': known are $(vm_kernel_ids); add a row to tests/vm/kernels.txt"

vm_cache_open
out=$vm_cache/kernels/$kernel
if [ $update = no ] && [ -e "$out/version" ]; then
    printf '%s\n' "$out"
    exit 0
fi

vm_need apt-get apt
vm_need dpkg-deb dpkg
vm_need depmod kmod

vm_lock fetch
if [ $update = no ] && [ -e "$out/version" ]; then
    printf '%s\n' "$out"
    exit 0
fi

mkdir -p "$vm_cache/kernels"
tmp=$(mktemp -d "$vm_cache/kernels/.fetch.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

# A package may be indexed and yet gone from the mirror, so a few of the newest are tried.
download_newest() { # PATTERN
    local name names
    names=$(apt-cache -c "$apt_conf" pkgnames linux- | grep -xE "$1" | sort -rV | head -3 || true)
    [ -n "$names" ] || { reason="no package matches $1"; return 1; }
    for name in $names; do
        case $name in
        linux-binary-*) set -- "$name" "linux-modules-${name#linux-binary-}" "linux-base-${name#linux-binary-}" ;;
        *) set -- "$name" ;;
        esac
        ! apt_download "$@" || return 0
    done
    return 1
}

# modules.dep is not in the packages. Names and places differ by release, so they are made the same here.
unpack() {
    local deb dir version
    mkdir -p "$tmp/x" "$tmp/new/lib/modules"
    for deb in "$tmp"/deb/*.deb; do
        dpkg-deb -x "$deb" "$tmp/x" || { reason="cannot unpack ${deb##*/}"; return 1; }
    done
    for dir in "$tmp"/x/lib/modules/* "$tmp"/x/usr/lib/modules/*; do
        [ ! -d "$dir" ] || mv "$dir" "$tmp/new/lib/modules/"
    done
    version=$(cd "$tmp/new/lib/modules" && echo *)
    dir=$tmp/new/lib/modules/$version
    mv "$tmp/x/boot/vmlinuz-$version" "$tmp/new/vmlinuz" 2>/dev/null || mv "$dir/vmlinuz" "$tmp/new/vmlinuz" 2>/dev/null ||
        { reason="no vmlinuz in $(cd "$tmp/deb" && echo *)"; return 1; }
    mv "$tmp/x/boot/config-$version" "$tmp/new/config" 2>/dev/null || cp "$dir/config" "$tmp/new/config" ||
        { reason="no config in $(cd "$tmp/deb" && echo *)"; return 1; }
    depmod -b "$tmp/new" "$version" || { reason="depmod failed on $version"; return 1; }
    printf '%s\n' "$arch" >"$tmp/new/arch"
    printf '%s\n' "$version" >"$tmp/new/version"
}

# Only a kernel of another architecture needs a userland of its own: one static program.
foreign_busybox() {
    [ "$arch" != "$(dpkg --print-architecture)" ] || return 0
    apt_open "$(apt_own_suite)" "$arch" && apt_download busybox-static || return 1
    dpkg-deb --fsys-tarfile "$tmp"/deb/busybox-static_*.deb | tar -xf - -O --wildcards '*/bin/busybox' >"$tmp/new/busybox" ||
        { reason="no busybox in busybox-static:$arch"; return 1; }
    chmod 755 "$tmp/new/busybox"
}

fetched=no
while read -r suite pattern; do
    if apt_open "$suite" "$arch" && download_newest "$pattern" && unpack && foreign_busybox; then
        fetched=yes
        break
    fi
    rm -rf "$tmp/x" "$tmp/new"
done < <(awk -v id="$kernel" '$1 == id { print $3, $4 }' "$vm_dir/kernels.txt")
[ $fetched = yes ] || vm_skip "kernel $kernel cannot be fetched: $reason"

rm -rf "$out"
mv "$tmp/new" "$out"
printf '%s\n' "$out"
