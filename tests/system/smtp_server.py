"""A real SMTP server (aiosmtpd, of Debian) on 127.0.0.1 for system_mail.sh: STARTTLS and a login.

usage: smtp_server.py FOLDER CERTIFICATE KEY USER PASSWORD

Writes the port to FOLDER/port and each mail to FOLDER/mail.N: its envelope, an empty line, the text.
"""
import os
import ssl
import sys
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

folder, certificate, key, user, password = sys.argv[1:6]
count = 0


class Handler:
    async def handle_DATA(self, server, session, envelope):
        global count
        count += 1
        head = "FROM %s\nTO %s\nTLS %s\nLOGIN %s\n\n" % (
            envelope.mail_from, " ".join(envelope.rcpt_tos), session.ssl is not None,
            session.authenticated)
        name = os.path.join(folder, "mail.%d" % count)
        with open(name + ".new", "wb") as f:
            f.write(head.encode() + envelope.content)
        os.rename(name + ".new", name)
        return "250 accepted"


def check(server, session, envelope, mechanism, data):
    good = (isinstance(data, LoginPassword) and data.login == user.encode()
            and data.password == password.encode())
    return AuthResult(success=good, handled=good)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)


class Server(Controller):
    def factory(self):
        return SMTP(self.handler, tls_context=context, require_starttls=True,
                    authenticator=check, auth_required=True, hostname="localhost")


server = Server(Handler(), hostname="127.0.0.1", port=int(os.environ.get("SMTP_PORT", "0")))
if server.port == 0:
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        server.port = s.getsockname()[1]
server.start()
with open(os.path.join(folder, "port.new"), "w") as f:
    f.write("%d\n" % server.port)
os.rename(os.path.join(folder, "port.new"), os.path.join(folder, "port"))
threading.Event().wait()
