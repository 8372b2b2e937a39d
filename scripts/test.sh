#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
#   test.sh                every part below, one after the other
#   test.sh unit           unit tests (cmocka), plain and under AddressSanitizer and UBSan
#   test.sh fuzz           readers of hostile input, some seconds of each under AddressSanitizer and UBSan; `make fuzz` for longer
#   test.sh screen         what the viewer draws: whole screens in a terminal of the tests' own, and 100,000 random keys
#   test.sh system         system tests (pytest) on this kernel
#   test.sh vm [KERNEL]    the same system tests inside a virtual machine; when none is named, only whether both sets give the
#                          same ledger, on the oldest kernel and Debian 12's, and a part of the paths under set B on the newest
#   test.sh vm-all         all of them on every kernel there is, arm64 too: hours
#
# What is missing is installed first. Whole outputs go to build/log; of a part that fails the end is shown, and its name again
# before the last line. That one is `N passed, N failed, N skipped`; the status is 1 when a test failed or none passed.

set -u
cd "$(dirname "$0")/.." || exit 1
# Names of another make would be taken for its own by ours.
unset MAKEFLAGS MFLAGS MAKELEVEL
export PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8 TZ=UTC

python=/usr/bin/python3
kernels="5.10 6.1 7.2"
all_kernels="5.10 6.1 6.12 6.18 7.2 7.3 6.1-arm64 6.12-arm64"
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
# Seconds. A part that hangs is a failure, not a hanging test run.
unit_limit=300 fuzz_limit=120 fuzz_seconds=3 fuzz_least=100 screen_limit=900 system_limit=3900 vm_limit=2400 vm_all_limit=14400
logs=build/log
passed=0 failed=0 skipped=0 failures=

# --- counting --------------------------------------------------------------

say() { printf '%s\n' "$*"; }

add() { # PASSED FAILED SKIPPED
	passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

# The part's own line; its end too when something failed.
close_part() { # NAME LOG PASSED FAILED SKIPPED
	add "$3" "$4" "$5"
	say "$1: $3 passed, $4 failed, $5 skipped"
	[ "$4" -eq 0 ] || { note_failures "$1" "$2"; show_end "$2"; }
}

# What failed is told once more at the end, for one who sees no more than that.
note_failures() { # NAME LOG
	which=$(sed -nE 's/^not ok [0-9]+ - *//p; s/^(FAILED|ERROR) ([^ ]*).*/\2/p' "$2" | head -n 20)
	failures="$failures
failed: $1${which:+: $(say "$which" | paste -sd' ' -)}"
}

show_end() {
	say "--- the end of $1 ---"
	tail -n 60 "$1"
	say "--- all of it: $1 ---"
}

skip_part() { # NAME REASON
	add 0 0 1
	say "$1: skipped: $2"
}

fail_part() { # NAME LOG REASON
	say "$1: failed: $3"
	failures="$failures
failed: $1: $3"
	add 0 1 0
	show_end "$2"
}

# Never empty, so that it can be reckoned with.
matches() { grep -cE "$1" "$2" 2>/dev/null || true; }

build() { # NAME TARGET...
	make_part "$@"
	count_build "$@"
}

make_part() { # NAME TARGET...
	part_name=$1
	shift
	make -j"$jobs" "$@" >"$logs/$part_name.txt" 2>&1 </dev/null
	echo $? >"$logs/$part_name.status"
}

count_build() { # NAME TARGET...
	part_name=$1
	shift
	[ "$(status_of "$part_name")" != 0 ] || return 0
	fail_part "$part_name" "$logs/$part_name.txt" "make $*"
	return 1
}

# What a part that ran in the background ended with.
status_of() { # NAME
	cat "$logs/$1.status" 2>/dev/null || echo 1
}

# --- unit tests ------------------------------------------------------------

# As many at a time as there are processors.
unit_tests() { # NAME BUILD
	unit_programs "$2" | xargs -P "$jobs" -I{} sh -c 'log=$1/$2-${4##*/}
		CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 5 $3 "$4" >"$log.txt" 2>&1 </dev/null; echo $? >"$log.status"' \
		unit "$logs" "$1" $unit_limit {}
}

count_units() { # NAME BUILD
	programs=$(unit_programs "$2")
	[ -n "$programs" ] || { say "no unit test programs in $2/unit" >"$logs/$1.txt"; fail_part "$1" "$logs/$1.txt" "nothing to run"; return; }
	for program in $programs; do
		count_unit "$1" "$program"
	done
}

# Beside each lies what it depends on, for make.
unit_programs() { # BUILD
	for program in "$1"/unit/test_*; do
		case $program in *.d) continue ;; esac
		[ ! -x "$program" ] || say "$program"
	done
}

