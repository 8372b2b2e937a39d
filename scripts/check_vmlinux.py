# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Compares the structs of one BTF dump (ours) with another's (a kernel's)."""
import json
import sys

MODIFIERS = {"TYPEDEF", "CONST", "VOLATILE", "RESTRICT", "TYPE_TAG"}
SCALARS = {"INT", "ENUM", "ENUM64", "FLOAT"}


class Btf:
    def __init__(self, path):
        with open(path) as f:
            types = json.load(f)["types"]
        self.by_id = {t["id"]: t for t in types}
        self.structs = {}
        for t in types:
            if t["kind"] in ("STRUCT", "UNION") and t["name"] != "(anon)":
                self.structs.setdefault(t["name"], t)

    def strip(self, type_id):
        t = self.by_id.get(type_id)
        while t and t["kind"] in MODIFIERS:
            t = self.by_id.get(t["type_id"])
        return t

    def fields(self, t):
        """Name to type, through anonymous members."""
        found = {}
        for m in t.get("members", []):
            inner = self.strip(m["type_id"])
            if m["name"] == "(anon)":
                if inner and inner["kind"] in ("STRUCT", "UNION"):
                    found.update(self.fields(inner))
            else:
                found[m["name"]] = inner
        return found


def shape(t):
    """What must agree: a pointer is a pointer, a number has its width."""
    if t is None:
        return "void"
    if t["kind"] in SCALARS:
        return "number of %d bytes" % t["size"]
    if t["kind"] in ("STRUCT", "UNION"):
        return "struct"
    return t["kind"].lower()


def main():
    ours, theirs = Btf(sys.argv[1]), Btf(sys.argv[2])
    compared, wrong = 0, []
    for name, mine in sorted(ours.structs.items()):
        other = theirs.structs.get(name)
        if not other:
            wrong.append("struct %s is not there" % name)
            continue
        fields = theirs.fields(other)
        for field, t in ours.fields(mine).items():
            compared += 1
            if field not in fields:
                wrong.append("struct %s has no %s" % (name, field))
            elif shape(t) != shape(fields[field]):
                wrong.append("%s.%s is a %s, ours a %s" % (name, field, shape(fields[field]), shape(t)))
    for line in wrong:
        print("%s: %s" % (sys.argv[3], line))
    print("%s: %d fields of %d structs compared, %d differ"
          % (sys.argv[3], compared, len(ours.structs), len(wrong)))
    return 1 if wrong or not compared else 0


if __name__ == "__main__":
    sys.exit(main())
