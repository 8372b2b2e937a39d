# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Datasets read through the device under them, in disk images, and on file systems of other kinds."""
import json
import mmap
import os
import shutil
import subprocess
import sys
import time

import pytest

import work
from monitor import tagged, wait_for
from where import PATIENCE
from work import FILE

SIZE = 10007
IMAGE = 24 << 20


# --- images, loop devices, file systems -----------------------------------------------------------

def unmounted(point):
    """The monitor's own walks hold a directory for a moment."""
    wait_for(f"{point} can be unmounted", lambda: not subprocess.run(["umount", point], check=False, capture_output=True).returncode)


class Disks:
    """Loop devices and mapped devices, taken away with the test, the last one first."""

    def __init__(self):
        self.made = []

    def attach(self, path, *words):
        p = subprocess.run(["losetup", "--find", "--show", *words, path], capture_output=True, text=True)
        if p.returncode:
            pytest.skip(f"no loop devices here: {p.stderr.strip()}")
        device = p.stdout.strip()
        self.made.append(["losetup", "-d", device])
        return device

    @staticmethod
    def unused():
        p = subprocess.run(["losetup", "--find"], capture_output=True, text=True)
        if p.returncode:
            pytest.skip(f"no loop devices here: {p.stderr.strip()}")
        return p.stdout.strip()

    def detach(self, device):
        words = ["losetup", "-d", device]
        work.must(*words)
        self.made.remove(words)

    def map(self, name, table):
        subprocess.run(["modprobe", "-q", "dm_mod"], check=False)
        p = subprocess.run(["dmsetup", "create", "--noudevsync", name, "--table", table], capture_output=True, text=True,
                           timeout=PATIENCE)
        if p.returncode:
            pytest.skip(f"no device mapper here: {p.stderr.strip().splitlines()[-1]}")
        self.made.append(["dmsetup", "remove", "--noudevsync", name])
        p = work.must("dmsetup", "info", "-c", "--noheadings", "-o", "blkdevname", name)
        return f"/dev/{p.stdout.strip()}"

    def mount(self, device, point, *words):
        os.makedirs(point, exist_ok=True)
        work.must("mount", *words, device, point)
        self.made.append(["umount", point])
        return point

    def unmount(self, point):
        unmounted(point)
        self.made.remove(["umount", point])

    def close(self):
        for words in reversed(self.made):
            subprocess.run(words, check=False, capture_output=True)


@pytest.fixture
def disks(data):
    subprocess.run(["modprobe", "-q", "loop"], check=False)
    made = Disks()
    yield made
    made.close()


def filesystem(path, kind="ext4", size=IMAGE):
    """A file with a file system in it; skips where it can't be made."""
    maker = f"mkfs.{kind}"
    if not shutil.which(maker):
        pytest.skip(f"{maker} is not installed")
    with open(path, "wb") as f:
        f.truncate(size)
    work.must(maker, "-q", *(["-F"] if kind == "ext4" else ["-f"]), path)
    return path


def filled(disks, data, path, files, kind="ext4"):
    """An image with these files, {name: size}; unmounted and detached again."""
    filesystem(path, kind)
    device = disks.attach(path)
    point = disks.mount(device, f"{data}/filling")
    for name, size in files.items():
        work.make_file(f"{point}/{name}", size)
    disks.unmount(point)
    disks.detach(device)
    return path


@pytest.fixture
def disk(disks, data):
    """A disk, that is a loop device of an image that is in no dataset, mounted: .device, .point"""
    class Disk:
        image = filesystem(f"{data}/disk.img")
        device = disks.attach(image)
        point = disks.mount(device, f"{data}/disk")
    work.make_file(f"{Disk.point}/set/f", SIZE)
    work.make_file(f"{Disk.point}/other", SIZE)
    os.sync()
    return Disk


def read_device(tmp, device, *words, name="reader"):
    """A prime number of prime reads, from the start."""
    return work.reader(tmp, "--size", "4099", "--count", "1009", *words, device, name=name)


