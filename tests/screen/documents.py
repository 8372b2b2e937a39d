# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Documents as a monitor gives them, of a training host in the middle of its work: the same at every run."""
import copy
import json

HOST = {"name": "ip-10-0-3-17", "boot_id": "2a40fde0-cc4a-4826-8ba5-2c140c130807", "instance_id": "i-0abc12345678def00",
        "account": "123456789012", "region": "eu-west-1"}
MIB = 1 << 20
START = "2026-11-26T08:00:00.000Z"
TRAIN, POD, UNIT, SESSION = "slurm:4242.0", "k8s:research/finetune-7b-x2x9q", "unit:backup.service", "session:9836"


def clock(step):
    return f"2026-11-26T10:{21 + step // 60:02d}:{step % 60:02d}.000Z"


def process(pid, comm, uid=70001, parent=1, exe=None, start=START):
    return {"pid": pid, "start": start, "exe": exe or f"/usr/bin/{comm}", "comm": comm, "uid": uid,
            "parent": {"pid": parent, "start": START}}


def remote(addr, port, kind, name=None, bucket=None, belief="resolved"):
    return {"addr": addr, "port": port, "class": kind, "name": name, "name_source": "sni" if name else None,
            "name_belief": belief if name else None, "name_note": None, "service": "s3" if bucket else None, "bucket": bucket,
            "access_point": None, "account": None}


def used(read, total, share, exact=True):
    return {"files_read": read, "files_total": total, "files_unread": total - read, "files_share": read / total,
            "bytes_most": int(share * 4 * 1024 * MIB), "bytes_share_most": share, "exact": exact}


MASTER = process(2101, "python3", parent=1)
LOADERS = [process(2110 + i, "loader", parent=2101) for i in range(4)]
SENDER = process(2120, "sender", parent=2101)
CURL = process(2133, "curl", parent=2120)
TUNE = process(3301, "python3", uid=70002, parent=1, exe="/opt/conda/envs/tune/bin/python3.11")
BACKUP = process(911, "restic", uid=0, parent=1)
SHELL = process(9836, "bash", uid=70003, parent=1)

S3 = remote("52.218.1.9", 443, "aws:S3:eu-west-1", "approved-models.s3.eu-west-1.amazonaws.com", "approved-models")
FOREIGN = remote("52.218.4.77", 443, "aws:S3:eu-west-1", "drop-zone-77.s3.eu-west-1.amazonaws.com", "drop-zone-77")
PASTE = remote("203.0.113.202", 8443, "internet", "paste.example.net", belief="claimed")
BARE = remote("198.51.100.7", 22, "internet")
STORE = remote("10.0.9.12", 2049, "vpc")
OFFICE = remote("192.168.40.3", 443, "private", "git.office.example.org")


def item_process(who, job, datasets, read, volume, out, tainted, alive=True, received=(), mapped=0):
    return {"process": who, "image": 1, "job": job, "datasets": datasets,
            "bytes": {"read": read, "mmap": mapped, "device": 0, "asked": 0}, "volume": volume, "bytes_out": out,
            "tainted_out": tainted, "alive": alive, "merged": 0, "job_labels": {}, "dns": None, "received": list(received),
            "received_more": 0}


def item_flow(who, job, proto, end, out, inn, tainted, datasets, encrypted="tls1.3", alive=True, lport=41000):
    return {"process": who, "job": job, "proto": proto, "direction": "out", "local": {"addr": "10.0.3.17", "port": lport}, "remote": end,
            "bytes_out": out, "bytes_in": inn, "tainted_out": tainted, "datasets": datasets, "encrypted": encrypted,
            "starttls": None, "allowed": None, "job_labels": {}, "alive": alive}


def item_end(end, proto, out, inn, tainted, datasets, who, jobs, allowed, because, flows=1, direction="out"):
    return {"remote": end, "proto": proto, "direction": direction, "flows": flows, "live": flows, "bytes_out": out,
            "bytes_in": inn, "tainted_out": tainted, "datasets": datasets, "processes": who, "processes_more": False,
            "jobs": jobs, "jobs_more": False, "allowed": allowed, "because": because}


def hop(start, to, via, size, time):
    return {"from": start, "to": to, "via": via, "bytes": size, "time": time}


def finding(number, rule, severity, title, dataset, leak, who, job, end, chain, exposed=None, count=1, coverage=()):
    return {"id": f"f-{number:016x}", "rule": rule, "severity": severity, "title": title, "dataset": dataset, "leak_bound": leak,
            "exposed": exposed, "process": who, "job": job, "remote": end, "chain": chain, "coverage": list(coverage),
            "mitre": ["T1041"], "first": "2026-11-26T09:58:12.549Z", "last": "2026-11-26T10:21:03.120Z", "count": count,
            "action": "alerted", "job_labels": {}, "ml_reason": []}


