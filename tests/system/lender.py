# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""One process reads a byte of FILE and connects; another one reads all of it, is given the socket and sends SENT bytes by it.

usage: lender.py WAY tcp|udp FILE ADDRESS PORT

WAY: scm, by a unix socket; pidfd, taken by pidfd_getfd; inherit, by a fork in between, whose parent connects only then."""
import ctypes
import os
import socket
import sys

WAY, PROTO, FILE, ADDRESS, PORT = sys.argv[1:]
SENT, PART = 300007, 1009
PIDFD_OPEN, PIDFD_GETFD = 434, 438
libc = ctypes.CDLL(None, use_errno=True)


def connected(made=None):
    s = made or fresh()
    s.connect((ADDRESS, int(PORT)))
    return s


def fresh():
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM if PROTO == "tcp" else socket.SOCK_DGRAM)


def read(n):
    fd = os.open(FILE, os.O_RDONLY)
    while n > 0:
        got = len(os.read(fd, min(n, 65536)))
        n = n - got if got else 0
    os.close(fd)


def send(s):
    left = SENT
    while left:
        left -= s.send(bytes(min(left, PART)))


def role(do):
    pid = os.fork()
    if pid:
        return pid
    try:
        do()
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


def by_scm():
    here, there = socket.socketpair()

    def lend():
        s = connected()
        read(1)
        socket.send_fds(here, [b"x"], [s.fileno()])
        here.recv(1)

    def borrow():
        read(1 << 30)
        s = fresh()
        _, fds, _, _ = socket.recv_fds(there, 1, 1)
        os.dup2(fds[0], s.fileno())
        send(s)
        there.send(b"x")

    return [role(lend), role(borrow)]


def by_pidfd():
    ready, done = os.eventfd(0), os.eventfd(0)

    def lend():
        s = connected()
        os.dup2(s.fileno(), 77)
        read(1)
        os.eventfd_write(ready, 1)
        os.eventfd_read(done)

    lender = role(lend)

    def borrow():
        read(1 << 30)
        os.eventfd_read(ready)
        pidfd = libc.syscall(PIDFD_OPEN, lender, 0)
        fd = libc.syscall(PIDFD_GETFD, pidfd, 77, 0)
        assert fd >= 0, os.strerror(ctypes.get_errno())
        s = fresh()
        os.dup2(fd, s.fileno())
        send(s)
        os.eventfd_write(done, 1)

    return [lender, role(borrow)]


def by_fork():
    ready, done = os.eventfd(0), os.eventfd(0)

    def lend():
        s = fresh()

        def borrow():
            os.eventfd_read(ready)
            read(1 << 30)
            send(s)
            os.eventfd_write(done, 1)

        child = role(borrow)
        read(1)
        connected(s)
        os.eventfd_write(ready, 1)
        os.eventfd_read(done)
        assert os.waitpid(child, 0)[1] == 0

    return [role(lend)]


for one in {"scm": by_scm, "pidfd": by_pidfd, "inherit": by_fork}[WAY]():
    assert os.waitpid(one, 0)[1] == 0
