#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# The first command: installs what is missing, builds, and shows Sluice's main job at work on data and hosts
# that it makes itself and removes again. Nothing is sent to any real host.

set -u
cd "$(dirname "$0")/.." || exit 1
# Flags of a make that called us are not meant for ours.
unset MAKEFLAGS MFLAGS MAKELEVEL

say() { printf '%s\n' "$*"; }

log=build/log/run-build.txt
mkdir -p build/log || exit 1
sh scripts/deps.sh build || exit 1
say "building; all of it is in $log"
if ! make -j"$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)" all work >"$log" 2>&1 </dev/null; then
	tail -n 30 "$log"
	say "the build failed: see $log" >&2
	exit 1
fi

[ "$(id -u)" != 0 ] || exec sh scripts/demo/leak.sh
if ! command -v sudo >/dev/null; then
	say "the demonstration loads BPF programs and makes network namespaces: run it as root (there is no sudo here)" >&2
	exit 1
fi
say "the demonstration loads BPF programs and makes network namespaces: going on through sudo"
exec sudo sh scripts/demo/leak.sh