WAY = [hop("dataset patients", "process loader[2111]", "read", 3 * 1024 * MIB, "2026-11-26T09:58:11.463Z"),
       hop("process loader[2111]", "process loader[2112]", "fork", None, "2026-11-26T09:58:11.463Z"),
       hop("process loader[2112]", "pipe:[70651894]", "pipe_write", 500009, "2026-11-26T09:58:11.465Z"),
       hop("pipe:[70651894]", "process sender[2120]", "pipe_read", 2000036, "2026-11-26T09:58:11.464Z"),
       hop("process sender[2120]", "203.0.113.202:8443", "tcp", 42 * MIB, "2026-11-26T09:58:12.468Z")]


def jobs(n):
    return [
        {"job": None, "ml": False, "ml_reason": [], "job_labels": {}, "datasets": [], "processes": 3, "bytes_read": 0,
         "used": {}, "bytes_out": 1830, "tainted_out": 0, "leak_bound": 0},
        {"job": SESSION, "ml": False, "ml_reason": [], "job_labels": {}, "datasets": [], "processes": 2, "bytes_read": 0,
         "used": {}, "bytes_out": 40960, "tainted_out": 0, "leak_bound": 0},
        {"job": TRAIN, "ml": True, "job_labels": {"SLURM_JOB_NAME": "train-resnet"}, "datasets": ["patients", "scans"],
         "ml_reason": [{"sign": "framework", "name": "libtorch_cpu.so", "process": {"comm": "python3", "pid": 2101}}],
         "processes": 7, "bytes_read": (9000 + 120 * n) * MIB,
         "used": {"patients": used(811, 1200, 0.71), "scans": used(3, 7, 0.004, False)}, "bytes_out": (5000 + 24 * n) * MIB,
         "tainted_out": (5000 + 24 * n) * MIB, "leak_bound": 42 * MIB + n * 900000},
        {"job": POD, "ml": True, "job_labels": {}, "datasets": ["claims"],
         "ml_reason": [{"sign": "device", "name": "/dev/nvidia0", "process": {"comm": "python3", "pid": 3301}}],
         "processes": 1, "bytes_read": 700 * MIB, "used": {"claims": used(4, 4, 1.0)}, "bytes_out": 3 * MIB,
         "tainted_out": 2 * MIB, "leak_bound": 65000},
        {"job": UNIT, "ml": False, "ml_reason": [], "job_labels": {}, "datasets": ["claims"], "processes": 1,
         "bytes_read": 64 * MIB, "used": {"claims": used(1, 4, 0.2)}, "bytes_out": 80 * MIB, "tainted_out": 80 * MIB,
         "leak_bound": 0},
    ]


def processes(n):
    way = {"via": "pipe_read", "from": ["loader[2112]"], "object": "pipe:[70651894]", "bytes": 2000036, "datasets": ["patients"]}
    born = {"via": "fork", "from": ["python3[2101]"], "object": None, "bytes": None, "datasets": ["patients"]}
    items = [item_process(MASTER, TRAIN, ["patients", "scans"], 100 * MIB, {"patients": 100 * MIB, "scans": 12000}, 0, 0,
                          mapped=40 * MIB)]
    items += [item_process(p, TRAIN, ["patients"], (2200 + (30 + i) * n) * MIB, {"patients": 2900 * MIB, "scans": 0}, 0, 0,
                           received=[born]) for i, p in enumerate(LOADERS)]
    items += [
        item_process(SENDER, TRAIN, ["patients"], 0, {"patients": 2900 * MIB}, (5000 + 23 * n) * MIB, (5000 + 23 * n) * MIB,
                     received=[way, born]),
        item_process(CURL, TRAIN, ["patients"], 0, {"patients": 42 * MIB + n * 900000}, 42 * MIB + n * 900000,
                     42 * MIB + n * 900000, alive=False, received=[born]),
        item_process(TUNE, POD, ["claims"], 700 * MIB, {"claims": 512 * MIB}, 3 * MIB, 2 * MIB),
        item_process(BACKUP, UNIT, ["claims"], 64 * MIB, {"claims": 64 * MIB}, 80 * MIB, 80 * MIB),
        item_process(SHELL, SESSION, [], 0, {}, 40960, 0),
        {**item_process(SHELL, SESSION, [], 0, {}, 0, 0, alive=False), "process": None, "merged": 12},
    ]
    return items


