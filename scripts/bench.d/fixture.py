"""The scratch hosts: what they hold before a run, and what a run has to leave behind."""

import difflib
import os
import re
import shlex
import shutil

PROXY = "http://proxy.corp.example:3128"
NO_PROXY = "mysql,redis,169.254.169.254"
VALUES = {"http_proxy": PROXY, "https_proxy": PROXY, "no_proxy": NO_PROXY}

DROP_IN = "etc/systemd/system/docker.service.d/http-proxy.conf"
STATE = "var/lib/ics-setup/state.json"
PROD_ENV = "divvycloud/prod.env"
ENV_FILE = {"ubuntu": "etc/environment", "centos": "etc/profile.d/proxy.sh"}
PREFIX = {"ubuntu": "", "centos": "export "}

OS_RELEASE = {
    "ubuntu": 'NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"\nPRETTY_NAME="Ubuntu 22.04.5 LTS"\n',
    "centos": 'NAME="CentOS Linux"\nID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="7"\nPRETTY_NAME="CentOS Linux 7 (Core)"\n',
}

PROD_ENV_TEXT = """\
# InsightCloudSec (DivvyCloud): environment of all containers

# Main database
DIVVY_DB_HOST=divvy.c1a2b3c4d5e6.us-east-1.rds.amazonaws.com
DIVVY_DB_PORT=3306
DIVVY_DB_NAME=divvy
DIVVY_DB_USERNAME=divvy
DIVVY_DB_PASSWORD=Zq8-example-w31K

# Key database
DIVVY_SECRET_DB_HOST=divvy.c1a2b3c4d5e6.us-east-1.rds.amazonaws.com
DIVVY_SECRET_DB_PORT=3306
DIVVY_SECRET_DB_NAME=divvykeys
DIVVY_SECRET_DB_USERNAME=divvy
DIVVY_SECRET_DB_PASSWORD=Zq8-example-w31K

# Redis
DIVVY_REDIS_HOST=divvy-redis.a1b2c3.0001.use1.cache.amazonaws.com
DIVVY_REDIS_PORT=6379

# Proxy, where there is no direct way out
#http_proxy=http://proxy.acmecorp.com
#https_proxy=http://proxy.acmecorp.com
#no_proxy=mysql,redis,169.254.169.254

VIRTUAL_ENV=/
"""

BIG_LINES = 1_000_000


def files(family):
    """Path and text of all files of a fresh host."""
    return {
        "etc/os-release": OS_RELEASE[family],
        "etc/environment": 'PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"\n' if family == "ubuntu" else "",
        "etc/passwd": "root:x:0:0:root:/root:/bin/bash\ndivvy:x:1000:1000::/home/divvy:/bin/bash\n",
        "etc/profile.d/lang.sh": "export LANG=C.UTF-8\n",
        "etc/systemd/system/.keep": "",
        "var/lib/.keep": "",
        "run/.keep": "",
        PROD_ENV: PROD_ENV_TEXT,
    }


def big_prod_env():
    """A prod.env of BIG_LINES lines, about 30 MB, with the proxy lines in the middle."""
    middle = PROD_ENV_TEXT.splitlines(keepends=True)
    filler = []
    for n in range(BIG_LINES - len(middle)):
        filler.append(f"# comment {n:07d}, left as is\n" if n % 10 == 0 else f"PLUGIN_SETTING_{n:07d}=value{n % 997:03d}\n")
    half = len(filler) // 2
    return "".join(filler[:half] + middle + filler[half:])


def reset(root, contents):
    """Makes `root` hold exactly `contents`, all of it on the disk, so that no run pays for the reset."""
    shutil.rmtree(root, ignore_errors=True)
    folders = {root}
    for path, text in contents.items():
        path = os.path.join(root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        folder = os.path.dirname(path)
        while len(folder) > len(root):
            folders.add(folder)
            folder = os.path.dirname(folder)
        with open(path, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    for folder in sorted(folders) + [os.path.dirname(root)]:
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def snapshot(root):
    """Everything that a write would move: identity, size, mode and times of every file and folder."""
    found = {}
    for folder, folders, names in os.walk(root):
        for path in [folder] + [os.path.join(folder, name) for name in names]:
            about = os.lstat(path)
            found[path] = (about.st_ino, about.st_size, about.st_mode, about.st_uid, about.st_mtime_ns, about.st_ctime_ns)
    return found


def faults(root, family):
    """Where the files under `root` do not hold the wanted values."""
    found = []
    for path, parse in [(ENV_FILE[family], environment), (PROD_ENV, env_file), (DROP_IN, drop_in)]:
        try:
            values = parse(read(root, path))
        except (OSError, ValueError) as error:
            found.append(f"{path}: {error}")
            continue
        for name, wanted in VALUES.items():
            if values.get(name) != wanted:
                found.append(f"{path}: {name} is {values.get(name)!r}")
    try:
        if PROXY not in read(root, STATE):
            found.append(f"{STATE}: no {PROXY}")
    except OSError as error:
        found.append(f"{STATE}: {error}")
    return found


def remarks(root, wanted_root, family):
    """How the files differ from those of ics-setup although the values are the same."""
    found = []
    for path in (ENV_FILE[family], PROD_ENV, DROP_IN, STATE):
        mine, wanted = read(root, path), read(wanted_root, path)
        if mine == wanted:
            continue
        if path == PROD_ENV and re.search(r"^#\s*https?_proxy=", mine, re.M):
            found.append(f"{path}: lines added, the commented ones left")
        elif re.search(r"^# BEGIN ", mine, re.M):
            found.append(f"{path}: a block between markers")
        else:
            lines = [line for line in difflib.ndiff(wanted.splitlines(), mine.splitlines()) if line[0] in "-+"]
            found.append(f"{path}: lines that differ: {len(lines)}" if lines else f"{path}: other line ends")
    return found


def read(root, path):
    with open(os.path.join(root, path)) as file:
        return file.read()


def environment(text):
    """As a login sees it: `export` and the surrounding quotes taken off, the last one wins."""
    values = {}
    for line in text.splitlines():
        name, equals, value = line.removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            values[name] = value[1:-1] if value[:1] == value[-1:] == '"' else value
    return values


def env_file(text):
    """As `docker run --env-file` sees it: quotes stay."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return dict(pairs)


def drop_in(text):
    """The `Environment=` lines of a unit, names in lower case."""
    values = {}
    for line in text.splitlines():
        if line.startswith("Environment="):
            for pair in shlex.split(line.removeprefix("Environment=")):
                name, _, value = pair.partition("=")
                values[name.lower()] = value.replace("%%", "%")
    return values


def stand_in_whole_files():
    """The drop-in and what runs remember, for the peers, for when ics-setup could not write its own."""
    return {
        DROP_IN: f'[Service]\nEnvironment="HTTP_PROXY={PROXY}" "HTTPS_PROXY={PROXY}" "NO_PROXY={NO_PROXY}"\n',
        STATE: f'deployment = "production"\n\n[proxy]\nhttp = "{PROXY}"\nhttps = "{PROXY}"\n',
    }
