#!/bin/bash
# Make the base archive of a kernel, an uncompressed cpio of busybox, the modules and init, and print its path.
# usage: base.sh KERNEL_DIR [MODULE...]
set -eu
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

kernel_dir=$1
shift
version=$(cat "$kernel_dir/version")
vm_cache_open
vm_need busybox busybox-static
vm_need cpio cpio
vm_need depmod kmod
vm_need xz xz-utils

busybox=$kernel_dir/busybox
[ -e "$busybox" ] || busybox=$(command -v busybox)

# busybox's shell takes its own applets before what is on PATH, so sh is Debian's, where the architecture allows.
shell=()
if [ ! -e "$kernel_dir/busybox" ]; then
    vm_need dash dash
    dash=$(command -v dash)
    mapfile -t shell < <(vm_libs "$dash")
fi

key=$({
    printf '%s\n' "$version" "$@"
    cat "$vm_dir"/{base.sh,lib.sh,init,modules.txt} "$busybox" ${shell[@]+"$dash" "${shell[@]}"}
} | sha256sum | cut -c1-16)
base=$vm_cache/base/$version-$key.cpio
if [ -e "$base" ]; then
    touch "$base"
    printf '%s\n' "$base"
    exit 0
fi

mkdir -p "$vm_cache/base"
tmp=$(mktemp -d "$vm_cache/base/.make.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
root=$tmp/root
mkdir -p "$root"/.vm/bin "$root"/usr/{bin,sbin,lib,lib64} "$root"/{dev,etc,proc,root,sys,tmp}
for dir in bin sbin lib lib64; do
    ln -s "usr/$dir" "$root/$dir"
done
cp "$busybox" "$root/.vm/busybox"
cp "$vm_dir/init" "$root/.vm/init"
chmod 755 "$root/.vm/busybox" "$root/.vm/init"
ln -s .vm/init "$root/init"
# Behind every other folder on PATH, so that a real program given by --bin goes first.
for applet in $(busybox --list); do
    ln -s ../busybox "$root/.vm/bin/$applet"
done
# Paths that scripts and the kernel itself spell out.
if [ ${#shell[@]} -gt 0 ]; then
    cp -L "$dash" "$root/usr/bin/sh"
    for path in "${shell[@]}"; do
        dest=$root$(vm_usr_path <<<"$path")
        mkdir -p "${dest%/*}"
        cp -L "$path" "$dest"
    done
else
    ln -s /.vm/busybox "$root/usr/bin/sh"
fi
ln -s /.vm/busybox "$root/usr/bin/env"
ln -s /.vm/busybox "$root/usr/sbin/modprobe"
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n' >"$root/etc/group"
printf '127.0.0.1 localhost sluice-vm\n::1 localhost\n' >"$root/etc/hosts"

# The host's own modprobe settings (blacklists) say nothing about the guest.
closure() { # MODULE: files it needs, itself included, soft dependencies too
    modprobe -C /dev/null -d "$kernel_dir" -S "$version" --show-depends "$1" 2>/dev/null | awk '$1 == "insmod" { print $2 }'
}
known() {
    modprobe -C /dev/null -d "$kernel_dir" -S "$version" --show-depends "$1" >/dev/null 2>&1
}

for module in "$@"; do
    known "$module" || vm_usage "kernel $version has no module $module (nor is it built in)"
done
for module in $(vm_words modules.txt) "$@"; do
    closure "$module"
done | sort -u >"$tmp/modules"

while read -r file; do
    dest=$root/usr/lib/modules/$version/${file#*/lib/modules/"$version"/}
    mkdir -p "${dest%/*}"
    case $file in
    *.xz) xz -dc "$file" >"${dest%.xz}" ;;
    *) cp "$file" "$dest" ;;
    esac
done <"$tmp/modules"
mkdir -p "$root/usr/lib/modules/$version"
for file in modules.builtin modules.builtin.modinfo modules.order; do
    [ ! -e "$kernel_dir/lib/modules/$version/$file" ] || cp "$kernel_dir/lib/modules/$version/$file" "$root/usr/lib/modules/$version/"
done
# modules.order names every module of the kernel; depmod warns of those left out.
depmod -b "$root" "$version" 2>/dev/null

(cd "$root" && find . -mindepth 1 | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) >"$tmp/base.cpio"
mv "$tmp/base.cpio" "$base"
find "$vm_cache/base" -maxdepth 1 -name '*.cpio' -mtime +14 -delete
printf '%s\n' "$base"
