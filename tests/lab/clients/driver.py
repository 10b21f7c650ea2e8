"""Makes one request for each line of standard input: {"env": {...}, "url": "..."}. Which client: the first argument."""
import asyncio
import json
import os
import sys
import warnings

warnings.simplefilter("ignore")


def urllib_get(url):
    import urllib.request

    # urlopen would keep the proxies of its first call.
    urllib.request.build_opener().open(url, timeout=5).read()


def requests_get(url):
    import requests

    requests.get(url, timeout=5)


def httpx_get(url):
    import httpx

    with httpx.Client(timeout=5, verify=False) as client:
        client.get(url)


def aiohttp_get(url):
    import aiohttp

    async def get():
        limit = aiohttp.ClientTimeout(total=5)
        async with aiohttp.ClientSession(trust_env=True, timeout=limit) as session:
            async with session.get(url) as answer:
                await answer.read()

    asyncio.run(get())


def botocore_get(url):
    from botocore.awsrequest import AWSRequest
    from botocore.httpsession import URLLib3Session
    from botocore.utils import get_environ_proxies

    session = URLLib3Session(proxies=get_environ_proxies(url), timeout=5, verify=False)
    session.send(AWSRequest("GET", url).prepare())


def pycurl_get(url):
    import pycurl

    handle = pycurl.Curl()
    handle.setopt(pycurl.URL, url)
    handle.setopt(pycurl.TIMEOUT, 5)
    handle.setopt(pycurl.WRITEFUNCTION, lambda data: None)
    handle.perform()


def version(name):
    if name == "urllib":
        return sys.version.split()[0]
    if name == "pycurl":
        import pycurl

        return pycurl.version_info()[1]
    return __import__(name).__version__


def main():
    name = sys.argv[1]
    get = globals()[name + "_get"]
    print(version(name), flush=True)
    for line in sys.stdin:
        row = json.loads(line)
        for variable in list(os.environ):
            if variable.lower().endswith("_proxy") or variable == "REQUEST_METHOD":
                del os.environ[variable]
        os.environ.update(row["env"])
        try:
            get(row["url"])
            print("ok", flush=True)
        except Exception as error:  # whatever the client makes of it, the recorders tell where it went
            print(type(error).__name__, flush=True)


main()
