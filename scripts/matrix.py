#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""
Writes the matrix of tests/README.md: case x kernel x hook set, from what test_cases.py wrote to $SLUICE_TEST_MATRIX.

    scripts/matrix.py RESULTS.jsonl...           between the markers of tests/README.md; what got worse goes to stderr
    scripts/matrix.py --run [KERNEL...]          makes the results first: on this kernel, and in virtual machines

A kernel and set not measured this time keeps the column it had. Status: 1 when something got worse or failed.
"""
import argparse
import collections
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))
sys.dont_write_bytecode = True
README = os.path.join(ROOT, "tests", "README.md")
BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"
BUILD = os.environ.get("SLUICE_BUILD", os.path.join(ROOT, "build"))
LETTER = {"trampoline": "A", "tracepoint": "B"}
GOOD = ("exact", "bound", "derived", "egress", "gap", "quiet")
# What a row's expectation is called where it is met; `named` is a gap that `sluice probe` names.
NAMED = "named gap"


def column(line):
    version = re.match(r"\d+\.\d+", line["kernel"]).group()
    return f"{version}{'' if line['machine'] == 'x86_64' else ' ' + line['machine']} {LETTER[line['set']]}"


def cell(line):
    if line["result"] == "gap" and line["detail"]:
        return NAMED
    return {"elsewhere": "-"}.get(line["result"], line["result"])


def read_results(files):
    """(case, column) -> line; the last one counts."""
    found = {}
    for name in files:
        with open(name, encoding="utf-8") as f:
            for text in f:
                line = json.loads(text)
                found[line["case"], column(line)] = line
    return found


def old_cells(text):
    """(case, column) -> cell, of the table as it stands."""
    found, columns = {}, None
    for row in text.splitlines():
        if not row.startswith("|"):
            continue
        words = [w.strip() for w in row.strip("|").split("|")]
        if words[0] == "case":
            columns = words[3:]
        elif columns and not set(words[0]) <= set("-: "):
            found.update({(words[0], c): w for c, w in zip(columns, words[3:]) if w})
    return found


def order(name):
    version, *rest = name.split()
    return [int(n) for n in version.split(".")], rest


def table(cases, cells, columns):
    rows = [["case", "what", "expected", *columns]]
    rows.append(["---"] * len(rows[0]))
    for c in cases:
        rows.append([c.id, c.title.replace("|", "\\|"), c.expect, *(cells.get((c.id, k), "") for k in columns)])
    return "\n".join("| " + " | ".join(r) + " |" for r in rows)


def refusals(results):
    """Sets that did not load, with the reason; a later result of that set takes the line away."""
    return [f"* **{k}** does not load: {line['detail']}" for (case, k), line in sorted(results.items())
            if case == "*" and not any(c == k and n != "*" for n, c in results)]


def sums(cells, columns):
    lines = []
    for k in columns:
        counts = collections.Counter(v for (_, c), v in cells.items() if c == k and v != "-")
        lines.append(f"* **{k}**: " + ", ".join(f"{n} {v}" for v, n in counts.most_common()))
    return "\n".join(lines)


def notes(cases, results):
    """Reasons of what is no plain success, each once, with where it holds."""
    where = collections.OrderedDict()
    for c in cases:
        for (case, k), line in sorted(results.items()):
            if case == c.id and line["result"] in ("gap", "skip", "fail") and line["detail"]:
                detail = line["detail"] if line["result"] == "fail" else line["detail"].split(";")[0]
                where.setdefault((cell(line), detail[:200]), []).append(f"{case} ({k})")
    return "\n".join(f"* {kind}: {detail}: {shorten(places)}" for (kind, detail), places in where.items())


def shorten(places):
    by_case = collections.OrderedDict()
    for p in places:
        case, _, k = p.partition(" (")
        by_case.setdefault(case, []).append(k.rstrip(")"))
    return "; ".join(f"{case} ({', '.join(ks)})" for case, ks in by_case.items())


def worse(old, cells):
    """What was good and is not, or was measured and is a gap."""
    found = []
    for key, now in sorted(cells.items()):
        before = old.get(key)
        if before in GOOD and now not in GOOD and before != now:
            found.append(f"{key[0]} on {key[1]}: was {before}, is {now}")
    return found


def splice(text, body):
    head, _, rest = text.partition(BEGIN)
    if not rest:
        raise SystemExit(f"{README} lacks the marker {BEGIN}")
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{body}\n{END}{tail}"


def write(results):
    from cases import CASES
    with open(README, encoding="utf-8") as f:
        text = f.read()
    old = old_cells(text)
    cells = {key: cell(line) for key, line in results.items() if key[0] != "*"}
    lost = worse(old, cells)
    merged = {**old, **cells}
    columns = sorted({k for _, k in merged}, key=order)
    first = "\n".join([sums(merged, columns), *refusals(results)])
    body = "\n\n".join(["", first, table(CASES, merged, columns), "Reasons, as last measured:",
                        notes(CASES, results) or "none", ""])
    with open(README + ".new", "w", encoding="utf-8") as f:
        f.write(splice(text, body))
    os.rename(README + ".new", README)
    failed = [f"{k[0]} on {k[1]}: {v['detail']}" for k, v in sorted(results.items()) if v["result"] == "fail"]
    for word, lines in (("worse", lost), ("fail", failed)):
        for line in lines:
            print(f"{word}: {line}", file=sys.stderr)
    print(f"{len(results)} results in {len(columns)} columns, {len(lost)} got worse, {len(failed)} failed")
    return 1 if lost or failed else 0


# --- making them --------------------------------------------------------------------------------

PYTEST = ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/system/test_cases.py"]


MODULES = ("sctp", "tls", "vsock", "tun", "btrfs", "xfs")
MISSING = {"5.10": ("tls",)}  # Debian's cloud kernel is built without


def run_here(out):
    env = {**os.environ, "SLUICE_TEST_MATRIX": out, "PYTHONDONTWRITEBYTECODE": "1",
           "SLUICE": f"{BUILD}/sluice", "SLUICE_WORK": f"{BUILD}/work"}
    subprocess.run(PYTEST, cwd=ROOT, env=env, check=False)


def run_vm(kernel, out):
    """--append: 5.10 has no `bpf` among its default security modules; later kernels have it anyway."""
    folder = f"{BUILD}/matrix/{kernel}.out"
    command = [
        "tests/vm/run.sh", "--kernel", kernel, "--python", "--mem", "2048", "--smp", "1", "--timeout", "2400",
        "--append", "lsm=lockdown,yama,apparmor,bpf", "--bin", f"{BUILD}/sluice", "--tree",
        "tests/system:/sluice/tests/system", "--tree", f"{BUILD}/work:/sluice/build/work", "--cwd", "/sluice", "--out", folder,
        *(w for m in MODULES if m not in MISSING.get(kernel, ()) for w in ("--module", m)),
        *(w for pair in ("SLUICE=/usr/bin/sluice", "SLUICE_TEST_DATA=/data-fs", "SLUICE_TEST_SCALE=4",
                         "SLUICE_TEST_OWN_MACHINE=1", "SLUICE_TEST_MATRIX=/out/matrix.jsonl", "PYTHONDONTWRITEBYTECODE=1")
          for w in ("--env", pair)), "--", *PYTEST]
    subprocess.run(command, cwd=ROOT, check=False)
    return os.path.join(folder, "matrix.jsonl")


def make_results(kernels):
    os.makedirs(f"{BUILD}/matrix", exist_ok=True)
    files = []
    for kernel in kernels or ["here"]:
        out = f"{BUILD}/matrix/{kernel}.jsonl"
        if os.path.exists(out):
            os.unlink(out)
        if kernel == "here":
            run_here(out)
            files.append(out)
        else:
            files.append(run_vm(kernel, out))
    return [f for f in files if os.path.exists(f)]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--run", action="store_true", help="make the results first; KERNEL is one of tests/vm/kernels.txt, or here")
    p.add_argument("what", nargs="*", metavar="RESULTS or KERNEL")
    args = p.parse_args()
    files = make_results(args.what) if args.run else args.what
    if not files:
        raise SystemExit("no results: give files, or --run")
    return write(read_results(files))


if __name__ == "__main__":
    sys.exit(main())
