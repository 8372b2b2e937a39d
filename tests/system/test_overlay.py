# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""A dataset seen through an overlay: two inodes for one file, and each byte counts once."""
import os
import subprocess

import pytest

import work
from monitor import tagged
from work import FILE

SIZE = 10007


def overlay(data, lower, name="merged"):
    """An overlay with an upper layer of its own over `lower`, mounted in `data`."""
    merged, upper, scratch = (f"{data}/{name}{end}" for end in ("", "-upper", "-work"))
    for path in (merged, upper, scratch):
        os.mkdir(path)
    p = subprocess.run(["mount", "-t", "overlay", name, "-o",
                        f"lowerdir={lower},upperdir={upper},workdir={scratch}", merged], capture_output=True, text=True)
    if p.returncode:
        pytest.skip(f"no overlay file system here: {p.stderr.strip()}")
    return merged


@pytest.fixture
def merged(data, dataset):
    """The dataset is the lower layer."""
    work.make_file(f"{dataset}/d/f", FILE)
    work.make_file(f"{dataset}/g", SIZE)
    return overlay(data, dataset)


VIAS = {"read": ["--via", "read"], "pread": ["--via", "pread", "--size", "4099"], "readv": ["--via", "readv"],
        "preadv2": ["--via", "preadv2"], "direct": ["--direct"]}


@pytest.mark.parametrize("via", VIAS)
def test_through_the_merged_view(sluice, dataset, merged, tmp, via):
    m = sluice(tagged(dataset))
    truth = work.reader(tmp, *VIAS[via], f"{merged}/d/f", f"{merged}/g")
    r = m.stop()
    assert truth["bytes"] == FILE + SIZE
    assert r.read() == truth["bytes"]
    assert r.ops() == truth["ops"]
    assert r.files() == 2


def test_mapped_through_the_merged_view(sluice, dataset, merged, tmp):
    m = sluice(tagged(dataset))
    truth = work.reader(tmp, "--via", "mmap", f"{merged}/d/f")
    r = m.stop()
    assert truth["touched"] <= r.read("mmap") <= truth["mapped"] + 4096
    assert r.read() == 0


def test_made_while_it_runs(sluice, data, dataset, tmp):
    """Asked about as an ordinary file first: an answer kept in the kernel must not outlive the mount."""
    work.make_file(f"{dataset}/f", SIZE)
    m = sluice(tagged(dataset))
    work.reader(tmp, f"{dataset}/f")
    merged = overlay(data, dataset)
    work.reader(tmp, f"{merged}/f", name="merged")
    assert m.stop().read() == 2 * SIZE


def test_both_ways_are_two_reads(sluice, dataset, merged, tmp):
    m = sluice(tagged(dataset))
    truth = work.reader(tmp, "--count", "7", "--size", "1009", f"{merged}/g", f"{dataset}/g")
    r = m.stop()
    assert r.read() == truth["bytes"]
    assert r.ops() == truth["ops"]


def test_directory_above_the_dataset_is_the_layer(sluice, data, tmp):
    """What lies beside it in the same layer is not tagged."""
    work.make_file(f"{data}/lower/a/set/f", SIZE)
    work.make_file(f"{data}/lower/a/other", SIZE + 2)
    work.make_file(f"{data}/lower/h", SIZE + 4)
    merged = overlay(data, f"{data}/lower")
    m = sluice(tagged(f"{data}/lower/a/set"))
    truth = work.reader(tmp, merged)
    assert truth["bytes"] == 3 * SIZE + 6
    assert m.stop().read() == SIZE


def test_new_files_are_not_of_the_dataset(sluice, data, dataset, merged, tmp):
    """The upper layer lies outside the dataset; only what comes from below is tagged."""
    m = sluice(tagged(dataset))
    work.make_file(f"{merged}/d/new", SIZE + 6)
    work.reader(tmp, f"{merged}/d/new")
    work.reader(tmp, f"{merged}/g", name="old")
    r = m.stop()
    assert r.read() == SIZE


def test_one_of_several_lower_layers(sluice, data, dataset, tmp):
    work.make_file(f"{data}/top/t", SIZE + 2)
    work.make_file(f"{dataset}/f", SIZE)
    merged = overlay(data, f"{data}/top:{dataset}")
    m = sluice(tagged(dataset))
    truth = work.reader(tmp, merged)
    assert truth["bytes"] == 2 * SIZE + 2
    assert m.stop().read() == SIZE


def append(path, text):
    with open(path, "ab") as f:
        f.write(text)


