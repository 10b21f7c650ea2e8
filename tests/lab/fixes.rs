//! Commands that findings print and that need a running system: each is run as it was printed, in namespaces that end with the
//! test, and then the finding is gone. `tests/cli/fixes` has all others, and the table of them.

use serde_json::Value;

use crate::common::{PATH, binary, leashed, need, need_root, report};

/// A finding, what brings it about in the namespaces, and the check that shows it.
struct Row {
    id: &'static str,
    setup: &'static str,
    check: &'static str,
    /// Who runs the check: `user` has no rights, and is told to use sudo.
    user: bool,
    /// What the command begins with.
    begins: &'static str,
}

const fn row(id: &'static str, begins: &'static str, setup: &'static str, check: &'static str) -> Row {
    Row { id, setup, check, user: false, begins }
}

const fn of_user(id: &'static str, begins: &'static str, setup: &'static str, check: &'static str) -> Row {
    Row { id, setup, check, user: true, begins }
}

const ROWS: &[Row] = &[
    row("noexec", "mount -o remount,exec /tmp", "mount -t tmpfs -o noexec none /tmp", "host --only noexec"),
    row(
        "read-only",
        "mount -o remount,rw /mnt/home",
        "mkdir /mnt/home; mount -t tmpfs none /mnt/home; mount -o remount,ro /mnt/home",
        "host --only read-only --home /mnt/home",
    ),
    row(
        "hostname",
        "echo '127.0.1.1 nobody-knows.corp.example nobody-knows' >> /etc/hosts",
        "hostname nobody-knows.corp.example; cp /etc/hosts hosts; mount --bind hosts /etc/hosts; : >empty; mount --bind empty /etc/resolv.conf",
        "host --only hostname",
    ),
    // What root sees in its place is whose process it is.
    of_user(
        "port-in-use",
        "sudo ics-setup check --only port-in-use",
        "python3 -m http.server 8001 >/dev/null 2>&1 & up 8001",
        "host --only port-in-use",
    ),
    of_user(
        "file-unreadable",
        "sudo ics-setup check --home /mnt/home",
        "mkdir /mnt/home; echo 'DIVVY_DB_HOST=db' >/mnt/home/prod.env; chmod 600 /mnt/home/prod.env",
        "host --only file-unreadable --home /mnt/home",
    ),
    of_user(
        "proxy-docker-client",
        "sudo ics-setup check proxy",
        ":",
        "proxy --only proxy-docker-client --proxy http://p.corp.example:3128",
    ),
    of_user("prove-asked", "sudo ics-setup prove", ":", "prove"),
    row(
        "docker-reachable",
        "systemctl enable --now docker",
        "product; unit; echo 'touch /mnt/daemon' | double systemctl; docker",
        "runtime --home /mnt/home --only docker-reachable",
    ),
    row(
        "service-running",
        "/usr/local/bin/docker-compose -f /mnt/home/docker-compose.site.yml up -d",
        "product; docker; compose; touch /mnt/daemon",
        "runtime --home /mnt/home --only service-running",
    ),
    row(
        "container-environment",
        "/usr/local/bin/docker-compose -f /mnt/home/docker-compose.site.yml up -d --force-recreate",
        "product; docker; compose; touch /mnt/daemon; docker-compose -f /mnt/home/docker-compose.site.yml up -d; sleep 1.1; echo NEW=1 >>/mnt/home/prod.env",
        "runtime --home /mnt/home --only container-environment",
    ),
    row(
        "proxy-containers",
        "ics-setup reconfigure --proxy http://p.corp.example:3128 --home /mnt/home",
        "product; docker; compose; touch /mnt/daemon; docker-compose -f /mnt/home/docker-compose.site.yml up -d; sleep 1.1; front >/dev/null 2>&1 & up 8001",
        "proxy --home /mnt/home --proxy http://p.corp.example:3128 --only proxy-containers",
    ),
    row(
        "interface-status",
        "/usr/local/bin/docker-compose -f /mnt/home/docker-compose.site.yml up -d interfaceserver",
        "product; docker; compose; touch /mnt/daemon; front >/dev/null 2>&1 & up 8001",
        "runtime --home /mnt/home --only interface-status",
    ),
];

/// What rows begin with: doubles of Docker and Compose that keep what a real one keeps (an environment that a container was
/// created with, when, a daemon that was started), `sudo`, and a place for them that is searched first.
const PRELUDE: &str = r##"
set -eu
ip link set lo up
mount -t tmpfs -o mode=755 none /mnt
mount -t tmpfs -o mode=755 none /usr/local/bin
for folder in /etc /var/lib /root; do
  mkdir -p /mnt/over$folder /mnt/work$folder; chmod --reference=$folder /mnt/over$folder
  mount -t overlay -o lowerdir=$folder,upperdir=/mnt/over$folder,workdir=/mnt/work$folder none $folder
