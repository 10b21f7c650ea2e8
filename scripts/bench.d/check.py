"""A full `check host proxy backends` against the same questions asked by hand, and what asks nobody."""

import collections
import json
import os

from fixture import OS_RELEASE
from lab import DISTANT, HOLE, Lab

HERE = os.path.dirname(os.path.realpath(__file__))
PROXY = "http://127.0.0.1:3128"
PASSWORD = "b3nch-only"
ENVIRONMENT = {"http_proxy": PROXY, "https_proxy": PROXY, "no_proxy": "mysql,redis,169.254.169.254"}

# This host's own name, the vendor's, and that of the host that is asked for the time.
HOSTS = f"127.0.0.1 host.bench.example\n{DISTANT} divvycentral.divvycloud.com s3.amazonaws.com\n"
MORE = """mount --bind {folder}/os-release /etc/os-release
mount --bind {folder}/environment /etc/environment
hostname host.bench.example
ip route add default via {gateway} dev hole
"""


def measure(bench, new):
    lab = Lab(bench.path("check"), HOSTS, more)
    try:
        servers(lab)
        if "check" in bench.peers:
            full(bench, new, lab)
        if "offline" in bench.peers:
            offline(bench, new, lab)
    finally:
        lab.close()


def more(folder):
    with open(os.path.join(folder, "os-release"), "w") as file:
        file.write(OS_RELEASE["ubuntu"])
    with open(os.path.join(folder, "environment"), "w") as file:
        file.write("".join(f'{name}="{value}"\n' for name, value in ENVIRONMENT.items()))
    return MORE.format(folder=folder, gateway=HOLE)


def servers(lab):
    lab.distant_origin()
    lab.squid()
    data = lab.path("data")
    lab.shell(f"mariadb-install-db --no-defaults --user=root --datadir={data} --auth-root-authentication-method=normal --skip-test-db")
    lab.serve("mariadb", [
        "mariadbd", "--no-defaults", "--user=root", f"--datadir={data}", "--bind-address=127.0.0.1", "--port=3306",
        f"--socket={lab.path('s')}", f"--pid-file={lab.path('pid')}", "--innodb-buffer-pool-size=16M", "--sql-mode=",
        "--skip-name-resolve", "--version=5.7.44-log", "--character-set-server=utf8",
    ], 3306)
    done = lab.inside(["mariadb", "--no-defaults", "-uroot", "-S", lab.path("s"), "-e", f"""
        CREATE DATABASE divvy; CREATE DATABASE divvykeys; CREATE USER 'divvy'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';
        GRANT ALL ON divvy.* TO 'divvy'@'127.0.0.1'; GRANT ALL ON divvykeys.* TO 'divvy'@'127.0.0.1';
        GRANT RELOAD ON *.* TO 'divvy'@'127.0.0.1';"""])
    if done.returncode != 0:
        raise OSError("MariaDB: " + done.stderr.strip())
    lab.write("mysql-password", PASSWORD)
    lab.write("redis-password", PASSWORD)
    conf = lab.write("redis.conf", f"port 6379\nbind 127.0.0.1\nrequirepass {PASSWORD}\nmaxmemory-policy noeviction\nsave 3600 1\ndir {lab.folder}\n")
    lab.serve("redis", [redis(), conf], 6379)


def redis():
    """5.0.6 where the laboratory has built it, else Debian's."""
    own = os.path.join(os.environ.get("ICS_SETUP_LAB") or "target/lab", "servers", "redis-5.0", "redis-server")
    return os.path.realpath(own) if os.access(own, os.X_OK) else "redis-server"


