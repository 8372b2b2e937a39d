# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Where things are, and how large the large tests are."""
import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("SLUICE_BUILD", os.path.join(ROOT, "build"))
SLUICE = os.environ.get("SLUICE", os.path.join(BUILD, "sluice"))
WORK = os.environ.get("SLUICE_WORK", os.path.join(BUILD, "work"))
DATA = os.environ.get("SLUICE_TEST_DATA", "/var/tmp")
# The large tests do 1/SCALE of their work: under emulation all is some six times slower.
SCALE = int(os.environ.get("SLUICE_TEST_SCALE", "1"))
# Seconds after which something that is waited for is taken not to happen. Nothing waits so long when all is well.
PATIENCE = 60 if SCALE == 1 else 180


def program(name):
    path = os.path.join(WORK, name)
    if not os.access(path, os.X_OK):
        raise RuntimeError(f"{path} is not built: run make work")
    return path
