"""HTTP/1.1 and WebSocket on one port of loopback, and the faults that are in the bytes."""

import asyncio
import json

import websocket

PHRASES = {
    200: "OK", 202: "Accepted", 204: "No Content", 207: "Multi-Status", 400: "Bad Request", 401: "Unauthorized",
    403: "Forbidden", 404: "Not Found", 409: "Conflict", 410: "Gone", 418: "I'm a teapot",
    422: "Unprocessable Entity", 429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Gateway Timeout", 520: "Web Server Returned an Unknown Error",
}
HTML = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center></body></html>"


class Request:
    def __init__(self, method, target, headers, body):
        self.method, self.target, self.headers, self.body = method, target, headers, body
        self.path, _, self.query = target.partition("?")
        self.repeated = set()

    def header(self, name):
        return self.headers.get(name)


class Answer:
    def __init__(self, status, body=b"", headers=None, kind="application/json"):
        if not isinstance(body, bytes):
            body = (body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))).encode()
        self.status, self.body, self.headers, self.kind = status, body, headers or {}, kind

    def raw(self):
        lines = [f"HTTP/1.1 {self.status} {PHRASES.get(self.status, 'Unknown')}"]
        if self.status != 204:
            lines += [f"Content-Type: {self.kind}", f"Content-Length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + (b"" if self.status == 204 else self.body)


def page(status, title, headers=None):
    """What a proxy in front of the venue says."""
    return Answer(status, HTML.format(title), headers, "text/html")


async def read_request(reader):
    """None when the client has gone."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    lines = head.decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ", 2)
    headers, repeated = {}, set()
    for line in lines[1:-2]:
        name, _, value = line.partition(":")
        name = name.lower()
        if name in headers:
            repeated.add(name)
        headers[name] = value.strip()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while size := int((await reader.readline()).split(b";")[0], 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    else:
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    request = Request(method, target, headers, body)
    request.repeated = repeated
    return request


class Server:
    def __init__(self, venue, control):
        self.venue, self.control = venue, control

    async def start(self, port, context=None):
        server = await asyncio.start_server(self.serve, "127.0.0.1", port, limit=1 << 20, ssl=context)
        return server.sockets[0].getsockname()[1]

    async def pump(self):
        """Runs what is due."""
        clock = self.venue.clock
        while True:
            clock.run_due()
            self.venue.keep_streams()
            self.venue.flush()
            await asyncio.sleep(min(0.02, max(0.001, clock.real(clock.wait()))))

    async def serve(self, reader, writer):
        kinds = set()
        self.venue.carried.append(kinds)
        try:
            while request := await read_request(reader):
                request.kinds = kinds
                if request.path.startswith("/fake"):
                    writer.write(self.control.answer(request).raw())
                elif request.header("upgrade"):
                    await self.stream(request, reader, writer)
                    break
                elif not await self.answer(request, writer):
                    break
                self.venue.flush()
                if request.header("connection") == "close":
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except ValueError as why:
            self.venue.violation("http", f"not HTTP: {why}")
        finally:
            writer.close()

    async def wait(self, seconds):
        await asyncio.sleep(self.venue.clock.real(seconds))

    async def answer(self, request, writer):
        """Answers as the venue does, or as the fault of this request says. False: the connection ends."""
        venue = self.venue
        venue.note(request)
        route = venue.route(request)
        request.kinds.add(route.kind if route else "unknown")
        fault = venue.faults.take(*venue.kinds(request, route))
        if fault.name == "delay-before":
            await self.wait(fault.number(1.0))
        if fault.name in ("lost-before", "reset"):
            writer.transport.abort()
            return False
        if fault.name == "hang":
            await self.wait(3600)
        answer = fault.instead(venue)
        if answer is None:
            venue.marks = fault.marks()
            answer = venue.handle(request, route)
            if "fill-first" in venue.marks:
                venue.faults.again(route.kind, fault)
            venue.marks = {}
            answer = fault.afterwards(venue, answer)
        if fault.name == "lost-after":
            venue.flush()
            writer.transport.abort()
            return False
        if fault.name == "event-before-ack":
            venue.flush()
            await self.wait(fault.number(0.1))
        if fault.name == "delay-after":
            await self.wait(fault.number(1.0))
        raw = answer.raw()
        if fault.name == "truncated":
            writer.write(raw[: len(raw) - max(1, len(answer.body) // 2)])
            await writer.drain()
            writer.transport.close()
            venue.flush()
            return False
        writer.write(raw)
        if route and fault.name == "silent":
            venue.silence()
        return True

    async def stream(self, request, reader, writer):
        venue = self.venue
        fault = venue.faults.take("connect")
        answer = fault.instead(venue)
        key = request.header("sec-websocket-key")
        if fault.name in ("lost-before", "reset", "lost-after"):
            writer.transport.abort()
            return
        if not answer and (request.header("sec-websocket-version") != "13" or not key):
            venue.violation("connect", "no WebSocket of version 13")
            answer = Answer(400)
        socket = websocket.Socket(request.target, reader, writer, venue.clock)
        answer = answer or venue.connect(socket, request)
        if answer:
            writer.write(answer.raw())
            return
        writer.write(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {websocket.accept_key(key)}\r\n\r\n".encode()
        )
        venue.sockets.append(socket)
        try:
            venue.connected(socket)
            async for text in socket.messages():
                venue.message(socket, text)
                venue.flush()
        except websocket.Broken as why:
            venue.violation("stream", str(why.args[1]))
            socket.close(why.args[0], why.args[1])
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            socket.closed = True
            if socket in venue.sockets:
                venue.sockets.remove(socket)


