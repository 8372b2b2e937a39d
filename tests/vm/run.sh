#!/bin/bash
# Boot a kernel under emulation and run one command in it as root.
set -eu
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

usage() {
    cat <<EOF
usage: $vm_prog --kernel KERNEL [option]... -- COMMAND [ARGUMENT]...
  --kernel KERNEL         one of: $(vm_kernel_ids)
  --python                Debian's own userland (python3, pytest, bash, coreutils, ip, fio, ...) on an ext4 root
  --file HOST[:GUEST]     put a file there; GUEST is /NAME if not given, and a folder if it ends in /
  --tree DIR[:GUESTDIR]   put what is in a folder there (/NAME if not given), cache folders left out
  --bin PROGRAM           put a program into /usr/bin with the libraries it needs
  --module NAME           have this module and load it
  --env NAME=VALUE        set a variable for the command
  --cwd DIR               the command's folder in the guest (/)
  --out DIR               what the guest leaves in /out comes back into DIR
  --append "WORDS"        added to the kernel command line
  --mem MB                memory (1024)
  --smp N                 processors (2)
  --timeout SECS          the command's limit (120)
  --icount                guest time counts instructions: exact and repeatable costs, one processor
  -v, --verbose           say on stderr how long the boot and the command took
Exit status: the command's; 137 it ran past its limit; 125 the guest panicked, hung or could not be set up;
77 the kernel cannot be had here; 2 usage.
EOF
}

kernel=
mem=1024
smp=2
limit=120
icount=no
image=no
append=
workdir=/
out=
verbose=no
modules=()
files=()
trees=()
bins=()
envs=()
while [ $# -gt 0 ]; do
    case $1 in
    --)
        shift
        break
        ;;
    -h | --help) usage; exit 0 ;;
    -v | --verbose) verbose=yes; shift; continue ;;
    --icount) icount=yes; shift; continue ;;
    --python) image=yes; shift; continue ;;
    --kernel | --mem | --smp | --timeout | --append | --module | --file | --tree | --bin | --env | --cwd | --out)
        [ $# -ge 2 ] || vm_usage "$1 wants a value: try $vm_prog --help"
        ;;
    -*) vm_usage "unknown option $1: try $vm_prog --help" ;;
    *) vm_usage "put -- before the command: ... -- $*" ;;
    esac
    case $1 in
    --kernel) kernel=$2 ;;
    --mem) mem=$2 ;;
    --smp) smp=$2 ;;
    --timeout) limit=$2 ;;
    --append) append=$2 ;;
    --module) modules+=("$2") ;;
    --file) files+=("$2") ;;
    --tree) trees+=("$2") ;;
    --bin) bins+=("$2") ;;
    --env) envs+=("$2") ;;
    --cwd) workdir=$2 ;;
    --out) out=$2 ;;
    esac
    shift 2
done
[ -n "$kernel" ] || vm_usage "--kernel is missing: known are $(vm_kernel_ids)"
[ $# -gt 0 ] || vm_usage "no command: put -- COMMAND at the end"
for number in "$mem" "$smp" "$limit"; do
    case $number in '' | *[!0-9]* | 0*) vm_usage "--mem, --smp and --timeout want a whole number above 0, not '$number'" ;; esac
done

arch=$(vm_kernel_row "$kernel" 2)
case $arch in
'') vm_usage "unknown kernel '$kernel': known are $(vm_kernel_ids)" ;;
amd64)
    qemu=(qemu-system-x86_64 -M q35 -cpu max)
    console=ttyS0
    # An emulated processor that was kept waiting fails the check of its timer, and the kernel stops.
    clock=no_timer_check
    vm_need qemu-system-x86_64 qemu-system-x86
    ;;
arm64)
    qemu=(qemu-system-aarch64 -M virt -cpu "max,pauth-impdef=on")
    console=ttyAMA0
    clock=
    vm_need qemu-system-aarch64 qemu-system-arm
    ;;
*) vm_fail "kernels.txt gives $kernel the unknown architecture $arch" ;;
esac
foreign=no
[ "$arch" = "$(dpkg --print-architecture)" ] || foreign=yes
if [ $icount = yes ]; then
    smp=1
    qemu+=(-accel "tcg,thread=single" -icount "shift=0,sleep=off")
else
    qemu+=(-accel "tcg,thread=multi")
fi
vm_need mke2fs e2fsprogs
vm_need cpio cpio
vm_need setpriv util-linux