# --- the device under a dataset ---------------------------------------------------------------------

@pytest.mark.parametrize("via", ["read", "pread", "readv", "preadv2"])
def test_raw_device(sluice, disk, tmp, via):
    m = sluice(tagged(f"{disk.point}/set"))
    truth = read_device(tmp, disk.device, "--via", via)
    r = m.stop()
    assert truth["bytes"] == 4099 * 1009
    assert r.read("device") == truth["bytes"]
    assert r.ops() == truth["ops"] == 1009
    assert r.read() == 0
    assert {a["exact"] for a in r.access()} == {False}
    assert {a["process"]["comm"] for a in r.access()} == {"reader"}


def test_raw_device_direct(sluice, disk, tmp):
    m = sluice(tagged(f"{disk.point}/set"))
    truth = work.reader(tmp, "--direct", "--size", "4096", "--count", "1009", disk.device)
    assert m.stop().read("device") == truth["bytes"] == 4096 * 1009


def test_raw_device_mapped(sluice, disk, actor):
    """A process that maps it may see as much as it mapped."""
    m = sluice(tagged(f"{disk.point}/set"))
    script = ("import mmap, sys; f = open(sys.argv[1], 'rb', buffering=0); "
              "m = mmap.mmap(f.fileno(), 61 * 4096, prot=mmap.PROT_READ); m[5 * 4096]")
    subprocess.run([sys.executable, "-I", "-c", script, disk.device], check=True)
    assert m.stop().read("device") == 61 * mmap.PAGESIZE


def test_tainted_by_the_device(sluice, disk, lab, sink, actor):
    """What was read from under the files leaves, and is named."""
    end = sink(lab.internet)
    m = sluice(tagged(f"{disk.point}/set", network=lab.network))
    actor(end.to, f"read:{disk.device}:100003", "send:50021").truth()
    r = m.stop()
    assert r.to(end) == 50021
    f = r.exfil(end)
    assert f["dataset"] == "set"
    assert f["leak_bound"] <= 50021


def test_every_dataset_on_the_device(sluice, disk, tmp):
    sets = [f"s{i}" for i in range(13)]
    for s in sets:
        work.make_file(f"{disk.point}/{s}/f", SIZE)
    m = sluice({"datasets": [{"id": s, "path": f"{disk.point}/{s}", "tags": {"n": s}} for s in sets]})
    truth = read_device(tmp, disk.device)
    r = m.stop()
    for s in sets:
        assert r.read("device", dataset=s) == truth["bytes"]


def test_other_device_is_not_tagged(sluice, disk, disks, data, tmp):
    other = disks.attach(filesystem(f"{data}/other.img"))
    m = sluice(tagged(f"{disk.point}/set"))
    truth = read_device(tmp, other)
    work.reader(tmp, f"{disk.point}/set/f", name="file")
    r = m.stop()
    assert truth["bytes"]
    assert r.read("device") == 0
    assert r.read() == SIZE


def test_node_of_another_name(sluice, disk, data, tmp):
    """Who may make device nodes can give the device any name."""
    m = sluice(tagged(f"{disk.point}/set"))
    st = os.stat(disk.device)
    node = f"{data}/harmless"
    os.mknod(node, 0o600 | 0o060000, st.st_rdev)
    truth = read_device(tmp, node)
    assert m.stop().read("device") == truth["bytes"]


def test_mapped_devices(sluice, disks, data, tmp):
    """The file system is on a linear mapping: what is under it holds its bytes, and what is mapped to the same too."""
    low = disks.attach(filesystem(f"{data}/disk.img"))
    sectors = IMAGE // 512
    name = f"sluice{os.getpid()}"
    middle = disks.map(name, f"0 {sectors} linear {low} 0")
    disks.mount(middle, f"{data}/disk")
    work.make_file(f"{data}/disk/set/f", SIZE)
    beside = disks.map(name + "beside", f"0 {sectors} linear {low} 0")
    m = sluice(tagged(f"{data}/disk/set"))
    for device, who in ((low, "low"), (middle, "middle"), (beside, "beside")):
        before = m.dataset_read("set")
        truth = read_device(tmp, device, name=who)
        assert m.dataset_read("set") == before + truth["bytes"], who
    m.stop()


