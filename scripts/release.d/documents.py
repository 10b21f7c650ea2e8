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
    print("ics-setup is linked from these crates:\n")
    for crate in crates:
        name = f"{crate['name']} {crate['version']}"
        print(f"{name}: {crate['license']}")
        folder = pathlib.Path(crate["manifest_path"]).parent
        for path in sorted(folder.iterdir()):
            if path.is_file() and re.match(r"(?i)(un)?licen[cs]e|copying|notice", path.name):
                text = path.read_text(errors="replace").strip()
                texts.setdefault(hashlib.sha256(" ".join(text.split()).encode()).digest(), (text, []))[1].append(name)
    for text, names in texts.values():
        print(f"\n{'-' * 78}\n{textwrap.fill(', '.join(names), 78)}:\n\n{text}")


match sys.argv[1:]:
    case ["changelog", version]:
        changelog(version, sys.stdin.read())
    case ["copyright", sources]:
        copyright_of(pathlib.Path(sources))
    case ["notices", sources]:
        notices(sources)
    case _:
        sys.exit(__doc__)
