"""HTTP/1.1 messages on a socket: heads as they are, bodies piece by piece."""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

Framing = Literal["length", "chunked", "close", "none"]
"""How the end of a body is told: by Content-Length, by chunks, by closing, or there is none."""

_RECEIVED_BYTES = 64 * 1024
_LINGER_SECONDS = 2.0
_GONE = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR
"""Where there is no POLLRDHUP, only a reset is noticed at once."""


class BrokenOff(ConnectionError):
    """The peer closed in the middle of a message."""


class Abandoned(ConnectionError):
    """The one for whom this is read has gone, or the proxy is being closed."""


@dataclass(frozen=True, slots=True)
class Head:
    """A start line and headers, in Latin-1, so that every byte survives."""

    start: str
    headers: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str | None:
        """The first header of that name."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def without(self, *names: str) -> Head:
        """The head without these headers."""
        gone = {name.lower() for name in names}
        return replace(self, headers=tuple(h for h in self.headers if h[0].lower() not in gone))

    def having(self, name: str, value: str) -> Head:
        """The head with this header, in place of any of that name."""
        head = self.without(name)
        return replace(head, headers=(*head.headers, (name, value)))

    def __bytes__(self) -> bytes:
        lines = [self.start, *(f"{name}: {value}" for name, value in self.headers), "", ""]
        return "\r\n".join(lines).encode("latin-1")

    @property
    def chunked(self) -> bool:
        """Whether the body comes in chunks."""
        return "chunked" in (self.get("transfer-encoding") or "").lower()

    @property
    def length(self) -> int | None:
        """Content-Length."""
        value = self.get("content-length")
        return None if value is None else int(value)

    @property
    def closes(self) -> bool:
        """Whether the connection ends with this message."""
        said = (self.get("connection") or "").lower()
        return "close" in said or ("HTTP/1.0" in self.start and "keep-alive" not in said)


class Wire:
    """One end of a connection.  Everything that is read passes through a buffer."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = bytearray()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # --- reading

    def head(self, watched: Wire | None = None) -> Head | None:
        """The head of the next message; None when the peer closed before its first byte.

        While it is awaited, `watched` may go away, which raises `Abandoned`.
        """
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if not self._fill(watched):
                if self._buffer:
                    raise BrokenOff("in the middle of a head")
                return None
        start, *lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        pairs = (line.partition(":") for line in lines)
        return Head(start, tuple((name, value.strip()) for name, _, value in pairs))

    def body(
        self, framing: Framing, length: int | None, watched: Wire | None = None
    ) -> Iterator[bytes]:
        """The body as it comes, without the chunks' frames; `BrokenOff` when it is cut."""
        match framing:
            case "length":
                yield from self._exactly(length or 0, watched)
            case "chunked":
                while size := int(self._line(watched).partition(b";")[0], 16):
                    yield from self._exactly(size, watched)
                    self._line(watched)
                while self._line(watched):
                    pass  # trailers
            case "close":
                while self._buffer or self._fill(watched):
                    yield self._take(len(self._buffer))

    def _exactly(self, size: int, watched: Wire | None) -> Iterator[bytes]:
        while size:
            if not self._buffer and not self._fill(watched):
                raise BrokenOff(f"{size} bytes of a body are missing")
            piece = self._take(min(size, len(self._buffer)))
            size -= len(piece)
            yield piece

    def _line(self, watched: Wire | None) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if not self._fill(watched):
                raise BrokenOff("in the middle of a line")
        return self._take(end + 2)[:-2]

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _fill(self, watched: Wire | None) -> bool:
        """Receive something; False at the end."""
        if watched is not None:
            poll = select.poll()
            poll.register(self._sock, select.POLLIN)
            poll.register(watched._sock, _GONE)
            mine = self._sock.fileno()
            if all(descriptor != mine for descriptor, _ in poll.poll()):
                raise Abandoned
        data = self._sock.recv(_RECEIVED_BYTES)
        self._buffer += data
        return bool(data)

    def gone(self, within_seconds: float | None = 0.0) -> bool:
        """Whether the peer has closed (also, whether it has closed its sending side only)."""
        poll = select.poll()
        poll.register(self._sock, _GONE)
        return bool(poll.poll(None if within_seconds is None else within_seconds * 1000))

    def pause(self, seconds: float | None) -> None:
        """Let time pass, without end for None; `Abandoned` as soon as the peer has gone."""
        if self.gone(seconds):
            raise Abandoned

    # --- writing, and going

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self._sock.sendall(data)

    def reset(self) -> None:
        """Close by a reset (RST): what is under way in either direction may be lost."""
        with suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def close(self) -> None:
        """Close in good order (FIN): everything sent arrives, whatever the peer still sends."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
            until = time.monotonic() + _LINGER_SECONDS
            # Closing with something unread would make a reset of it.
            while (left := until - time.monotonic()) > 0:
                self._sock.settimeout(left)
                if not self._sock.recv(_RECEIVED_BYTES):
                    break
        self._sock.close()

    def drop(self) -> None:
        """Close, whatever is still to be read."""
        self._sock.close()

    def interrupt(self) -> None:
        """Wake whoever waits on it, from another thread."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
