#!/bin/bash
# Proves the harness itself, on the kernels named (6.1 and 6.12 if none are). Exit status 1 if anything failed,
# 77 if none of the kernels can be had.
# shellcheck disable=SC2016
set -eu
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
failed=0
ran=0

# expect NAME STATUS PATTERN run.sh-argument...: PATTERN is searched in what comes out, stderr included.
expect() {
    local name=$1 want=$2 pattern=$3 rc=0
    shift 3
    "$vm_dir/run.sh" --kernel "$kernel" "$@" >"$work/log" 2>&1 </dev/null || rc=$?
    if [ "$rc" = "$want" ] && grep -q -e "$pattern" "$work/log"; then
        echo "ok   $kernel $name"
    else
        echo "FAIL $kernel $name: status $rc, wanted $want and a line like '$pattern'; it said:"
        sed 's/^/     | /' "$work/log"
        failed=$((failed + 1))
    fi
}

# check NAME COMMAND...: something on this side.
check() {
    local name=$1
    shift
    if "$@"; then
        echo "ok   $kernel $name"
    else
        echo "FAIL $kernel $name: $*"
        failed=$((failed + 1))
    fi
}

mkdir -p "$work/tests/cache" "$work/out"
printf 'Signature: 8a477f597d28d172789f06886806bc55\n' >"$work/tests/cache/CACHEDIR.TAG"
touch "$work/tests/cache/big"
cat >"$work/tests/test_trivial.py" <<'EOF'
import os, subprocess

def test_is_root_of_a_guest():
    assert os.getuid() == 0
    assert os.uname().nodename == "sluice-vm"

def test_programs_are_debians():
    assert b"GNU coreutils" in subprocess.check_output(["ls", "--version"])
    subprocess.check_call(["unshare", "-mn", "ip", "link", "set", "lo", "up"])

def test_root_is_a_real_file_system(tmp_path):
    kinds = {f[1]: f[2] for f in map(str.split, open("/proc/mounts"))}
    assert kinds["/"] == "ext4" and kinds["/data-fs"] == "ext4"
EOF
printf 'def test_fails():\n    assert False\n' >"$work/tests/test_failing.py"

# Only a program that ran proves that this kernel allows fentry: BTF, loading and attaching do not tell.
fentry=no
if command -v clang >/dev/null && command -v bpftool >/dev/null; then
    cat >"$work/f.bpf.c" <<'EOF'
__attribute__((section("fentry/vfs_read"), used)) int probe(void *ctx) { return 0; }
char LICENSE[] __attribute__((section("license"), used)) = "GPL";
EOF
    if clang -O2 -g -target bpf -c "$work/f.bpf.c" -o "$work/f.bpf.o"; then fentry=yes; fi
    # bpftool 7.1 loads but cannot attach; the link lasts as long as this process.
    cat >"$work/fire.py" <<'EOF'
import ctypes, struct, subprocess
BPF, OBJ_GET, RAW_TRACEPOINT_OPEN = 321, 7, 17
libc = ctypes.CDLL(None, use_errno=True)

def bpf(command, attr):
    fd = libc.syscall(BPF, command, attr, len(attr))
    assert fd >= 0, "bpf(%d): errno %d" % (command, ctypes.get_errno())
    return fd

path = ctypes.create_string_buffer(b"/sys/fs/bpf/f/probe")
prog = bpf(OBJ_GET, struct.pack("QII", ctypes.addressof(path), 0, 0))
bpf(RAW_TRACEPOINT_OPEN, struct.pack("QII", 0, prog, 0))
open("/proc/sys/kernel/bpf_stats_enabled", "w").write("1")
open("/proc/uptime").read()
print(subprocess.check_output(["bpftool", "prog", "show", "pinned", path.value], text=True))
EOF
fi

mounts='for dir in /proc /sys /dev /dev/pts /dev/shm /tmp /run /sys/fs/cgroup /sys/fs/bpf /sys/kernel/tracing /sys/kernel/debug /sys/kernel/security; do
    grep -q " $dir " /proc/mounts || { echo "$dir is not mounted"; exit 1; }
done
grep " /sys/fs/cgroup cgroup2 " /proc/mounts && ip link show lo | grep UP && echo all mounted'

# In an initramfs root, which is in memory only, this tracepoint never fires.
pagecache='cd /sys/kernel/tracing && echo 1 >events/filemap/mm_filemap_add_to_page_cache/enable &&
head -c 1000000 /dev/zero >/data-fs/file && sync && grep -c mm_filemap_add trace | grep -v "^0$" && echo page cache seen'

