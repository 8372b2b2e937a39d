#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
# Does every type and field of bpf/vmlinux.h stand in a kernel's BTF, with the same size?
# usage: check-vmlinux.sh [-a ARCH] [BTF-FILE]...   (default: the running kernel's; ARCH as make says it: x86, arm64)
set -eu
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
arch=$(uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')
if [ "${1:-}" = -a ]; then
	arch=$2
	shift 2
fi
bpftool=$(command -v bpftool || echo /usr/sbin/bpftool)

# a variable of each struct, so that the compiler keeps them all
{
	echo '#include "vmlinux.h"'
	clang -E -P -target bpf -D__TARGET_ARCH_"$arch" bpf/vmlinux.h |
		sed -n 's/^struct \([a-z_0-9]*\) {$/struct \1 keep_\1;/p' | sort -u |
		grep -vE '__sk_buff|bpf_sock|bpf_sock_addr|bpf_raw_tracepoint_args'
} >"$dir/all.c"
clang -g -O2 -target bpf -D__TARGET_ARCH_"$arch" -DBPF_NO_PRESERVE_ACCESS_INDEX -Ibpf -c "$dir/all.c" -o "$dir/all.o"
"$bpftool" -j btf dump file "$dir/all.o" >"$dir/ours.json"

[ $# -gt 0 ] || set -- /sys/kernel/btf/vmlinux
status=0
for btf in "$@"; do
	"$bpftool" -j btf dump file "$btf" >"$dir/theirs.json"
	/usr/bin/python3 scripts/check_vmlinux.py "$dir/ours.json" "$dir/theirs.json" "$btf" || status=1
done
exit $status
