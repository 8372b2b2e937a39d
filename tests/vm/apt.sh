# shellcheck shell=bash
# Debian packages of any suite and architecture by a private apt; sourced after lib.sh, never run. The caller gives $tmp.
# What cannot be had sets $reason and fails.

reason=

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

# The suite of this system, so that what is built here and what runs there are of one age.
apt_own_suite() { (. /etc/os-release && printf '%s' "${VERSION_CODENAME:-stable}"); }

# With all they depend on. Nothing counts as installed there, so the closure is whole.
apt_download_closure() { # PACKAGE..., into $tmp/deb
    local cache=${apt_conf%/*}/cache/archives
    if ! apt-get -qq -y -c "$apt_conf" --no-install-recommends --download-only install "$@" >"$tmp/log" 2>&1; then
        reason="$(grep '^E:' "$tmp/log" | head -1 || true)"
        return 1
    fi
    rm -rf "$tmp/deb"
    mkdir "$tmp/deb"
    mv "$cache"/*.deb "$tmp/deb/"
}
