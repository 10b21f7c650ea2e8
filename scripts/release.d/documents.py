"""Writes what packages carry beside the program, each from its one source:

documents.py changelog VERSION <CHANGELOG.md     Debian's changelog
documents.py copyright SOURCES                   Debian's copyright file
documents.py notices SOURCES                     licences of the crates that are linked in, each text once

SOURCE_DATE_EPOCH is the date of a version that is not released yet.
"""

import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import textwrap
from datetime import datetime, timezone
from email.utils import format_datetime

MAINTAINER = "ics-setup maintainers <ics-setup@packages.invalid>"
HOLDER = "the ics-setup contributors"


def changelog(version, text):
    """Sections are "## X.Y.Z (YYYY-MM-DD)" or "## X.Y.Z (not released)"; the first has to be VERSION's."""
    sections = re.findall(r"^## (\S+) \((.*?)\)\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    if not sections or sections[0][0] != version:
        sys.exit(f"CHANGELOG.md does not begin with version {version}")
    for name, date, body in sections:
        if date == "not released":
            when = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), timezone.utc)
        else:
            when = datetime.fromisoformat(date).replace(tzinfo=timezone.utc)
        print(f"ics-setup ({name}) unstable; urgency=medium\n")
        for entry in re.findall(r"^- (.*?)(?=^- |^### |\Z)", body, re.M | re.S):
            words = " ".join(entry.replace("`", "").split())
            print(textwrap.fill(words, 78, initial_indent="  * ", subsequent_indent="    ", break_on_hyphens=False))
        print(f"\n -- {MAINTAINER}  {format_datetime(when)}\n")


def copyright_of(sources):
    def indented(text):
        return "\n".join(f" {line}" if line.strip() else " ." for line in text.strip().splitlines())

    licence = (sources / "LICENSE-MIT").read_text().split("\n\n", 2)[2]
    print(f"""Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: ics-setup
Comment: The crates that are linked in have licences of their own: see
 THIRD-PARTY-NOTICES.gz beside this file.

Files: *
Copyright: 2026 {HOLDER}
License: Expat or Apache-2.0

License: Expat
{indented(licence)}

License: Apache-2.0
 On Debian systems, the text of the Apache License, version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.""")


def notices(sources):
    command = "cargo metadata --format-version 1 --locked --filter-platform x86_64-unknown-linux-gnu".split()
    graph = json.loads(subprocess.run(command, cwd=sources, check=True, capture_output=True).stdout)
    nodes = {node["id"]: node for node in graph["resolve"]["nodes"]}
    linked, left = set(), [graph["resolve"]["root"]]
    while left:
        for dependency in nodes[left.pop()]["deps"]:
            normal = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            if normal and dependency["pkg"] not in linked:
                linked.add(dependency["pkg"])
                left.append(dependency["pkg"])
    crates = sorted((p for p in graph["packages"] if p["id"] in linked), key=lambda p: (p["name"], p["version"]))
    texts = {}

    def add(name, text):
        key = hashlib.sha256(" ".join(text.split()).encode()).digest()
        names = texts.setdefault(key, (text, []))[1]
        if name not in names:
            names.append(name)

    apache = (sources / "LICENSE-APACHE").read_text().strip()
    print("ics-setup is linked from the Rust standard library (MIT OR Apache-2.0) and these crates:\n")
    add("the Rust standard library", apache)
    for crate in crates:
        name = f"{crate['name']} {crate['version']}"
        print(f"{name}: {crate['license']}")
        folder = pathlib.Path(crate["manifest_path"]).parent
        found = [
            path
            for path in sorted(folder.rglob("*"))
            if path.is_file() and re.match(r"(?i)(un)?licen[cs]e|copying|copyright|notice", path.name)
            if path.suffix not in (".rs", ".html") and not {"tests", "benches"} & set(path.relative_to(folder).parts)
        ]
        for path in found:
            add(name, path.read_text(errors="replace").strip())
        if not found:
            # The crate has left its repository's licence out.
            if "Apache-2.0" not in crate["license"]:
                sys.exit(f"{name} ({crate['license']}) has no text of its licence")
            add(name, apache)
    for text, names in texts.values():
        print(f"\n{'-' * 78}\n{textwrap.fill(', '.join(names), 78)}:\n\n{text}")


words = sys.argv[1:]
if words[:1] == ["changelog"] and len(words) == 2:
    changelog(words[1], sys.stdin.read())
elif words[:1] == ["copyright"] and len(words) == 2:
    copyright_of(pathlib.Path(words[1]))
elif words[:1] == ["notices"] and len(words) == 2:
    notices(pathlib.Path(words[1]))
else:
    sys.exit(__doc__)
