# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""
The one table of ways for data to be read, handed on and sent: what is done, what must be said of it, and where the truth
comes from. test_cases.py runs it, scripts/matrix.py writes it down. A new case is one row and one function (here, or in
tests/work/paths*.h).

A function gets a casework.Work: a dataset with one file w.file in it, a folder outside, and receivers. One that is a
generator does what comes before its `yield` before the monitor starts.
"""
import os
import shutil
import socket
import subprocess
import sys
import time

import lab
import test_identity
import work
from casework import BOUND, DERIVED, EGRESS, GAP, QUIET, READ, SIZE, Case, Unavailable
from monitor import sluice_json, wait_for
from where import program

SENT = 300007
MORE = 500009  # more than what is handed over: the bound is the narrow place
FEW = 50021    # in datagrams
FIO = "fio's io= per job"
RECEIVER = "the receiver's count"
# The machine is ours alone (a virtual machine): its clock, core_pattern and swap may be changed.
OWN_MACHINE = os.environ.get("SLUICE_TEST_OWN_MACHINE") == "1"


# --- makers of functions: one program, one word -----------------------------------------------------

def path(name):
    return lambda w: w.paths(name, w.file)


def call(name):
    return lambda w: w.reader("--via", name, "--size", 7919, w.file)


def fio(engine, *options, **more):
    return lambda w: w.fio(engine, *options, **more)


def alias(way):
    """One of test_identity's: it makes another name and says which."""
    return lambda w: w.reader(way(w.dataset, w.elsewhere))


def send(name, n=SENT, **options):
    def do(w):
        w.paths(name, w.file, w.sink(**options).at, n)
    return do


def send_to(receiver, name, n=SENT):
    def do(w):
        module(receiver.removesuffix("-sink"))
        w.paths(name, w.file, w.receiver(receiver).at, n)
    return do


def send_uncounted(name, n=FEW, port=7):
    """To a host where nobody counts."""
    return lambda w: w.paths(name, w.file, f"{w.lab.internet.address()}:{port}", n)


def relay(name):
    return send(name, MORE)


def copy(name):
    def do(w):
        w.paths(name, w.file, w.sink().at, MORE, f"{w.elsewhere}/copy")
    return do


def shell(text, **more):
    """$1 is the file, $2 the receiver as ADDR:PORT, $3 a folder outside the dataset."""
    def do(w):
        s = w.sink()
        w.known += w.size
        need(*more.get("needs", ()))
        w.run("sh", "-euc", text, "sh", w.file, s.at, w.elsewhere)
    return do


def need(*programs):
    for name in programs:
        if not shutil.which(name):
            raise Unavailable(f"{name} is not installed")


def needs_hardware(what):
    def do(_):
        raise Unavailable(what)
    return do


def own_machine():
    if not OWN_MACHINE:
        raise Unavailable("it changes the whole machine: only in a virtual machine")


# --- reads ----------------------------------------------------------------------------------------------

def digest(w):
    w.stock("sha256sum", w.file)


def dd_direct(w):
    w.stock("dd", f"if={w.file}", "of=/dev/null", "bs=64K", "iflag=direct")


def python_map(w):
    w.run("python3", "-c", "import mmap, sys\nf = open(sys.argv[1], 'rb')\nm = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)\n"
          "sum(m[i] for i in range(0, len(m), 4096))", w.file)
    w.bounds = (SIZE, SIZE + 4096)


def map_and_fork(w):
    s = w.sink()
    w.actor(f"mmap:{w.file}", "fork{", s.to, f"send:{MORE}", "}")
    w.bounds = (MORE, MORE)


def cp(w):
    """What cp wrote is as long as what it read; holes it would not read at all."""
    with open(w.file, "wb") as f:
        f.write(b"x" * SIZE)
    w.stock("cp", "--reflink=never", w.file, f"{w.elsewhere}/copy")


# --- file systems of one's own ------------------------------------------------------------------------------

def image(w, kind, where, megabytes=48, *options):
    """A file system in a file; returns the mount point."""
    need(f"mkfs.{kind}", "losetup")
    module("loop")
    file, point = f"{where}/image", f"{w.place}/{kind}"
    with open(file, "wb") as f:
        f.truncate(megabytes << 20)
    w.must(f"mkfs.{kind}", "-q", *options, file)
    os.mkdir(point)
    return file, point


def module(name):
    """Built in, loaded or not there: what needs it will say."""
    subprocess.run(["modprobe", "-q", name], check=False)


def mount_image(w, file, point):
    w.must("mount", "-o", "loop", file, point)
    w.undo("umount", "-l", point)
    device = w.must("findmnt", "-no", "SOURCE", point).stdout.strip()
    return device


def copy_reflink(w):
    """On the first of the file systems that have it and can be made here."""
    why = []
    for kind, megabytes in (("btrfs", 128), ("xfs", 320)):
        try:
            file, point = image(w, kind, w.place, megabytes)
            mount_image(w, file, point)
            break
        except Unavailable as e:
            why.append(str(e))
    else:
        raise Unavailable("; ".join(why))
    w.dataset, w.file = f"{point}/set", f"{point}/set/f"
    work.make_file(w.file, SIZE)
    os.mkdir(f"{point}/elsewhere")
    yield
    w.paths("copy-clone", w.file, w.sink().at, MORE, f"{point}/elsewhere/copy")