@pytest.mark.parametrize("when", ["before", "after"])
def test_copied_up(sluice, data, dataset, merged, tmp, when):
    """Writing to it makes a copy in the upper layer, which holds the dataset's bytes."""
    if when == "before":
        append(f"{merged}/g", b"x" * 6)
    m = sluice(tagged(dataset))
    if when == "after":
        append(f"{merged}/g", b"x" * 6)
    before = m.dataset_read("set")
    truth = work.reader(tmp, f"{merged}/g")
    r = m.stop()
    assert truth["bytes"] == SIZE + 6
    # To copy it, the kernel read it on the writer's behalf: that may be counted too, but not as the reader's.
    assert r.read(process__comm="reader") == SIZE + 6
    assert before <= SIZE
    assert os.path.getsize(f"{dataset}/g") == SIZE


def test_overlay_on_an_overlay(sluice, data, dataset, merged, tmp):
    twice = overlay(data, merged, "twice")
    m = sluice(tagged(dataset))
    truth = work.reader(tmp, twice)
    r = m.stop()
    assert truth["bytes"] == FILE + SIZE
    assert r.read() == FILE + SIZE


def test_bind_mount_of_the_merged_view(sluice, data, dataset, merged, tmp):
    os.mkdir(f"{data}/bound")
    work.must("mount", "--bind", f"{merged}/d", f"{data}/bound")
    m = sluice(tagged(dataset))
    work.reader(tmp, f"{data}/bound/f")
    assert m.stop().read() == FILE


def test_renamed_and_linked_above(sluice, dataset, merged, tmp):
    """Renaming copies it up under its new name; a link does too."""
    m = sluice(tagged(dataset))
    os.rename(f"{merged}/g", f"{merged}/d/renamed")
    work.reader(tmp, f"{merged}/d/renamed", name="reader1")
    os.link(f"{merged}/d/f", f"{merged}/link")
    work.reader(tmp, f"{merged}/link", name="reader2")
    r = m.stop()
    assert r.read(process__comm="reader") == SIZE + FILE


# --- the dataset's own path is on an overlay ----------------------------------------------------

@pytest.mark.parametrize("via", ["read", "direct"])
def test_root_on_an_overlay(sluice, data, tmp, via):
    work.make_file(f"{data}/lower/set/f", FILE)
    work.make_file(f"{data}/lower/other", SIZE)
    merged = overlay(data, f"{data}/lower")
    m = sluice(tagged(f"{merged}/set"))
    work.make_file(f"{merged}/set/new", SIZE)
    work.reader(tmp, *VIAS[via], merged)
    r = m.stop()
    assert r.read() == FILE + SIZE
    assert r.files() == 2


def test_root_on_an_overlay_mapped(sluice, data, tmp):
    work.make_file(f"{data}/lower/set/f", FILE)
    merged = overlay(data, f"{data}/lower")
    m = sluice(tagged(f"{merged}/set"))
    truth = work.reader(tmp, "--via", "mmap", f"{merged}/set/f")
    r = m.stop()
    assert truth["touched"] <= r.read("mmap") <= truth["mapped"] + 4096


# --- containers ---------------------------------------------------------------------------------

def test_container_root_on_an_overlay(sluice, data, dataset, actor):
    """Its own mount namespace, its root an overlay of an image's layers, the dataset bound into it."""
    work.make_file(f"{dataset}/f", SIZE)
    os.makedirs(f"{data}/layer/data")
    os.makedirs(f"{data}/root/x")
    merged = overlay(data, f"{data}/layer")
    m = sluice(tagged(dataset))
    actor(f"chroot:{merged}", "read:/data/f", prefix=[
        "unshare", "--mount", "--pid", "--fork", "--propagation", "private", "sh", "-c",
        f'mount --bind "{dataset}" "{merged}/data" && exec "$@"', "sh"]).truth()
    assert m.stop().read() == SIZE


def test_dataset_baked_into_a_container_image(sluice, data, dataset, actor):
    """The dataset is an image's layer, and the overlay exists in the container's mount namespace only."""
    work.make_file(f"{dataset}/data/f", FILE)
    for name in ("upper", "work", "root"):
        os.mkdir(f"{data}/{name}")
    overlay(data, dataset, "probe")  # skips where there is none
    m = sluice(tagged(dataset))
    actor(f"chroot:{data}/root", "read:/data/f", prefix=[
        "unshare", "--mount", "--pid", "--fork", "--propagation", "private", "sh", "-c",
        f'mount -t overlay o -o "lowerdir={dataset},upperdir={data}/upper,workdir={data}/work" "{data}/root"'
        ' && exec "$@"', "sh"]).truth()
    assert m.stop().read() == FILE


def test_opened_before_the_start(sluice, dataset, merged, actor):
    p = actor(f"open:{merged}/d/f", "say:ready", "wait-line", "chunk:4099", "read-fd:500009")
    p.wait_said("ready")
    m = sluice(tagged(dataset))
    p.go()
    p.truth()
    assert m.stop().read(process__pid=p.pid) == 500009
