"""A plain client of the venues' fakes, for their own tests: HTTP, WebSocket and TAP, by the standard library."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse

FAKE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fakes", "venue")


class Tap:
    def __init__(self):
        self.count, self.failed = 0, 0

    def check(self, what, good, *shown):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {what}", flush=True)
        for value in shown if not good else ():
            print(f"# {str(value)[:2000]}")

    def end(self):
        print(f"1..{self.count}")
        sys.exit(self.failed > 0)


class Fake:
    """A fake of this name, for the time of a with statement."""

    def __init__(self, *arguments):
        self.name = arguments[0]
        self.process = subprocess.Popen([sys.executable, FAKE, *arguments], stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())
        self.link = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def send(self, method, target, body=None, headers=None):
        """(status, headers, body): JSON is read."""
        if self.link is None:
            self.link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            self.link.request(method, target, body, headers or {})
            answer = self.link.getresponse()
            raw = answer.read()
        except (OSError, http.client.HTTPException):
            self.link.close()
            self.link = None
            raise
        try:
            found = json.loads(raw, parse_float=str) if raw else None
        except ValueError:
            found = raw.decode()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, found

    def control(self, *lines):
        status, _, text = self.send("POST", "/fake", "\n".join(lines))
        if status != 200:
            raise ValueError(text)

    def keys(self):
        """What the fake prints of its keys."""
        return subprocess.run(
            [sys.executable, FAKE, self.name, "--keys"], capture_output=True, text=True, check=True).stdout.strip()

    def state(self):
        return self.send("GET", "/fake/state")[2]


class Stream:
    """A WebSocket."""

    def __init__(self, port, path):
        self.link = socket.create_connection(("127.0.0.1", port), 5)
        self.link.sendall(
            f"GET {path} HTTP/1.1\r\nHost: fake\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n\r\n"
            .encode()
        )
        self.buffer = b""
        self.kind = None
        while b"\r\n\r\n" not in self.buffer:
            self.more(5)
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        self.status = int(head.split()[1])

    def more(self, seconds):
        self.link.settimeout(seconds)
        got = self.link.recv(65536)
        if not got:
            raise ConnectionError("the stream is over")
        self.buffer += got

    def frame(self):
        """(opcode, payload) of a frame that is there; None: it is not there yet."""
        have = self.buffer
        if len(have) < 2:
            return None
        size, start = have[1] & 127, 2
        if size > 125:
            start = 4 if size == 126 else 10
            size = int.from_bytes(have[2:start], "big")
        if len(have) < start + size:
            return None
        self.buffer = have[start + size :]
        return have[0] & 15, have[start : start + size]

    def write(self, opcode, payload, masked=True):
        mask = os.urandom(4)
        size = len(payload)
        head = struct.pack("!BB", 128 | opcode, (128 if masked else 0) | min(size, 126))
        head += struct.pack("!H", size) if size > 125 else b""
        body = bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload)) if masked else payload
        self.link.sendall(head + (mask if masked else b"") + body)

    def send(self, value):
        self.write(1, json.dumps(value).encode())

    def read(self, seconds=10.0, pongs=True):
        """The next message; None: nothing came, or the stream is over. Pings are answered."""
        end = time.monotonic() + seconds
        while True:
            found = self.frame()
            while found is None:
                left = end - time.monotonic()
                if left <= 0:
                    return None
                try:
                    self.more(left)
                except OSError:
                    self.kind = None
                    return None
                found = self.frame()
            self.kind, payload = found
            if self.kind == 9 and pongs:
                self.write(10, payload)
            elif self.kind == 8:
                return None
            elif self.kind in (1, 2):
                return json.loads(payload, parse_float=str)
            elif not pongs:
                return self.kind

    def until(self, test, seconds=10.0):
        """The next message of which test is true; None: there is none."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            message = self.read(end - time.monotonic())
            if message is None:
                return None
            if test(message):
                return message
        return None


class BinanceClient:
    """Signs as the documents say: the query and the body, one after the other."""

    def __init__(self, fake, key, secret):
        self.fake, self.key, self.secret = fake, key, secret

    def payload(self, values, ahead=0):
        values = dict(values)
        values.setdefault("timestamp", int((time.time() + ahead) * 1000))
        return urllib.parse.urlencode(values)

    def signature(self, payload):
        return hmac.new(self.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()

    def raw(self, method, path, payload, signature=None):
        signature = signature or self.signature(payload)
        return self.fake.send(method, f"{path}?{payload}&signature={signature}", headers={"X-MBX-APIKEY": self.key})

    def call(self, method, path, **values):
        return self.raw(method, path, self.payload(values))


class KrakenClient:
    """A form with a nonce, signed with its path."""

    def __init__(self, fake, key, secret):
        self.fake, self.key, self.secret, self.nonce = fake, key, base64.b64decode(secret), int(time.time() * 1000)

    def call(self, name, nonce=None, spoil="", again="", **values):
        """spoil is added behind the signature's back, again before it."""
        self.nonce += 1
        nonce = str(nonce or self.nonce)
        path, body = "/0/private/" + name, urllib.parse.urlencode({"nonce": nonce, **values}) + again
        digest = hashlib.sha256((nonce + body).encode()).digest()
        made = hmac.new(self.secret, path.encode() + digest, hashlib.sha512).digest()
        headers = {"API-Key": self.key, "API-Sign": base64.b64encode(made).decode(),
                   "Content-Type": "application/x-www-form-urlencoded"}
        return self.fake.send("POST", path, body + spoil, headers)[2]


def by_openssl(pem, text, *options):
    """A signature that neither the fake nor nightdesk made."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("pem", pem.encode()), ("text", text)):
            with open(f"{folder}/{name}", "wb") as file:
                file.write(content)
        return subprocess.run(
            ["openssl", *options, f"{folder}/pem", *(["-rawin", "-in"] if options[0] == "pkeyutl" else []),
             f"{folder}/text"], capture_output=True, check=True).stdout


def raw_of_der(made):
    """r and s of an ECDSA signature, 32 bytes each."""
    size = made[3]
    r, s = made[4 : 4 + size], made[6 + size :]
    return r.lstrip(b"\0").rjust(32, b"\0") + s.lstrip(b"\0").rjust(32, b"\0")


class CoinbaseClient:
    """A JSON Web Token for each request; sign(text) -> bytes."""

    def __init__(self, fake, key, algorithm, sign):
        self.fake, self.key, self.algorithm, self.sign = fake, key, algorithm, sign

    def token(self, uri, **claims):
        def part(value):
            raw = value if isinstance(value, bytes) else json.dumps(value).encode()
            return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

        now = int(time.time())
        body = {"sub": self.key, "iss": "cdp", "nbf": now, "exp": now + 120, **({"uri": uri} if uri else {}), **claims}
        head = {"alg": self.algorithm, "kid": self.key, "nonce": os.urandom(16).hex(), "typ": "JWT"}
        text = part(head) + "." + part(body)
        return f"{text}.{part(self.sign(text.encode()))}"

    def call(self, method, name, body=None, uri=None, token=None, **claims):
        path = "/api/v3/brokerage/" + name
        uri = uri or f"{method} 127.0.0.1:{self.fake.port}{path.partition('?')[0]}"
        headers = {"Authorization": f"Bearer {token or self.token(uri, **claims)}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return self.fake.send(method, path, None if body is None else json.dumps(body), headers)
