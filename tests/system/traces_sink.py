"""A collector of traces: answers POST /v1/traces, refusing the first request with 503, and writes each
body it has taken to a folder. traces_sink.py PORT FOLDER HEADER-VALUE"""
import http.server
import os
import sys

port, folder, wanted = int(sys.argv[1]), sys.argv[2], sys.argv[3]
seen = {"requests": 0, "taken": 0}


class Collector(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        seen["requests"] += 1
        good = (self.path == "/v1/traces" and self.headers["Content-Type"] == "application/json"
                and self.headers["X-Scope"] == wanted)
        status = 400 if not good else 503 if seen["requests"] == 1 else 200
        if status == 200:
            seen["taken"] += 1
            name = os.path.join(folder, f"{seen['taken']:03}.json")
            with open(name + ".new", "wb") as file:
                file.write(body)
            os.rename(name + ".new", name)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


http.server.HTTPServer(("127.0.0.1", port), Collector).serve_forever()
