# Asks from where the product will: the proxy of the environment, one endpoint through it, the metadata service.
# Arguments: host and port of the endpoint; "metadata" where that service is to be asked. One JSON object a line; nothing of a
# login is printed. Runs with Python 3.4 or newer and the standard library alone.
import base64, json, os, signal, socket, ssl, sys
from urllib.parse import unquote, urlsplit

signal.alarm(25)
AUTHORITY = "/usr/local/share/ca-certificates/proxy_cert.crt"


def say(step, ok, **more):
    print(json.dumps(dict(step=step, ok=ok, **more)))
    sys.stdout.flush()


def trust():
    context = ssl.create_default_context()
    if os.path.exists(AUTHORITY):
        context.load_verify_locations(AUTHORITY)
    return context


def kind(error):
    for kind, name in ((socket.timeout, "silent"), (ConnectionRefusedError, "refused"), (socket.gaierror, "name")):
        if isinstance(error, kind):
            return name
    if isinstance(error, ssl.SSLError):
        return "untrusted" if "certificate verify failed" in str(error) else "tls"
    return "unreachable" if getattr(error, "errno", None) in (101, 113) else "other"


def tried(step, work):
    try:
        return work()
    except Exception as error:
        say(step, False, kind=kind(error), why=str(error)[:200])
        return None


def head(stream):
    got = b""
    while b"\r\n\r\n" not in got and len(got) < 65536:
        some = stream.recv(4096)
        if not some:
            break
        got += some
    return got


def status(got):
    words = got.split(b"\r\n")[0].decode("latin-1").split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0


def proxy():
    for name in ("https_proxy", "HTTPS_PROXY"):
        value = os.environ.get(name, "").strip().strip("'\"")
        if value:
            return urlsplit(value if "://" in value else "http://" + value)


def through(endpoint, port):
    url = proxy()
    host, at = (url.hostname, url.port or (443 if url.scheme == "https" else 80)) if url else (endpoint, port)
    place = dict(host=host, port=at, proxy=bool(url))
    found = tried("name", lambda: socket.getaddrinfo(host, at, 0, socket.SOCK_STREAM))
    if found is None:
        return
    say("name", True, addresses=sorted(set(one[4][0] for one in found))[:8], **place)
    stream = tried("connect", lambda: socket.create_connection((host, at), 6))
    if stream is None:
        return
    say("connect", True)
    stream.settimeout(8)
    if url:
        if url.scheme == "https":
            stream = tried("proxy-tls", lambda: trust().wrap_socket(stream, server_hostname=host))
            if stream is None:
                return
        text = "CONNECT {0}:{1} HTTP/1.1\r\nHost: {0}:{1}\r\n".format(endpoint, port)
        if url.username is not None:
            login = unquote(url.username) + ":" + unquote(url.password or "")
            text += "Proxy-Authorization: Basic " + base64.b64encode(login.encode()).decode() + "\r\n"

        def connect():
            stream.sendall((text + "\r\n").encode())
            return status(head(stream))

        code = tried("tunnel", connect)
        if code is None:
            return
        say("tunnel", code == 200, status=code)
        if code != 200:
            return
    if tried("tls", lambda: trust().wrap_socket(stream, server_hostname=endpoint)) is not None:
        say("tls", True)


def metadata():
    def ask(method, path, header):
        with socket.create_connection(("169.254.169.254", 80), 3) as stream:
            stream.settimeout(3)
            text = "{0} {1} HTTP/1.1\r\nHost: 169.254.169.254\r\n{2}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            stream.sendall(text.format(method, path, header).encode())
            return status(head(stream))

    code = tried("metadata", lambda: ask("PUT", "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds: 60"))
    if code is not None:
        say("metadata", code == 200, status=code)


through(sys.argv[1], int(sys.argv[2]))
if "metadata" in sys.argv[3:]:
    metadata()
