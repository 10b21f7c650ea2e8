"""`install` and `reconfigure` against a bare script that does the same with Compose, on the same host of the laboratory."""

import json
import os
import subprocess

from engine import Site

PEERS = os.path.join(os.path.dirname(os.path.realpath(__file__)), "peers")
INSTALL = "ics-setup install --deployment test-drive --release 22.3.9 --yes --format json >/run/said"
RECONFIGURE = "ics-setup reconfigure --proxy http://127.0.0.1:9 --no-proxy $(cat /run/turn) --yes --format json >/run/said"
BARE_HOST = """docker ps -aq | xargs -r docker rm -fv >/dev/null; docker network prune -f >/dev/null
rm -rf /divvycloud /var/lib/ics-setup; userdel -r divvy 2>/dev/null || true"""

# When /Status was 200 again after it had not been, in nanoseconds. It costs both alike.
WATCH = """
import http.client, time
down, end = False, time.monotonic() + 120
while time.monotonic() < end:
    try:
        asked = http.client.HTTPConnection("127.0.0.1", 8001, timeout=5)
        asked.request("GET", "/Status")
        well = asked.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        well = False
    if well and down:
        print(time.time_ns())
        break
    down = down or not well
    time.sleep(0.05)
"""


def measure(bench, new):
    site = Site(bench.scratch, bench.path("engine"), bench.binary)
    try:
        if "install" in bench.peers:
            install(bench, new, site)
        if "reconfigure" in bench.peers:
            reconfigure(bench, new, site)
    finally:
        site.close()


def script(name):
    with open(os.path.join(PEERS, name)) as file:
        return file.read()


def stages(site):
    """Milliseconds of each stage of the last run."""
    return {stage["id"]: 1000 * stage["seconds"] for stage in json.loads(site.shell("cat /run/said"))["stages"]}


def runner_of(new, site, name, label, text):
    runner = new(name, label, ["sh", "-ec", text], slow=True)
    runner.enter = site.enter
    return runner


def install(bench, new, site):
    own = runner_of(new, site, "ics-setup", "**ics-setup install**, its stages from images that are there to healthy", INSTALL)
    bare = runner_of(
        new, site, "bare", "`docker compose up -d`, then `/Status` each 0.2 s until all is well twice", script("install-bare"),
    )
    whole = new("whole", "the whole process, with all that it asks and writes before", [])
    again = runner_of(new, site, "again", "the same again, nothing to do", INSTALL)
    own.reset = bare.reset = lambda: site.shell(BARE_HOST)

    def after():
        whole.wall.append(own.wall[-1])
        whole.memory.append(own.memory[-1])
        whole.busy.append(own.busy[-1])
        took = stages(site)
        own.wall[-1] = took["start"] + took["healthy"]
        bench.measure(again)

    own.after = after
    own.goal = lambda runner, _: f"≤ 1.1 × the bare script: {bench.said(within(runner, bare))} ({runner.median / bare.median:.2f} ×)"
    again.goal = lambda runner, _: f"< 3 s: {bench.said(runner.median < 3000)}"

    def works(runner, _):
        runner.reset()
        bench.run(runner, log=bench.path(f"install-{runner.name}.log"))
        if runner is own:
            site.shell("rm -rf /root/kept; mkdir /root/kept; find /divvycloud -maxdepth 1 -type f | xargs cp -pt /root/kept")

    race(bench, "Installation of a Test Drive, images are there", [own, bare], [whole, again], works)


def reconfigure(bench, new, site):
    own = runner_of(new, site, "ics-setup", "**ics-setup reconfigure**, down", RECONFIGURE)
    bare = runner_of(
        new, site, "bare", "stop scheduler and workers, stop web, `sed`, `docker compose up -d`, poll: down", script("reconfigure-bare"),
    )
    whole = {runner: new("whole", f"{what}, the whole process", []) for runner, what in [(own, "ics-setup"), (bare, "the bare script")]}
    turn = iter(range(1000))
    watch = {}

    def reset():
        site.shell(f"echo n{next(turn)}.corp.example >/run/turn")
        watch["since"] = site.shell("date +%s.%N").strip()
        watch["process"] = subprocess.Popen(
            ["nsenter", "--target", site.pid, "--net", "--", "python3", "-c", WATCH], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        )

    def after(runner):
        said = watch["process"].communicate()[0]
        if not said:
            raise bench.NotMeasured("it was never down, or never well again")
        events = f"docker events --since {watch['since']} --until $(date +%s.%N) --filter event=kill --format '{{{{.TimeNano}}}}'"
        begin = int(site.shell(events).split()[0])
        for kind in ("wall", "memory", "busy"):
            getattr(whole[runner], kind).append(getattr(runner, kind)[-1])
        runner.wall[-1] = (int(said) - begin) / 1e6

    for runner in (own, bare):
        runner.reset, runner.after = reset, lambda runner=runner: after(runner)
    own.goal = lambda runner, _: f"≤ 1.1 × the bare script: {bench.said(within(runner, bare))} ({runner.median / bare.median:.2f} ×)"

    def works(runner, _):
        if runner is own:
            site.shell(BARE_HOST)
            site.shell(INSTALL)
        runner.reset()
        try:
            bench.run(runner, log=bench.path(f"reconfigure-{runner.name}.log"))
        finally:
            watch["process"].kill()
            watch["process"].communicate()
        # The turn's value is what the containers have got.
        site.shell("docker exec $(docker ps -qf label=com.docker.compose.service=scheduler) env | grep -q \"^no_proxy=.*$(cat /run/turn)\"")

    race(bench, "Downtime of a reconfigure: from the stop of the first container to the first 200", [own, bare], list(whole.values()), works)


def within(runner, bare):
    return runner.median <= 1.1 * bare.median


def race(bench, title, runners, more, works):
    bench.show(title)
    checked = [runner for runner in runners if bench.attempt(runner, title, works)]
    if len(checked) < len(runners):
        return
    bench.race(checked, rounds=3 if bench.quick else 7, seconds=300)
    bench.sections.append((title, checked + more))