def datasets(n):
    def one(name, path, tags, total, files, read, share, readers, outside, findings):
        return {"id": name, "path": path, "tags": tags, "bytes_total": total, "files_total": files, "bytes_read": read,
                "files_read": None, "used": share, "readers": readers, "volume_outside": outside, "findings": findings,
                "derived": None}
    return [
        one("claims", "/data/insurance/claims", {"DataType": "PHI", "Owner": "actuaries"}, 512 * MIB, 4, 764 * MIB,
            used(4, 4, 1.0), 2, 65000, 1),
        one("patients", "/data/patients", {"DataType": "PII", "Owner": "radiology"}, 4096 * MIB, 1200, (8900 + 120 * n) * MIB,
            used(811, 1200, 0.71), 5, 42 * MIB + n * 900000, 3),
        one("scans", "/mnt/fsx/scans", {"DataType": "PII"}, None, None, 12000, {**used(3, 7, 0.004, False), "files_unread": None,
            "files_share": None, "bytes_share_most": None}, 1, 0, 0),
    ]


def flows(n):
    return [
        item_flow(SENDER, TRAIN, "tcp", STORE, (4950 + 22 * n) * MIB, 20 * MIB, (4950 + 22 * n) * MIB, ["patients"], None),
        item_flow(CURL, TRAIN, "tcp", PASTE, 42 * MIB + n * 900000, 120000, 42 * MIB + n * 900000, ["patients"], False, lport=41404),
        item_flow(SENDER, TRAIN, "tcp", S3, 50 * MIB, 9000, 50 * MIB, ["patients"], lport=41500),
        item_flow(TUNE, POD, "tcp", FOREIGN, 2 * MIB, 80000, 65000, ["claims"], lport=51111),
        item_flow(TUNE, POD, "tcp", OFFICE, MIB, 300 * MIB, 0, [], lport=51112),
        item_flow(BACKUP, UNIT, "tcp", S3, 80 * MIB, 12000, 80 * MIB, ["claims"], lport=38888),
        item_flow(SHELL, SESSION, "tcp", BARE, 40960, 88000, 0, [], None, alive=False, lport=60022),
    ]


def destinations(n):
    return [
        item_end(STORE, "tcp", (4950 + 22 * n) * MIB, 20 * MIB, (4950 + 22 * n) * MIB, ["patients"], ["sender[2120]"], [TRAIN], None,
                 "vpc is inside"),
        item_end(PASTE, "tcp", 42 * MIB + n * 900000, 120000, 42 * MIB + n * 900000, ["patients"], ["curl[2133]"], [TRAIN], False,
                 "no entry of network.allow covers it; its name is only claimed, which none by name takes"),
        item_end(S3, "tcp", 130 * MIB, 21000, 130 * MIB, ["patients", "claims"], ["sender[2120]", "restic[911]"], [TRAIN, UNIT], True,
                 "network.allow[0], line 31", flows=2),
        item_end(FOREIGN, "tcp", 2 * MIB, 80000, 65000, ["claims"], ["python3[3301]"], [POD], False,
                 "no entry of network.allow covers this bucket"),
        item_end(OFFICE, "tcp", MIB, 300 * MIB, 0, [], ["python3[3301]"], [POD], True, "network.allow[2], line 33"),
        item_end(BARE, "tcp", 40960, 88000, 0, [], ["bash[9836]"], [SESSION], False, "no entry of network.allow covers it"),
    ]


def findings(n):
    leak = 42 * MIB + n * 900000
    most = f"{-(-leak * 10 // MIB) / 10:.1f} MiB"
    s3way = [hop("dataset claims", "process python3[3301]", "read", 700 * MIB, "2026-11-26T09:40:00.000Z"),
             hop("process python3[3301]", "52.218.4.77:443", "tcp", 65000, "2026-11-26T09:41:00.000Z")]
    return [
        finding(0xcb13, "exfil.volume", "critical", f"{TRAIN} sent at most {most} of patients (PII) to 203.0.113.202:8443 outside "
                "the VPC", "patients", leak, CURL, TRAIN, PASTE, WAY, 2900 * MIB, 1 + n, ["read.mmap_pages", "taint.core_dump"]),
        finding(0xc317, "egress.plaintext", "high", f"{TRAIN} sent at most {most} of patients (PII) unencrypted to "
                "203.0.113.202:8443", "patients", leak, CURL, TRAIN, PASTE, WAY, 2900 * MIB),
        finding(0xaa01, "s3.foreign-bucket", "medium", f"{POD} sent at most 63.5 KiB of claims (PHI) to the bucket drop-zone-77",
                "claims", 65000, TUNE, POD, FOREIGN, s3way, 512 * MIB, 2),
        finding(0xaa02, "egress.unexpected", "low", f"{POD} talks to 198.51.100.7:22, which no entry of network.allow covers", None,
                None, SHELL, SESSION, BARE, []),
        finding(0xaa03, "access.unauthorized", "medium", "user intern is not among the readers of patients", "patients", None,
                SHELL, SESSION, None, [hop("dataset patients", "process bash[9836]", "read", 812, "2026-11-26T10:02:00.000Z")]),
        finding(0xaa04, "monitor.gap", "info", "the monitor was not running for 3.2 s", None, None, None, None, None, []),
    ]


