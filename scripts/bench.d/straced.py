"""Runs a command under strace and tells which calls wrote below a folder.

The same list serves three ends: the counts that are printed, the operations that `limit` replays, and the proof
that a run that has nothing to do writes nothing.
"""

import collections
import os
import re
import subprocess

OPENING = {"open", "openat", "openat2", "creat"}
WRITING = {"write", "writev", "pwrite64", "pwritev", "pwritev2"}
COPYING = {"sendfile": 0, "copy_file_range": 2, "splice": 2}  # call -> which argument is the written file
SYNCING = {"fsync", "fdatasync"}
RENAMING = {"rename", "renameat", "renameat2"}
LINKING = {"link", "linkat"}
MAKING = {"mkdir", "mkdirat"}
BY_DESCRIPTOR = WRITING | SYNCING | {
    "ftruncate", "fallocate", "fchmod", "fchown", "fsetxattr", "fremovexattr", "futimens", "sync_file_range", "syncfs",
}
BY_PATH = RENAMING | LINKING | MAKING | {
    "unlink", "unlinkat", "rmdir", "symlink", "symlinkat", "mknod", "mknodat", "truncate", "chmod", "fchmodat",
    "fchmodat2", "chown", "lchown", "fchownat", "utimensat", "utime", "utimes", "setxattr", "lsetxattr",
    "removexattr", "lremovexattr",
}
WHOLE_SYSTEM = {"sync", "io_uring_setup", "io_setup"}
TRACED = OPENING | set(COPYING) | BY_DESCRIPTOR | BY_PATH | WHOLE_SYSTEM | {"close"}

Call = collections.namedtuple("Call", "name arguments result path other size flags")


class TraceError(Exception):
    pass


def trace(argv, env, folder, log):
    """All calls of `argv` (and of its threads and children) that open, write, sync or move something below `folder`."""
    expression = "trace=" + ",".join("?" + name for name in sorted(TRACED))
    command = ["strace", "-f", "-y", "-qq", "-s", "0", "-o", log, "-e", expression, "-e", "signal=none", *argv]
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        raise TraceError(f"exit {done.returncode} under strace: {(done.stderr or done.stdout).strip()[-400:]}")
    with open(log, errors="replace") as lines:
        calls = [parse(line) for line in whole_lines(lines)]
    folder = os.path.realpath(folder)
    return [call for call in calls if call and concerns(call, folder)], outside(calls, folder)


def whole_lines(lines):
    """Joins `<unfinished ...>` with its `<... resumed>`."""
    begun = {}
    for line in lines:
        pid, _, text = line.rstrip("\n").partition(" ")
        text = text.lstrip()
        if text.endswith("<unfinished ...>"):
            begun[pid] = text[: -len("<unfinished ...>")].rstrip()
            continue
        resumed = re.match(r"<\.\.\. \w+ resumed>(.*)", text)
        if resumed:
            text = begun.pop(pid, "") + resumed[1]
        yield text


DESCRIPTOR = re.compile(r"(?:\d+|AT_FDCWD)<((?:[^<>]|<[^<>]*>)*)>")


def parse(text):
    match = re.match(r"(\w+)\((.*)\)\s+= (-?\d+)(?:<((?:[^<>]|<[^<>]*>)*)>)?", text)
    if not match or int(match[3]) < 0 and match[1] not in SYNCING:
        return None
    name, arguments, result, opened = match[1], match[2], int(match[3]), match[4]
    descriptors = DESCRIPTOR.findall(arguments)
    if name in OPENING:
        return Call(name, arguments, result, opened or "", None, 0, arguments)
    if name in COPYING:
        return Call(name, arguments, result, descriptors[-1 if COPYING[name] else 0], None, result, "")
    if name in BY_DESCRIPTOR or name == "close":
        size = result if name in WRITING else 0
        return Call(name, arguments, result, descriptors[0] if descriptors else "", None, size, "")
    paths = named_paths(arguments)
    return Call(name, arguments, result, paths[0] if paths else "", paths[1] if len(paths) > 1 else None, 0, arguments)


