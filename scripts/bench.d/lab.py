"""A network of its own, with a mount of its own for /etc/hosts and the trusted certificates, and servers in it.

Nothing of the machine is touched, every port is free, and all of it ends with the holder of the namespaces: servers are
stopped by their process ids.
"""

import os
import shutil
import subprocess
import time

# What leads nowhere: a neighbour that does not exist takes every packet.
HOLE = "10.9.0.2"
DISTANT = "10.9.0.3"

SETUP = """set -e
ip link set lo up
ip link add hole type veth peer name end
ip addr add 10.9.0.1/24 dev hole
ip link set hole up
ip link set end up
ip neigh add {hole} lladdr 02:00:00:00:00:01 dev hole
mount --bind {folder}/hosts /etc/hosts
mount --bind {folder}/resolv.conf /etc/resolv.conf
mount --bind {folder}/bundle.crt /etc/ssl/certs/ca-certificates.crt
mount -t tmpfs none /run
{more}
echo ready
exec sleep 3600
"""

CERTIFICATES = """set -e
new='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
openssl req -x509 $new -keyout ca.key -out ca.crt -days 9 -subj '/O=Bench/CN=Bench CA' -addext basicConstraints=critical,CA:TRUE
openssl req $new -keyout leaf.key -out leaf.csr -subj /CN=bench.example
printf 'subjectAltName=DNS:*.bench.example,DNS:divvycentral.divvycloud.com,DNS:s3.amazonaws.com\\nbasicConstraints=CA:FALSE\\n' >ext
openssl x509 -req -in leaf.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 9 -extfile ext -out leaf.crt
cat /etc/ssl/certs/ca-certificates.crt ca.crt >bundle.crt
chmod 644 leaf.key
"""

NGINX = """daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5; ssl_certificate {folder}/leaf.crt;
  ssl_certificate_key {folder}/leaf.key; ssl_session_cache off; ssl_session_tickets off;
  server {{ listen {address} ssl backlog=1024; location / {{ return 200 "fine\\n"; }} }}
}}
"""

SQUID = """http_port 127.0.0.1:3128
visible_hostname proxy.bench.example
acl TLS port 443 8443
http_access allow CONNECT TLS
http_access allow all
cache deny all
pinger_enable off
shutdown_lifetime 0 seconds
pid_filename {folder}/squid.pid
cache_log {folder}/squid-cache.log
access_log none
"""


class Lab:
    def __init__(self, folder, hosts, more=lambda folder: ""):
        """`more(folder)` gives further commands for the namespaces, and may write what they need."""
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder, mode=0o777)
        os.chmod(folder, 0o777)  # squid drops its rights
        self.folder, self.servers, self.holder = folder, [], None
        self.write("hosts", "127.0.0.1 localhost\n" + hosts)
        self.write("resolv.conf", "nameserver 127.0.0.1\n")  # nobody there: says so at once
        self.shell(CERTIFICATES)
        script = SETUP.format(hole=HOLE, folder=folder, more=more(folder))
        self.holder = subprocess.Popen(
            ["unshare", "-n", "-m", "-u", "--propagation", "private", "sh", "-c", script],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        )
        if self.holder.stdout.readline() != "ready\n":
            raise OSError("no namespace of its own (root is needed)")
        self.enter = ["nsenter", "-t", str(self.holder.pid), "-n", "-m", "-u", "--"]

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)

    def shell(self, script):
        done = subprocess.run(["bash", "-c", script], cwd=self.folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise OSError(done.stderr.strip().splitlines()[-1])

    def inside(self, argv, **more):
        return subprocess.run([*self.enter, *argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, **more)

    def serve(self, name, argv, port, address="127.0.0.1", after=lambda server: None):
        """Starts a server; nsenter becomes it, so that the process id is the server's. Up when the port is open."""
        with open(self.path(f"{name}.out"), "w") as log:
            server = subprocess.Popen([*self.enter, *argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.servers.append(server)
        after(server)
        for _ in range(200):
            if server.poll() is not None:
                break
            if self.inside(["timeout", "1", "bash", "-c", f"exec 3<>/dev/tcp/{address}/{port}"]).returncode == 0:
                return
            time.sleep(0.1)
        with open(self.path(f"{name}.out"), errors="replace") as log:
            raise OSError(f"{name} does not come up: " + " ".join(log.read().split())[-200:])

    def nginx(self, address):
        return self.write("nginx.conf", NGINX.format(folder=self.folder, address=address))

    def origin(self):
        """A TLS server for all names at 443 of this host."""
        self.serve("nginx", ["nginx", "-c", self.nginx("127.0.0.1:443")], 443)

    def distant_origin(self):
        """The same on a host of its own at the other end of the cable, so that this host's port stays free."""
        conf = self.nginx(f"{DISTANT}:443")
        script = f"""touch {self.path("distant")}
            until ip addr add {DISTANT}/24 dev end 2>/dev/null; do sleep 0.05; done
            ip link set end up; exec nginx -c {conf}"""

        def cable(server):
            for _ in range(100):
                if os.path.exists(self.path("distant")):
                    break
                time.sleep(0.05)
            done = self.inside(["ip", "link", "set", "end", "netns", str(server.pid)])
            if done.returncode != 0:
                raise OSError("no second host: " + done.stderr.strip())

        self.serve("nginx", ["unshare", "-n", "sh", "-c", script], 443, DISTANT, cable)

    def squid(self, more=""):
        conf = self.write("squid.conf", SQUID.format(folder=self.folder) + more)
        self.serve("squid", ["squid", "-N", "-f", conf], 3128)

    def close(self):
        for process in [*reversed(self.servers), self.holder]:
            if process is None or process.poll() is not None:
                continue
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.servers, self.holder = [], None
