"""Measures whole processes against each other and prints Markdown. `scripts/bench` prepares what this needs.

Runs are interleaved, each turn starting one further on in the list, so that noise falls on all alike and the
ratios within one report are fair. Nothing is asserted about time: the exit status is 1 only if something could not
be measured, and then it is named.
"""

import argparse
import collections
import datetime
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import time

import check
import engine
import fixture
import install
import network
import straced
from fixture import DROP_IN, ENV_FILE, NO_PROXY, PREFIX, PROD_ENV, PROXY, STATE

HERE = os.path.dirname(os.path.realpath(__file__))
MEGABYTE = 1_000_000

OWN = "ics-setup"
ANSIBLE = ["blockinfile", "lineinfile"]
PEERS = {
    "limit": "physical limit: the same writes, syncs and renames, nothing else",
    "atomic": "four atomic replacements without journal or backup (for scale)",
    "bash": "bash + sed, careful: temporary file, sync, rename",
    "bash-quick": "bash + sed, quick: no sync",
    "augtool": "augtool, one process, only its lens",
    "blockinfile": "Ansible, local, blockinfile (its best)",
    "lineinfile": "Ansible, local, lineinfile in loops",
    "noop": "ics-setup again, nothing to do",
    "version": "`ics-setup --version`",
    "start": "start of an empty process (for scale)",
    "big": "prod.env of 1,000,000 lines",
    "size": "binary size and number of crates",
    "check": "a full check of a host, its proxy and its back ends",
    "offline": "what asks nobody: lists, rules, judging saved facts",
    "network": "endpoints that answer, 1 to 300",
    "dead-ends": "endpoints that do not",
    "install": "from images that are there to a healthy product (needs the laboratory's hosts)",
    "reconfigure": "downtime of a new setting (likewise)",
}
WITH_SERVERS = {"check", "offline", "network", "dead-ends", "install", "reconfigure"}


