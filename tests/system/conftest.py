# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Fixtures. Every test that starts the monitor runs once per hook set; see README.md."""
import collections.abc
import json
import os
import shutil
import tempfile

import pytest

import lab as lab_module
import work
from httpd import HttpSink
from monitor import Monitor, probe, sluice_json, tagged
from where import DATA, SLUICE

SETS = ("tracepoint", "trampoline")
BEST = "best-set"
# Who the machine belongs to is not to be asked by tests, but by those that answer themselves.
os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
os.environ.setdefault("SLUICE_AWS_RANGES_URL", "http://127.0.0.1:9/")
# Sets that must load on this kernel: then a refusal is a failure, not a skip.
REQUIRED_SETS = os.environ.get("SLUICE_TEST_SETS", "").split()


# --- what the machine allows ---------------------------------------------------

@pytest.fixture(scope="session")
def root():
    if os.geteuid() != 0:
        pytest.skip("not root: the monitor, namespaces and cgroups need it")
    if not os.access(SLUICE, os.X_OK):
        pytest.fail(f"{SLUICE} is not built: run make")


class Refusals(collections.abc.Mapping):
    """Hook set -> why it cannot load here, or None; found by trial load, as the monitor does it, of the sets asked for."""

    def __getitem__(self, name):
        if name not in SETS:
            raise KeyError(name)
        p = probe(name)
        return refusal_text(p) if p.returncode else inexact(name, p.stdout)

    def __iter__(self):
        return iter(SETS)

    def __len__(self):
        return len(SETS)


@pytest.fixture(scope="session")
def set_refusals(root):
    return Refusals()


def inexact(name, stdout):
    """Not refused, but the kernel leaves out runs of trampolines and the monitor says so: no figure could be compared."""
    if name == "trampoline" and json.loads(stdout)["facts"]["preempts_trampolines"]:
        return "this kernel preempts trampolines, so that the monitor does not take them unless told"
    return None


def refusal_text(p):
    words = p.stderr.strip().splitlines()
    return words[-1] if words else f"sluice probe ended with {p.returncode}"


@pytest.fixture
def hooks(request, set_refusals):
    """The hook set of this run of the test; parametrized below."""
    name = request.param
    if name == BEST:
        name = next((s for s in reversed(SETS) if not set_refusals[s]), SETS[0])
    why = set_refusals[name]
    if why and name in REQUIRED_SETS:
        pytest.fail(f"hook set {name} must load on this kernel: {why}")
    if why:
        pytest.skip(f"hook set {name} cannot load here: {why}")
    return name


def pytest_generate_tests(metafunc):
    if "hooks" in metafunc.fixturenames:
        one = metafunc.definition.get_closest_marker("one_set")
        metafunc.parametrize("hooks", [BEST] if one else SETS, indirect=True)


# Files of which all that starts no monitor can run beside the rest.
ASIDE = {"test_awsd.py", "test_awsd_sign.py", "test_awsd_hub.py", "test_awsd_faults.py", "test_awsd_moto.py", "test_templates.py",
         "test_aws_client.py", "test_aws_answers.py", "test_cloudwatch.py", "test_security_hub.py"}


def pytest_addoption(parser):
    parser.addoption("--lane", choices=("aside", "main"), help="only what can run beside the rest, or only the rest")


def pytest_collection_modifyitems(config, items):
    lane = config.getoption("lane")
    if not lane:
        return
    aside = [i.path.name in ASIDE and "sluice" not in i.fixturenames for i in items]
    config.hook.pytest_deselected(items=[i for i, a in zip(items, aside) if a != (lane == "aside")])
    items[:] = [i for i, a in zip(items, aside) if a == (lane == "aside")]


def pytest_configure(config):
    config.addinivalue_line("markers", "one_set: what is tested is above the hooks; one set is enough, the better one")


# --- places and things -----------------------------------------------------------

@pytest.fixture
def tmp(root):
    """A folder for configuration, sockets and reports, which no dataset holds."""
    path = tempfile.mkdtemp(prefix="sluice-test-", dir="/tmp")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def small_disk(tmp):
    path = f"{tmp}/disk"
    os.mkdir(path)
    work.must("mount", "-t", "tmpfs", "-o", "size=1m,mode=0755", "sluice-test", path)
    yield path
    work.unmount_below(path)


@pytest.fixture
def data(root):
    """A folder for datasets, on a real file system where there is one."""
    path = tempfile.mkdtemp(prefix="sluice-data-", dir=DATA)
    os.chmod(path, 0o755)
    yield path
    work.unmount_below(path)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def dataset(data):
    """An empty directory to be tagged."""
    path = os.path.join(data, "set")
    os.mkdir(path)
    return path


@pytest.fixture
def config(lab, dataset):
    """One dataset with one file in it, /f, and the lab's VPC."""
    work.make_file(f"{dataset}/f", work.FILE)
    return tagged(dataset, network=lab.network)


@pytest.fixture(scope="session")
def lab(root):
    try:
        made = lab_module.Lab()
    except lab_module.Unavailable as why:
        pytest.skip(str(why))
    yield made
    made.close()


@pytest.fixture(params=(4, 6), ids=("v4", "v6"))
def family(request, lab):
    if request.param == 6 and not lab.v6:
        pytest.skip("this kernel has IPv6 switched off")
    return request.param


@pytest.fixture
def sink(lab):
    """sink(lab.internet, 4, udp=True): a receiver that counts; ended with the test."""
    made = []

    def start(host, family=4, **options):
        made.append(lab_module.Sink(host, family, senders=[lab.pod], **options))
        return made[-1]

    yield start
    for one in made:
        one.kill()


@pytest.fixture
def http():
    """http(lab.internet): a web server that counts what it is sent; ended with the test."""
    made = []

    def start(host):
        made.append(HttpSink(host))
        return made[-1]

    yield start
    for one in made:
        one.kill()


@pytest.fixture
def job(root):
    """A Slurm-shaped cgroup of one's own: .name is the job's name, .run={'cgroup': job} puts work into it."""
    try:
        made = work.Job()
    except work.Unavailable as why:
        pytest.skip(str(why))
    yield made
    made.close()


@pytest.fixture
def actor(tmp):
    """actor("read:/x", ..., cgroup=job): starts one; .truth() waits for it. Ended with the test."""
    made = []

    def start(*steps, **options):
        made.append(work.Actor(tmp, len(made), steps, **options))
        return made[-1]

    yield start
    for one in made:
        one.kill()


@pytest.fixture
def sluice(tmp, hooks):
    """sluice(config, ...): a monitor that is ready, under the hook set at hand. Ended with the test."""
    made = []

    def start(config, **options):
        options.setdefault("hooks", hooks)
        made.append(Monitor(tmp, config, **options))
        return made[-1].start()

    yield start
    for one in made:
        one.kill()


@pytest.fixture
def show():
    return sluice_json


# --- the count, for scripts/test.sh ------------------------------------------------

def reason_of(report):
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return " ".join(text.split()).removeprefix("Skipped: ")


def pytest_terminal_summary(terminalreporter):
    stats = terminalreporter.stats
    skips = stats.get("skipped", [])
    reasons = collections.Counter(reason_of(r) for r in skips)
    terminalreporter.write_line("")
    for reason, n in sorted(reasons.items()):
        terminalreporter.write_line(f"sluice-skip: {n} of the system tests: {reason}")
    failed = len(stats.get("failed", [])) + len(stats.get("error", []))
    passed = len(stats.get("passed", []))
    terminalreporter.write_line(f"sluice-tests: passed={passed} failed={failed} skipped={len(skips)}")