def test_partitions(sluice, disks, data, tmp):
    """The whole disk holds what its partition holds; the partition beside it does not."""
    if not shutil.which("sfdisk"):
        pytest.skip("sfdisk is not installed")
    image = f"{data}/disk.img"
    with open(image, "wb") as f:
        f.truncate(2 * IMAGE)
    work.must("sfdisk", "-q", image, input="size=16MiB,type=83\nsize=16MiB,type=83\n")
    whole = disks.attach(image, "-P")
    parts = [f"{whole}p{i}" for i in (1, 2)]
    if not os.path.exists(f"/sys/class/block/{os.path.basename(parts[0])}"):
        pytest.skip("this kernel does not read partition tables of this kind")
    wait_for("partitions appear", lambda: all(os.path.exists(p) for p in parts), 10)
    work.must("mkfs.ext4", "-q", "-F", parts[0])
    disks.mount(parts[0], f"{data}/disk")
    work.make_file(f"{data}/disk/set/f", SIZE)
    m = sluice(tagged(f"{data}/disk/set"))
    truth = [read_device(tmp, d, name=f"r{i}") for i, d in enumerate((whole, parts[0]))]
    r = m.wait_records("both", lambda r: r.read("device") == sum(t["bytes"] for t in truth))
    other = read_device(tmp, parts[1], name="other")
    assert other["bytes"]
    assert m.stop().read("device") == r.read("device") == sum(t["bytes"] for t in truth)


# --- a dataset's files that are disk images ----------------------------------------------------------

def tagged_image(disks, data, dataset, files):
    return filled(disks, data, f"{dataset}/x.img", files)


@pytest.mark.parametrize("when", ["before", "after"])
def test_image_as_a_device(sluice, disks, dataset, data, tmp, when):
    """The reader of the loop device reads it, not the kernel's thread that fetches the file's bytes."""
    image = filesystem(f"{dataset}/x.img")
    device = disks.attach(image) if when == "before" else None
    m = sluice(tagged(dataset))
    device = device or disks.attach(image)
    first = until_counted(m, lambda n: read_device(tmp, device, name=f"try{n}"))
    truth = read_device(tmp, device)
    r = m.stop()
    assert r.read("device") == first + truth["bytes"]
    assert r.read() == 0
    assert {a["process"]["comm"] for a in r.access()} == {"reader"}


def until_counted(m, read):
    """Attaching is noticed a moment after it was done: reads until that is counted, and returns how much was."""
    turn = iter(range(10000))

    def once():
        before = m.dataset_read("set")
        read(next(turn))
        return m.dataset_read("set") - before

    return wait_for("the read is counted", once)


@pytest.mark.parametrize("when", ["before", "after"])
def test_file_system_in_an_image(sluice, disks, dataset, data, tmp, when):
    """Its files are the dataset's: exact bytes, by who reads them, though it is mounted elsewhere."""
    image = tagged_image(disks, data, dataset, {"d/f": FILE, "g": SIZE})
    point = f"{data}/mounted"
    if when == "before":
        disks.mount(disks.attach(image), point)
    m = sluice(tagged(dataset))
    if when == "after":
        disks.mount(disks.attach(image), point)
    first = until_counted(m, lambda n: work.reader(tmp, f"{point}/g", name=f"try{n}"))
    truth = work.reader(tmp, point, name="reader")
    r = m.stop()
    assert truth["bytes"] == FILE + SIZE
    assert first == SIZE
    assert r.read(process__comm="reader") == first + truth["bytes"]
    assert r.read() == first + truth["bytes"]


