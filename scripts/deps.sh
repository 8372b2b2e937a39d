#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# Installs what is missing to build Sluice (`deps.sh build`, the default), to test it too (`deps.sh test`), or to build and
# test it for arm64 as well (`deps.sh arm64`), by apt-get or dnf, as root or through sudo, and says what it did. What is found
# by its command or its pkg-config file counts as there, wherever it came from; then no package manager is called at all.

set -u
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() { printf 'deps: %s\n' "$*"; }
die() { printf 'deps: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
all_there() { for word; do have "$word" || return 1; done; }
libs() { have pkg-config && pkg-config --exists "$@" 2>/dev/null; }

# NAME | needed or useful | packages of apt-get | packages of dnf. Each has a function there_NAME.
# Without something useful, tests are skipped and counted as such; nothing else is lost. No packages: there are none for it.
groups() {
	cat <<-'END'
	compiler|needed|make gcc libc6-dev pkg-config|make gcc glibc-devel pkgconf-pkg-config
	bpf|needed|clang llvm bpftool|clang llvm bpftool
	libraries|needed|libbpf-dev libelf-dev zlib1g-dev libyaml-dev libjansson-dev libssl-dev libcurl4-openssl-dev libncurses-dev|libbpf-devel elfutils-libelf-devel zlib-devel libyaml-devel jansson-devel openssl-devel libcurl-devel ncurses-devel
	demo|needed|iproute2 util-linux|iproute util-linux
	END
	[ "$want" != build ] || return 0
	cat <<-'END'
	unit-tests|needed|libcmocka-dev|libcmocka-devel libasan libubsan
	system-tests|needed|python3 python3-pytest|python3 python3-pytest
	screen-tests|useful|python3-pyte ncurses-base ncurses-term tmux|python3-pyte ncurses-base ncurses-term tmux
	workloads|useful|fio socat stress-ng xfsprogs btrfs-progs fdisk|fio socat stress-ng xfsprogs btrfs-progs util-linux
	stories|useful|curl openssl tar make git gnupg openssh-client rsync iproute2 bsdutils|curl openssl tar make git gnupg2 openssh-clients rsync iproute util-linux
	fuzzers|useful|libclang-rt-dev|compiler-rt
	quic-client|useful|ngtcp2-client|
	tunnels|useful|wireguard-tools|wireguard-tools
	clouds|useful|awscli python3-botocore python3-jsonschema|awscli python3-botocore python3-jsonschema
	training|useful|python3-torch|python3-torch
	machines|useful|qemu-system-x86 busybox-static cpio kmod xz-utils e2fsprogs procps|qemu-system-x86-core busybox cpio kmod xz e2fsprogs procps-ng
	END
	[ "$want" = arm64 ] || return 0
	cat <<-'END'
	cross-compiler|needed|gcc-aarch64-linux-gnu|gcc-aarch64-linux-gnu
	arm64-machines|useful|qemu-system-arm|qemu-system-aarch64-core
	END
}

there_compiler() { all_there make cc pkg-config && [ -e /usr/include/stdio.h ]; }
there_bpf() { all_there clang llvm-objdump && bpftool version >/dev/null 2>&1; }
there_libraries() { libs libbpf libelf zlib yaml-0.1 jansson libcrypto libcurl ncursesw && pkg-config --atleast-version=1.0 libbpf; }
there_demo() { all_there ip unshare nsenter setpriv; }
there_unit_tests() { libs cmocka && have_sanitizers; }
there_system_tests() {
	[ -x /usr/bin/python3 ] &&
		/usr/bin/python3 -c 'import importlib.util as u, sys; sys.exit(not u.find_spec("pytest"))' 2>/dev/null
}
there_screen_tests() {
	[ -x /usr/bin/python3 ] && have tmux && have infocmp && infocmp xterm-direct >/dev/null 2>&1 &&
		/usr/bin/python3 -c 'import importlib.util as u, sys; sys.exit(not u.find_spec("pyte"))' 2>/dev/null
}
there_workloads() { all_there fio socat stress-ng mkfs.xfs mkfs.btrfs sfdisk; }
# Not sshd: installed, it would listen on somebody's machine from then on. Tests over ssh are skipped without it.
there_stories() { all_there curl openssl tar make git gpg gpgconf ssh ssh-keygen rsync ss logger; }
there_fuzzers() { have clang && [ -e "$(clang -print-file-name="lib/linux/libclang_rt.fuzzer-$(uname -m).a")" ]; }
there_quic_client() { have gtlsclient; }
there_tunnels() { have wg; }
there_clouds() {
	have aws && [ -x /usr/bin/python3 ] &&
		/usr/bin/python3 -c 'import importlib.util as u, sys; sys.exit(not (u.find_spec("botocore") and u.find_spec("jsonschema")))' 2>/dev/null
}
there_training() {
	[ -x /usr/bin/python3 ] &&
		/usr/bin/python3 -c 'import importlib.util as u, sys; sys.exit(not u.find_spec("torch"))' 2>/dev/null
}
there_machines() {
	all_there qemu-system-x86_64 cpio depmod xz mke2fs ps && have busybox &&
		! ldd "$(command -v busybox)" 2>/dev/null | grep -q '=>'
}

there_cross_compiler() { all_there aarch64-linux-gnu-gcc aarch64-linux-gnu-ar; }
there_arm64_machines() { all_there qemu-system-aarch64; }

# gcc names a file it does not have by the bare name it was asked for.
have_sanitizers() {
	have cc || return 1
	for lib in libasan.so libubsan.so; do
		[ "$(cc -print-file-name=$lib)" != $lib ] || return 1
	done
}

there() { "there_$(printf %s "$1" | tr - _)"; }

# NAME | needed or useful | the packages to install, by the names of this system's manager
missing_groups() {
	groups | while IFS='|' read -r name need apt dnf; do
		there "$name" && continue
		# shellcheck disable=SC2086
		if have apt-get; then
			echo "$name|$need|$(absent apt_knows $apt)"
		elif have dnf; then
			[ -z "$dnf" ] || echo "$name|$need|$(absent dnf_knows $dnf)"
		else
			echo "$name|$need|$apt"
		fi
	done
}

apt_knows() { dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -q '^installed'; }
dnf_knows() { rpm -q "$1" >/dev/null 2>&1; }

# Those of the packages that the given query does not know, all of them when it knows each:
# a package may be there and broken.
absent() {
	query=$1
	shift
	out=
	for word; do
		"$query" "$word" || out="$out $word"
	done
	[ -n "$out" ] || out=" $*"
	echo "${out# }"
}

# --- package managers ------------------------------------------------------

as_root() { $sudo "$@"; }

apt_get() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 \
		-o Acquire::Retries=2 -o Acquire::http::Timeout=30 "$@"
}

