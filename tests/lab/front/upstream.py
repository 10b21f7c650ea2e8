"""A stand-in for the web interface: upstream.py PORT. What it was asked it says as JSON; it takes uploads, is slow, redirects
with whole addresses, and speaks web sockets (one frame of its own, then each frame back)."""

import base64
import hashlib
import json
import struct
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Interface(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, body, status=200, headers=()):
        body = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.headers.get("Upgrade", "").lower() == "websocket":
            return self.web_socket()
        if self.path.startswith("/slow/"):
            time.sleep(float(self.path.removeprefix("/slow/")))
        if self.path.startswith("/redirect/"):
            origin = {
                "itself": "http://127.0.0.1:%d" % self.server.server_port,
                "host": "http://" + self.headers.get("Host", ""),
                "port": "http://%s:%d" % (self.headers.get("Host", "").split(":")[0], self.server.server_port),
            }[self.path.removeprefix("/redirect/")]
            return self.answer({}, 302, [("Location", origin + "/next?a=b")])
        self.answer({"path": self.path, "headers": dict(self.headers)})

    def do_POST(self):
        left, digest = int(self.headers["Content-Length"]), hashlib.sha256()
        while left:
            part = self.rfile.read(min(left, 1 << 20))
            digest.update(part)
            left -= len(part)
        self.answer({"length": int(self.headers["Content-Length"]), "sha256": digest.hexdigest()})

    def web_socket(self):
        accept = hashlib.sha1((self.headers["Sec-WebSocket-Key"] + GUID).encode()).digest()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(accept).decode())
        self.end_headers()
        self.wfile.write(frame(self.path.encode()))
        while True:
            head = self.rfile.read(2)
            if len(head) < 2 or head[0] & 15 == 8:
                break
            mask = self.rfile.read(4)
            payload = self.rfile.read(head[1] & 127)
            self.wfile.write(frame(bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))))
        self.close_connection = True


def frame(payload):
    return struct.pack("!BB", 0x81, len(payload)) + payload


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Interface).serve_forever()
