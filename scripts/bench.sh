#!/bin/bash
# SPDX-License-Identifier: MIT OR GPL-2.0-only
# What watching costs; `make bench` builds what this needs. All of it is in bench.py.
set -eu
cd "$(dirname "$0")/.."
exec "${PYTHON:-/usr/bin/python3}" scripts/bench.py "$@"
