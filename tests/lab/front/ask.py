"""Asks a front door as a browser does, and prints what came back as JSON: ask.py NAME CA.pem."""

import hashlib
import http.client
import json
import socket
import ssl
import struct
import sys
import time

NAME, CA = sys.argv[1:3]
PATIENCE = 300


def tls():
    context = ssl.create_default_context(cafile=CA)
    plain = socket.create_connection(("127.0.0.1", 443), timeout=PATIENCE)
    return context.wrap_socket(plain, server_hostname=NAME)


def connection(secure=True):
    client = http.client.HTTPConnection(NAME, timeout=PATIENCE)
    client.sock = tls() if secure else socket.create_connection(("127.0.0.1", 80), timeout=PATIENCE)
    return client


def get(path, secure=True, headers={}):
    client = connection(secure)
    client.request("GET", path, headers=headers)
    answer = client.getresponse()
    body = answer.read()
    told = {"status": answer.status, "location": answer.getheader("Location")}
    try:
        told["body"] = json.loads(body)
    except ValueError:
        pass
    return told


def upload(size):
    block = bytes(range(256)) * 4096
    client = connection()
    client.putrequest("POST", "/upload")
    client.putheader("Content-Length", str(size))
    client.endheaders()
    digest, left = hashlib.sha256(), size
    try:
        while left:
            part = block[: min(left, len(block))]
            digest.update(part)
            client.send(part)
            left -= len(part)
    except OSError:
        pass  # who refuses it says so without reading it
    answer = client.getresponse()
    told = json.loads(answer.read()) if answer.status == 200 else {}
    return {"status": answer.status, "whole": told == {"length": size, "sha256": digest.hexdigest()}}


def web_socket(path):
    client = tls()
    client.sendall(
        f"GET {path} HTTP/1.1\r\nHost: {NAME}\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    reader = client.makefile("rb")
    status = int(reader.readline().split()[1])
    head = {}
    while (line := reader.readline().strip()) != b"":
        name, _, value = line.decode().partition(":")
        head[name.lower()] = value.strip()
    if status != 101:
        return {"status": status}

    def frame():
        first, length = struct.unpack("!BB", reader.read(2))
        return first, reader.read(length & 127).decode()

    frames, mask = [frame()], b"\x01\x02\x03\x04"
    for text in (b"there", b"and back"):
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(text))
        client.sendall(struct.pack("!BB", 0x81, 0x80 | len(text)) + mask + masked)
        frames.append(frame())
    accept = head.get("sec-websocket-accept")
    return {"status": status, "accept": accept, "frames": [text for _, text in frames]}


def attempt(work, *arguments):
    try:
        return work(*arguments)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def slow(seconds):
    began = time.monotonic()
    return get(f"/slow/{seconds}") | {"seconds": time.monotonic() - began}


def old_tls():
    context = ssl.create_default_context(cafile=CA)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    plain = socket.create_connection(("127.0.0.1", 443), timeout=PATIENCE)
    return {"version": context.wrap_socket(plain, server_hostname=NAME).version()}


def new_tls():
    return {"version": tls().version()}


forged = {"X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example"}
print(
    json.dumps(
        {
            "encoded": attempt(get, "/api/a%2Fb%252Fc//d?x=%2F&y=a%20b"),
            "forged": attempt(get, "/echo", True, forged),
            "plain": attempt(get, "/p%2Fq?x=%2F", False),
            "redirects": [attempt(get, f"/redirect/{which}") for which in ("itself", "host", "port")],
            "slow": attempt(slow, 3),
            "socket": attempt(web_socket, "/ws/a%2Fb?token=1"),
            "upload": attempt(upload, 100_000_000),
            "tls": [attempt(new_tls), attempt(old_tls)],
        }
    )
)
