"""An HTTP server on 127.0.0.1 for system_secrets.sh: Telegram, Claude, a webhook and a heartbeat in one.

usage: secret_sink.py FOLDER

Writes the port to FOLDER/port, and each request whole to FOLDER/request.N. It answers the Bot API like
Telegram with nothing to report; every other answer is an error that repeats what the request carried,
as careless servers do.
"""
import http.server
import itertools
import json
import os
import sys
import time

folder = sys.argv[1]
numbers = itertools.count(1)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def telegram(self, method):
        if method == "getUpdates":
            time.sleep(1)
            result = []
        elif method == "getMe":
            result = {"id": 1, "is_bot": True, "first_name": "n", "username": "n_bot"}
        elif method in ("sendMessage", "sendPhoto", "sendDocument", "editMessageText"):
            result = {"message_id": next(numbers), "date": int(time.time()),
                      "chat": {"id": 7, "type": "private"}}
        else:
            result = True
        if os.path.exists(os.path.join(folder, "refuse")):
            self.answer(400, {"ok": False, "error_code": 400,
                              "description": "Bad Request: refused %s" % self.path})
        else:
            self.answer(200, {"ok": True, "result": result})

    def any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        name = os.path.join(folder, "request.%d" % next(numbers))
        with open(name, "wb") as f:
            f.write(("%s %s\n%s\n" % (self.command, self.path, self.headers)).encode() + body)
        if self.path.startswith("/bot"):
            self.telegram(self.path.rsplit("/", 1)[1])
        else:
            what = " ".join([self.path] + ["%s: %s" % item for item in self.headers.items()])
            self.answer(401, {"type": "error", "error": {"type": "authentication_error",
                                                         "message": "refused: " + what}})

    do_GET = do_POST = any

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
with open(os.path.join(folder, "port.new"), "w") as f:
    f.write("%d\n" % server.server_port)
os.rename(os.path.join(folder, "port.new"), os.path.join(folder, "port"))
server.serve_forever()