vm_cache_open
kernel_dir=$("$vm_dir/fetch-kernel.sh" "$kernel")
base=$("$vm_dir/base.sh" "$kernel_dir" ${modules[@]+"${modules[@]}"})

mkdir -p "$vm_cache/run"
# What a killed run could not clear away.
find "$vm_cache/run" -mindepth 1 -maxdepth 1 -mmin +720 -exec rm -rf {} +
tmp=$(mktemp -d "$vm_cache/run/XXXXXX")
reader=
machine=
# shellcheck disable=SC2317
cleanup() {
    trap - EXIT INT TERM HUP
    [ -z "$machine" ] || kill "$machine" 2>/dev/null || true
    [ -z "$reader" ] || kill "$reader" 2>/dev/null || true
    wait
    rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# --- the files of this run, as a second archive ---

stage=$tmp/stage
content=$stage/.vm/files
mkdir -p "$content"

# dest GUESTPATH: where it lies in the archive, its folder made.
dest() {
    local path
    path=$content$(vm_usr_path <<<"/${1#/}")
    mkdir -p "${path%/*}"
    printf '%s\n' "$path"
}

# A path may hold a colon only when nothing follows it that looks like a guest path.
split() { # HOST[:GUEST]: sets host and guest
    case $1 in
    *:/*) host=${1%:/*} guest=/${1##*:/} ;;
    *) host=$1 guest= ;;
    esac
}

for spec in ${files[@]+"${files[@]}"}; do
    split "$spec"
    [ -f "$host" ] || vm_usage "--file $spec: no file $host"
    [ -n "$guest" ] || guest=/
    case $guest in */) guest=$guest${host##*/} ;; esac
    cp -L --preserve=mode,timestamps "$host" "$(dest "$guest")"
done

for spec in ${trees[@]+"${trees[@]}"}; do
    split "$spec"
    [ -d "$host" ] || vm_usage "--tree $spec: no folder $host"
    [ -n "$guest" ] || guest=/$(basename "$(cd "$host" && pwd)")
    dir=$(dest "${guest%/}/.")
    tar -C "$host" --exclude-caches-all --exclude=./.git -cf - . | tar -C "${dir%/.}" -xf -
done

for program in ${bins[@]+"${bins[@]}"}; do
    path=$(command -v "$program" || true)
    [ -f "$path" ] || vm_usage "--bin $program: no such program: give its path, or install it"
    if [ $foreign = yes ]; then
        cp -L --preserve=mode,timestamps "$path" "$(dest "/usr/bin/${program##*/}")"
        sysroot=$("$vm_dir/sysroot.sh" "$arch")
        vm_foreign_libs "$sysroot" "$path" | while read -r lib; do
            cp -L --preserve=mode,timestamps "$lib" "$(dest "${lib#"$sysroot"}")"
        done
        continue
    fi
    missing=$(ldd "$path" 2>/dev/null | sed -n 's/^[[:space:]]*\(.*\) => not found/\1/p' | paste -sd' ')
    [ -z "$missing" ] || vm_usage "--bin $program: its libraries are not here: $missing"
    cp -L --preserve=mode,timestamps "$path" "$(dest "/usr/bin/${program##*/}")"
    vm_libs "$path" | while read -r lib; do
        file=$(dest "$lib")
        [ -e "$file" ] || cp -L --preserve=mode,timestamps "$lib" "$file"
    done
done

# shellcheck disable=SC2001
quote() { printf "'%s'" "$(sed "s/'/'\\\\''/g" <<<"$1")"; }
{
    for pair in ${envs[@]+"${envs[@]}"}; do
        case $pair in [A-Za-z_]*=*) ;; *) vm_usage "--env $pair: write NAME=VALUE" ;; esac
        printf 'export %s=%s\n' "${pair%%=*}" "$(quote "${pair#*=}")"
    done
    printf exec
    for word; do
        printf ' %s' "$(quote "$word")"
    done
    printf '\n'
} >"$stage/.vm/command"

disks=()
add_disk() { # SERIAL FILE [OPTION]
    disks+=(-drive "if=none,id=$1,format=raw,file=${2//,/,,}${3:+,$3}" -device "virtio-blk-pci,drive=$1,serial=$1")
}

if [ $image = yes ]; then
    root_image=$("$vm_dir/image.sh" "$arch")
    add_disk root "$root_image" snapshot=on
fi

# /data-fs: the guest's other file systems may be in memory, where page cache tracepoints never fire.
data_image=$vm_cache/data-fs.ext4
if [ ! -e "$data_image" ]; then
    truncate -s 1G "$tmp/data"
    mke2fs -q -t ext4 -m 0 -E lazy_itable_init=0,lazy_journal_init=0,nodiscard,root_owner=0:0 -J size=8 "$tmp/data"
    mv "$tmp/data" "$data_image"
fi
add_disk datafs "$data_image" snapshot=on

if [ -n "$out" ]; then
    mkdir -p "$out"
    truncate -s "${SLUICE_VM_OUT_MB:-512}M" "$tmp/out"
    add_disk out "$tmp/out"
fi

nonce=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
cat >"$stage/.vm/run" <<EOF
nonce=$nonce
limit=$limit
workdir=$(quote "$workdir")
modules='${modules[*]-}'
image=$image
datafs=yes
out=$([ -n "$out" ] && echo yes || echo no)
EOF
{
    cat "$base"
    (cd "$stage" && find . -mindepth 1 | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet)
} >"$tmp/initrd"
rm -rf "$stage"

# --- the machine ---

# Booting takes 2 to 12 s; the rest is for a busy host. Past it the guest hangs for good.
boot_limit=${SLUICE_VM_BOOT_SECS:-60}
mkfifo "$tmp/console"
before=$(date +%s.%N)

# Each dies with its parent, so that no machine is left behind even by kill -9 of this script.
TMPDIR=$tmp setpriv --pdeathsig KILL timeout -k 5 $((limit + boot_limit)) setpriv --pdeathsig KILL \
    "${qemu[@]}" -m "$mem" -smp "$smp" -kernel "$kernel_dir/vmlinuz" -initrd "$tmp/initrd" \
    -append "console=$console $clock panic=-1 oops=panic quiet $append" \
    -display none -serial stdio -monitor none -nic none -no-reboot "${disks[@]}" \
    </dev/null >"$tmp/console" 2>"$tmp/qemu.log" &
machine=$!

# The marker ends the output; what the kernel says while it goes down is of no interest.
LC_ALL=C sed -u -n -e "s/\r\$//
/@@$nonce /{
w $tmp/marker
s/@@$nonce .*//
/./p
b rest
}
p
b
:rest
n
b rest" <"$tmp/console" &
reader=$!

rc=0
wait "$machine" || rc=$?
machine=
wait "$reader" || true
reader=
after=$(date +%s.%N)

status=
saved=
tainted=0
start=
if [ -s "$tmp/marker" ]; then
    marker=$(sed "s/.*@@$nonce //; s/@@.*//" "$tmp/marker")
    for pair in $marker; do
        case $pair in
        status=*) status=${pair#*=} ;;
        out=*) saved=${pair#*=} ;;
        tainted=*) tainted=${pair#*=} ;;
        start=*) start=${pair#*=} ;;
        esac
    done
fi

if [ $verbose = yes ]; then
    vm_note "$(awk -v k="$kernel" -v s="$start" -v a="$after" -v b="$before" 'BEGIN { printf "kernel %s: command started at %s s, machine ran %.1f s", k, s, a - b }')"
fi

case $status in
'' | *[!0-9]*)
    grep -v '^qemu.*terminating on signal' "$tmp/qemu.log" >&2 || true
    case $rc in
    124 | 137) vm_fail "no sign of life within $((limit + boot_limit)) s: the guest hangs, or --timeout is too short for it" ;;
    0) vm_fail "the guest stopped without ending its command: see its last lines above (a panic?), or run it again with --append loglevel=7" ;;
    *) vm_fail "qemu ended with status $rc" ;;
    esac
    ;;
esac

if [ -n "$out" ]; then
    [ "$saved" = ok ] || vm_fail "/out did not come back: more than SLUICE_VM_OUT_MB (${SLUICE_VM_OUT_MB:-512} MB)?"
    tar -C "$out" --no-same-owner -xf "$tmp/out"
fi
# 128: oops; 512: warning. With these the kernel itself is in doubt, whatever the test says.
if [ $((tainted & 640)) -ne 0 ]; then
    vm_note "the guest's kernel warned (tainted $tainted): look at dmesg in the guest"
fi
if [ "$status" = 137 ]; then
    vm_note "the command was killed, by the limit of $limit s unless something else did it"
fi
exit "$status"