def test_image_mounted_in_a_container(sluice, disks, dataset, data, actor, tmp):
    """The mount is in the reader's own namespace: only the device is there for all to see."""
    image = tagged_image(disks, data, dataset, {"f": FILE})
    device = disks.attach(image)
    os.mkdir(f"{data}/inside")
    m = sluice(tagged(dataset))
    actor(f"read:{data}/inside/f", prefix=["unshare", "--mount", "--propagation", "private", "sh", "-c",
                                           f'mount "{device}" "{data}/inside" && exec "$@"', "sh"]).truth()
    assert m.stop().read(process__comm="actor") == FILE


def test_part_of_an_image_mounted_twice(sluice, disks, dataset, data, tmp):
    image = tagged_image(disks, data, dataset, {"d/f": FILE})
    device = disks.attach(image)
    disks.mount(device, f"{data}/m")
    os.mkdir(f"{data}/b")
    work.must("mount", "--bind", f"{data}/m/d", f"{data}/b")
    disks.made.append(["umount", f"{data}/b"])
    m = sluice(tagged(dataset))
    work.reader(tmp, f"{data}/b/f")
    assert m.stop().read() == FILE


def test_image_within_an_image(sluice, disks, dataset, data, tmp):
    outer = filesystem(f"{dataset}/outer.img", size=3 * IMAGE)
    disks.mount(disks.attach(outer), f"{data}/outer")
    inner = filled(disks, data, f"{data}/outer/inner.img", {"f": SIZE})
    disks.mount(disks.attach(inner), f"{data}/inner")
    m = sluice(tagged(dataset))
    work.reader(tmp, f"{data}/inner/f")
    assert m.stop().read() == SIZE


def test_image_under_a_mapped_device(sluice, disks, dataset, data, tmp):
    image = tagged_image(disks, data, dataset, {"f": SIZE})
    low = disks.attach(image)
    device = disks.map(f"sluice{os.getpid()}", f"0 {IMAGE // 512} linear {low} 0")
    disks.mount(device, f"{data}/mounted")
    m = sluice(tagged(dataset))
    work.reader(tmp, f"{data}/mounted/f")
    truth = read_device(tmp, device, name="raw")
    r = m.stop()
    assert r.read() == SIZE
    assert r.read("device") == truth["bytes"]


def test_image_deleted_before_the_start(sluice, disks, dataset, data, tmp):
    """Attached, mounted, and without a name since: its number still says what it is."""
    image = tagged_image(disks, data, dataset, {"f": SIZE})
    os.link(image, f"{dataset}/second-name")
    disks.mount(disks.attach(image), f"{data}/mounted")
    os.unlink(image)
    m = sluice(tagged(dataset))
    work.reader(tmp, f"{data}/mounted/f")
    assert m.stop().read() == SIZE


def test_image_deleted_while_it_runs(sluice, disks, dataset, data, tmp):
    image = tagged_image(disks, data, dataset, {"f": SIZE})
    disks.mount(disks.attach(image), f"{data}/mounted")
    m = sluice(tagged(dataset))
    os.unlink(image)
    work.make_file(f"{data}/anything", SIZE)
    wait_for("the roots were looked at again", lambda: time.sleep(6) or True, 10)
    work.reader(tmp, f"{data}/mounted/f")
    assert m.stop().read() == SIZE


def test_other_image_in_the_same_device(sluice, disks, dataset, data, tmp):
    """A loop device's number is used again: what it was says nothing of what it is."""
    image = tagged_image(disks, data, dataset, {"f": SIZE})
    other = filled(disks, data, f"{data}/other.img", {"f": SIZE + 4})
    device = disks.attach(image)
    m = sluice(tagged(dataset))
    disks.mount(device, f"{data}/mounted")
    work.reader(tmp, f"{data}/mounted/f")
    disks.unmount(f"{data}/mounted")
    disks.detach(device)
    again = disks.attach(other)
    disks.mount(again, f"{data}/mounted")
    if again != device:
        m.stop()
        pytest.skip("another process took the loop device meanwhile")
    turn = iter(range(10000))

    def uncounted():
        before = m.dataset_read("set")
        read_device(tmp, device, name=f"try{next(turn)}")
        return m.dataset_read("set") == before

    wait_for("reads of the other image are not counted", uncounted)
    before = m.dataset_read("set")
    work.reader(tmp, f"{data}/mounted/f", name="after")
    assert m.dataset_read("set") == before
    m.stop()


