"""`check network`: how the time grows with the number of endpoints, and what dead ones cost."""

import json
import math
import os
import subprocess

from lab import HOLE, Lab

LATENCY = 50  # milliseconds, once for each connection
SIZES = (1, 10, 60, 300)
AT_ONCE = 64  # src/check/engine.rs: THREADS and PER_PROXY
PROXY = "http://127.0.0.1:3128"
CONNECT = 1  # seconds: short, so that the bench is


def measure(bench, new):
    """`new(...)` makes a runner. Adds one section for each way and size, and one for dead ends."""
    names = "".join(f"127.0.0.1 {host(n)}\n" for n in range(max(SIZES)))
    lab = Lab(bench.path("network"), names + "".join(f"{HOLE} {host(n, 'dead')}\n" for n in range(max(SIZES))))
    try:
        lab.origin()
        lab.serve("slow", [bench.path("slow"), "127.0.0.1:8443", "127.0.0.1:443", str(LATENCY)], 8443)
        lab.squid()
        if "network" in bench.peers:
            for way in ("direct", "proxy"):
                for size in SIZES[:3] if bench.quick else SIZES:
                    healthy(bench, new, lab, way, size)
        if "dead-ends" in bench.peers:
            lab.serve("never", [bench.path("slow"), "127.0.0.1:3199", "never"], 3199)
            dead_ends(bench, new, lab)
    finally:
        lab.close()


def host(number, kind="e"):
    return f"{kind}{number:03d}.bench.example"


def endpoints(bench, lab, size, kind="e"):
    """A file that takes the known endpoints away and puts `size` others into their place."""
    shown = subprocess.run([bench.binary, "network", "list", "--format", "json"], capture_output=True, text=True)
    known = json.loads(shown.stdout)["endpoints"]
    quoted = json.dumps  # of plain names, JSON's strings are TOML's
    text = "".join(
        f"[[endpoint]]\ncomponent = {quoted(entry['component'])}\nhost = {quoted(entry['host'])}\n"
        f"port = {entry['port']}\nremove = true\n" for entry in known
    )
    text += "".join(
        f'[[endpoint]]\ncomponent = "product"\nhost = "{host(n, kind)}"\nport = 8443\nprotocol = "https"\npurpose = "the bench"\n'
        for n in range(size)
    )
    return lab.write(f"{kind}-{size}.toml", text)


def own(bench, file, *more):
    return [
        bench.binary, "check", "network", "--endpoints", file, "--fail-on", "never", "--format", "json",
        "--settings", os.devnull, *more,
    ]


def curl_config(lab, size, proxy, kind="e", timeout=10):
    text = "".join(f'url = "https://{host(n, kind)}:8443/"\noutput = "/dev/null"\n' for n in range(size))
    text = f'silent\nwrite-out = "code=%{{http_code}}\\n"\nconnect-timeout = {timeout}\nmax-time = 60\n' + text
    if proxy:
        text += f'proxy = "{PROXY}"\n'
    return lab.write(f"curl-{kind}-{size}-{'proxy' if proxy else 'direct'}", text)


