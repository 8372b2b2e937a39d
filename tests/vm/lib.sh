# shellcheck shell=bash
# Shared by the scripts of this folder; sourced, never run.

umask 022
vm_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
vm_prog=${0##*/}

vm_note() { printf '%s: %s\n' "$vm_prog" "$*" >&2; }
vm_usage() { vm_note "$*"; exit 2; }
# The machine cannot be had here. 77 lets a caller count a skip instead of a failure.
vm_skip() { vm_note "$*"; exit 77; }
vm_fail() { vm_note "$*"; exit 125; }

# vm_need PROGRAM PACKAGE
vm_need() {
    command -v "$1" >/dev/null || vm_skip "$1 is not installed: run scripts/deps.sh, or apt-get install $2"
}

# /usr/sbin is not on every user's PATH, yet depmod, mke2fs and ldconfig live there.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

vm_cache_open() {
    vm_cache=${SLUICE_VM_CACHE:-$vm_dir/../../build/vm}
    mkdir -p "$vm_cache" || vm_fail "cannot create the cache $vm_cache: set SLUICE_VM_CACHE to a folder that can be written"
    vm_cache=$(cd "$vm_cache" && pwd)
    # Keeps gigabytes of kernels out of guests and backups: --tree build leaves out folders tagged so.
    [ -e "$vm_cache/CACHEDIR.TAG" ] ||
        printf 'Signature: 8a477f597d28d172789f06886806bc55\n' >"$vm_cache/CACHEDIR.TAG"
}

# vm_lock NAME: held until vm_unlock or the end of the process.
vm_lock() {
    exec 9>"$vm_cache/$1.lock"
    flock 9
}

vm_unlock() { exec 9>&-; }

# vm_kernel_row ID FIELD: a field of the first row of that kernel, empty when there is none.
vm_kernel_row() {
    awk -v id="$1" -v field="$2" '$1 == id { print $field; exit }' "$vm_dir/kernels.txt"
}

vm_kernel_ids() { awk '!/^#/ && NF { print $1 }' "$vm_dir/kernels.txt" | uniq | paste -sd' '; }

# vm_words FILE: the words of a list of this folder, without its comments.
vm_words() { sed '/^#/d' "$vm_dir/$1"; }

# Debian 12 and later have /bin, /sbin and /lib* as links into /usr: archives must name the real place.
vm_usr_path() { sed -E 's,^/(bin|sbin|lib|lib32|lib64|libx32)(/|$),/usr/\1\2,'; }

# vm_libs PROGRAM...: the shared libraries and loaders they need, one path a line.
vm_libs() {
    { ldd "$@" 2>/dev/null || true; } |
        sed -nE 's/.*=> (\/[^ ]+) .*/\1/p; s/^[[:space:]]+(\/[^ ]+) \(0x.*/\1/p' | sort -u
}

# vm_usr_links ROOT: the folders of /usr and the links that lead to them.
vm_usr_links() {
    local dir
    mkdir -p "$1"/usr/{bin,sbin,lib,lib32,lib64,libx32}
    for dir in bin sbin lib lib32 lib64 libx32; do
        ln -s "usr/$dir" "$1/$dir"
    done
}

# vm_unpack PACKAGE ROOT: tar keeps the links of vm_usr_links, which dpkg-deb -x would refuse or replace.
vm_unpack() {
    dpkg-deb --fsys-tarfile "$1" | tar -xf - -C "$2" --keep-directory-symlink --no-same-owner
}

# vm_foreign_libs SYSROOT PROGRAM: the same for a program of another architecture, from its sysroot; ldd cannot run it.
vm_foreign_libs() {
    local sysroot=$1 queue next seen=' ' file name
    shift
    queue=$*
    while [ -n "$queue" ]; do
        next=
        for name in $(for file in $queue; do readelf -d "$file"; readelf -l "$file"; done 2>/dev/null |
            sed -nE 's/.*\(NEEDED\).*\[([^]]*)\].*/\1/p; s/.*interpreter: .*\/([^]]*)\].*/\1/p'); do
            case $seen in *" $name "*) continue ;; esac
            seen="$seen$name "
            file=$(find "$sysroot/usr/lib" -name "$name" | head -n 1)
            [ -n "$file" ] || continue
            printf '%s\n' "$file"
            next="$next $file"
        done
        queue=$next
    done
}