# Attaches if asked, mounts, and reads one byte at a time for two seconds at once: when each was done, since the mount.
MOUNT_AND_READ = """
import ctypes, fcntl, json, os, sys, time
device, point, image = sys.argv[1:]
loop = os.open(device, os.O_RDONLY)
if image:
    fcntl.ioctl(loop, 0x4C00, os.open(image, os.O_RDONLY))  # LOOP_SET_FD
done = []
if ctypes.CDLL(None, use_errno=True).mount(device.encode(), point.encode(), b"ext4", 1, b"noload"):
    sys.exit(os.strerror(ctypes.get_errno()))
began = time.monotonic()
f = os.open(point + "/f", os.O_RDONLY)
while not done or done[-1] < 2:
    os.pread(f, 1, 0)
    done.append(time.monotonic() - began)
    time.sleep(0.0002)
print(json.dumps(done))
"""


@pytest.mark.parametrize("attached", [True, False], ids=["mounted", "attached-and-mounted"])
def test_how_soon_a_mount_is_noticed(sluice, disks, dataset, data, tmp, attached):
    """Between a mount and the notice lies a window. It is named as a limit, and must stay short."""
    image = tagged_image(disks, data, dataset, {"f": SIZE})
    os.makedirs(f"{data}/mounted")
    for left in (2, 1, 0):  # a starved machine may be late once
        late = how_late(sluice(tagged(dataset), name=f"try{left}"), disks, image, f"{data}/mounted", attached)
        if late < 1.5:
            return
    pytest.fail(f"noticed only {late} s after the mount")


def how_late(m, disks, image, point, attached):
    """Seconds until reads of it are seen."""
    device = disks.attach(image, "--read-only") if attached else disks.unused()
    p = subprocess.run([sys.executable, "-I", "-c", MOUNT_AND_READ, device, point, "" if attached else image],
                       capture_output=True, text=True)
    if not attached:
        disks.made.append(["losetup", "-d", device])
    disks.made.append(["umount", point])
    assert p.returncode == 0, p.stderr
    took = json.loads(p.stdout)
    seen = m.stop().read()
    disks.unmount(point)
    disks.detach(device)
    missed = len(took) - seen
    late = (took[missed - 1] if missed else 0) if seen else float("inf")
    print(f"{missed} of {len(took)} reads, those of the first {late * 1000:.1f} ms, were not seen")
    return late


# --- file systems of other kinds ------------------------------------------------------------------------

@pytest.fixture(params=["xfs", "btrfs"])
def kind(request):
    subprocess.run(["modprobe", "-q", request.param], check=False)
    with open("/proc/filesystems", encoding="ascii") as f:
        if request.param not in f.read().split():
            pytest.skip(f"no {request.param} in this kernel")
    return request.param


def big(kind):
    return (320 if kind == "xfs" else 128) << 20


def test_dataset_on(sluice, disks, data, tmp, kind):
    """Identity and exact bytes; both show other numbers to stat() in some version."""
    device = disks.attach(filesystem(f"{data}/disk.img", kind, big(kind)))
    point = disks.mount(device, f"{data}/disk")
    work.make_file(f"{point}/set/d/f", FILE)
    work.make_file(f"{point}/other", SIZE)
    m = sluice(tagged(f"{point}/set"))
    truth = [work.reader(tmp, f"{point}/set/d/f", f"{point}/other", *words, name=f"r{i}")
             for i, words in enumerate((["--via", "pread"], ["--direct"], ["--via", "readv"]))]
    raw = read_device(tmp, device, name="raw")
    r = m.stop()
    assert {t["bytes"] for t in truth} == {FILE + SIZE}
    assert r.read() == 3 * FILE
    assert r.read("device") == raw["bytes"]


