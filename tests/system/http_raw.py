"""Raw HTTP against the real daemon, for system_http.sh.

    http_raw.py CASE PORT

Exits with 0 if the daemon answers as it should, else prints what it did. Only at loopback.
"""
import json
import socket
import ssl
import sys
import time

TOKEN = "system-test-token-of-32-characters"
HOST = "Host: localhost\r\n"
AUTH = HOST + "Authorization: Bearer " + TOKEN + "\r\n"


def dial(port):
    sock = socket.create_connection(("127.0.0.1", port), timeout=15)
    return sock


def read_all(sock):
    parts = []
    while True:
        part = sock.recv(65536)
        if not part:
            return b"".join(parts).decode("utf-8")
        parts.append(part)


def need(condition, text):
    if not condition:
        print(text)
        sys.exit(1)


def need_problem(answer, status, code):
    head, _, body = answer.partition("\r\n\r\n")
    need(head.startswith("HTTP/1.1 %d " % status), "not %d: %s" % (status, answer))
    need("Content-Type: application/problem+json" in head, "no problem: " + answer)
    need("Connection: close" in head, "not closed: " + answer)
    problem = json.loads(body)
    need(problem["error_code"] == code, "not %s: %s" % (code, body))
    for name in ("message", "cause", "impact", "remediation", "severity", "context", "timestamp"):
        need(problem.get(name), "no %s: %s" % (name, body))


def ask(port, text):
    sock = dial(port)
    sock.sendall(text.encode())
    return read_all(sock)


def smuggling(port):
    hidden = "GET /api/v1/state HTTP/1.1\r\n" + AUTH + "\r\n"
    length = "Content-Length: 4\r\n"
    chunked = "Transfer-Encoding: chunked\r\n"
    start = "POST /api/v1/commands/status HTTP/1.1\r\n" + AUTH
    for headers, code in (
        (length + chunked, "WEB_FRAMING"),
        (chunked + length, "WEB_FRAMING"),
        (length + "Content-Length: 0\r\n", "WEB_FRAMING"),
        ("Content-Length : 4\r\n", "WEB_REQUEST"),
        ("X: a\r\n " + length, "WEB_REQUEST"),
        ("X: a\n" + length, "WEB_REQUEST"),
        ("Host: evil.example\r\n", "WEB_HOST"),
    ):
        answer = ask(port, start + headers + "\r\n0\r\n\r\n" + hidden)
        need(answer.count("HTTP/1.1 4") == 1 and answer.count("HTTP/1.1 2") == 0, "more than one answer: " + answer)
        need_problem(answer, 400, code)


def pipelining(port):
    sock = dial(port)
    texts = ["GET /healthz HTTP/1.1\r\n" + HOST + "\r\n",
             "HEAD /api/v1/state HTTP/1.1\r\n" + AUTH + "\r\n",
             "PUT /api/v1/state HTTP/1.1\r\n" + AUTH + "\r\n",
             "GET /api/v1/nothing HTTP/1.1\r\n" + AUTH + "Connection: close\r\n\r\n"]
    sock.sendall("".join(texts).encode())
    answer = read_all(sock)
    statuses = [part.split()[0] for part in answer.split("HTTP/1.1 ")[1:]]
    need(statuses == ["200", "200", "405", "404"], "answers %s: %s" % (statuses, answer))
    need("\r\nAllow: " in answer, "405 without Allow: " + answer)


def large(port):
    sock = dial(port)
    sock.sendall(("POST /api/v1/commands/status HTTP/1.1\r\n" + AUTH +
                  "Content-Length: 10485760\r\n\r\n").encode())
    block = b"x" * 65536
    for _ in range(160):
        sock.sendall(block)
    need_problem(read_all(sock), 413, "WEB_BODY_LONG")


def slow(port):
    """Silent, dripping and half-open clients, more than a few; then one that is in a hurry."""
    start = time.monotonic()
    silent = [dial(port) for _ in range(200)]
    drips = [dial(port) for _ in range(50)]
    body = dial(port)
    body.sendall(("POST /api/v1/commands/status HTTP/1.1\r\n" + AUTH +
                  "Content-Length: 10\r\n\r\nabc").encode())
    for _ in range(100):
        half = dial(port)
        half.sendall(b"GET /healthz HTTP/1.1\r\nHo")
        half.close()
    for byte in b"GET /healthz HT":
        for sock in drips:
            sock.sendall(bytes([byte]))
        time.sleep(0.01)
    before = time.monotonic()
    answer = ask(port, "GET /healthz HTTP/1.1\r\n" + HOST + "Connection: close\r\n\r\n")
    need(answer.startswith("HTTP/1.1 "), "no answer")
    need(time.monotonic() - before < 1, "the door was shut")
    for sock in drips:
        need_problem(read_all(sock), 408, "WEB_SLOW")
    for sock in silent:
        need(read_all(sock) == "", "a silent client got an answer")
    need(time.monotonic() - start < 12, "they were kept for %d s" % (time.monotonic() - start))


def plain(port):
    """HTTP at a port that speaks HTTPS."""
    need_problem(ask(port, "GET / HTTP/1.1\r\n" + HOST + "\r\n"), 400, "WEB_REQUEST")


def serial(port):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with context.wrap_socket(dial(port)) as sock:
        return sock.getpeercert(binary_form=True)


def renewed(port):
    """Waits until new connections get another certificate; an old one goes on."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    request = ("GET /healthz HTTP/1.1\r\n" + HOST + "\r\n").encode()
    old = context.wrap_socket(dial(port))
    old.sendall(request)
    need(old.recv(65536).startswith(b"HTTP/1.1 "), "no answer")
    before = serial(port)
    print("ready", flush=True)
    limit = time.monotonic() + 12
    while serial(port) == before:
        need(time.monotonic() < limit, "the certificate is the old one")
        time.sleep(0.2)
    old.sendall(request)
    need(old.recv(65536).startswith(b"HTTP/1.1 "), "the old connection was dropped")


if __name__ == "__main__":
    globals()[sys.argv[1]](int(sys.argv[2]))
