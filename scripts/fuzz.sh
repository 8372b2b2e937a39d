#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
#   fuzz.sh DIR TARGET SECONDS    runs DIR/TARGET, of `make fuzzers`, from what it reached before and from seeds
#
# What it reaches is kept in DIR/corpus, and an input that breaks it in DIR/found. The status is not 0 then.

set -eu
dir=$1 target=$2 seconds=$3
name=${target#fuzz_}

mkdir -p "$dir/corpus/$name" "$dir/seeds/$name" "$dir/found"
[ -n "$(ls -A "$dir/seeds/$name")" ] || "$dir/make_seeds" "$dir/seeds"
exec env ASAN_OPTIONS=detect_leaks=1:quarantine_size_mb=32 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
	"$dir/$target" -max_total_time="$seconds" -max_len=16384 -rss_limit_mb=512 -timeout=10 -print_final_stats=1 -verbosity=1 \
	-artifact_prefix="$dir/found/$name-" "$dir/corpus/$name" "$dir/seeds/$name"