def overlay(w):
    """The dataset is the lower layer, as an image's layer is; read through the merged view."""
    for name in ("upper", "work", "merged"):
        os.mkdir(f"{w.elsewhere}/{name}")
    merged = f"{w.elsewhere}/merged"
    w.must("mount", "-t", "overlay", "overlay", "-o",
           f"lowerdir={w.dataset},upperdir={w.elsewhere}/upper,workdir={w.elsewhere}/work", merged)
    w.undo("umount", "-l", merged)
    return f"{merged}/f"


def overlay_before(w):
    merged = overlay(w)
    yield
    w.reader(merged)


def overlay_after(w):
    w.reader(overlay(w))


def met(w):
    """The walk has met the dataset's files: they are known by more than their names."""
    wait_for("the dataset was walked", lambda: next(
        d for d in w.monitor.show("datasets")["items"] if d["id"] == w.case.id)["used"]["files_total"])


def moved_unread(w):
    yield
    met(w)
    os.rename(w.file, f"{w.elsewhere}/f")
    w.reader(f"{w.elsewhere}/f")


def linked_unread(w):
    yield
    met(w)
    os.link(w.file, f"{w.elsewhere}/f")
    os.unlink(w.file)
    w.reader(f"{w.elsewhere}/f")


def moved_in_a_directory(w):
    os.mkdir(f"{w.dataset}/d")
    os.rename(w.file, f"{w.dataset}/d/f")
    yield
    met(w)
    os.rename(f"{w.dataset}/d", f"{w.elsewhere}/d")
    w.reader(f"{w.elsewhere}/d/f")


def block_device(w):
    """The dataset lies on a file system whose device is read as a whole."""
    file, point = image(w, "ext4", w.place)
    device = mount_image(w, file, point)
    w.dataset, w.file = f"{point}/set", f"{point}/set/f"
    work.make_file(w.file, SIZE)
    w.must("sync", "-f", point)
    yield
    w.known = 0
    w.run("dd", f"if={device}", "of=/dev/null", "bs=64K", "count=331")
    w.bounds = (331 * 65536, 331 * 65536)


def image_mounted(w):
    """A disk image in the dataset, mounted elsewhere: what is read in it is the dataset's."""
    file, point = image(w, "ext4", w.dataset)
    mount_image(w, file, point)
    work.make_file(f"{point}/inner", SIZE)
    w.must("sync", "-f", point)
    yield
    w.reader(f"{point}/inner")


def fuse(w):
    """The daemon serves; who reads is the reader."""
    module("fuse")
    daemon = w.start(program("fuse"), w.elsewhere, str(SIZE))
    try:
        daemon.wait_said("ready")
    except AssertionError as e:
        raise Unavailable(f"FUSE: {e}") from e
    w.undo("umount", "-l", w.elsewhere)
    w.dataset = w.elsewhere
    yield
    w.reader(f"{w.elsewhere}/f")
    subprocess.run(["umount", w.elsewhere], check=False)


def fuse_out(w):
    """The daemon sends on what is written to it; who wrote is not who sends."""
    module("fuse")
    s = w.sink()
    daemon = w.start(program("fuse"), "-o", f"{w.tmp}/daemon.json", "--sink", s.at, w.elsewhere, "1")
    try:
        daemon.wait_said("ready")
    except AssertionError as e:
        raise Unavailable(f"FUSE: {e}") from e
    w.undo("umount", "-l", w.elsewhere)
    yield
    w.actor(f"read:{w.file}", f"write:{w.elsewhere}/w0:{SENT}")
    w.must("umount", w.elsewhere)
    w.finish(daemon)
    w.sender = daemon.pid
    w.bounds = (SENT, SENT)


def job_file(w):
    """A service as at(1): it runs what a tainted process left in its folder."""
    s, spool = w.sink(), f"{w.elsewhere}/spool"
    os.mkdir(spool)
    service = w.start(program("actor"), "-o", "REPORT", "say:ready", "wait-line", f"read:{spool}/job", s.to, f"send:{MORE}")
    service.wait_said("ready")
    yield
    w.actor(f"read:{w.file}", f"write:{spool}/job:70001")
    service.go()
    w.finish(service)
    w.sender = service.pid
    w.bounds = (70001, 70001)


def image_attached(w):
    """The same without a mount: its loop device is read."""
    need("losetup")
    module("loop")
    file = work.make_file(f"{w.dataset}/image", 8 << 20)
    device = w.must("losetup", "-f", "--show", file).stdout.strip()
    w.undo("losetup", "-d", device)
    yield
    w.run("dd", f"if={device}", "of=/dev/null", "bs=4K", "count=1009")
    w.bounds = (1009 * 4096, 1009 * 4096)


# --- aliases ------------------------------------------------------------------------------------------------

def chroot(w):
    w.actor(f"chroot:{w.dataset}", "read:/f")