def full(bench, new, lab):
    facts = lab.path("facts.json")
    settings = [
        "--proxy", PROXY, "--mysql-host", "127.0.0.1", "--mysql-port", "3306", "--mysql-user", "divvy",
        "--mysql-password-file", lab.path("mysql-password"), "--redis-host", "127.0.0.1", "--redis-port", "6379",
        "--redis-password-file", lab.path("redis-password"), "--settings", os.devnull,
    ]
    check = [bench.binary, "check", "host", "proxy", "backends", *settings, "--fail-on", "never"]
    script = [
        os.path.join(HERE, "peers", "check-careful"), PROXY, lab.path("mysql-password"), lab.path("redis-password"),
    ]
    part = lambda group: [bench.binary, "check", group, *settings, "--fail-on", "never", "-q"]
    runners = [
        new("ics-setup", "**ics-setup check host proxy backends**", check),
        new("check-script", "the same questions by a careful script: curl, mariadb, redis-cli, su, ss, …", script),
        new("check-host", "`ics-setup check host`", part("host")),
        new("check-proxy", "`ics-setup check proxy`", part("proxy")),
        new("check-backends", "`ics-setup check backends`", part("backends")),
    ]
    for runner in runners:
        runner.enter = lab.enter

    def asked(runner, _):
        log = lab.path(f"{runner.name}.log")
        bench.run(runner, log=log)
        if runner.name == "ics-setup":
            saved = lab.inside([*check, "--format", "json", "--save-facts", facts])
            found = json.loads(saved.stdout)["findings"]
            wrong = [finding["id"] for finding in found if finding["status"] in ("fail", "error")]
            counted = collections.Counter(finding["status"] for finding in found)
            runner.remarks = [
                "the findings on this host: " + ", ".join(f"{number} {status}" for status, number in counted.items())
                + (f" ({', '.join(wrong)})" if wrong else "")
            ]
            reached = {finding["id"] for finding in found if finding["status"] in ("pass", "warn")}
            for needed in ("mysql-login", "mysql-grants", "redis-reachable", "proxy-connect-method"):
                if not any(id_.startswith(needed) for id_ in reached):
                    raise bench.NotMeasured(f"{needed} is not there: {saved.stdout[:300]}")
        elif runner.name == "check-script":
            with open(log) as file:
                text = file.read()
            for needed in ("200 200 0", "5.7.44", "divvykeys", "GRANT ALL", "redis_version"):
                if needed not in text:
                    raise bench.NotMeasured(f"the script does not get {needed}")

    bench.show("a full check")
    title = "A full check: MariaDB announcing 5.7.44, Redis, squid and an origin on loopback"
    checked = [runner for runner in runners if bench.attempt(runner, title, asked)]
    bench.race(checked, rounds=2 if bench.quick else 5, seconds=60)
    bench.sections.append((title, checked))


def offline(bench, new, lab):
    facts = lab.path("facts.json")
    explain = [bench.binary, "network", "explain", "https://sts.amazonaws.com/", "--proxy", PROXY, "--settings", os.devnull]
    runners = [
        new("ics-setup", "`ics-setup --version`", [bench.binary, "--version"]),
        new("list", "`network list --all`", [bench.binary, "network", "list", "--all"]),
        new("allowlist", "`network allowlist --format squid`", [bench.binary, "network", "allowlist", "--format", "squid"]),
        new("explain", "`network explain URL`", explain),
        new("list-checks", "`check --list`", [bench.binary, "check", "--list"]),
        new("from", "`check --from facts.json`: the facts of the full check, judged again",
            [bench.binary, "check", "--from", facts, "--fail-on", "never"]),
    ]
    for runner in runners:
        runner.enter = lab.enter

    def works(runner, _):
        if runner.name == "from" and not os.path.exists(facts):
            raise bench.NotMeasured("there are no facts: it needs the part `check`")
        bench.run(runner, log=lab.path(f"{runner.name}.log"))

    bench.show("what asks nobody")
    title = "What asks nobody"
    checked = [runner for runner in runners if bench.attempt(runner, title, works)]
    bench.race(checked, rounds=3 if bench.quick else 15, seconds=30)
    bench.sections.append((title, checked))
