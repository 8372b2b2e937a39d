# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""A file belongs to its dataset whatever way leads to it."""
import json
import os
import signal
import subprocess

import pytest

import work
from monitor import probe, tagged, wait_for

SIZE = 10007


@pytest.fixture
def elsewhere(data):
    path = os.path.join(data, "elsewhere")
    os.mkdir(path)
    return path


def bind(source, target):
    if os.path.isdir(source):
        os.mkdir(target)
    else:
        work.make_file(target, 0)
    work.must("mount", "--bind", source, target)
    return target


# --- a way for each kind of alias: makes it, and says where to read -------------------------------

def by_symlink(dataset, elsewhere):
    os.symlink(f"{dataset}/f", f"{elsewhere}/link")
    return f"{elsewhere}/link"


def by_hard_link(dataset, elsewhere):
    os.link(f"{dataset}/f", f"{elsewhere}/link")
    return f"{elsewhere}/link"


def by_bind_mount(dataset, elsewhere):
    return bind(dataset, f"{elsewhere}/bound") + "/f"


def by_bind_mount_of_the_file(dataset, elsewhere):
    return bind(f"{dataset}/f", f"{elsewhere}/bound-file")


def by_rename_of_the_dataset(dataset, elsewhere):
    os.rename(dataset, f"{elsewhere}/renamed")
    return f"{elsewhere}/renamed/f"


def by_rename_inside(dataset, elsewhere):
    os.mkdir(f"{dataset}/d")
    os.rename(f"{dataset}/f", f"{dataset}/d/g")
    return f"{dataset}/d/g"


def by_proc_self_root(dataset, elsewhere):
    return f"/proc/self/root{dataset}/f"


def by_dots(dataset, elsewhere):
    return f"{elsewhere}/../{os.path.basename(dataset)}/./f"


WAYS = [by_symlink, by_hard_link, by_bind_mount, by_bind_mount_of_the_file, by_rename_of_the_dataset, by_rename_inside,
        by_proc_self_root, by_dots]


# The configuration names the dataset by its path, so renamed before the start it would be another one.
@pytest.mark.parametrize("way, when", [(w, when) for w in WAYS for when in ("before", "after")
                                       if (w, when) != (by_rename_of_the_dataset, "before")],
                         ids=lambda v: v if isinstance(v, str) else v.__name__[3:])
def test_alias(sluice, dataset, elsewhere, tmp, way, when):
    """`before`: when the monitor starts, the other way is there already."""
    work.make_file(f"{dataset}/f", SIZE)
    path = way(dataset, elsewhere) if when == "before" else None
    m = sluice(tagged(dataset))
    path = path or way(dataset, elsewhere)
    truth = work.reader(tmp, path)
    r = m.stop()
    assert truth["bytes"] == SIZE
    assert r.read(dataset="set") == SIZE


def test_moved_out_after_it_was_read(sluice, dataset, elsewhere, tmp):
    work.make_file(f"{dataset}/f", SIZE)
    m = sluice(tagged(dataset))
    work.reader(tmp, f"{dataset}/f")
    os.rename(f"{dataset}/f", f"{elsewhere}/f")
    work.reader(tmp, f"{elsewhere}/f", name="again")
    assert m.stop().read() == 2 * SIZE


def known(m, n):
    """A walk has met n files."""
    wait_for(f"{n} files were met", lambda: m.show("datasets")["items"][0]["used"]["files_total"] == n)


def test_moved_out_unread(sluice, dataset, elsewhere, tmp):
    """All in one go, as someone who means to hide it would; what lies beside it outside is nobody's."""
    for i in range(3):
        work.make_file(f"{dataset}/{i}", SIZE + i)
    work.make_file(f"{elsewhere}/own", SIZE)
    m = sluice(tagged(dataset))
    known(m, 3)
    for i in range(3):
        os.rename(f"{dataset}/{i}", f"{elsewhere}/{i}")
    work.reader(tmp, f"{elsewhere}/own", *(f"{elsewhere}/{i}" for i in range(3)))
    assert m.stop().read(dataset="set") == 3 * SIZE + 3


