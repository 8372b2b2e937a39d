#!/bin/bash
# Make the root image of `run.sh --python`, an ext4 file system of Debian packages, and print its path: this system's own
# as they are installed, or, for another architecture, those of the same names and the same suite.
# usage: image.sh [ARCH]
set -eu
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=apt.sh
. "$vm_dir/apt.sh"

own_arch=$(dpkg --print-architecture)
arch=${1:-$own_arch}
vm_cache_open
vm_need dpkg-query dpkg
vm_need mke2fs e2fsprogs
vm_need ldconfig libc-bin

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# Python packages need others that dpkg knows and ldd does not. Of alternatives, the first one installed.
python_needs() { # PACKAGE
    local group name
    dpkg-query -W -f '${Pre-Depends}, ${Depends}\n' "$1" | sed 's/([^)]*)//g; s/:any//g; s/|/ /g' | tr , '\n' | while read -r group; do
        for name in $group; do
            case $name in python3* | libpython3*) ;; *) continue ;; esac
            installed "$name" || continue
            echo "$name"
            break
        done
    done
}

# Any change of what is installed makes another image: libraries come from packages that no list names.
key=$({
    echo "$arch"
    cat "$vm_dir"/{image.sh,lib.sh,apt.sh,image.txt}
    dpkg-query -W -f '${Package} ${Version} ${Architecture}\n'
} | sha256sum | cut -c1-16)
image=$vm_cache/image/debian-$arch-$key.ext4
if [ -e "$image" ]; then
    printf '%s\n' "$image"
    exit 0
fi
mkdir -p "$vm_cache/image"
vm_lock image
if [ -e "$image" ]; then
    printf '%s\n' "$image"
    exit 0
fi

packages=
wanted=
for name in $(vm_words image.txt); do
    if installed "${name%\?}"; then
        wanted="$wanted ${name%\?}"
    elif [ "$name" = "${name%\?}" ]; then
        vm_skip "package $name is not installed: run scripts/deps.sh, or apt-get install $name"
    fi
done
queue=$wanted
while [ "$arch" = "$own_arch" ] && [ -n "${queue// /}" ]; do
    next=
    for name in $queue; do
        case " $packages " in *" $name "*) continue ;; esac
        packages="$packages $name"
        case $name in python3* | libpython3*) next="$next $(python_needs "$name" | paste -sd' ')" ;; esac
    done
    queue=$next
done

vm_note "making the root image, once"
rm -rf "$vm_cache"/image/.make.*
tmp=$(mktemp -d "$vm_cache/image/.make.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
root=$tmp/root
mkdir -p "$root"/usr/local/{bin,sbin,lib} "$root"/{data-fs,dev,etc,home,mnt,opt,out,proc,root,run,srv,sys,tmp} "$root"/var/{cache,lib,log,spool,tmp}
chmod 1777 "$root/tmp" "$root/var/tmp"
chmod 700 "$root/root"
vm_usr_links "$root"
ln -s ../run "$root/var/run"

# Plain files and links only: a folder in an archive would replace a link that stands in its place.
copy() {
    vm_usr_path | grep -vE '^/usr/share/(doc|doc-base|man|info|locale|lintian|bug|bash-completion|zsh|perl5|mime)/|^/usr/include/' |
        while read -r path; do
            if [ -L "$path" ] || { [ -f "$path" ] && [ -r "$path" ]; }; then printf '%s\n' ".$path"; fi
        done | sort -u | tar -C / --no-recursion -cf - -T - | tar -C "$root" -xf -
}

from_this_system() {
    # shellcheck disable=SC2086
    dpkg -L $packages | copy
    find /etc/alternatives -type l | copy
    libraries
}

libraries() {
    local path dest
    # shellcheck disable=SC2016
    find "$root/usr" -type f \( -perm -u+x -o -name '*.so*' \) -print0 | xargs -0 -n 200 bash -c '. "$0"; vm_libs "$@"' "$vm_dir/lib.sh" |
        sort -u >"$tmp/libs"
    while read -r path; do
        case $path in "$root"/*) continue ;; esac
        dest=$root$(vm_usr_path <<<"$path")
        [ -e "$dest" ] || { mkdir -p "${dest%/*}" && cp -L --preserve=mode,timestamps "$path" "$dest"; }
    done <"$tmp/libs"
}

# No script of a package can run here, so what alternatives would link is linked as on this system.
from_packages() {
    local deb link
    # shellcheck disable=SC2086
    apt_open "$(apt_own_suite)" "$arch" && apt_download_closure $wanted || vm_skip "no root image for $arch: $reason"
    for deb in "$tmp"/deb/*.deb; do
        vm_unpack "$deb" "$root" || vm_skip "cannot unpack ${deb##*/}"
    done
    rm -rf "$tmp/deb" "$root"/usr/share/{doc,doc-base,man,info,locale,lintian,bug,perl,perl5} "$root"/usr/include
    for link in /usr/bin/{awk,nc,which,pager,editor}; do
        [ ! -L "$link" ] || [ -e "$root$link" ] || ln -s "$(readlink -f "$link")" "$root$link"
    done
    [ -e "$root/usr/bin/sh" ] || ln -s dash "$root/usr/bin/sh"
}

if [ "$arch" = "$own_arch" ]; then
    from_this_system
else
    from_packages
fi

cat >"$root/etc/passwd" <<EOF
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
tester:x:1000:1000:an ordinary user:/home:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
EOF
printf '%s\n' root:x:0: daemon:x:1: tty:x:5: disk:x:6: utmp:x:43: users:x:100: tester:x:1000: nogroup:x:65534: >"$root/etc/group"
printf '127.0.0.1 localhost sluice-vm\n::1 localhost\n' >"$root/etc/hosts"
printf 'passwd: files\ngroup: files\nhosts: files\n' >"$root/etc/nsswitch.conf"
printf 'sluice-vm\n' >"$root/etc/hostname"
printf '00000000000000000000000000000001\n' >"$root/etc/machine-id"
ln -sfn /proc/self/mounts "$root/etc/mtab"
mkdir -p "$root/etc"
find "$root/usr/lib" -name '*.so.*' -printf '/%P\n' | sed 's,/[^/]*$,,; s,^,/usr/lib,' | sort -u >>"$root/etc/ld.so.conf"
ldconfig -r "$root" 2>/dev/null

# Compiling is slow under emulation, and the guest's own cache would be thrown away each run.
/usr/bin/python3 -m compileall -qq --invalidation-mode unchecked-hash -s "$root" "$root/usr/lib/python3" "$root"/usr/lib/python3.[0-9]* || true

size=$(du -sm --apparent-size "$root" | cut -f1)
truncate -s $((size * 5 / 4 + 768))M "$tmp/image"
owner=
[ "$(id -u)" = 0 ] || owner=,root_owner=0:0
mke2fs -q -t ext4 -m 0 -E "lazy_itable_init=0,lazy_journal_init=0,nodiscard$owner" -J size=8 -d "$root" "$tmp/image" ||
    vm_fail "mke2fs failed: is there room in $vm_cache?"
rm -f "$vm_cache"/image/debian-"$arch"-*.ext4
mv "$tmp/image" "$image"
printf '%s\n' "$image"