def named_paths(arguments):
    """Quoted paths, each taken from the descriptor before it where it is relative."""
    found, base = [], os.getcwd()
    for descriptor, quoted in re.findall(r'(?:\d+|AT_FDCWD)<((?:[^<>]|<[^<>]*>)*)>|"((?:[^"\\]|\\.)*)"', arguments):
        if descriptor:
            base = descriptor
        else:
            found.append(os.path.normpath(os.path.join(base, quoted)))
    return found


def below(path, folder):
    return path is not None and (path == folder or path.startswith(folder + "/"))


def concerns(call, folder):
    return below(call.path, folder) or below(call.other, folder) or call.name in WHOLE_SYSTEM


def outside(calls, folder):
    """Paths outside `folder` that were written, which is a fault: terminals, pipes and devices aside."""
    harmless = ("/dev/", "/proc/", "pipe:", "socket:", "anon_inode:")
    return sorted({
        call.path for call in calls
        if call and call.name not in OPENING | WHOLE_SYSTEM | {"close"} and call.path.startswith("/")
        and not below(call.path, folder) and not call.path.startswith(harmless)
    })


def counts(calls):
    """What `calls` did, as pairs of a word and a number, and the bytes written."""
    tally = collections.Counter()
    for call in calls:
        if call.name in WRITING | set(COPYING):
            tally["write"] += 1
            tally["bytes"] += call.size
        elif call.name in SYNCING:
            tally[call.name + (" of folders" if os.path.isdir(call.path) else " of files")] += 1
        elif call.name in RENAMING:
            tally["rename"] += 1
        elif call.name in MAKING:
            tally["mkdir"] += 1
        elif call.name in LINKING:
            tally["link"] += 1
        elif call.name not in OPENING | {"close"}:
            tally[call.name] += 1
    return tally


def changes(calls):
    """The calls that changed or synced something, for people: what a run with nothing to do must not have."""
    return [f"{call.name} {call.path}" for call in calls if call.name not in OPENING | {"close"}]


def operations(calls, folder):
    """The arguments for `limit`: makes, writes, syncs and renames, with the opens and closes that these need."""
    folder = os.path.realpath(folder)
    name_of = lambda path: os.path.relpath(path, folder)
    renamed = {call.path for call in calls if call.name in RENAMING | LINKING}
    found, slots, used, odd = [], {}, set(), set()
    for call in calls:
        if call.name in OPENING:
            if "O_TMPFILE" in call.flags:
                odd.add("O_TMPFILE")
            slots[call.result] = slot = len(found)
            found.append((slot, f"{kind(call)}:{slot}:{name_of(call.path)}"))
            if call.path in renamed and "O_CREAT" in call.flags:
                used.add(slot)
        elif call.name in WRITING | set(COPYING) | SYNCING:
            argument = COPYING.get(call.name, 0)
            slot = slots.get(int(re.findall(r"(\d+)<", call.arguments)[1 if argument else 0]))
            if slot is None:
                odd.add(f"{call.name} of {name_of(call.path)}, not opened in the trace")
                continue
            used.add(slot)
            what = f"{call.name}:{slot}" if call.name in SYNCING else f"write:{slot}:{call.size}"
            found.append((slot, what))
        elif call.name == "close":
            slot = slots.pop(int(re.match(r"\d+", call.arguments)[0]), None)
            if slot is not None:
                found.append((slot, f"close:{slot}"))
        elif call.name in MAKING:
            found.append((None, f"mkdir:{name_of(call.path)}"))
        elif call.name in RENAMING | LINKING:
            verb = "rename" if call.name in RENAMING else "link"
            found.append((None, f"{verb}:{name_of(call.path)}:{name_of(call.other)}"))
        elif call.name in WHOLE_SYSTEM | {"syncfs", "sync_file_range"}:
            odd.add(call.name)
    return [text for slot, text in found if slot is None or slot in used], sorted(odd)


def kind(call):
    if "O_CREAT" in call.flags or call.name == "creat":
        return "append" if "O_APPEND" in call.flags or "O_EXCL" not in call.flags and "O_TRUNC" not in call.flags else "create"
    if "O_WRONLY" in call.flags or "O_RDWR" in call.flags:
        return "append" if "O_APPEND" in call.flags else "open"
    return "dir"
