#!/bin/bash
# Get one of the kernels of kernels.txt and print the folder it lies in:
#   vmlinuz  config  version  arch  lib/modules/VERSION   (and busybox, for another architecture)
set -eu
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

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

# Debian's own sources of this system, one "URI SUITE" a line, from both kinds of file.
system_sources() {
    local file
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -f "$file" ] || continue
        sed -nE 's/#.*//; s/^[[:space:]]*deb[[:space:]]+(\[[^]]*\][[:space:]]*)?([^[:space:]]+)[[:space:]]+([^[:space:]]+).*/\2 \3/p' "$file"
    done
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -f "$file" ] || continue
        # A field goes on over lines that start with a blank; comments may stand between them.
        awk '
            function flush(   u, s, i, j, nu, ns) {
                if (tolower(f["enabled"]) != "no" && (" " f["types"] " ") ~ / deb /) {
                    nu = split(f["uris"], u); ns = split(f["suites"], s)
                    for (i = 1; i <= nu; i++) for (j = 1; j <= ns; j++) print u[i], s[j]
                }
                split("", f); name = ""
            }
            /^#/ { next }
            /^[ \t]*$/ { flush(); next }
            /^[ \t]/ { f[name] = f[name] " " $0; next }
            { name = tolower($0); sub(/:.*/, "", name); sub(/^[^:]*:[ \t]*/, ""); f[name] = $0 }
            END { flush() }' "$file"
    done
}

# mirror SUITE: where this system gets that kind of suite from.
mirror() {
    local names='(bullseye|bookworm|trixie|forky|sid|oldoldstable|oldstable|stable|testing|unstable)'
    case $1 in
    *-security) system_sources | grep -E " $names(-security|/updates)\$" ;;
    *) system_sources | grep -E " $names(-updates|-backports)?\$" ;;
    esac | sed -n '1s/ .*//p'
}

# Everything private, so that the system's lists, cache and keys stay as they are; only its proxy settings are shared.
apt_open() { # SUITE ARCH
    local dir=$vm_cache/apt/$1-$2 uri keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    uri=$(mirror "$1")
    [ -n "$uri" ] || { reason="no Debian mirror for $1 in /etc/apt/sources.list and sources.list.d"; return 1; }
    [ -r "$keyring" ] || { reason="$keyring is missing: apt-get install debian-archive-keyring"; return 1; }
    mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial"
    : >"$dir/status"
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$uri" "$1" "$keyring" >"$dir/private.sources"
    cat >"$dir/apt.conf" <<EOF
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear APT::Architectures;
Dir::Etc::sourcelist "$dir/private.sources";
Dir::Etc::sourceparts "-";
Dir::Etc::preferences "-";
Dir::Etc::preferencesparts "-";
Dir::State "$dir/state";
Dir::State::status "$dir/status";
Dir::Cache "$dir/cache";
APT::Architecture "$2";
APT::Architectures { "$2"; };
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::PDiffs "false";
Acquire::Retries "2";
EOF
    apt_conf=$dir/apt.conf
    if ! apt-get -qq -c "$apt_conf" update >"$tmp/log" 2>&1; then
        reason="$1: $(grep -E '^[EW]:' "$tmp/log" | head -1 || true)"
        return 1
    fi
}

apt_download() { # PACKAGE..., into $tmp/deb
    rm -rf "$tmp/deb"
    mkdir "$tmp/deb"
    if ! (cd "$tmp/deb" && apt-get -qq -c "$apt_conf" download "$@") >"$tmp/log" 2>&1; then
        reason="$1: $(grep '^E:' "$tmp/log" | head -1 || true)"
        return 1
    fi
}

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
    apt_open "$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-stable}")" "$arch" && apt_download busybox-static || return 1
    dpkg-deb --fsys-tarfile "$tmp"/deb/busybox-static_*.deb | tar -xf - -O --wildcards '*/bin/busybox' >"$tmp/new/busybox" ||
        { reason="no busybox in busybox-static:$arch"; return 1; }
    chmod 755 "$tmp/new/busybox"
}

reason=
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