def health(losses=None, gaps=("read.mmap_pages: no program of this set measures it yet", "taint.core_dump: no program of this set "
                              "measures it yet"), exporter=None):
    return {
        "backend": "trampoline", "owners": ["taint.fork=on_fork", "read.read=on_read", "flow.tcp=on_tcp_state"], "gaps": list(gaps),
        "limits": ["read.mmap: a mapping counts in full, whether its pages are touched or not",
                   "flow.sctp: what SCTP sends again counts again"],
        "programs": [{"name": "on_fork", "runs": None, "recursion_misses": 0}],
        "losses": {"ring_full": 0, "map_full": 0, "path_deep": 0, **(losses or {})},
        "maps": [{"name": "subjects", "entries": 812, "max": 65536}, {"name": "flows", "entries": 50000, "max": 65536}],
        "cpu": 0.0042, "memory": {"rss": 21 * MIB, "maps": 96 * MIB},
        "model": {"subjects": 812, "objects": 91, "transfers": 340, "flows": 9, "refused": 0},
        "tainted": {"processes": 9, "volumes": {}, "datasets": {}}, "channels": {},
        "trusted": [{"path": "/usr/bin/amazon-cloudwatch-agent", "trusted": True, "why_not": None}],
        "vpc": {"source": "metadata", "state": "known", "why": None, "id": "vpc-0a1b", "blocks": 2, "told": START},
        "aws_ranges": {"file": "/var/lib/sluice/ip-ranges.json", "created": "2026-11-25", "prefixes": 9123, "why": None},
        "names": {"known": 14, "conversations": 3, "forgotten": 0, "questions_missed": 0},
        "credentials": {"files": 2, "holding": 1, "missed": {}}, "late_ms": 0, "records_waiting": 0, "records_lag_ms": 3,
        "exporter": exporter,
    }


def document(kind, step, items):
    return {"v": 1, "type": kind, "time": clock(step), "host": HOST, "items": items}


def step(n, **of_health):
    all_of = {f.__name__: document(f.__name__, n, f(n)) for f in (jobs, processes, datasets, destinations, flows, findings)}
    all_of["health"] = {"v": 1, "type": "health", "time": clock(n), "host": HOST, "health": health(**of_health)}
    return all_of


def script(steps=40, **more):
    """An upload that comes in waves, so that there is something to see of how it went."""
    of_health = more.pop("of_health", {})
    at, taken = 0, []
    for i in range(steps):
        taken.append(step(at, **of_health))
        for one in taken[-1].values():
            one["time"] = clock(i)
        at += (i * 7) % 5 if i % 9 else 0
    return {"steps": taken, **more}


def quiet():
    """Nothing was found, nothing is known yet of some figures, nobody sent anything."""
    one = step(0, gaps=())
    for kind in ("flows", "destinations", "findings", "processes", "jobs"):
        one[kind]["items"] = []
    return {"steps": [one]}


def hostile(bad):
    """Every name is `bad`."""
    def spoil(value, key=None):
        if isinstance(value, dict):
            return {k: spoil(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [spoil(v, key) for v in value]
        kept = ("type", "time", "start", "first", "last", "class", "severity", "direction", "proto", "state")
        return bad if isinstance(value, str) and key not in kept else value
    return {"steps": [spoil(copy.deepcopy(step(0)))]}


def crowd(n, cycle_ms=1000):
    """Many processes, of which each second every one has read more."""
    steps = []
    for s in range(2):
        one = step(s)
        one["processes"]["items"] = [
            item_process(process(10000 + i, f"worker{i % 7}", parent=10000 + i // 4 if i else 1), TRAIN, ["patients"],
                         (i * 37 % 911) * MIB + s * 1000 * i, {"patients": 2900 * MIB - i * 4096}, i * 1000, (i * 7919) % 100003)
            for i in range(n)]
        steps.append(one)
    return {"steps": steps, "cycle_ms": cycle_ms}


def save(path, what):
    with open(path, "w", encoding="utf-8", errors="surrogatepass") as out:
        json.dump(what, out, ensure_ascii=True)
    return str(path)