done
cp "$TOOL" /usr/local/bin/ics-setup; chmod 755 /usr/local/bin/ics-setup
cd /mnt
up() { for _ in $(seq 3000); do (exec 3<>/dev/tcp/127.0.0.1/$1) 2>/dev/null && return; sleep 0.1; done; exit 1; }
double() { (echo '#!/bin/bash'; cat) >/usr/local/bin/$1; chmod 755 /usr/local/bin/$1; }
echo 'exec "$@"' | double sudo
product() {
  mkdir -p home; printf 'DIVVY_DB_HOST=db.corp.example\n#http_proxy=x\n#https_proxy=x\n#no_proxy=x\n' >home/prod.env
  printf 'services:\n  interfaceserver:\n    image: divvycloud/divvycloud:v22.3.9\n    env_file: prod.env\n' >home/docker-compose.site.yml
}
unit() { mkdir -p /etc/systemd/system; printf '[Service]\nExecStart=/usr/bin/dockerd\n' >/etc/systemd/system/docker.service; }
docker() { double docker <<'EOF'
[ -e /mnt/daemon ] || { echo 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?' >&2; exit 1; }
[ -e /mnt/created ] || exit 0
case $1 in
  ps) echo '"aa"' ;;
  inspect) python3 - <<'PY'
import json
env = [line.strip() for line in open("/mnt/created") if "=" in line and not line.startswith("#")]
at = open("/mnt/created-at").read().strip()
labels = {"com.docker.compose.project.working_dir": "/mnt/home", "com.docker.compose.service": "interfaceserver",
          "com.docker.compose.project": "home", "com.docker.compose.project.config_files": "/mnt/home/docker-compose.site.yml"}
print(json.dumps({"id": "aa", "name": "/home_interfaceserver_1", "created": at, "restarts": 0, "status": "running", "exit": 0,
    "oom": False, "memory": 0, "error": "", "started": at, "finished": "0001-01-01T00:00:00Z", "health": None,
    "image": "divvycloud/divvycloud:v22.3.9", "labels": labels, "entrypoint": None, "cmd": [], "env": env}))
PY
  ;;
esac
EOF
}
compose() { double docker-compose <<'EOF'
case "$*" in
  *version*) echo 1.29.2 ;;
  *" up -d"*) [ "$2" = /mnt/home/docker-compose.site.yml ] && cp /mnt/home/prod.env /mnt/created && date -u +%FT%TZ >/mnt/created-at ;;
esac
EOF
}
# A web server in front of an interface that is down until its container is there.
front() { python3 -c '
import http.server, os
class Front(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        up = os.path.exists("/mnt/created")
        self.send_response(200 if up else 502); self.send_header("Content-Length", "0"); self.end_headers()
http.server.HTTPServer(("0.0.0.0", 8001), Front).serve_forever()'; }
USER="setpriv --reuid=65534 --regid=65534 --clear-groups"
"##;

/// The check before, the command as it is printed, and the check after; one JSON a line.
const DRIVE: &str = r##"
ask() { timeout 300 "$@" --format json >seen.json || true; python3 -c 'import json; print(json.dumps(json.load(open("/mnt/seen.json"))))'; }
chmod 777 /mnt
lines() { python3 -c 'import json,os; [print(line) for own in json.load(open("/mnt/seen.json"))["findings"] if own["id"] == os.environ["ID"] for line in own["fix"]]'; }
if [ "$WHO" = user ]; then ask $USER ics-setup $CHECK; else ask ics-setup $CHECK; fi
lines >lines
head -n 1 lines
case "$(head -n 1 lines)" in
  "sudo ics-setup "*) ask $(head -n 1 lines) ;;
  *) while read -r line; do bash -c "$line" >&2 </dev/null; done <lines
     ask ics-setup $CHECK ;;
esac
"##;

fn bad<'a>(result: &'a Value, id: &str) -> Vec<&'a Value> {
    let is_bad = |own: &&Value| own["id"] == id && own["status"] != "pass";
    result["findings"].as_array().unwrap().iter().filter(is_bad).collect()
}

fn run(row: &Row) -> Result<(), String> {
    let check = match row.check {
        "prove" => "prove".to_owned(),
        check => format!("check {check} --fail-on never --connect-timeout 60s --timeout 120s --deadline 240s"),
    };
    let output = leashed(&["--net", "--uts"], "bash")
        .arg("-c")
        .arg(format!("{PRELUDE}{}\n{DRIVE}", row.setup))
        .env("TOOL", binary())
        .env("PATH", PATH)
        .env("ID", row.id)
        .env("CHECK", check)
        .env("WHO", if row.user { "user" } else { "root" })
        .output()
        .unwrap();
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = out.lines().collect();
    let [before, line, after] = lines.as_slice() else { return Err(format!("{}\n{out}\n{error}", output.status)) };
    let [before, after] = [before, after].map(|text| serde_json::from_str::<Value>(text).unwrap());
    if !line.starts_with(row.begins) {
        return Err(format!("{line:?} and not {:?}: {before:#}", row.begins));
    }
    let Some(first) = bad(&before, row.id).into_iter().next() else { return Err(format!("{before:#}")) };
    match bad(&after, row.id).into_iter().find(|own| own["title"] == first["title"]) {
        Some(own) => Err(format!("stays after {line}: {own:#}\n{error}")),
        None => Ok(()),
    }
}

#[test]
fn commands_for_running_systems_mend_what_they_are_printed_for() {
    need_root();
    need(&["unshare", "ip", "python3", "setpriv", "mount"]);
    let mut faults = Vec::new();
    for row in ROWS {
        match run(row) {
            Ok(()) => report(&format!("{}: mended", row.id)),
            Err(fault) => faults.push(format!("{}: {fault}", row.id)),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