# Ubuntu's releases before 25.04 have bpftool only inside the tools of a kernel.
apt_names() {
	for word; do
		case $word in
		bpftool)
			if apt-cache policy bpftool 2>/dev/null | grep -q 'Candidate: [0-9]'; then
				echo bpftool
			else
				echo linux-tools-common linux-tools-generic
			fi ;;
		*) echo "$word" ;;
		esac
	done
}

# Old lists are better than none: whether they were good enough shows at the end.
refresh() {
	[ "$manager" = dnf ] || apt_get update || true
}

install() {
	if [ "$manager" = dnf ]; then
		as_root dnf -q -y install "$@"
	else
		# shellcheck disable=SC2046
		apt_get install --no-install-recommends $(apt_names "$@")
	fi
}

# Ubuntu's wrapper refuses to run when there are no tools for the running kernel, though any version will do.
mend_bpftool() {
	bpftool version >/dev/null 2>&1 && return 0
	real=$(find /usr/lib/linux-tools /usr/lib/linux-tools-* -name bpftool -size +1k 2>/dev/null | sort -V | tail -n 1)
	[ -n "$real" ] || return 1
	as_root ln -sf "$real" /usr/local/sbin/bpftool && say "bpf: linked /usr/local/sbin/bpftool to $real"
	hash -r
}

choose_manager() {
	if have apt-get; then
		manager=apt
	elif have dnf; then
		manager=dnf
	else
		die "neither apt-get nor dnf is here; install by hand: $(names_of "$missing")"
	fi
	sudo=
	[ "$(id -u)" = 0 ] && return
	have sudo || die "not root and no sudo; as root, install: $(names_of "$missing")"
	sudo=sudo
}

names_of() {
	printf '%s\n' "$1" | cut -d'|' -f3 | paste -sd' ' -
}

# --- what happened ---------------------------------------------------------

why_not() {
	case $1 in
	libraries)
		if libs libbpf && ! pkg-config --atleast-version=1.0 libbpf; then
			echo "libbpf is $(pkg-config --modversion libbpf), and 1.0 or later is needed: use Debian 12, Ubuntu 24.04," \
				"Amazon Linux 2023, or build libbpf from its source"
			return
		fi ;;
	esac
	echo "$2 could not be installed; the last lines of $log say why"
}

report() {
	bad=0
	printf '%s\n' "$missing" >"$list"
	while IFS='|' read -r name need names; do
		if there "$name"; then
			say "$name: installed $names"
		elif [ "$need" = useful ]; then
			say "$name: $(why_not "$name" "$names"); tests that need it are skipped"
		else
			say "$name: $(why_not "$name" "$names")" >&2
			bad=1
		fi
	done <"$list"
	return $bad
}

install_missing() {
	refresh
	# All at once is fastest; one name that a distribution lacks must not keep the rest away.
	# shellcheck disable=SC2046
	install $(names_of "$missing") || printf '%s\n' "$missing" | while read -r group; do
		install $(names_of "$group") </dev/null
	done
}

want=${1:-build}
case $want in
build | test | arm64) ;;
*) echo "usage: deps.sh [build|test|arm64]" >&2; exit 2 ;;
esac

missing=$(missing_groups)
if [ -z "$missing" ]; then
	say "nothing is missing"
	exit 0
fi
choose_manager
log=$(mktemp "${TMPDIR:-/tmp}/sluice-deps.XXXXXX") || die "cannot write to ${TMPDIR:-/tmp}"
list=$log.missing
trap 'rm -f "$list"' EXIT
say "installing: $(names_of "$missing")"
install_missing >"$log" 2>&1
mend_bpftool
report || exit 1
rm -f "$log"