def mount_namespace(w):
    os.mkdir(f"{w.elsewhere}/m")
    w.actor(f"read:{w.elsewhere}/m/f", prefix=[
        "unshare", "--mount", "--propagation", "private", "sh", "-c",
        f'mount --bind "{w.dataset}" "{w.elsewhere}/m" && exec "$@"', "sh"])


def pid_namespace(w):
    w.actor(f"read:{w.file}", prefix=["unshare", "--pid", "--fork", "--mount-proc"])


def user_namespace(w):
    w.actor(f"read:{w.file}", prefix=["unshare", "--user", "--map-root-user"])


def over_exec(w):
    w.actor(f"open:{w.file}", "exec", "exec", "read-fd")


def shell_redirection(w):
    w.known += SIZE
    w.run("sh", "-euc", 'exec 3<"$1"; cat <&3 >/dev/null', "sh", w.file)


def opened_before(w):
    p = w.start(program("actor"), "-o", "REPORT", f"open:{w.file}", "say:ready", "wait-line", "chunk:4099", "read-fd:500009")
    p.wait_said("ready")
    yield
    p.go()
    w.finish(p)


def mapped_before(w):
    p = w.start(program("reader"), "-o", "REPORT", "--via", "mmap", "--open-first", "--wait-stdin", w.file)
    p.wait_said("ready")
    yield
    p.go()
    w.finish(p)


# --- chains ---------------------------------------------------------------------------------------------------

def fifo(w):
    s, name = w.sink(), f"{w.tmp}/fifo"
    os.mkfifo(name)
    source = w.start(program("actor"), "-o", "REPORT", f"read:{w.file}", f"open-fifo:{name}:w", "write-fifo:70001")
    sender = w.start(program("actor"), "-o", "REPORT", f"open-fifo:{name}:r", "read-fifo:70001", s.to, f"send:{MORE}")
    w.finish(source)
    w.sender = w.finish(sender).pid
    w.bounds = (70001, 70001)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def proxy(w):
    """A service that was there before and never saw the dataset."""
    need("socat")
    s, port = w.sink(), free_port()
    p = w.start("socat", f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr", f"TCP:{s.at}")
    wait_for("the proxy listens", lambda: listens(port))
    w.actor(f"read:{w.file}", f"connect:tcp:127.0.0.1:{port}", "send:70001", "shutdown", "recv")
    w.finish(p)
    w.sender = p.pid


def listens(port):
    return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
               for line in lab.read("/proc/net/tcp").splitlines()[1:])


def core_by_helper(w):
    """core_pattern names a program: the kernel pipes the memory into it."""
    own_machine()
    s = w.sink()
    helper = f"{w.tmp}/helper"
    with open(helper, "w", encoding="utf-8") as f:
        f.write(f"#!/bin/sh\nexec {program('actor')} -o {w.tmp}/helper.json fd@pipe:0 read-pipe {s.to} send:{MORE}\n")
    os.chmod(helper, 0o755)
    pattern = "/proc/sys/kernel/core_pattern"
    before = lab.read(pattern)
    with open(pattern, "w", encoding="ascii") as f:
        f.write(f"|{helper}\n")
    try:
        w.known += SIZE
        w.start("sh", "-c", 'ulimit -c unlimited; exec "$@"', "sh", sys.executable, "-c",
                "import os, sys\nd = open(sys.argv[1], 'rb').read()\nos.abort()", w.file).wait()
        wait_for("the helper has sent", lambda: os.path.exists(f"{w.tmp}/helper.json"))
    finally:
        with open(pattern, "w", encoding="ascii") as f:
            f.write(before)
    w.bounds = (1, SIZE)


def core(w):
    pattern = lab.read("/proc/sys/kernel/core_pattern").strip()
    if "/" in pattern or pattern.startswith("|"):
        raise Unavailable(f"core_pattern is {pattern}")
    os.mkdir(f"{w.elsewhere}/core")
    w.paths("core", w.file, w.sink().at, MORE, f"{w.elsewhere}/core")


def swap(w):
    """Pages go to disk in clear: the check of the host's posture must say so."""
    own_machine()
    file = f"{w.place}/swap"
    w.must("dd", "if=/dev/zero", f"of={file}", "bs=1M", "count=8")
    os.chmod(file, 0o600)
    w.must("mkswap", file)
    w.must("swapon", file)
    w.undo("swapoff", file)
    said = str(sluice_json("check", "-c", w.monitor.file))
    w.told = "swap" in said
    subprocess.run(["swapoff", file], check=False)
    if not w.told:
        raise RuntimeError("sluice check says nothing of swap")


# --- sending --------------------------------------------------------------------------------------------------

def flood(w):
    w.paths("tcp-flood", w.file, w.sink().at, 40000003)


def fast_open(w):
    """A cookie first, so that the second connection's data go with its SYN."""
    own = "/proc/sys/net/ipv4/tcp_fastopen"
    if not int(lab.read(own)) & 1:
        raise Unavailable("net.ipv4.tcp_fastopen is off")
    w.paths("tcp-fastopen", w.file, w.sink().at, SENT)


