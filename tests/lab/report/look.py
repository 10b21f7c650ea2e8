"""Opens a page in headless Chromium and tells, as JSON, what it did: console messages, requests, the text that is visible,
all of the text, how many pages of A4 it prints on, what axe-core objects to; and takes a picture.

    look.py CHROMIUM AXE_JS PAGE WIDTH PICTURE [dark|print]
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

import websocket

chromium, axe, page, width, picture = sys.argv[1:6]
mode = sys.argv[6] if len(sys.argv) > 6 else "light"
profile = tempfile.mkdtemp(dir=os.path.dirname(picture))
process = subprocess.Popen(
    [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0",
     "--remote-allow-origins=*", f"--user-data-dir={profile}", "--disable-background-networking",
     "--disable-component-update", "about:blank"],
    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    port_file = os.path.join(profile, "DevToolsActivePort")
    for _ in range(3000):
        if os.path.exists(port_file) and open(port_file).read().strip():
            break
        time.sleep(0.1)
    port = open(port_file).read().split()[0]
    tabs = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=300))
    tab = next(tab for tab in tabs if tab["type"] == "page")
    socket = websocket.create_connection(tab["webSocketDebuggerUrl"], timeout=300)
    number, seen = 0, []

    def call(method, **parameters):
        global number
        number += 1
        socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(socket.recv())
            if message.get("id") == number:
                if "error" in message:
                    raise SystemExit(f"{method}: {message['error']}")
                return message["result"]
            seen.append(message)

    def until(method):
        while not any(message.get("method") == method for message in seen):
            seen.append(json.loads(socket.recv()))

    for domain in ("Page", "Runtime", "Log", "Network"):
        call(f"{domain}.enable")
    media = {"media": "print"} if mode == "print" else {
        "features": [{"name": "prefers-color-scheme", "value": mode}]}
    call("Emulation.setEmulatedMedia", **media)
    call("Emulation.setDeviceMetricsOverride", width=int(width), height=900, deviceScaleFactor=1, mobile=False)
    call("Page.navigate", url="file://" + os.path.abspath(page))
    until("Page.loadEventFired")

    def value(expression, wait=False):
        result = call("Runtime.evaluate", expression=expression, awaitPromise=wait, returnByValue=True)
        if "exceptionDetails" in result:
            raise SystemExit(json.dumps(result["exceptionDetails"]))
        return result["result"].get("value")

    text = value("document.body.innerText")
    everything = value("document.body.textContent")
    pages = 0
    if mode == "print":
        paper = base64.b64decode(call("Page.printToPDF", preferCSSPageSize=True, paperWidth=8.27, paperHeight=11.69)["data"])
        pages = len(re.findall(rb"/Type\s*/Page\b", paper))
    size = value("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    before = list(seen)
    # The page forbids scripts; axe is brought in by the debugger, beside it.
    call("Page.setBypassCSP", enabled=True)
    call("Page.navigate", url="file://" + os.path.abspath(page))
    seen.clear()
    until("Page.loadEventFired")
    value(open(axe).read() + "; 1")
    violations = value("axe.run(document, {runOnly: ['wcag2a','wcag2aa','wcag21a','wcag21aa','best-practice']})"
                       ".then(r => r.violations.map(v => [v.id, v.help, v.nodes.map(n => n.html).slice(0, 3)]))", wait=True)
    shot = call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
    open(picture, "wb").write(base64.b64decode(shot["data"]))
    messages = [m for m in before if m["method"] in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")]
    requests = [m["params"]["request"]["url"] for m in before if m["method"] == "Network.requestWillBeSent"]
    dialogs = [m for m in before if m["method"] == "Page.javascriptDialogOpening"]
    print(json.dumps({"text": text, "everything": everything, "pages": pages, "size": size, "violations": violations, "messages": messages,
                      "requests": requests, "dialogs": len(dialogs)}))
finally:
    process.terminate()
    process.wait()
    shutil.rmtree(profile, ignore_errors=True)