def healthy(bench, new, lab, way, size):
    proxy = way == "proxy"
    through = ["--via", "proxy", "--proxy", PROXY] if proxy else ["--via", "direct"]
    facts = lab.path("facts.json")
    file = endpoints(bench, lab, size)
    config = curl_config(lab, size, proxy)
    each = f'for n in $(seq -f %03g 0 {size - 1}); do curl -s -o /dev/null -w "code=%{{http_code}}\\n" ' \
        f'{f"-x {PROXY}" if proxy else ""} https://e$n.bench.example:8443/ || exit; done'
    runners = [
        new("ics-setup", f"**ics-setup check network**, {size}", own(bench, file, *through, "--save-facts", facts)),
        new("curl-16", "`curl --parallel --parallel-max 16`", ["curl", "-sZ", "--parallel-max", "16", "-K", config]),
        new("curl", "`curl --parallel`: 50, its default", ["curl", "-sZ", "-K", config]),
        new("curl-300", "`curl --parallel --parallel-max 300`", ["curl", "-sZ", "--parallel-max", "300", "-K", config]),
        new("curl-ca", "the same with one certificate to trust (`--cacert`), not this host's whole bundle for each connection",
            ["curl", "-sZ", "--parallel-max", "300", "--cacert", lab.path("ca.crt"), "-K", config]),
        new("curl-loop", "curl, one after the other", ["bash", "-c", each], slow=True, runs=1 if size > 10 else 3),
    ]
    for runner in runners:
        runner.enter, runner.slow = lab.enter, runner.slow or size >= 60
    slowest = []

    def reached(runner, _):
        log = lab.path(f"{runner.name}.log")
        bench.run(runner, log=log)
        with open(log) as file:
            text = file.read()
        if runner.name == "ics-setup":
            ways = [walk for seen in network_facts(facts)["seen"] for walk in seen["walks"]]
            done = sum(walk["page"] is not None and walk["page"]["status"] == 200 for walk in ways)
        else:
            done = text.count("code=200")
        if done != size:
            raise bench.NotMeasured(f"{done} of {size} endpoints were reached")

    def after():
        """The slowest way of the run before, as its own facts tell it."""
        ways = [walk for seen in network_facts(facts)["seen"] for walk in seen["walks"]]
        slowest.append(max(sum(step["millis"] for step in walk["steps"]) for walk in ways))

    runners[0].after = after
    title = f"{size} endpoint{'s' if size > 1 else ''} that answer{'' if size > 1 else 's'} after {LATENCY} ms, " \
        + ("through squid" if proxy else "direct")
    bench.show(title)
    checked = [runner for runner in runners if bench.attempt(runner, title, reached)]
    rounds = 2 if bench.quick else {60: 8, 300: 3}.get(size, 5)
    bench.race(checked, rounds=rounds, seconds=60)

    def goal(runner, first):
        ratio = runner.median / first.median
        if runner is first:
            times = first.median / sorted(slowest)[len(slowest) // 2]
            said = f"{times:.2f} × its slowest endpoint"
            return f"≤ 1.3 × the slowest endpoint: {bench.said(times <= 1.3)} ({times:.2f} ×)" if size == 60 else said
        if runner.name == "curl":
            return f"not slower than this, within 5 %: {bench.said(ratio >= 0.95)} ({ratio:.2f} ×)"
        return ""

    for runner in checked:
        runner.goal = goal
    bench.sections.append((title, checked))


def network_facts(path):
    with open(path) as file:
        return next(entry["facts"] for entry in json.load(file)["checks"] if entry["check"] == "network")


def dead_ends(bench, new, lab):
    """Whole rounds of the time limit, whatever the other side does."""
    limits = ["--connect-timeout", f"{CONNECT}s", "--timeout", "2s"]
    direct = ["--via", "direct", *limits]
    hole = ["--via", "proxy", "--proxy", f"http://{HOLE}:3128", *limits]
    silent = ["--via", "proxy", "--proxy", "http://127.0.0.1:3199", *limits]
    cases = [
        (60, "direct", direct, CONNECT),
        (300, "direct", direct, CONNECT),
        (60, "through a proxy that does not answer the connection", hole, CONNECT),
        (60, "through a proxy that connects and says nothing", silent, 2),
    ]
    runners = []
    for size, words, flags, limit in cases[:1] + cases[2:] if bench.quick else cases:
        label = f"{size} black-holed endpoints, {words}"
        runner = new("ics-setup" if not runners else f"dead-{len(runners)}", label, own(bench, endpoints(bench, lab, size, "dead"), *flags), slow=True)
        runner.enter, runner.model = lab.enter, math.ceil(size / AT_ONCE) * limit
        runner.goal = lambda runner, _: (
            f"the model says {runner.model} s: {bench.said(runner.median <= 1000 * runner.model + 500)}"
        )
        runners.append(runner)
    curl = new(
        "dead-curl", "60 black-holed endpoints, direct: `curl --parallel`",
        ["sh", "-c", 'curl "$@"; true', "-", "-sZ", "-K", curl_config(lab, 60, False, "dead", CONNECT)], slow=True,
    )
    curl.enter = lab.enter
    runners.append(curl)

    def unreached(runner, _):
        log = lab.path(f"{runner.name}.log")
        bench.run(runner, log=log)
        with open(log) as file:
            text = file.read()
        if runner is curl:
            if text.count("code=000") != 60:
                raise bench.NotMeasured("curl does not find 60 endpoints dead")
        elif json.loads(text)["summary"]["pass"] != 0:
            raise bench.NotMeasured("something was reached")

    bench.show("dead ends")
    title = f"Dead ends, within --connect-timeout {CONNECT}s --timeout 2s, {AT_ONCE} at once"
    checked = [runner for runner in runners if bench.attempt(runner, title, unreached)]
    bench.race(checked, rounds=1 if bench.quick else 3, seconds=60)
    bench.sections.append((title, checked))