count_unit() { # NAME PROGRAM
	log=$logs/$1-${2##*/}.txt
	status=$(status_of "$1-${2##*/}")

	planned=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$log" | awk '{ n += $1 } END { print n + 0 }')
	# cmocka 1.1 writes "not ok" before a skip, later ones "ok".
	skips=$(matches '^(not )?ok [0-9]+ # SKIP' "$log")
	good=$(($(matches '^ok [0-9]' "$log") - $(matches '^ok [0-9]+ # SKIP' "$log")))
	bad=$(($(matches '^not ok [0-9]' "$log") - $(matches '^not ok [0-9]+ # SKIP' "$log")))
	lost=$((planned - good - bad - skips))
	[ $lost -le 0 ] || { say "$lost tests gave no result, exit status $status" >>"$log"; bad=$((bad + lost)); }
	if [ "$bad" -eq 0 ] && { [ $status -ne 0 ] || [ "$planned" -eq 0 ]; }; then
		say "exit status $status, $planned tests planned" >>"$log"
		bad=1
	fi
	sed -nE 's/^(not )?ok [0-9]+ # SKIP *(.*)/skipped: \2: the test says it cannot run here/p' "$log"
	close_part "$1 ${2##*/}" "$log" "$good" "$bad" "$skips"
}

plain_tests() {
	build build-unit units || return
	unit_tests unit build
	count_units unit build
}

asan_tests() {
	ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=99 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
		unit_tests asan build/asan
}

run_unit() {
	plain_tests
	build build-asan asan || return
	asan_tests
	count_units asan build/asan
}

# --- fuzzing ---------------------------------------------------------------

# Not everywhere does clang come with it.
have_fuzzer() {
	echo 'int LLVMFuzzerTestOneInput(const void *d, unsigned long n); int LLVMFuzzerTestOneInput(const void *d, unsigned long n) { return 0; }' |
		clang -fsanitize=fuzzer,address,undefined -x c - -o build/log/fuzzer-probe >"$logs/build-fuzz.txt" 2>&1 ||
		{ skip_part fuzz "clang has no libFuzzer here (package libclang-rt-dev or compiler-rt)"; return 1; }
}

targets=$(basename -a -s .c tests/fuzz/fuzz_*.c)

fuzz_one() { # TARGET SECONDS
	timeout -k 5 $fuzz_limit sh scripts/fuzz.sh build/fuzz "$1" "$2" >"$logs/$1.txt" 2>&1 </dev/null
	echo $? >"$logs/$1.status"
}

units_of() { # TARGET
	sed -n 's/^stat::number_of_executed_units: *//p' "$logs/$1.txt" | grep . || echo 0
}

# A busy machine may leave it too little the first time.
fuzz_enough() { # TARGET
	fuzz_one "$1" $fuzz_seconds
	[ "$(cat "$logs/$1.status")" != 0 ] || [ "$(units_of "$1")" -gt $fuzz_least ] || fuzz_one "$1" $((10 * fuzz_seconds))
}

# As many at a time as there are processors: each is bounded by time.
fuzz_tests() {
	n=0
	for target in $targets; do
		fuzz_enough "$target" &
		n=$((n + 1))
		[ $((n % jobs)) -ne 0 ] || wait
	done
	wait
}

# What was run tells how much; a target that ran nothing has not passed.
count_target() { # TARGET
	log=$logs/$1.txt
	units=$(units_of "$1")
	if [ "$(cat "$logs/$1.status")" = 0 ] && [ "$units" -gt $fuzz_least ]; then
		close_part "fuzz $1 ($units inputs)" "$log" 1 0 0
	else
		close_part "fuzz $1" "$log" 0 1 0
	fi
}

count_targets() {
	for target in $targets; do
		count_target "$target"
	done
}

run_fuzz() {
	have_fuzzer || return
	build build-fuzz fuzzers || return
	fuzz_tests
	count_targets
}

# --- screens ---------------------------------------------------------------

have_pyte() {
	$python -c 'import pyte' 2>/dev/null || { skip_part screen "there is no pyte here (package python3-pyte)"; return 1; }
}

screen_tests() {
	timeout -k 5 $screen_limit $python -m pytest -v -p no:cacheprovider --durations=10 tests/screen >"$logs/screen.txt" 2>&1 </dev/null
}

run_screen() {
	have_pyte || return
	build build-screen viewer asan-viewer || return
	status=0
	screen_tests || status=$?
	count_pytest screen "$logs/screen.txt" $status
}

# --- system tests ----------------------------------------------------------

# tests/system/conftest.py ends the output with lines made for this.
count_pytest() { # NAME LOG STATUS
	sed -n 's/^sluice-skip: /skipped: /p' "$2"
	line=$(sed -n 's/^sluice-tests: //p' "$2" | tail -n 1)
	if [ -z "$line" ]; then
		fail_part "$1" "$2" "pytest did not come to its end, exit status $3"
		return
	fi
	good=$(say "$line" | sed 's/.*passed=\([0-9]*\).*/\1/')
	bad=$(say "$line" | sed 's/.*failed=\([0-9]*\).*/\1/')
	skips=$(say "$line" | sed 's/.*skipped=\([0-9]*\).*/\1/')
	[ "$3" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
	close_part "$1" "$2" "$good" "$bad" "$skips"
}

as_root() {
	if [ "$(id -u)" != 0 ] && sudo -n true 2>/dev/null; then
		sudo -n --preserve-env=PYTHONDONTWRITEBYTECODE,LC_ALL,TZ "$@"
	else
		"$@"
	fi
}

# What starts no monitor is a lane of its own, which can run beside the other; see tests/system/conftest.py.
system_tests() { # main|aside|all
	case $1 in
	all) as_root timeout -k 30 $system_limit $python -m pytest -v -p no:cacheprovider --durations=30 tests/system ;;
	*) as_root timeout -k 30 $system_limit $python -m pytest -v -p no:cacheprovider --durations=30 --lane="$1" tests/system ;;
	esac >"$logs/system-$1.txt" 2>&1 </dev/null
}

