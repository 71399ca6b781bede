"""Frames of WebSocket (RFC 6455), the server's side: strict with what comes, whole messages out."""

import base64
import hashlib
import struct

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Broken(Exception):
    """The client broke the protocol. args: close code, why."""


def accept_key(key):
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


def frame(opcode, payload):
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, size)
    elif size < 65536:
        head = struct.pack("!BBH", 0x80 | opcode, 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 127, size)
    return head + payload


def unmask(payload, mask):
    size = len(payload)
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return (int.from_bytes(payload, "big") ^ key).to_bytes(size, "big")


async def read_frame(reader):
    """(final, opcode, payload)."""
    first, second = await reader.readexactly(2)
    size = second & 127
    if first & 0x70:
        raise Broken(1002, "reserved bits are set")
    if not second & 128:
        raise Broken(1002, "a frame of the client is not masked")
    if size == 126:
        size = struct.unpack("!H", await reader.readexactly(2))[0]
    elif size == 127:
        size = struct.unpack("!Q", await reader.readexactly(8))[0]
    if size > 1 << 20 or ((first & 15) >= 8 and (size > 125 or not first & 128)):
        raise Broken(1009 if size > 1 << 20 else 1002, "a frame is too long")
    mask = await reader.readexactly(4)
    return bool(first & 128), first & 15, unmask(await reader.readexactly(size), mask) if size else b""


class Socket:
    """One connection. send() never waits; the personality keeps what it wants in its attributes."""

    def __init__(self, path, reader, writer, clock):
        self.path, self.reader, self.writer, self.clock = path, reader, writer, clock
        self.frozen = False  # half-open: bytes go nowhere, and nothing is read
        self.closed = False
        self.silent = False
        self.opened = clock.now()
        self.asked = clock.steady()  # when the last ping was sent
        self.pinged = None  # when the first one that waits for its pong was
        self.payload = b""
        self.received = []  # when messages came
        self.binary = False
        self.subscribed = set()
        self.user = None
        self.spoils = []  # faults of the next messages: (member, function of the text)

    def write(self, opcode, payload):
        if not self.closed and not self.frozen:
            self.writer.write(frame(opcode, payload))

    def send(self, text):
        for row in self.spoils:
            if f'"{row[0]}":' in text:
                self.spoils.remove(row)
                text = row[1](text)
                break
        self.write(BINARY if self.binary else TEXT, text.encode())

    def ping(self, payload):
        self.asked = self.clock.steady()
        if self.pinged is None:
            self.pinged, self.payload = self.asked, payload
        self.write(PING, payload)

    def close(self, code=1000, why=""):
        if not self.closed:
            self.write(CLOSE, struct.pack("!H", code) + why.encode())
            self.closed = True
            self.writer.close()

    def cut(self):
        self.closed = True
        self.writer.transport.abort()

    async def messages(self):
        """Whole messages of the client, until it closes."""
        parts = []
        while not self.closed:
            final, opcode, payload = await read_frame(self.reader)
            if self.frozen:
                continue
            self.received.append(self.clock.now())
            if opcode == CLOSE:
                self.write(CLOSE, payload[:2])
                self.closed = True
                self.writer.close()
            elif opcode == PING:
                self.write(PONG, payload)
            elif opcode == PONG:
                if self.pinged is not None and payload == self.payload:
                    self.pinged = None
            elif opcode in (TEXT, BINARY, 0):
                if (opcode == 0) != bool(parts):
                    raise Broken(1002, "a fragment out of place")
                parts.append(payload)
                if final:
                    text, parts = b"".join(parts), []
                    try:
                        yield text.decode()
                    except UnicodeDecodeError:
                        raise Broken(1007, "text that is not UTF-8") from None
            else:
                raise Broken(1002, f"opcode {opcode}")
