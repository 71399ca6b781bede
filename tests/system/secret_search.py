"""Searches files for secrets, for system_secrets.sh: as they are, in hex and in base64.

usage: secret_search.py PATTERNS [--requests SECRETS] PATH...

PATTERNS has one secret a line. Prints each that is found, with the file, and exits with 1 then. With
--requests, the one place in a recorded request that must carry a secret is not searched: SECRETS has
lines "name value".
"""
import base64
import os
import re
import sys

args = sys.argv[1:]
patterns = open(args.pop(0), "rb").read().split()
allowed = []
if args[0] == "--requests":
    args.pop(0)
    s = dict(line.split(" ", 1) for line in open(args.pop(0)).read().splitlines())
    q = {name: re.escape(value).encode() for name, value in s.items()}
    allowed = [(rb"\A(?:GET|POST) /bot(" + q["telegram"] + rb")/"), (rb"\AGET /(" + q["beat"] + rb")\n"),
               (rb"\APOST /(" + q["hookurl"] + rb")\n"),
               (rb"(?i)\APOST /v1/messages\n[^\0]*?\nx-api-key: (" + q["claude"] + rb")\n")]


def forms(secret):
    yield secret
    yield secret.hex().encode()
    for shift in range(3):  # base64 of a text that contains it
        yield base64.b64encode(b"\0" * shift + secret)[4 if shift else 0:].rstrip(b"=")[:-1]


needles = [(p, form) for p in patterns for form in forms(p)]
found = count = 0
for path in args:
    files = [path] if os.path.isfile(path) else [
        os.path.join(d, f) for d, _, names in os.walk(path) for f in names]
    for name in files:
        try:
            data = open(name, "rb").read()
        except OSError:  # a socket
            continue
        count += 1
        for place in allowed:
            m = re.search(place, data)
            if m:
                data = data[:m.start(1)] + data[m.end(1):]
        for secret, form in needles:
            if form in data:
                found += 1
                print("%s is in %s" % (secret.decode()[:20], name))
                break
print("%d files searched" % count)
sys.exit(1 if found or count == 0 else 0)