kernels=("$@")
[ $# -gt 0 ] || kernels=(6.1 6.12)
for kernel in "${kernels[@]}"; do
    rc=0
    "$vm_dir/fetch-kernel.sh" "$kernel" >/dev/null || rc=$?
    if [ $rc = 77 ]; then
        echo "skip $kernel: cannot be fetched"
        continue
    fi
    [ $rc = 0 ] || exit $rc
    ran=$((ran + 1))

    expect "exit status 0" 0 hello -- echo hello
    expect "exit status 3, output without a line's end" 3 '^part$' -- sh -c 'printf part; exit 3'
    expect "arguments arrive as given" 0 "^a  b|it's|[$]HOME|\"|\$" -- sh -c 'printf "%s|" "$@"; echo' - 'a  b' "it's" '$HOME' '"'
    expect "a command that does not exist" 127 'not found' -- no-such-command
    expect "a hanging command meets its limit" 137 'limit of 3 s' --timeout 3 -- sh -c 'while :; do :; done'
    SLUICE_VM_BOOT_SECS=8 expect "a hanging guest meets the host's limit" 125 'the guest hangs' --timeout 2 \
        -- sh -c 'for dir in /proc/[0-9]*; do p=${dir#/proc/}; [ $p = $$ ] || kill -STOP $p; done 2>/dev/null; sleep 100'
    expect "a panic" 125 'without ending its command' -- sh -c 'echo c >/proc/sysrq-trigger; sleep 5'
    expect "an end of init" 125 'without ending its command' -- sh -c '/.vm/busybox reboot -f'
    expect "everything is mounted" 0 'all mounted' -- sh -c "$mounts"
    expect "ext4 on /data-fs" 0 '^ext4$' -- sh -c "awk '\$2 == \"/data-fs\" { print \$3 }' /proc/mounts"
    expect "page cache tracepoints fire there" 0 'page cache seen' -- sh -c "$pagecache"
    expect "modules by modprobe" 0 'all loaded' -- sh -c 'for m in veth overlay xfs btrfs virtio_blk ext4 loop; do modprobe $m || exit 1; done; echo all loaded'
    expect "modules by --module" 0 '^sctp' --module sctp -- lsmod
    expect "a module that does not exist" 2 'no module nonsense' --module nonsense -- true
    expect "files into /tmp and /data-fs" 0 '^3$' --file "$work/tests/test_trivial.py:/tmp/x.py" --tree "$work/tests:/data-fs/t" \
        --file "$vm_dir/run.sh:/opt/" -- sh -c 'ls /tmp/x.py /data-fs/t/test_trivial.py /opt/run.sh | wc -l; test ! -e /data-fs/t/cache/big'
    expect "a program with libraries" 0 'GNU bash' --bin bash -- bash --version
    rm -rf "$work/out"
    expect "files out, the status kept" 4 left --out "$work/out" -- sh -c 'mkdir /out/d; echo text >/out/d/f; echo left; exit 4'
    check "what came out" grep -qx text "$work/out/d/f"
    SLUICE_VM_OUT_MB=1 expect "too much to come out" 125 'did not come back' --out "$work/out" -- sh -c 'head -c 3000000 /dev/zero >/out/f'
    expect "words for the kernel" 0 'sluice.selftest' --append sluice.selftest=1 -- cat /proc/cmdline
    expect "icount" 0 hello --icount -- echo hello
    expect "the kernel has BTF" 0 '^vmlinux$' -- ls -1 /sys/kernel/btf
    expect "the bpf LSM is on" 0 bpf -- cat /sys/kernel/security/lsm
    if [ $fentry = yes ]; then
        expect "fentry loads, attaches and fires" 0 'run_cnt [1-9]' --python --bin bpftool --file "$work/f.bpf.o" --file "$work/fire.py" -- \
            sh -c 'bpftool prog loadall /f.bpf.o /sys/fs/bpf/f && python3 /fire.py'
    else
        echo "skip $kernel fentry: no clang or bpftool here"
    fi
    expect "pytest passes" 0 '3 passed' --python --tree "$work/tests:/src/tests" --cwd /src -- python3 -m pytest -q tests/test_trivial.py
    expect "pytest fails" 1 '1 failed' --python --tree "$work/tests:/src/tests" --cwd /src -- python3 -m pytest -q tests/test_failing.py
done

[ $ran -gt 0 ] || exit 77
[ $failed = 0 ] || { echo "$failed failed"; exit 1; }