def main():
    args = arguments()
    if args.parse_only:
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers end with it
    bench = Bench(args)
    if set(bench.peers) - WITH_SERVERS - {"big", "size"}:
        for family in ("ubuntu", "centos"):
            bench.four_files(family)
    if "big" in bench.peers:
        bench.big_file()
    if "size" in bench.peers:
        bench.size()
    bench.with_servers()
    report = bench.report()
    print(report)
    with open(os.path.join(bench.scratch, "report.md"), "w") as file:
        file.write(report + "\n")
    for what, why in bench.unmeasured.items():
        print(f"could not be measured: {what}: {why}", file=sys.stderr)
    sys.exit(1 if bench.unmeasured else 0)


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description="ics-setup against its peers, whole processes.")
    parser.add_argument("--quick", action="store_true", help="fewer runs: a few minutes once all is installed and built")
    parser.add_argument("--peers", metavar="NAMES", help="only these, by commas: " + ", ".join(PEERS))
    parser.add_argument("--parse-only", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--scratch", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--binary", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--missing", action="append", default=[], metavar="NAME=REASON", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.peers = args.peers.split(",") if args.peers else list(PEERS)
    unknown = sorted(set(args.peers) - set(PEERS))
    if unknown:
        parser.error(f"unknown in --peers: {', '.join(unknown)} (there are: {', '.join(PEERS)})")
    return args


class NotMeasured(Exception):
    pass


class Runner:
    """One competitor: how to bring its files back, and what to start."""

    def __init__(self, name, label, argv, reset=lambda: None, slow=False, runs=None):
        self.name, self.label, self.argv, self.reset, self.slow, self.runs = name, label, argv, reset, slow, runs
        self.wall, self.memory, self.busy, self.remarks = [], [], [], []
        self.enter = []  # what leads into a laboratory's namespaces; not timed
        self.after = lambda: None  # after each run; not timed
        self.goal = None  # says what its row decides, of itself and the first of its section

    @property
    def median(self):
        return statistics.median(self.wall)


class Bench:
    NotMeasured = NotMeasured

    def __init__(self, args):
        self.peers, self.quick, self.binary = args.peers, args.quick, args.binary
        self.scratch = os.path.realpath(args.scratch)
        self.missing = dict(item.split("=", 1) for item in args.missing)
        self.unmeasured = {name: why for name, why in self.missing.items() if name in (*self.peers, OWN)}
        self.sections, self.traces, self.facts = [], {}, []
        self.disk = disk(self.path("disk"))
        self.noop_writes = {}
        self.env = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": self.path("home"),
            "LANG": "C.UTF-8",
            "ANSIBLE_CONFIG": os.path.join(HERE, "peers", "ansible.cfg"),
        }
        os.makedirs(self.path("home"), exist_ok=True)

    def path(self, *names):
        return os.path.join(self.scratch, *names)

    # The four-file job

    def four_files(self, family):
        contents = fixture.files(family)
        runners = [
            runner for runner in map(lambda name: self.four_file_runner(name, family, contents), [OWN, *self.peers])
            if runner
        ]
        self.show(f"four-file job, {family}: {', '.join(runner.name for runner in runners)}")
        checked = [runner for runner in runners if self.attempt(runner, family, self.check)]
        if self.quick:
            self.race(checked, rounds=6, seconds=18 if family == "ubuntu" else 6)
        else:
            self.race(checked, rounds=20, seconds=100 if family == "ubuntu" else 60)
        self.sections.append((f"Four-file job, {family.replace('ubuntu', 'Ubuntu').replace('centos', 'CentOS')}", checked))

    def four_file_runner(self, name, family, contents):
        """None where `name` has no part in this family."""
        if name in self.missing:
            return None
        root = self.path("roots", f"{family}-{name}")
        reset = lambda: fixture.reset(root, contents)
        runner = lambda argv, **more: Runner(name, PEERS.get(name, "**ics-setup prepare**"), argv, **more)
        positional = [root, ENV_FILE[family], PREFIX[family], self.whole_files(family), PROXY, NO_PROXY]
        if name == OWN:
            return runner(self.prepare(root), reset=reset)
        if name in ("limit", "atomic"):
            return runner([self.path("limit"), root], reset=reset)
        if name in ("bash", "bash-quick", "augtool"):
            script = "bash-careful" if name == "bash" else name
            return runner([os.path.join(HERE, "peers", script), *positional], reset=reset, slow=name == "augtool")
        if name in ANSIBLE:
            names = ("root", "env_file", "prefix", "whole_files", "proxy", "no_proxy")
            if family == "centos" and (self.quick or name == "lineinfile"):
                return None  # the same modules on the same files but one: not worth the minute
            playbook = os.path.join(HERE, "peers", f"ansible-{name}.yml")
            variables = json.dumps(dict(zip(names, positional)))
            argv = [self.path("venv", "bin", "ansible-playbook"), "-i", "localhost,", "-e", variables, playbook]
            return runner(argv, reset=reset, slow=True, runs=2 if self.quick else 5 if family == "ubuntu" else 3)
        if name == "noop":
            return runner(self.prepare(root))
        if name == "version" and family == "ubuntu":
            return runner([self.binary, "--version"])
        if name == "start" and family == "ubuntu":
            return runner([self.path("limit")])
        return None

    def prepare(self, root):
        return [
            self.binary, "prepare", "--root", root, "--proxy", PROXY, "--deployment", "production",
            "--target", "system-proxy,docker-daemon,prod-env", "--non-interactive", "-q",
        ]

    def whole_files(self, family):
        return self.path("whole-files", family)

    def check(self, runner, family):
        """One run that is not timed: it warms up, and shows whether the job is done at all."""
        root = self.path("roots", f"{family}-{runner.name}")
        if runner.name == "limit":
            if family not in self.traces:
                raise NotMeasured("no trace of ics-setup to repeat")
            runner.argv += self.traces[family]["operations"]
        if runner.name == "atomic":
            runner.argv += atomic_operations(family, self.whole_files(family))
        if runner.name == "noop":
            self.check_noop(runner, family, root)
            return
        runner.reset()
        if runner.name == OWN:
            self.check_own(runner, family, root)
            return
        self.run(runner, log=self.path(f"{family}-{runner.name}.log"))
        if runner.name in ("limit", "atomic", "version", "start"):
            return
        own_root = self.path("roots", f"{family}-{OWN}")
        runner.remarks = ["does not do the same job: " + fault for fault in fixture.faults(root, family)]
        if not runner.remarks and not fixture.faults(own_root, family):
            runner.remarks = fixture.remarks(root, own_root, family)

    def check_own(self, runner, family, root):
        """Also traces it, and hands its whole files to the peers."""
        whole_files = fixture.stand_in_whole_files()
        try:
            log = self.path(f"{family}-{OWN}.strace")
            calls, outside = straced.trace(runner.argv, self.env, root, log)
            runner.remarks = [f"writes outside --root: {path}" for path in outside]
            runner.remarks += ["does not do the same job: " + fault for fault in fixture.faults(root, family)]
            operations, odd = straced.operations(calls, root)
            runner.remarks += [f"not repeated by the limit: {call}" for call in odd]
            self.traces[family] = {"counts": straced.counts(calls), "operations": operations}
            for path in whole_files:
                if os.path.exists(os.path.join(root, path)):
                    whole_files[path] = fixture.read(root, path)
        except straced.TraceError as error:
            raise NotMeasured(str(error))
        finally:
            fixture.reset(self.whole_files(family), whole_files)

    def check_noop(self, runner, family, root):
        fixture.reset(root, fixture.files(family))
        self.run(runner, log=self.path(f"{family}-noop-first.log"))
        before = fixture.snapshot(root)
        try:
            calls, outside = straced.trace(runner.argv, self.env, root, self.path(f"{family}-noop.strace"))
        except straced.TraceError as error:
            raise NotMeasured(str(error))
        after = fixture.snapshot(root)
        moved = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
        # A sync writes no byte: it makes sure that what the run before has written is on the disk.
        touched = straced.changes(calls)
        synced = [text for text in touched if text.startswith(("fsync ", "fdatasync "))]
        found = [text for text in touched if text not in synced]
        found += [f"write outside: {path}" for path in outside]
        found += [f"changed: {os.path.relpath(path, root)}" for path in moved]
        self.noop_writes[family] = found
        runner.remarks = [text.replace(root + "/", "") for text in (found + synced)[:4]]
        runner.remarks += [f"and {len(found) - 4} more"] if len(found) > 4 else []

    # The big file

    def big_file(self):
        self.show("prod.env of 1,000,000 lines")
        contents = {**fixture.files("ubuntu"), PROD_ENV: fixture.big_prod_env()}
        edits = [part for name, value in fixture.VALUES.items() for part in ("-e", f"s|^#{name}=.*|{name}={value}|")]
        runners = []
        for name, label in [
            (OWN, "**ics-setup reconfigure**"),
            ("limit", "physical limit: the same writes, syncs and renames"),
            ("sed", "GNU `sed -i`, no sync"),
            ("sed-sync", "GNU `sed -i`, then `sync` of file and folder"),
        ]:
            if name in self.missing:
                continue
            root = self.path("roots", f"big-{name}")
            file = os.path.join(root, PROD_ENV)
            argv = {
                OWN: [self.binary, "reconfigure", "--root", root, "--proxy", PROXY, "--non-interactive", "-q"],
                "limit": [self.path("limit"), root],
                "sed": ["sed", "-i", *edits, file],
                "sed-sync": ["sh", "-c", 'sed -i "$@" && sync "$0" "${0%/*}"', file, *edits, file],
            }[name]
            runners.append(Runner(name, label, argv, reset=lambda root=root: fixture.reset(root, contents), slow=True))
        checked = [runner for runner in runners if self.attempt(runner, "big", self.check_big)]
        self.race(checked, rounds=3 if self.quick else 9, seconds=8 if self.quick else 60)
        self.sections.append(("prod.env of 1,000,000 lines", checked))

    def check_big(self, runner, _):
        root = self.path("roots", f"big-{runner.name}")
        runner.reset()
        if runner.name == OWN:
            try:
                calls, _ = straced.trace(runner.argv, self.env, root, self.path("big.strace"))
            except straced.TraceError as error:
                raise NotMeasured(str(error))
            self.traces["big"] = {"counts": straced.counts(calls), "operations": straced.operations(calls, root)[0]}
        elif runner.name == "limit":
            if "big" not in self.traces:
                raise NotMeasured("no trace of ics-setup to repeat")
            runner.argv += self.traces["big"]["operations"]
            return
        else:
            self.run(runner, log=self.path(f"big-{runner.name}.log"))
        values = fixture.env_file(fixture.read(root, PROD_ENV))
        runner.remarks = [
            f"does not do the same job: {name} is {values.get(name)!r}"
            for name, wanted in fixture.VALUES.items() if values.get(name) != wanted
        ]

    # Size

    def size(self):
        try:
            stripped = self.path("stripped")
            subprocess.run(["strip", "-o", stripped, self.binary], check=True, capture_output=True)
            self.facts.append(f"Binary, stripped: {os.path.getsize(stripped) / MEGABYTE:.2f} MB.")
        except (OSError, subprocess.CalledProcessError) as error:
            self.unmeasured["size"] = str(error)
        tree = subprocess.run(
            ["cargo", "tree", "--locked", "-e", "normal", "--prefix", "none"], capture_output=True, text=True,
        )
        if tree.returncode != 0:
            self.unmeasured["crates"] = tree.stderr.strip().splitlines()[-1]
            return
        crates = {line.removesuffix(" (*)") for line in tree.stdout.splitlines() if line}
        self.facts.append(f"Crates it is linked from, itself included: {len(crates)}.")

    # Servers of its own

    def with_servers(self):
        for names, measure in [
            ({"check", "offline"}, check.measure),
            ({"network", "dead-ends"}, network.measure),
            ({"install", "reconfigure"}, install.measure),
        ]:
            asked = names & set(self.peers)
            missing = [name for name in asked if name in self.missing]
            if not asked or missing:
                continue
            try:
                measure(self, Runner)
            except engine.NotThere as error:
                self.facts += [f"Skipped: {name} ({error})." for name in sorted(asked)]
                self.show("; ".join(f"skip {name}: {error}" for name in sorted(asked)))
            except (NotMeasured, OSError) as error:
                self.unmeasured[" and ".join(sorted(asked))] = str(error)

    # Running

    def attempt(self, runner, family, check):
        try:
            check(runner, family)
            return True
        except (NotMeasured, OSError) as error:
            self.unmeasured[f"{runner.name} ({family})"] = str(error)
            return False

    def race(self, runners, rounds, seconds):
        """Interleaved rounds until there are enough, or the time is up.

        In each round the quick ones run four times, by turns; those with `runs` sit out some of the rounds.
        """
        deadline = time.monotonic() + seconds
        for round_ in range(rounds):
            if time.monotonic() > deadline and round_ >= 3:
                break
            quick = [runner for runner in runners if not runner.slow]
            for turn in range(4):
                start = (4 * round_ + turn) % max(len(quick), 1)
                for runner in quick[start:] + quick[:start]:
                    self.measure(runner)
            for runner in runners:
                runs = runner.runs or rounds
                if runner.slow and round_ * runs // rounds != (round_ - 1) * runs // rounds:
                    self.measure(runner)

    def measure(self, runner):
        runner.reset()
        try:
            wall, memory, busy = self.run(runner)
        except NotMeasured as error:
            self.unmeasured[f"{runner.name}, a later run"] = str(error)
            return
        runner.wall.append(wall)
        runner.memory.append(memory)
        runner.busy.append(busy)
        runner.after()

    def run(self, runner, log="/dev/null"):
        """Milliseconds and megabytes of one whole process, and its milliseconds of processor time."""
        done = subprocess.run(
            [*runner.enter, self.path("timer"), log, *runner.argv], env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )
        words = done.stdout.split()
        if done.returncode != 0 or words[2] != "0":
            why = done.stderr.strip() or f"wait status {words[2]}"
            if log != "/dev/null":
                with open(log, errors="replace") as file:
                    why += ": " + " ".join(file.read().split())[-300:]
            raise NotMeasured(why)
        return int(words[0]) / 1e6, int(words[1]) * 1024 / MEGABYTE, int(words[3]) / 1e6

    def show(self, text):
        print(f"bench: {text}", file=sys.stderr, flush=True)

    # Reporting

    def report(self):
        lines = [f"Measured {datetime.date.today()} on {machine(self.scratch)}.", ""]
        lines.append("| what | median ms | min ms | runs | ratio to ics-setup | CPU ms | peak MB | goal, by the medians |")
        lines.append("| --- | --: | --: | --: | --: | --: | --: | --- |")
        notes = []
        for title, runners in self.sections:
            lines.append(f"| **{title}** | | | | | | | |")
            own = next((runner for runner in runners if runner.name == OWN and runner.wall), None)
            for runner in runners:
                if not runner.wall:
                    continue
                mark = ""
                if runner.remarks:
                    notes.append("; ".join(runner.remarks))
                    mark = f" [{len(notes)}]"
                ratio = f"{runner.median / own.median:.2f}" if own else ""
                lines.append(
                    f"| {runner.label}{mark} | {runner.median:.2f} | {min(runner.wall):.2f} | {len(runner.wall)} | {ratio} "
                    f"| {statistics.median(runner.busy):.1f} | {max(runner.memory):.1f} "
                    f"| {runner.goal(runner, own) if runner.goal and own else self.goal(title, runner, own)} |"
                )
        lines += [""] + [f"[{number}] {note}" for number, note in enumerate(notes, 1)] + ([""] if notes else [])
        for family, found in self.traces.items():
            lines.append(f"- What ics-setup writes ({family}, by strace in this run): {worded(found['counts'])}.")
        appended, replaced = map(min, self.disk, disk(self.path("disk")))
        lines.append(
            f"- The disk, before or after (the better): {appended:.2f} ms for an append with its sync, {replaced:.2f} ms to put "
            "one file in the place of another (sync, rename, sync of the folder)."
        )
        lines += [f"- {fact}" for fact in self.facts]
        lines += [f"- Could not be measured: {what} ({why})." for what, why in self.unmeasured.items()]
        return "\n".join(lines)

    @staticmethod
    def said(met):
        return "**met**" if met else "**not met**"

    def goal(self, title, runner, own):
        """The goal that a row decides, and whether it is met."""
        if not title.startswith("Four") or not own:
            return ""
        said = self.said
        if runner is own:
            return f"< 10 MB: {said(max(own.memory) < 10)}"
        if runner.name == "noop":
            family = "ubuntu" if "Ubuntu" in title else "centos"
            return f"writes no byte, no mtime moves: {said(not self.noop_writes[family])}"
        ratio, at_best = runner.median / own.median, min(runner.wall) / min(own.wall)
        if runner.name == "limit":
            return f"≤ 1.5 × this: {said(ratio >= 1 / 1.5)} ({1 / ratio:.2f} ×; by the minima {1 / at_best:.2f} ×)"
        if runner.name.startswith("bash"):
            return f"faster than this: {said(ratio > 1)} ({ratio:.1f} ×; by the minima {at_best:.1f} ×)"
        if runner.name == "blockinfile":
            return f"> 100 × faster: {said(ratio > 100)} ({ratio:.0f} ×; by the minima {at_best:.0f} ×)"
        return ""


