#!/bin/bash
# SPDX-License-Identifier: MIT OR GPL-2.0-only
# What watching costs; `make bench` builds what this needs. All of it is in bench.py.
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build}

# One round: with --icount a nanosecond is an instruction, and every run of one program takes the same.
in_vm() { # KERNEL [WORKLOAD...]
    local kernel=$1
    shift
    "${PYTHON:-/usr/bin/python3}" scripts/bench.py --floor
    exec tests/vm/run.sh --kernel "$kernel" --python --icount --mem 2048 --smp 1 --timeout "${BENCH_BUDGET:-3000}" \
        --append lsm=lockdown,yama,apparmor,bpf --bin "$build/sluice" --file "$build/sluice:/bench/build/sluice" --tree "$build/bench:/bench/build/bench" \
        --tree "$build/work:/bench/build/work" --tree bpf/hooks:/bench/bpf/hooks --file scripts/bench.py:/bench/scripts/bench.py \
        --env BENCH_ROUNDS=1 --env BENCH_SCALE=1 --env "BENCH_SECONDS=${BENCH_SECONDS:-0.1}" --env SLUICE_SELF_TEST=off \
        --env "BENCH_VARIANTS=${BENCH_VARIANTS:-none,empty-a,a-untagged,a-tagged,empty-b,b-untagged,b-tagged}" \
        --cwd /bench -- /usr/bin/python3 scripts/bench.py "$@"
}

if [ "${1:-}" = --vm ]; then
    [ $# -ge 2 ] || { echo "bench.sh: --vm wants a kernel of tests/vm/kernels.txt" >&2; exit 2; }
    shift
    in_vm "$@"
fi
exec "${PYTHON:-/usr/bin/python3}" scripts/bench.py "$@"
