"""TLS over memory, for a socket that somebody else watches: plain bytes in and out, sealed bytes on the socket."""

from __future__ import annotations

import socket
import ssl

READ_BYTES = 65_536


class Tls:
    """A TLS client on a non-blocking socket. `recv` and `send` are those of a socket; BlockingIOError asks to wait."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, host: str) -> None:
        self._sock = sock
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=host)
        self.unsent = b""  # sealed bytes that the socket has not taken yet

    def handshake(self) -> bool:
        """Whether the handshake is complete. Call again once the socket is readable and `unsent` is empty."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self.flush()
            self._fill()
            return False
        except ssl.SSLError:
            self.flush()  # the alert tells the peer why
            raise
        self.flush()
        return True

    def send(self, data: bytes) -> int:
        """All of `data` is sealed; what the socket does not take stays in `unsent`."""
        self._tls.write(data)
        self.flush()
        return len(data)

    def flush(self) -> None:
        """Hands `unsent` to the socket, as far as it takes it."""
        self.unsent += self._out.read()
        try:
            while self.unsent:
                self.unsent = self.unsent[self._sock.send(self.unsent) :]
        except BlockingIOError:
            return

    def recv(self, size: int) -> bytes:
        """Everything that can be opened; b"" at the end of the stream. BlockingIOError when there is nothing yet."""
        parts: list[bytes] = []
        while True:
            try:
                data = self._tls.read(size)
            except ssl.SSLWantReadError:
                if parts:
                    return b"".join(parts)
                self._fill()
                continue
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b"".join(parts)
            if not data:
                return b"".join(parts)
            parts.append(data)

    def _fill(self) -> None:
        """Feeds what the socket has. Raises BlockingIOError when it has nothing."""
        data = self._sock.recv(READ_BYTES)
        if data:
            self._in.write(data)
        else:
            self._in.write_eof()
