"""A mail server on 127.0.0.1 (RFC 5321) that a test can make refuse, hang, or speak TLS; it keeps what it takes."""

from __future__ import annotations

import socketserver
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from threading import Event, Thread
from typing import cast


@dataclass
class Mailbox:
    """`replies` overrides the answer to a verb, "DATA." being the end of a message; "" hangs, None hangs up."""

    port: int = 0
    tls: ssl.SSLContext | None = None  # STARTTLS is offered
    replies: dict[str, str | None] = field(default_factory=dict)
    got: list[bytes] = field(default_factory=list)
    got_s: list[float] = field(default_factory=list)  # when, by the monotonic clock
    recipients: list[str] = field(default_factory=list)
    secured_count: int = 0
    attempt_count: int = 0
    goes_on: Event = field(default_factory=Event)

    @property
    def messages(self) -> list[EmailMessage]:
        return [cast(EmailMessage, message_from_bytes(raw, policy=policy.default)) for raw in self.got]


USUAL = {
    "": "220 ready",
    "HELO": "250 hello",
    "AUTH": "235 come in",
    "MAIL": "250 ok",
    "RCPT": "250 ok",
    "DATA": "354 go on",
    "DATA.": "250 taken",
    "RSET": "250 ok",
    "QUIT": "221 bye",
}


class _Session(socketserver.StreamRequestHandler):
    box: Mailbox
    timeout = 30

    def handle(self) -> None:
        self.box.attempt_count += 1
        with suppress(OSError):
            if self._says(""):
                self._talk()

    def _talk(self) -> None:
        while line := self.rfile.readline(4096):
            verb = line.split()[0].upper().decode("latin-1") if line.split() else "NOOP"
            if verb == "EHLO":
                offers = "250-here\r\n250-STARTTLS\r\n" if self.box.tls else "250-here\r\n"
                self.wfile.write(f"{offers}250 AUTH PLAIN\r\n".encode())
            elif verb == "STARTTLS" and self.box.tls is not None:
                self.wfile.write(b"220 go on\r\n")
                self._talk_secured(self.box.tls)
                return
            elif not self._says(verb) or verb == "QUIT":
                return
            elif verb == "RCPT":
                self.box.recipients.append(line.decode("latin-1").strip())
            elif verb == "DATA" and not self._take():
                return

    def _take(self) -> bool:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        if not self.box.replies.get("DATA.", USUAL["DATA."]):
            return self._says("DATA.")
        if (self.box.replies.get("DATA.") or "2").startswith("2"):
            self.box.got_s.append(time.monotonic())
            self.box.got.append(b"".join(lines))
        return self._says("DATA.")

    def _says(self, verb: str) -> bool:
        """True when the answer was given and the talk goes on."""
        reply = self.box.replies.get(verb, USUAL.get(verb, "502 unknown"))
        if reply == "":
            self.box.goes_on.wait(30)
        if not reply:
            return False
        self.wfile.write(reply.encode() + b"\r\n")
        return True

    def _talk_secured(self, tls: ssl.SSLContext) -> None:
        with (
            tls.wrap_socket(self.connection, server_side=True) as secured,
            secured.makefile("rb") as self.rfile,
            secured.makefile("wb", 0) as self.wfile,
        ):
            self.box.secured_count += 1
            self._talk()


@contextmanager
def mailbox(tls: ssl.SSLContext | None = None) -> Iterator[Mailbox]:
    """The server until the block ends."""
    box = Mailbox(tls=tls)
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), type("Session", (_Session,), {"box": box}))
    server.daemon_threads, server.block_on_close = True, False
    box.port = server.server_address[1]
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield box
    finally:
        box.goes_on.set()
        server.shutdown()
        server.server_close()