def test_new_and_moved_out_unread(sluice, dataset, elsewhere, tmp, hooks):
    """No walk has met it: only who sees names move can know."""
    m = sluice(tagged(dataset))
    for name in ("f", "g"):
        work.make_file(f"{dataset}/{name}", SIZE)
    os.rename(f"{dataset}/f", f"{elsewhere}/f")
    os.link(f"{dataset}/g", f"{elsewhere}/g")
    os.unlink(f"{dataset}/g")
    work.reader(tmp, f"{elsewhere}/f", f"{elsewhere}/g")
    read = m.stop().read(dataset="set")
    if hooks == "trampoline":
        assert read == 2 * SIZE
    else:
        gaps = json.loads(probe(hooks).stdout)["gaps"]
        assert [g["why"] for g in gaps if g["fact"] == "identity.moved_out" and "a walk of the dataset has met" in g["why"]]
        assert read <= 2 * SIZE


def test_moved_out_and_the_dataset_given_up(sluice, dataset, elsewhere, tmp, data):
    """What a policy no longer names is no dataset's, however it was known."""
    work.make_file(f"{dataset}/f", SIZE)
    work.make_file(f"{data}/other/g", SIZE)
    m = sluice(tagged(dataset))
    known(m, 1)
    os.rename(f"{dataset}/f", f"{elsewhere}/f")
    m.write(tagged(f"{data}/other", name="other"))
    m.signal(signal.SIGHUP)
    wait_for("the policy is in force", lambda: "is in force" in m.said())
    work.reader(tmp, f"{elsewhere}/f")
    assert m.stop().read() == 0


def test_created_and_moved_in_while_it_runs(sluice, dataset, elsewhere, tmp):
    m = sluice(tagged(dataset))
    work.make_file(f"{dataset}/new/f", SIZE)
    work.make_file(f"{elsewhere}/d/g", SIZE + 4)
    # Looked at while it was nobody's: an answer kept in the kernel must not outlive the move.
    work.reader(tmp, f"{elsewhere}/d/g", name="before")
    os.rename(f"{elsewhere}/d", f"{dataset}/d")
    work.reader(tmp, dataset)
    assert m.stop().read() == SIZE + SIZE + 4


def test_neighbours_are_not_tagged(sluice, data, tmp):
    for name in ("set", "set2", "sett/f", "se"):
        work.make_file(f"{data}/{name}" + ("" if name.endswith("/f") else "/f"), SIZE)
    m = sluice(tagged(f"{data}/set"))
    work.reader(tmp, f"{data}/set2", f"{data}/sett", f"{data}/se")
    assert m.stop().read() == 0


def test_deleted_and_its_number_used_again(sluice, dataset, elsewhere, tmp):
    """An untagged file that gets the inode number of a deleted tagged one is no tagged file."""
    work.make_file(f"{dataset}/f", SIZE)
    number = os.stat(f"{dataset}/f").st_ino
    m = sluice(tagged(dataset))
    work.reader(tmp, f"{dataset}/f")
    os.unlink(f"{dataset}/f")
    for i in range(2000):
        path = work.make_file(f"{elsewhere}/{i}", SIZE)
        if os.stat(path).st_ino == number:
            break
    else:
        m.stop()
        pytest.skip("this file system does not use a deleted file's inode number again soon")
    work.reader(tmp, path, name="again")
    assert m.stop().read() == SIZE


def test_chroot(sluice, dataset, actor):
    work.make_file(f"{dataset}/inner/f", SIZE)
    m = sluice(tagged(dataset))
    actor(f"chroot:{dataset}/inner", "read:/f").truth()
    assert m.stop().read() == SIZE


def test_chroot_above(sluice, data, dataset, actor):
    work.make_file(f"{dataset}/f", SIZE)
    m = sluice(tagged(dataset))
    actor(f"chroot:{data}", "read:/set/f").truth()
    assert m.stop().read() == SIZE


@pytest.mark.parametrize("when", ["before", "after"])
def test_other_mount_namespace(sluice, dataset, elsewhere, actor, when):
    """A bind mount that only the reader's own namespace has, as in a container."""
    work.make_file(f"{dataset}/f", SIZE)
    os.mkdir(f"{elsewhere}/m")
    start = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
             f'mount --bind "{dataset}" "{elsewhere}/m" && exec "$@"', "sh"]

    def begin():
        p = actor("say:ready", "wait-line", f"read:{elsewhere}/m/f", prefix=start)
        p.wait_said("ready")
        return p

    p = begin() if when == "before" else None
    m = sluice(tagged(dataset))
    p = p or begin()
    p.go()
    p.truth()
    assert m.stop().read() == SIZE