def atomic_operations(family, whole_files):
    """Temporary file, write, fsync, rename, fsync of the folder, for each of the four files."""
    found, known = [], {"etc", "etc/profile.d", "etc/systemd/system", "divvycloud"}
    sizes = {
        ENV_FILE[family]: 220,
        PROD_ENV: len(fixture.PROD_ENV_TEXT),
        DROP_IN: os.path.getsize(os.path.join(whole_files, DROP_IN)),
        STATE: os.path.getsize(os.path.join(whole_files, STATE)),
    }
    for slot, (path, size) in enumerate(sizes.items()):
        folder = os.path.dirname(path)
        if folder not in known:
            found.append(f"mkdir:{folder}")
        temporary = f"{folder}/.new"
        found += [
            f"create:{slot}:{temporary}", f"write:{slot}:{size}", f"fsync:{slot}", f"close:{slot}",
            f"rename:{temporary}:{path}", f"dir:{slot}:{folder}", f"fsync:{slot}", f"close:{slot}",
        ]
    return found


def disk(folder):
    """Milliseconds that the disk itself takes for one append with sync, and to put one file in the place of another."""
    os.makedirs(folder, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    appended, replaced = [], []
    with open(os.path.join(folder, "log"), "ab", buffering=0) as log:
        for _ in range(30):
            begin = time.perf_counter()
            log.write(b"x" * 200)
            os.fdatasync(log.fileno())
            middle = time.perf_counter()
            with open(os.path.join(folder, "new"), "wb", buffering=0) as new:
                new.write(b"x" * 200)
                os.fsync(new.fileno())
            os.rename(os.path.join(folder, "new"), os.path.join(folder, "file"))
            os.fsync(descriptor)
            appended.append(middle - begin)
            replaced.append(time.perf_counter() - middle)
    os.close(descriptor)
    return 1e3 * statistics.median(appended), 1e3 * statistics.median(replaced)


def worded(counts):
    counts = collections.Counter(counts)
    size = counts.pop("bytes", 0)
    size = f"{size} bytes" if size < 100_000 else f"{size / MEGABYTE:.1f} MB"
    words = [f"{number} {name}" + (f" ({size})" if name == "write" else "") for name, number in counts.most_common()]
    return ", ".join(words)


def machine(folder):
    model = "unknown cpu"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith(("model name", "Model")):
                model = line.split(":", 1)[1].strip()
                break
    kind = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True).stdout.strip()
    mounted = subprocess.run(["findmnt", "-n", "-o", "FSTYPE,OPTIONS", "-T", folder], capture_output=True, text=True)
    kind = " (".join(mounted.stdout.split()) + ")" if mounted.stdout.strip() else kind
    kind += ", where a sync costs nothing" if kind.startswith("tmpfs") else ""
    busy = os.getloadavg()[0]
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release()}, {kind}, load {busy:.1f}"


if __name__ == "__main__":
    main()
