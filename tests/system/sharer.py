# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Has memory together with others, and reports what it did with it.

usage: sharer.py REPORT STEP...   A step is VERB[:ARGUMENT...]; see the table at the end."""
import ctypes
import json
import mmap
import os
import socket
import sys
import time

SIZE = 1 << 20
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
libc.shmat.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
SHM_RDONLY = 0o10000

truth = {"pid": os.getpid(), "read": 0, "sent": 0, "put": 0, "got": 0}
held = {}


def step_map(name, path, how="rw"):
    fd = os.open(path, os.O_RDWR if how == "rw" else os.O_RDONLY)
    flags = mmap.MAP_PRIVATE if how == "private" else mmap.MAP_SHARED
    held[name] = mmap.mmap(fd, SIZE, flags, mmap.PROT_READ | (mmap.PROT_WRITE if how == "rw" else 0))
    os.close(fd)


def step_attach(name, number, how="rw"):
    at = libc.shmat(int(number), None, 0 if how == "rw" else SHM_RDONLY)
    if at in (None, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), "shmat")
    held[name] = (ctypes.c_char * SIZE).from_address(at)


def step_anonymous(name):
    held[name] = mmap.mmap(-1, SIZE)


def step_read(path, count=None):
    """From the file's beginning."""
    fd = os.open(path, os.O_RDONLY)
    truth["read"] += len(os.read(fd, int(count or SIZE)))
    os.close(fd)


def step_see(path):
    """Maps the whole of a file, and touches it."""
    with open(path, "rb") as f:
        held["seen"] = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
    truth["seen"] = sum(1 for i in range(0, len(held["seen"]), 4096) if held["seen"][i:i + 1])


def step_put(name, count):
    """Into memory; the first byte last: it is what others wait for."""
    n = int(count)
    held[name][1:n] = b"y" * (n - 1)
    held[name][0:1] = b"x"
    truth["put"] += n


def step_wait(name, count):
    """Until they are there. Nothing is called but the clock."""
    while held[name][0:1] != b"x":
        time.sleep(0.01)
    truth["got"] += len(held[name][0:int(count)])


def step_pass(source, to, count):
    step_wait(source, count)
    step_put(to, count)


def step_write(path, count):
    fd = os.open(path, os.O_WRONLY)
    truth["put"] += os.pwrite(fd, b"y" * (int(count) - 1), 1) + os.pwrite(fd, b"x", 0)
    os.close(fd)


def step_connect(name, ip, port):
    held[name] = socket.create_connection((ip, int(port)))


def step_send(name, count):
    held[name].sendall(b"z" * int(count))
    truth["sent"] += int(count)


def step_fork(count):
    """So many of us go on, and all but the last do nothing but wait for their end."""
    for i in range(int(count)):
        if os.fork() == 0:
            if i < int(count) - 1:
                time.sleep(600)
            truth.update(pid=os.getpid(), child=i)
            return
    sys.stdin.readline()
    os.killpg(0, 9)


def step_group():
    os.setpgid(0, 0)


def step_say(text):
    print(text, flush=True)


def step_go():
    sys.stdin.readline()


STEPS = {name[5:]: f for name, f in globals().items() if name.startswith("step_")}

try:
    for step in sys.argv[2:]:
        verb, *arguments = step.split(":")
        STEPS[verb](*arguments)
finally:
    with open(sys.argv[1], "a", encoding="utf-8") as report:
        report.write(json.dumps(truth) + "\n")