@pytest.mark.xfail(strict=True, reason="a subvolume's root has the same inode and device number as any other's")
def test_btrfs_subvolume(sluice, disks, data, tmp):
    if not shutil.which("btrfs"):
        pytest.skip("btrfs is not installed")
    subprocess.run(["modprobe", "-q", "btrfs"], check=False)
    device = disks.attach(filesystem(f"{data}/disk.img", "btrfs", big("btrfs")))
    point = disks.mount(device, f"{data}/disk")
    for name in ("one", "two"):
        work.must("btrfs", "subvolume", "create", f"{point}/{name}")
        work.make_file(f"{point}/{name}/f", SIZE)
    m = sluice(tagged(f"{point}/one"))
    work.reader(tmp, f"{point}/two/f", name="two")
    work.reader(tmp, f"{point}/one/f", name="one")
    assert m.stop().read() == SIZE


# --- a file system that a process serves ------------------------------------------------------------------

class Served:
    def __init__(self, tmp, point, *backing):
        os.makedirs(point, exist_ok=True)
        self.point = point
        self.process = work.Process(tmp, "fuse", [work.program("fuse"), point, str(FILE), *backing])
        try:
            self.process.wait_said("ready")
        except AssertionError:
            if self.process.process.poll() == 77:
                pytest.skip(f"no FUSE here: {self.process.said().strip()}")
            raise

    def close(self):
        """Unmounts it; what the daemon gave out."""
        ended = self.process.process.poll
        wait_for("it can be unmounted", lambda: not subprocess.run(["umount", self.point], check=False, capture_output=True).returncode
                 or ended() is not None)
        self.process.wait()
        return json.loads(self.process.said().splitlines()[-1])


@pytest.fixture
def served(tmp, data):
    made = []

    def start(*backing):
        made.append(Served(tmp, f"{data}/served", *backing))
        return made[-1]

    subprocess.run(["modprobe", "-q", "fuse"], check=False)
    yield start
    for one in made:
        subprocess.run(["umount", "-l", one.point], check=False, capture_output=True)
        one.process.kill()


def test_fuse_is_read_by_the_reader(sluice, served, tmp):
    fuse = served()
    m = sluice(tagged(fuse.point))
    truth = [work.reader(tmp, f"{fuse.point}/f", *words, name=f"r{i}")
             for i, words in enumerate((["--size", "4099"], ["--via", "preadv2"], ["--direct"]))]
    mapped = work.reader(tmp, "--via", "mmap", f"{fuse.point}/f", name="mapped")
    given = fuse.close()
    r = m.stop()
    assert {t["bytes"] for t in truth} == {FILE}
    # A page cached by one reader is not asked for again, so the daemon's own count is another one.
    assert FILE <= given["served"]
    assert r.read() == 3 * FILE
    assert mapped["touched"] <= r.read("mmap") <= mapped["mapped"] + mmap.PAGESIZE
    assert {a["process"]["comm"] for a in r.access()} == {"reader"}


def test_fuse_over_a_dataset(sluice, served, dataset, data, tmp):
    """A daemon that reads the dataset to serve it is a reader itself, of just what it fetched."""
    work.make_file(f"{dataset}/f", FILE)
    fuse = served(f"{dataset}/f")
    m = sluice(tagged(dataset))
    truth = work.reader(tmp, f"{fuse.point}/f")
    given = fuse.close()
    r = m.stop()
    assert truth["bytes"] == FILE
    assert r.read(process__comm="fuse") == given["served"] >= FILE
    assert r.read(process__comm="reader") == 0