run_system() { # main|all
	build build-system all work || return
	status=0
	system_tests "$1" || status=$?
	count_pytest system "$logs/system-$1.txt" $status
}

# --- virtual machines ------------------------------------------------------

# Trampolines cannot be attached on arm64 before 2aa6ac03516d ("arm64: ftrace: Add direct call support"), 6.4.
vm_sets() { # KERNEL
	case $1 in
	5.10-arm64 | 6.1-arm64) echo tracepoint ;;
	6.18 | 7.*) echo tracepoint ;; # trampolines load, but are preempted and then left out: not taken unless told
	*) echo tracepoint trampoline ;;
	esac
}

# What the kernel does not load by itself when a path wants it; 5.10's cloud kernel is built without tls.
vm_modules() { # KERNEL
	for module in sctp tls vsock tun btrfs xfs wireguard; do
		case $1:$module in 5.10*:tls) ;; *) printf -- '--module %s ' $module ;; esac
	done
}

vm_build() { # KERNEL: where its programs are built
	case $1 in
	*-arm64) echo build/arm64 ;;
	*) echo build ;;
	esac
}

# What the guest needs beside its own userland: the binary with its libraries, the programs that make work, the tests.
# /data-fs is ext4, where page cache hooks fire. Emulation is some six times slower than the machine: the largest tests do a
# quarter of their work. 5.10 has no BPF among its security modules unless told.
vm_start() { # KERNEL SHARE TEST...
	kernel=$1 mine=$2
	shift 2
	from=$(vm_build "$kernel")
	# shellcheck disable=SC2046 # words
	tests/vm/run.sh --kernel "$kernel" --python --mem 2048 --smp 1 --timeout $vm_limit --verbose $(vm_modules "$kernel") \
		--append lsm=lockdown,yama,apparmor,bpf --bin "$from/sluice" --tree "$from/work:/sluice/build/work" \
		--tree tests/system:/sluice/tests/system --file tests/vm/share.py:/sluice/tests/system/share.py \
		--cwd /sluice --env SLUICE=/usr/bin/sluice --env SLUICE_TEST_DATA=/data-fs --env SLUICE_TEST_SCALE=4 \
		--env SLUICE_TEST_OWN_MACHINE=1 --env SLUICE_TEST_SETS="$(vm_sets "$kernel")" --env SLUICE_TEST_SHARE="$mine" --env PYTHONDONTWRITEBYTECODE=1 \
		--env PYTHONPATH=/sluice/tests/system \
		-- $python -m pytest -v -p share -p no:cacheprovider --durations=20 "$@" \
		>"$logs/vm-$kernel.txt" 2>&1 </dev/null &
	machines="$machines $!:$kernel"
}

vm_count() { # KERNEL STATUS
	log=$logs/vm-$1.txt
	case $2 in
	77) skip_part "vm $1" "$(grep -v '^$' "$log" | tail -n 1)" ;;
	*) count_pytest "vm $1" "$log" "$2" ;;
	esac
}

vm_wait() {
	for machine in $machines; do
		status=0
		wait "${machine%%:*}" || status=$?
		vm_count "${machine#*:}" $status
	done
	machines=
}

machines='' beside=''
# Side by side, with one processor each, machines take half the time of one after the other.
run_vm() { # KERNEL
	build build-vm all work || return
	vm_start "$1" "" tests/system
	vm_wait
}