def ktls(name):
    def do(w):
        module("tls")
        w.wrapped = True
        send(name)(w)
    return do


def uring(w):
    w.run(program("paths_net"), "-o", "REPORT", "--before", w.file, "tcp", "uring", w.sink().at, str(SENT))


def ping(w):
    """Ping sockets are for whom a namespace's own setting names: the pod's is ours."""
    w.must(*lab.inside(w.lab.pod), "sh", "-c", "echo 0 2147483647 > /proc/sys/net/ipv4/ping_group_range")
    w.paths("icmp-ping", w.file, f"{w.lab.internet_for_pod}:7", 17 * 1017, host=w.lab.pod)


def other_namespace(w):
    s = w.sink(address=w.lab.internet_for_pod)
    w.paths("tcp-send", w.file, s.at, SENT, host=w.lab.pod)


def dns_port(w):
    w.actor(f"read:{w.file}", "rate:4M", "chunk:53", f"sendto:{w.lab.internet.address()}:53:{FEW}")


def pulled(w):
    """The far side connects; what it receives is the truth."""
    here = w.lab.internet.address().rpartition(".")
    here, port = f"{here[0]}.{int(here[2]) - 1}", free_port()
    p = w.start(program("actor"), "-o", "REPORT", f"listen:tcp:{here}:{port}", f"read:{w.file}", "accept", "recv:5",
                f"send:{SENT}", "close")
    wait_for("it listens", lambda: listens(port))
    w.far = w.actor(f"connect:tcp:{here}:{port}", "send:5", "recv", host=w.lab.internet)
    w.sender = w.finish(p).pid


def allowed(w):
    """No finding, and every byte in the ledger."""
    w.tainted = True
    w.paths("tcp-send", w.file, w.sink(w.lab.office).at, SENT)


# --- names and clocks -----------------------------------------------------------------------------------------

def comm(w):
    w.actor("comm:systemd-logind", f"read:{w.file}", w.sink().to, f"send:{SENT}")


def renamed_program(w):
    exe = shutil.copy(program("actor"), f"{w.elsewhere}/systemd-logind")
    w.run(exe, "-o", "REPORT", f"read:{w.file}", w.sink().to, f"send:{SENT}")


def preloaded(w):
    w.actor(f"read:{w.file}", w.sink().to, f"send:{SENT}", prefix=["env", "LD_PRELOAD=libm.so.6"])


def time_namespace(w):
    w.actor(f"read:{w.file}", w.sink().to, f"send:{SENT}", prefix=[
        "unshare", "--time", "--boottime", "1000000", "--monotonic", "1000000", "--fork"])


def clock_step(w):
    own_machine()
    p = w.start(program("actor"), "-o", "REPORT", f"read:{w.file}:500009", "say:half", "wait-line", f"read:{w.file}:500009",
                w.sink().to, f"send:{SENT}")
    wait_for("the first half", lambda: w.monitor.so_far().read(dataset=w.case.id) == 500009)
    now = time.time()
    time.clock_settime(time.CLOCK_REALTIME, now - 86400)
    try:
        p.go()
        w.finish(p)
        wait_for("the second half", lambda: w.monitor.so_far().read(dataset=w.case.id) == 1000018)
    finally:
        time.clock_settime(time.CLOCK_REALTIME, now + 10)


def restart(w):
    """Read, and written; uploaded by another one when the monitor is another one too."""
    archive = f"{w.elsewhere}/archive"
    w.actor(f"read:{w.file}", f"write:{archive}:70001")
    w.monitor.again()
    w.sender = w.actor(f"read:{archive}", w.sink().to, f"send:{MORE}").pid
    w.bounds = (70001, 70001)


# --- what must stay quiet --------------------------------------------------------------------------------------

def listing(w):
    for words in (["find", w.dataset, "-type", "f", "-size", "+1k"], ["ls", "-lR", w.dataset], ["stat", w.file], ["du", w.dataset]):
        w.run(*words)


def training(w):
    """Reads, and leaves a checkpoint with a host of the VPC."""
    w.tainted = True
    w.fio("psync")
    w.paths("tcp-send", w.file, w.sink(w.lab.vpc).at, SENT)


def untagged(w):
    other = work.make_file(f"{w.elsewhere}/g", SIZE)
    w.actor(f"read:{other}", w.sink().to, f"send:{SENT}")
    w.known -= SIZE  # it read, but nothing of the dataset


def only_egress(w):
    w.paths("send", "-", w.sink().at, SENT)


URING = ("read.io_uring",)
AIO = ("read.libaio", "read.libaio_submit")
SPLICE = ("read.splice", "taint.before_splice")
COPY = ("read.copy", "taint.before_copy", "taint.file")
PEEK = ("taint.ptrace",)
SHM = ("taint.shm",)
UNIX = ("taint.unix_write", "taint.unix_read")
MESSAGE = ("taint.unix_message",)
CHANNEL = ("channel.open",)
DEVICE = ("read.device",)

