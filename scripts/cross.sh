#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
#   cross.sh ARCH COMMAND...   runs a make with the compiler and the libraries of another architecture (arm64)
#
# Libraries come unpacked from packages of this system's suite (tests/vm/sysroot.sh); this system stays as it is.
set -eu
cd "$(dirname "$0")/.."
[ $# -ge 2 ] || { sed -n '4,6s/^# *//p' "$0" >&2; exit 2; }
case $1 in
arm64) triple=aarch64-linux-gnu ;;
*) echo "cross.sh: $1 is not known here: arm64 is" >&2; exit 2 ;;
esac
sysroot=$(tests/vm/sysroot.sh "$1")
shift
export PKG_CONFIG_LIBDIR="$sysroot/usr/lib/$triple/pkgconfig:$sysroot/usr/share/pkgconfig"
export PKG_CONFIG_SYSROOT_DIR="$sysroot"
exec "$@" CC="$triple-gcc --sysroot=$sysroot" AR="$triple-ar"