# What fits into the hour that all tests may take. The newest kernel preempts tracepoints and trampolines alike: set A is not
# taken there, and what others' interruptions do to set B is looked at, and ways to read, identity and hand-over in the
# matrix's rows. The host, `vm KERNEL`, `vm-all` and `make matrix` run the others.
start_share() { # KERNEL
	case $1 in
	7.*) vm_start "$1" "" tests/system/test_crowd.py tests/system/test_cases.py \
		-k "tracepoint and (test_calls or test_nothing or tracepoint-1 or tracepoint-3-)" ;;
	*) vm_start "$1" "" tests/system/test_parity.py ;;
	esac
}

# --- beside the host's own tests ----------------------------------------------

# What has a processor for itself no longer than the main lane leaves it one: first what starts no monitor, then the machines,
# one after the other. Each leaves its status in a file.
lanes_beside() {
	trap 'kill "${machines%%:*}" 2>/dev/null; wait; exit 130' TERM
	read -r self _ </proc/self/stat
	renice -n 10 -p "$self" >/dev/null 2>&1 || true
	make_part build-asan asan
	[ "$(status_of build-asan)" != 0 ] || asan_tests
	[ "$fuzzer" = no ] || make_part build-fuzz fuzzers
	[ "$(status_of build-fuzz)" != 0 ] || fuzz_tests
	[ "$screens" = no ] || make_part build-screen viewer asan-viewer
	[ "$(status_of build-screen)" != 0 ] || { screen_tests; echo $? >"$logs/screen.status"; }
	system_tests aside
	echo $? >"$logs/system-aside.status"
	chrt -i -p 0 "$self" 2>/dev/null || true
	for kernel in $kernels; do
		machines=
		start_share "$kernel"
		machines=${machines# }
		wait "${machines%%:*}"
		echo $? >"$logs/vm-$kernel.status"
	done
}

start_beside() {
	build build-beside all work || return
	screens=no fuzzer=no
	have_pyte && screens=yes
	have_fuzzer && fuzzer=yes
	lanes_beside &
	beside=$!
}

count_beside() {
	[ -n "$beside" ] || return
	wait "$beside"
	beside=
	count_build build-asan asan && count_units asan build/asan
	[ "$fuzzer" = no ] || { count_build build-fuzz fuzzers && count_targets; }
	[ "$screens" = no ] || { count_build build-screen viewer asan-viewer && count_pytest screen "$logs/screen.txt" "$(status_of screen)"; }
	count_pytest system-aside "$logs/system-aside.txt" "$(status_of system-aside)"
	for kernel in $kernels; do
		vm_count "$kernel" "$(status_of "vm-$kernel")"
	done
}

run_vm_share() {
	build build-vm all work || return
	for kernel in $kernels; do
		start_share "$kernel"
	done
	vm_wait
}

# As many at a time as there are processors.
run_vm_all() {
	vm_limit=$vm_all_limit
	build build-vm all work || return
	foreign=no
	sh scripts/deps.sh arm64 && build build-arm64 arm64 && foreign=yes
	n=0
	for kernel in $all_kernels; do
		case $foreign:$kernel in no:*-arm64) skip_part "vm $kernel" "no programs for arm64: see above"; continue ;; esac
		vm_start "$kernel" "" tests/system
		n=$((n + 1))
		[ $((n % jobs)) -ne 0 ] || vm_wait
	done
	vm_wait
}

# A machine left behind would go on for half an hour; run.sh clears up when told to end.
stop() {
	trap - INT TERM HUP
	for machine in $machines $beside; do
		kill "${machine%%:*}" 2>/dev/null
	done
	wait
	exit 130
}

# --- all -------------------------------------------------------------------

usage() {
	sed -n '4,11s/^#  *//p' "$0" >&2
	exit 2
}

part=${1:-all}
case $part in all | unit | fuzz | screen | system | vm | vm-all) ;; *) usage ;; esac
[ $# -le 1 ] || { [ "$part" = vm ] && [ $# -eq 2 ]; } || usage

mkdir -p $logs
rm -f $logs/*.status
sh scripts/deps.sh test || { say "0 passed, 1 failed, 0 skipped"; exit 1; }
trap stop INT TERM HUP
case $part in
all)
	plain_tests
	start_beside
	run_system main
	count_beside ;;
unit) run_unit ;;
fuzz) run_fuzz ;;
screen) run_screen ;;
system) run_system all ;;
vm) if [ $# -eq 2 ]; then run_vm "$2"; else run_vm_share; fi ;;
vm-all) run_vm_all ;;
esac
[ -z "$failures" ] || say "${failures#?}"
say "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