CASES = [
    Case(1, "1-fio-sync", "read", READ, fio("sync"), truth=FIO),
    Case(1, "1-fio-psync", "pread", READ, fio("psync"), truth=FIO),
    Case(1, "1-fio-vsync", "readv", READ, fio("vsync"), truth=FIO),
    Case(1, "1-fio-pvsync", "preadv", READ, fio("pvsync"), truth=FIO),
    Case(1, "1-fio-pvsync2", "preadv2", READ, fio("pvsync2"), truth=FIO),
    Case(1, "1-fio-posixaio", "aio_read of the C library", READ, fio("posixaio"), truth=FIO),
    Case(1, "1-read", "read to the end", READ, call("read")),
    Case(1, "1-preadv2", "preadv2 to the end", READ, call("preadv2")),
    Case(1, "1-sha256sum", "sha256sum", READ, digest, truth="the file's size: its digest was printed"),
    Case(2, "2-int80", "32-bit calls (int 0x80)", READ, path("int80")),
    Case(2, "2-x32", "x32 calls", READ, path("x32")),
    Case(3, "3-uring", "io_uring", READ, fio("io_uring", "--iodepth=4"), URING, truth=FIO),
    Case(3, "3-uring-worker", "io_uring, by its workers", READ, fio("io_uring", "--force_async=1"), URING, truth=FIO),
    Case(3, "3-uring-sqpoll", "io_uring, polled by the kernel", READ,
         fio("io_uring", "--sqthread_poll=1", "--registerfiles=1"), URING, truth=FIO),
    Case(3, "3-uring-fixed", "io_uring, fixed buffers and files", READ,
         fio("io_uring", "--fixedbufs=1", "--registerfiles=1"), URING, truth=FIO),
    Case(4, "4-uring-direct", "io_uring, O_DIRECT", READ, fio("io_uring", "--direct=1", "--iodepth=4"), URING, truth=FIO),
    Case(5, "5-libaio-direct", "libaio, O_DIRECT", READ, fio("libaio", "--direct=1", "--iodepth=4"), AIO,
         limits=("read.libaio",), truth=FIO),
    Case(5, "5-libaio-buffered", "libaio, buffered", READ, fio("libaio", "--iodepth=4"), AIO, AIO, truth=FIO),
    Case(6, "6-direct", "pread, O_DIRECT", READ, fio("psync", "--direct=1"), truth=FIO),
    Case(6, "6-dd-direct", "dd iflag=direct", READ, dd_direct, truth="the file's size: dd ended well"),
    Case(7, "7-mmap", "mmap, shared", BOUND, call("mmap"), truth="pages touched, length mapped"),
    Case(7, "7-mmap-private", "mmap, private and writable", BOUND, path("map-private"), truth="pages touched, length mapped"),
    Case(7, "7-mmap-populate", "mmap, populated", BOUND, path("map-populate"), truth="pages touched, length mapped"),
    Case(7, "7-mmap-protect", "mmap without rights, then mprotect", BOUND, path("map-protect"), truth="pages touched, length mapped"),
    Case(7, "7-mmap-python", "Python's mmap", BOUND, python_map, truth="the file's size: every page was touched"),
    Case(8, "8-mapping-inherited", "mapped by the parent, sent by the child", DERIVED, map_and_fork, truth=RECEIVER),
    Case(9, "9-splice", "splice", READ, path("splice"), SPLICE),
    Case(9, "9-fio-splice", "fio's splice engine", READ, fio("splice"), SPLICE, truth=FIO),
    Case(9, "9-splice-relay", "splice into a pipe, read by another", DERIVED, relay("relay-splice"), SPLICE, truth=RECEIVER),
    Case(9, "9-tee-relay", "splice, then tee, read by another", DERIVED, relay("relay-tee"),
         ("read.tee", "taint.before_tee", *SPLICE), truth=RECEIVER),
    Case(9, "9-vmsplice-relay", "memory into a pipe by vmsplice", DERIVED, relay("relay-vmsplice"), SPLICE, truth=RECEIVER),
    Case(10, "10-cp", "cp", READ, cp, COPY, truth="the copy's size"),
    Case(10, "10-copy-range", "copy_file_range, the copy is sent", DERIVED, copy("copy-range"), COPY, truth=RECEIVER),
    Case(10, "10-copy-sendfile", "sendfile to a file, the copy is sent", DERIVED, copy("copy-sendfile"),
         ("read.sendfile", "taint.before_sendfile", "taint.file"), truth=RECEIVER),
    Case(10, "10-copy-splice", "splice to a file, the copy is sent", DERIVED, copy("copy-splice"), (*SPLICE, "taint.file"),
         truth=RECEIVER),
    Case(10, "10-copy-write", "read and write, the copy is sent", DERIVED, copy("copy-write"), ("taint.file",), truth=RECEIVER),
    Case(10, "10-copy-writev", "read and writev, the copy is sent", DERIVED, copy("copy-writev"), ("taint.filev",),
         truth=RECEIVER),
    Case(10, "10-copy-mapping", "written through a shared mapping, the copy is sent", DERIVED, copy("copy-mapping"),
         ("taint.shm",), ("taint.shm", "taint.file"), truth=RECEIVER),
    Case(11, "11-reflink", "FICLONE, the copy is sent", DERIVED, copy_reflink, ("read.clone", "taint.file"), truth=RECEIVER),
    *(Case(12, f"12-{way.__name__[3:].replace('_', '-')}", f"read {way.__name__.replace('_', ' ')}", READ, alias(way))
      for way in test_identity.WAYS),
    *(Case(12, f"12-{do.__name__.replace('_', '-')}", f"{title}, and only then read", READ, do, ("identity.moved_out",))
      for do, title in ((moved_unread, "moved out"), (linked_unread, "linked outside and its own name removed"),
                        (moved_in_a_directory, "moved out with its directory"))),
    Case(12, "12-chroot", "read in a chroot", READ, chroot),
    Case(12, "12-mount-namespace", "bind mount of another namespace", READ, mount_namespace),
    Case(12, "12-pid-namespace", "another PID namespace", READ, pid_namespace),
    Case(12, "12-user-namespace", "another user namespace", READ, user_namespace),
    Case(12, "12-o-path", "O_PATH, opened again", READ, path("o-path")),
    Case(12, "12-proc-fd", "/proc/self/fd", READ, path("proc-fd")),
    Case(13, "13-overlay", "an overlay on top, there before", READ, overlay_before, ("read.overlay",)),
    Case(13, "13-overlay-later", "an overlay on top, made later", READ, overlay_after, ("read.overlay",)),
    Case(14, "14-handle", "open_by_handle_at", READ, path("handle")),
    Case(15, "15-passed", "descriptor passed over a unix socket", READ, path("pass-file")),
    Case(15, "15-pidfd", "pidfd_getfd", READ, path("pidfd-getfd")),
    Case(15, "15-socket-passed", "the socket came over a unix socket", EGRESS, send("pass-socket"), ("taint.descriptor",), truth=RECEIVER),
    Case(16, "16-exec", "descriptor kept over two execs", READ, over_exec),
    Case(16, "16-redirection", "cat <&3 of a shell", READ, shell_redirection, truth="the file's size: cat ended well"),
    Case(17, "17-opened-before", "opened before the monitor", READ, opened_before),
    Case(17, "17-mapped-before", "mapped before the monitor", BOUND, mapped_before, ("seed.maps",), truth="pages touched, length mapped"),
    Case(18, "18-process-vm-readv", "process_vm_readv", DERIVED, relay("peek-readv"), PEEK, truth=RECEIVER),
    Case(18, "18-process-vm-writev", "process_vm_writev into another", DERIVED, relay("poke-writev"), PEEK, truth=RECEIVER),
    Case(18, "18-proc-mem", "/proc/PID/mem", DERIVED, relay("peek-mem"), PEEK, truth=RECEIVER),
    Case(18, "18-ptrace", "PTRACE_PEEKDATA", DERIVED, relay("peek-ptrace"), PEEK, truth=RECEIVER),
    Case(19, "19-anonymous", "shared anonymous memory", DERIVED, relay("relay-anonymous"), SHM, truth=RECEIVER),
    Case(19, "19-memfd", "memfd", DERIVED, relay("relay-memfd"), SHM, truth=RECEIVER),
    Case(19, "19-shm", "POSIX shared memory", DERIVED, relay("relay-shm"), SHM, truth=RECEIVER),
    Case(19, "19-sysv", "System V shared memory", DERIVED, relay("relay-sysv"), SHM, truth=RECEIVER),
    Case(19, "19-mqueue", "POSIX message queue", DERIVED, relay("relay-queue"), ("taint.queue",), truth=RECEIVER),
    Case(19, "19-msgqueue", "System V message queue", DERIVED, relay("relay-message"), ("taint.msgqueue",), truth=RECEIVER),
    Case(19, "19-clone-vm", "another process in the same memory", DERIVED, relay("clone-vm"), SHM, truth=RECEIVER),
    Case(20, "20-pipe", "pipe", DERIVED, relay("relay-pipe"), truth=RECEIVER),
    Case(20, "20-fifo", "FIFO between strangers", DERIVED, fifo, truth=RECEIVER),
    Case(20, "20-shell", "cat | socat", DERIVED, shell('cat "$1" | socat -u - "TCP:$2"', needs=("socat",)), truth=RECEIVER),
    Case(20, "20-unix", "unix stream", DERIVED, relay("relay-unix"), UNIX, truth=RECEIVER),
    Case(20, "20-unix-message", "unix messages", DERIVED, relay("relay-unix-message"), MESSAGE, truth=RECEIVER),
    Case(20, "20-unix-sendfile", "sendfile to a unix socket", DERIVED, relay("relay-unix-sendfile"), UNIX, truth=RECEIVER),
    Case(20, "20-loopback", "connection over loopback", DERIVED, relay("relay-loopback"), ("taint.loopback",), truth=RECEIVER),
    Case(21, "21-device", "the block device below", BOUND, block_device, DEVICE, truth="dd's bs times count"),
    Case(22, "22-image-mounted", "a tagged disk image, mounted", READ, image_mounted, DEVICE),
    Case(22, "22-image-attached", "a tagged disk image's loop device", BOUND, image_attached, DEVICE,
         truth="dd's bs times count"),
    Case(23, "23-nvme", "NVMe passthrough", GAP, path("nvme"), CHANNEL),
    Case(24, "24-gpudirect", "GPUDirect storage", READ, needs_hardware("it needs a GPU with nvidia-fs")),
    Case(25, "25-fuse", "a FUSE file system as source", READ, fuse),
    Case(26, "26-core", "core dump into a file", DERIVED, core, ("taint.core_dump",), truth=RECEIVER),
    Case(26, "26-core-helper", "core dump into a helper", DERIVED, core_by_helper, ("taint.core_dump",), truth=RECEIVER),
    Case(27, "27-swap", "swap in clear", QUIET, swap, truth="sluice check names it"),
    Case(28, "28-warm", "readahead, fadvise", QUIET, path("warm")),
    Case(29, "29-look", "open, stat, lseek, xattr", QUIET, path("look")),
    Case(29, "29-nothing", "reads that return nothing", QUIET, path("read-nothing")),
    Case(29, "29-listing", "find, ls, stat, du", QUIET, listing),
    Case(30, "30-compressed", "tar | gzip | socat", DERIVED,
         shell('tar -c -f - "$1" | gzip -1 | socat -u - "TCP:$2"', needs=("socat", "tar", "gzip")), truth=RECEIVER),
    Case(30, "30-archived", "gzip to a file, sent by another", DERIVED,
         shell('gzip -c1 "$1" > "$3/a"; socat -u "FILE:$3/a" "TCP:$2"', needs=("socat", "gzip")), ("taint.file",), truth=RECEIVER),
    Case(31, "31-vfork", "vfork and exec", DERIVED, relay("vfork"), truth=RECEIVER),
    Case(31, "31-clone3", "clone3", DERIVED, relay("clone3"), truth=RECEIVER),
    Case(31, "31-thread", "read by one thread, sent by another", EGRESS, send("thread"), truth=RECEIVER),
    Case(31, "31-shared-descriptors", "another process in the same descriptor table", EGRESS, send("clone-files"),
         limits=("taint.descriptor",), truth=RECEIVER),
    Case(32, "32-pid-again", "another process gets the reader's number", QUIET, send("pid-again"), truth=RECEIVER),
    Case(33, "33-write", "TCP by write", EGRESS, send("tcp-write"), truth=RECEIVER),
    Case(33, "33-send", "TCP by send", EGRESS, send("tcp-send"), truth=RECEIVER),
    Case(33, "33-writev", "TCP by writev", EGRESS, send("tcp-writev"), truth=RECEIVER),
    Case(33, "33-sendmsg", "TCP by sendmsg", EGRESS, send("tcp-sendmsg"), truth=RECEIVER),
    Case(33, "33-sendmmsg", "TCP by sendmmsg", EGRESS, send("tcp-sendmmsg"), truth=RECEIVER),
    Case(33, "33-int80", "TCP by a 32-bit write", EGRESS, send("tcp-int80"), truth=RECEIVER),
    Case(34, "34-sendfile", "TCP by sendfile", EGRESS, send("tcp-sendfile"), truth=RECEIVER),
    Case(34, "34-sendfile-tagged", "the tagged file itself by sendfile", EGRESS, send("tcp-sendfile-tagged"),
         ("read.sendfile", "taint.before_sendfile"), truth=RECEIVER),
    Case(35, "35-splice", "TCP by splice", EGRESS, send("tcp-splice"), truth=RECEIVER),
    Case(35, "35-splice-tagged", "the tagged file itself by splice", EGRESS, send("tcp-splice-tagged"), SPLICE, truth=RECEIVER),
    Case(35, "35-vmsplice", "TCP by vmsplice", EGRESS, send("tcp-vmsplice"), truth=RECEIVER),
    Case(35, "35-tee", "TCP by tee", EGRESS, send("tcp-tee"), truth=RECEIVER),
    Case(36, "36-uring", "TCP by io_uring", EGRESS, uring, truth=RECEIVER),
    Case(37, "37-zerocopy", "TCP by MSG_ZEROCOPY", EGRESS, send("tcp-zerocopy"), truth=RECEIVER),
    Case(38, "38-fastopen", "TCP Fast Open", EGRESS, fast_open, truth=RECEIVER),
    Case(39, "39-flood", "non-blocking, asked for more than went", EGRESS, flood, truth=RECEIVER),
    Case(40, "40-send", "UDP by send", EGRESS, send("udp-send", FEW, udp=True), truth=RECEIVER),
    Case(40, "40-write", "UDP by write", EGRESS, send("udp-write", FEW, udp=True), truth=RECEIVER),
    Case(40, "40-sendto", "UDP by sendto", EGRESS, send("udp-sendto", FEW, udp=True), truth=RECEIVER),
    Case(40, "40-segments", "UDP segmentation (GSO)", EGRESS, send("udp-segments", 200003, udp=True), truth=RECEIVER),
    Case(40, "40-sendfile", "UDP by sendfile", EGRESS, send("udp-sendfile", FEW, udp=True), truth=RECEIVER),
    Case(41, "41-mptcp", "MPTCP", EGRESS, send_to("mptcp-sink", "mptcp"), ("flow.mptcp",), truth=RECEIVER),
    Case(41, "41-mptcp-plain", "MPTCP to a receiver without", EGRESS, send("mptcp"), ("flow.mptcp",), truth=RECEIVER),
    Case(42, "42-sctp", "SCTP", EGRESS, send_to("sctp-sink", "sctp"), ("flow.sctp",), truth=RECEIVER),
    Case(42, "42-sctp-implicit", "SCTP without connect", EGRESS, send_to("sctp-sink", "sctp-implicit"), ("flow.sctp",),
         truth=RECEIVER),
    Case(43, "43-icmp", "ICMP by a raw socket", EGRESS, send_uncounted("icmp-raw", 17 * 1017), ("flow.raw",)),
    Case(43, "43-ping", "ICMP by a ping socket", EGRESS, ping, ("flow.raw",)),
    Case(43, "43-raw", "raw IP", EGRESS, send_uncounted("raw-ip"), ("flow.raw",)),
    Case(44, "44-packet", "AF_PACKET after the read", GAP, path("packet"), CHANNEL),
    Case(44, "44-packet-first", "AF_PACKET before the read", GAP, path("packet-first"), CHANNEL),
    Case(45, "45-xdp", "AF_XDP", GAP, path("xdp"), CHANNEL),
    Case(46, "46-vsock", "AF_VSOCK", GAP, path("vsock"), CHANNEL),
    Case(47, "47-tun", "TUN after the read", GAP, path("tun"), CHANNEL),
    Case(47, "47-tun-first", "TUN before the read", GAP, path("tun-first"), CHANNEL),
    Case(48, "48-namespace", "another network namespace", EGRESS, other_namespace, truth=RECEIVER),
    Case(49, "49-ktls", "kTLS by send", EGRESS, ktls("ktls-send"), truth=RECEIVER),
    Case(49, "49-ktls-sendfile", "kTLS by sendfile", EGRESS, ktls("ktls-sendfile"), truth=RECEIVER),
    Case(50, "50-rdma", "RDMA, EFA", GAP, path("rdma"), CHANNEL),
    Case(51, "51-network-file-system", "NFS as a way out", EGRESS, elsewhere="test_net_mounts.py; nbd and iSCSI not yet"),
    Case(52, "52-fuse", "FUSE as a way out", DERIVED, fuse_out, ("taint.served",), truth=RECEIVER),
    Case(53, "53-dns", "questions to port 53", EGRESS, dns_port),
    Case(54, "54-proxy", "a proxy on this host", DERIVED, proxy, ("taint.loopback",), truth=RECEIVER),
    Case(54, "54-service", "a local service at a unix socket", DERIVED, relay("relay-unix-service"), UNIX, truth=RECEIVER),
    Case(54, "54-job-file", "a service that does what a file says", DERIVED, job_file, ("taint.file",), truth=RECEIVER),
    Case(55, "55-pulled", "accepted, then sent", EGRESS, pulled, truth="what the far side received"),
    Case(56, "56-tty", "a terminal", DERIVED, relay("relay-pty"), ("taint.tty",), truth=RECEIVER),
    Case(57, "57-allowed", "an allowed destination", QUIET, allowed, truth=RECEIVER),
    Case(58, "58-slow", "low and slow", EGRESS, elsewhere="not yet"),
    Case(59, "59-restart", "a file written under the monitor before", DERIVED, restart, ("taint.file",), truth=RECEIVER),
    Case(60, "60-flood", "floods of events", EGRESS, elsewhere="test_flood.py, test_scale.py"),
    Case(61, "61-killed", "the monitor killed, stopped, frozen", GAP, elsewhere="test_rules.py, test_failure.py"),
    Case(62, "62-tampered", "maps and programs tampered with", GAP, elsewhere="not yet"),
    Case(63, "63-silent-hook", "a hook that does not fire", GAP, elsewhere="test_selftest.py"),
    Case(64, "64-race", "arguments changed during a call", READ, elsewhere="not yet"),
    Case(65, "65-comm", "a process name that lies", EGRESS, comm, truth=RECEIVER),
    Case(65, "65-renamed", "a program under another name", EGRESS, renamed_program, truth=RECEIVER),
    Case(65, "65-preloaded", "LD_PRELOAD", EGRESS, preloaded, truth=RECEIVER),
    Case(66, "66-time-namespace", "a time namespace", EGRESS, time_namespace, truth=RECEIVER),
    Case(66, "66-clock-step", "the clock goes back a day", EGRESS, clock_step, truth=RECEIVER),
    Case(67, "67-training", "reads, and a checkpoint inside the VPC", QUIET, training, truth=RECEIVER),
    Case(68, "68-untagged", "other files read, then sent", QUIET, untagged, truth=RECEIVER),
    Case(68, "68-only-egress", "nothing read, sent", QUIET, only_egress, truth=RECEIVER),
]
