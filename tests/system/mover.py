# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Moves bytes inside the kernel, or looks into another process, and reports what the kernel said it did.

usage: mover.py REPORT STEP...   A step is VERB[:ARGUMENT...]; see the table at the end."""
import ctypes
import fcntl
import json
import os
import resource
import socket
import struct
import sys
import time

BLOCK = 4099
FICLONE, FICLONERANGE = 0x40049409, 0x4020940D
PTRACE_ATTACH, PTRACE_PEEKDATA, PTRACE_DETACH = 16, 2, 17
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]

truth = {"pid": os.getpid(), "moved": 0, "sent": 0, "read": 0}
held = {}


def must(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def each_block(total):
    while total:
        n = min(BLOCK, total)
        yield n
        total -= n


def splice_through(path, out, count):
    """File to pipe to `out`: what came out of the file."""
    fd = os.open(path, os.O_RDONLY)
    r, w = os.pipe()
    for n in each_block(count):
        got = os.splice(fd, w, n)
        truth["moved"] += got
        while got:
            got -= os.splice(r, out, got)


def step_splice(path, target, count):
    splice_through(path, held[target] if target in held else os.open(target, os.O_WRONLY | os.O_CREAT, 0o644),
                   int(count))


def step_fill(path, pipe, count):
    """File to a pipe that others read."""
    fd = os.open(path, os.O_RDONLY)
    for n in each_block(int(count)):
        truth["moved"] += os.splice(fd, held[pipe], n)


def step_tee(path, target, count):
    fd, out = os.open(path, os.O_RDONLY), os.open(target, os.O_WRONLY | os.O_CREAT, 0o644)
    null = os.open("/dev/null", os.O_WRONLY)
    (r1, w1), (r2, w2) = os.pipe(), os.pipe()
    for n in each_block(int(count)):
        got = os.splice(fd, w1, n)
        truth["moved"] += got
        assert must(libc.tee(r1, w2, ctypes.c_size_t(got), 0)) == got
        assert os.splice(r1, null, got) == os.splice(r2, out, got) == got


def step_sendfile(path, target, count):
    fd = os.open(path, os.O_RDONLY)
    out = held[target] if target in held else os.open(target, os.O_WRONLY | os.O_CREAT, 0o644)
    left = int(count)
    while left:
        got = os.sendfile(out, fd, None, left)
        truth["moved"] += got
        left -= got


def step_copy(path, target, count):
    fd, out = os.open(path, os.O_RDONLY), os.open(target, os.O_WRONLY | os.O_CREAT, 0o644)
    left = int(count)
    while left:
        got = os.copy_file_range(fd, out, left)
        truth["moved"] += got
        left -= got


def step_clone(path, target):
    fd, out = os.open(path, os.O_RDONLY), os.open(target, os.O_WRONLY | os.O_CREAT, 0o644)
    fcntl.ioctl(out, FICLONE, fd)
    truth["moved"] += os.fstat(out).st_size


def step_clone_range(path, target, offset, length):
    fd, out = os.open(path, os.O_RDONLY), os.open(target, os.O_WRONLY | os.O_CREAT, 0o644)
    fcntl.ioctl(out, FICLONERANGE, struct.pack("qQQQ", fd, int(offset), int(length), 0))
    truth["moved"] += int(length)


def step_vmsplice(pipe, count):
    """Memory into a pipe."""
    for n in each_block(int(count)):
        buffer = ctypes.create_string_buffer(n)
        iov = struct.pack("QQ", ctypes.addressof(buffer), n)
        assert must(libc.vmsplice(held[pipe], iov, ctypes.c_size_t(1), 0)) == n


def step_read(path, count=None):
    with open(path, "rb", buffering=0) as f:
        data = f.read(int(count)) if count else f.readall()
    truth["read"] += len(data)
    held["data"] = data


def step_write(path, count):
    with open(path, "wb", buffering=0) as f:
        left = int(count)
        while left:
            left -= f.write((held["data"] * (left // len(held["data"]) + 1))[:left])


def step_drain(pipe, count):
    left = int(count)
    while left:
        left -= len(os.read(held[pipe], min(left, 65536)))


def step_connect(name, address, port):
    s = socket.create_connection((address, int(port)))
    held[name] = s.fileno()
    held[name + " object"] = s


def step_send(name, count):
    left = int(count)
    while left:
        n = os.write(held[name], bytes(min(left, 65536)))
        truth["sent"] += n
        left -= n


def step_fifo(name, path, how):
    held[name] = os.open(path, {"r": os.O_RDONLY, "w": os.O_WRONLY, "rw": os.O_RDWR}[how])


def step_memory(pid, count):
    """process_vm_readv, of anything that is readable there."""
    at = int(next(line for line in open(f"/proc/{pid}/maps", encoding="ascii") if "[heap]" in line).split("-")[0], 16)
    buffer = ctypes.create_string_buffer(int(count))
    local = struct.pack("QQ", ctypes.addressof(buffer), int(count))
    remote = struct.pack("QQ", at, int(count))
    assert must(libc.process_vm_readv(int(pid), local, ctypes.c_ulong(1), remote, ctypes.c_ulong(1), 0)) == int(count)


def step_peek(pid):
    must(libc.ptrace(PTRACE_ATTACH, int(pid), None, None))
    os.waitpid(int(pid), 0)
    at = int(next(line for line in open(f"/proc/{pid}/maps", encoding="ascii") if "[heap]" in line).split("-")[0], 16)
    libc.ptrace(PTRACE_PEEKDATA, int(pid), at, None)
    must(libc.ptrace(PTRACE_DETACH, int(pid), None, None))


def step_mem(pid, count):
    at = int(next(line for line in open(f"/proc/{pid}/maps", encoding="ascii") if "[heap]" in line).split("-")[0], 16)
    fd = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    assert len(os.pread(fd, int(count), at)) == int(count)


def step_crash():
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    os.abort()


def step_say(word):
    print(word, flush=True)


def step_line():
    sys.stdin.readline()


def step_sleep(seconds):
    time.sleep(float(seconds))


def main():
    report, steps = sys.argv[1], sys.argv[2:]
    for step in steps:
        verb, *arguments = step.split(":")
        globals()["step_" + verb.replace("-", "_")](*arguments)
    with open(report, "w", encoding="utf-8") as f:
        json.dump(truth, f)
        f.write("\n")


main()
