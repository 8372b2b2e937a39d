# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""
A server for NFS version 3 over TCP, of one directory whose files keep only their length: it counts what is written to it.

    nfs_server.py ADDR REPORT       says "ready PORT", and at SIGTERM writes {"written": bytes, "writes": calls} to REPORT
"""
import json
import signal
import socket
import struct
import sys
import threading

NFS, MOUNT = 100003, 100005
NFS3ERR_NOENT, NFS3ERR_NOTSUPP = 2, 10004
ROOT = b"\0\0\0\1"
FSF_HOMOGENEOUS, FSF_CANSETTIME = 8, 16

files = {}    # name -> file id
sizes = {}    # file id -> length
written = {"written": 0, "writes": 0}
lock = threading.Lock()


class Arguments:
    def __init__(self, data):
        self.data, self.at = data, 0

    def u32(self):
        self.at += 4
        return struct.unpack_from(">I", self.data, self.at - 4)[0]

    def u64(self):
        return self.u32() << 32 | self.u32()

    def opaque(self):
        n = self.u32()
        found = self.data[self.at:self.at + n]
        self.at += (n + 3) & ~3
        return found


def u32(*values):
    return struct.pack(f">{len(values)}I", *values)


def u64(*values):
    return struct.pack(f">{len(values)}Q", *values)


def opaque(data):
    return u32(len(data)) + data + bytes(-len(data) % 4)


def attributes(handle):
    node = struct.unpack(">I", handle)[0]
    root = handle == ROOT
    size = 4096 if root else sizes.get(node, 0)
    return (u32(2 if root else 1, 0o777 if root else 0o666, 2 if root else 1, 0, 0) + u64(size, size) + u32(0, 0) +
            u64(1, node) + u32(1, 0) * 3)


def after(handle):
    """Attributes as they are now."""
    return u32(1) + attributes(handle)


def change(handle):
    """What there was before is not told."""
    return u32(0) + after(handle)


def handle_of(name):
    if name not in files:
        files[name] = len(files) + 2
        sizes[files[name]] = 0
    return u32(files[name])


def get_attributes(a):
    return u32(0) + attributes(a.opaque())


def set_attributes(a):
    handle = a.opaque()
    for words in (1, 1, 1):  # mode, uid, gid
        if a.u32():
            a.at += 4 * words
    if a.u32():
        sizes[struct.unpack(">I", handle)[0]] = a.u64()
    return u32(0) + change(handle)


def lookup(a):
    handle, name = a.opaque(), a.opaque()
    if name not in files:
        return u32(NFS3ERR_NOENT) + after(handle)
    return u32(0) + opaque(handle_of(name)) + after(handle_of(name)) + after(handle)


def access(a):
    handle = a.opaque()
    return u32(0) + after(handle) + u32(a.u32())


def read(a):
    handle, offset, count = a.opaque(), a.u64(), a.u32()
    left = max(0, sizes[struct.unpack(">I", handle)[0]] - offset)
    n = min(count, left)
    return u32(0) + after(handle) + u32(n, int(n == left)) + opaque(bytes(n))


def write(a):
    handle, offset, count, _ = a.opaque(), a.u64(), a.u32(), a.u32()
    assert len(a.opaque()) == count
    node = struct.unpack(">I", handle)[0]
    sizes[node] = max(sizes[node], offset + count)
    written["written"] += count
    written["writes"] += 1
    return u32(0) + change(handle) + u32(count, 2) + bytes(8)


def create(a):
    directory, name = a.opaque(), a.opaque()
    handle = handle_of(name)
    return u32(0) + u32(1) + opaque(handle) + after(handle) + change(directory)


def file_system(a):
    return u32(0) + after(a.opaque()) + u64(*[1 << 40] * 3, *[1 << 20] * 3) + u32(0)


def limits(a):
    return u32(0) + after(a.opaque()) + u32(65536, 65536, 512, 65536, 65536, 512, 8192) + u64(1 << 40) + u32(0, 1) + \
        u32(FSF_HOMOGENEOUS | FSF_CANSETTIME)


def names(a):
    return u32(0) + after(a.opaque()) + u32(1, 255, 1, 1, 0, 1)


def commit(a):
    return u32(0) + change(a.opaque()) + bytes(8)


CALLS = {
    (NFS, 1): get_attributes, (NFS, 2): set_attributes, (NFS, 3): lookup, (NFS, 4): access, (NFS, 6): read, (NFS, 7): write,
    (NFS, 8): create, (NFS, 18): file_system, (NFS, 19): limits, (NFS, 20): names, (NFS, 21): commit,
    (MOUNT, 1): lambda a: u32(0) + opaque(ROOT) + u32(1, 1), (MOUNT, 3): lambda a: b"",
}


def reply(message):
    a = Arguments(message)
    call, _, _, program, _, procedure = (a.u32() for _ in range(6))
    for _ in range(2):  # credentials, verifier
        a.u32()
        a.opaque()
    head = u32(call, 1, 0, 0, 0)
    if procedure == 0:
        return head + u32(0)
    do = CALLS.get((program, procedure))
    if not do:
        return head + u32(0) + u32(NFS3ERR_NOTSUPP) + u32(0)
    with lock:
        return head + u32(0) + do(a)


def exactly(connection, n):
    data = b""
    while len(data) < n:
        more = connection.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def serve(connection):
    try:
        while True:
            message, last = b"", False
            while not last:
                word = struct.unpack(">I", exactly(connection, 4))[0]
                last = bool(word >> 31)
                message += exactly(connection, word & 0x7fffffff)
            answer = reply(message)
            connection.sendall(u32(1 << 31 | len(answer)) + answer)
    except (EOFError, OSError):
        connection.close()


def main(address, report):
    listener = socket.create_server((address, 0))
    print("ready", listener.getsockname()[1], flush=True)

    def end(*_):
        with open(report, "w", encoding="utf-8") as f:
            json.dump(written, f)
            f.write("\n")
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


main(*sys.argv[1:])