def test_container_root(sluice, dataset, elsewhere, actor):
    """Mount namespace, another root, pid and other namespaces: what a container runtime does."""
    work.make_file(f"{dataset}/f", SIZE)
    os.makedirs(f"{elsewhere}/root/data")
    m = sluice(tagged(dataset))
    actor(f"chroot:{elsewhere}/root", "read:/data/f", prefix=[
        "unshare", "--mount", "--pid", "--fork", "--ipc", "--uts", "--propagation", "private", "sh", "-c",
        f'mount --bind "{dataset}" "{elsewhere}/root/data" && exec "$@"', "sh"]).truth()
    r = m.stop()
    assert r.read() == SIZE
    # Its own namespace calls it 1.
    assert {a["process"]["pid"] > 1 for a in r.access()} == {True}


# --- file systems below the root -----------------------------------------------------------------

def tmpfs(path):
    os.makedirs(path, exist_ok=True)
    work.must("mount", "-t", "tmpfs", "-o", "size=8m", "sluice-test", path)
    return path


def test_submount_there_at_start(sluice, dataset, tmp):
    tmpfs(f"{dataset}/sub")
    work.make_file(f"{dataset}/sub/d/f", SIZE)
    tmpfs(f"{dataset}/sub/d/deeper")
    work.make_file(f"{dataset}/sub/d/deeper/f", SIZE + 4)
    m = sluice(tagged(dataset))
    work.reader(tmp, dataset)
    assert m.stop().read() == SIZE + SIZE + 4


def read_until_counted(m, tmp, path, wanted=True):
    """Mounts are noticed a moment later than they are made. Reads until one more file is, or is not, counted."""
    turn = iter(range(10000))

    def once():
        before = m.dataset_read("set")
        work.reader(tmp, path, name=f"try{next(turn)}")
        return (m.dataset_read("set") > before) is wanted

    wait_for(f"{path} is {'' if wanted else 'not '}counted", once)


def test_submount_comes(sluice, dataset, tmp):
    m = sluice(tagged(dataset))
    tmpfs(f"{dataset}/sub")
    work.make_file(f"{dataset}/sub/f", SIZE)
    read_until_counted(m, tmp, f"{dataset}/sub/f")
    before = m.dataset_read("set")
    for i in range(7):
        work.reader(tmp, f"{dataset}/sub/f", name=f"r{i}")
    assert m.stop().read() == before + 7 * SIZE


def test_submount_goes(sluice, dataset, elsewhere, tmp):
    """What was bound below the root belongs to the dataset as long as it is there."""
    work.make_file(f"{elsewhere}/f", SIZE)
    bind(elsewhere, f"{dataset}/sub")
    m = sluice(tagged(dataset))
    work.reader(tmp, f"{dataset}/sub/f")
    m.wait_records("the submount's file", lambda r: r.read() == SIZE)
    work.must("umount", f"{dataset}/sub")
    work.make_file(f"{elsewhere}/g", SIZE)
    read_until_counted(m, tmp, f"{elsewhere}/g", wanted=False)
    before = m.dataset_read("set")
    work.make_file(f"{elsewhere}/h", SIZE)
    work.reader(tmp, f"{elsewhere}/h", name="after")
    assert m.stop().read() == before


def test_root_on_an_overlay(sluice, data, tmp):
    """Two inodes for one file: the overlay's and the one below. Each byte is counted once."""
    for name in ("lower", "upper", "work", "merged"):
        os.mkdir(f"{data}/{name}")
    work.make_file(f"{data}/lower/d/f", 1048583)
    p = subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                        f"lowerdir={data}/lower,upperdir={data}/upper,workdir={data}/work", f"{data}/merged"],
                       capture_output=True, text=True)
    if p.returncode:
        pytest.skip(f"no overlay file system here: {p.stderr.strip()}")
    m = sluice(tagged(f"{data}/merged"))
    work.reader(tmp, f"{data}/merged")
    work.make_file(f"{data}/merged/d/new", SIZE)
    work.reader(tmp, f"{data}/merged/d/new", name="upper")
    assert m.stop().read() == 1048583 + SIZE
