"""One request on its way: connections that are kept, and time limits that hold.

A socket's own timeout bounds silence only; a server that sends a byte now and then would
hold us for ever.  So every wait for bytes is also cut to a deadline: that of the answer's
head, and of the whole answer where it is wanted as a whole.
"""

from __future__ import annotations

import http.client
import io
import selectors
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from typing import Any

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection

from couchmend.replica.couch.connection.address import Address
from couchmend.replica.couch.connection.failures import NoHandshake, Overdue
from couchmend.replica.couch.connection.options import Options

Body = bytes | Iterable[bytes]

_SENT_AT_ONCE = 128 * 1024
_BUFFER_BYTES = 64 * 1024


class Transport:
    """The kept connections to one server.  Usable from several threads at once."""

    def __init__(self, address: Address, options: Options) -> None:
        self._options = options
        host = f"[{address.host}]" if ":" in address.host else address.host
        if address.scheme == "http":
            self._pool = HTTPConnectionPool(host, address.port, maxsize=options.connections)
            self._pool.ConnectionCls = _PlainWire
        else:
            self._pool = HTTPSConnectionPool(
                host,
                address.port,
                maxsize=options.connections,
                ssl_context=options.tls or ssl.create_default_context(),
            )
            self._pool.ConnectionCls = _TlsWire
        self._pool.conn_kw["silence_seconds"] = options.read_timeout_seconds

    def request(
        self,
        method: str,
        path: str,
        body: Body | None,
        headers: Mapping[str, str],
        *,
        silence_seconds: float | None = None,
        total_seconds: float | None = None,
    ) -> BaseHTTPResponse:
        """Send a request; its answer's body is not read yet, and not decoded.

        silence_seconds: how long the server may be silent, and how long the answer's head may
            take; the read timeout when None.
        total_seconds: for the whole answer; None does not limit its body.

        Raises:
            urllib3.exceptions.HTTPError: there is no answer.
        """
        began = time.monotonic()
        silence = silence_seconds or self._options.read_timeout_seconds
        length = getattr(body, "length", None)
        if length is not None:
            headers = {**headers, "content-length": str(length)}
        response = self._pool.urlopen(
            method,
            path,
            body=body,
            headers=headers,
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
            chunked=body is not None and length is None and not isinstance(body, bytes),
            timeout=Timeout(connect=self._options.connect_timeout_seconds, read=silence),
        )
        self.limit(response, silence, None if total_seconds is None else began + total_seconds)
        return response

    def limit(self, response: BaseHTTPResponse, silence: float, until: float | None) -> None:
        """Bound the reading of a body: each silence, and the whole of it up to a moment."""
        wire = response.connection
        if isinstance(wire, _PlainWire | _TlsWire):
            wire.limit(silence, until)

    def close(self) -> None:
        """Close the connections that nobody uses; the others when they are given back."""
        self._pool.close()


class _Wire:
    """What our connections do beyond urllib3's: every wait has an end."""

    sock: socket.socket | ssl.SSLSocket | None
    timeout: float | None
    _silence = 0.0
    _deadline: float | None = None
    in_head = False
    """Whether the head of an answer is still being read."""
    _cut = False
    """Whether a request was not sent to its end, so that no other can follow it."""

    def limit(self, silence_seconds: float, deadline: float | None) -> None:
        """From now on no wait is longer than this, and none goes past the deadline."""
        self._silence, self._deadline = silence_seconds, deadline
        self.in_head = False

    def cut_wait(self, sock: socket.socket) -> None:
        """Before every wait for bytes.  What http.client reads to the end of the connection
        is not the connection's socket any more."""
        left = None if self._deadline is None else self._deadline - time.monotonic()
        if left is not None and left <= 0:
            raise Overdue
        sock.settimeout(self._silence if left is None else min(left, self._silence))

    def read_from(self, sock: socket.socket, *args: Any, **words: Any) -> Any:
        """What reads an answer: the standard library's, on a file that knows the deadline."""
        silence = self.timeout or self._silence
        self.limit(silence, time.monotonic() + silence)
        self.in_head = True
        return http.client.HTTPResponse(_Readable(sock, self), *args, **words)  # type: ignore[arg-type]

    def send_all(self, data: Any) -> None:
        """Send in pieces, so that the time limit is for silence and not for the whole.

        A server that answers before it has everything will not read on: its answer is what
        the caller wants to see.
        """
        assert self.sock is not None  # connected by the caller
        self.sock.settimeout(self._silence)
        view = memoryview(data)
        if len(view) <= _SENT_AT_ONCE:
            self.sock.sendall(view)
        elif isinstance(self.sock, ssl.SSLSocket):  # what can be read there may be no answer
            for start in range(0, len(view), _SENT_AT_ONCE):
                self.sock.sendall(view[start : start + _SENT_AT_ONCE])
        else:
            self._send_while_unanswered(self.sock, view)

    def _send_while_unanswered(self, sock: socket.socket, view: memoryview) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
            while view:
                ready = selector.select(self._silence)
                if not ready:
                    raise TimeoutError("the server reads nothing of what is sent")
                if ready[0][1] & selectors.EVENT_READ:
                    self._cut = True
                    raise BrokenPipeError  # urllib3 reads the answer then
                view = view[sock.send(view[:_SENT_AT_ONCE]) :]


class _PlainWire(_Wire, HTTPConnection):
    response_class = _Wire.read_from  # type: ignore[assignment]

    def __init__(self, *args: Any, silence_seconds: float, **words: Any) -> None:
        super().__init__(*args, **words)
        self._silence = silence_seconds

    def connect(self) -> None:
        self._cut = False
        super().connect()

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self.send_all(data)

    @property
    def is_connected(self) -> bool:
        return not self._cut and super().is_connected


class _TlsWire(_Wire, HTTPSConnection):
    response_class = _Wire.read_from  # type: ignore[assignment]

    def __init__(self, *args: Any, silence_seconds: float, **words: Any) -> None:
        super().__init__(*args, **words)
        self._silence = silence_seconds

    def connect(self) -> None:
        try:
            super().connect()
        except TimeoutError as problem:
            raise NoHandshake(self, "no handshake") from problem

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self.send_all(data)


class _Readable:
    """A socket as `http.client.HTTPResponse` wants it."""

    def __init__(self, sock: socket.socket, wire: _Wire) -> None:
        self._sock = sock
        self._wire = wire

    def makefile(self, mode: str) -> io.BufferedReader:
        raw = self._sock.makefile(mode, buffering=0)  # type: ignore[call-overload]
        return io.BufferedReader(_PatientFile(raw, self._sock, self._wire), _BUFFER_BYTES)


class _PatientFile(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, sock: socket.socket, wire: _Wire) -> None:
        self._raw = raw
        self._sock = sock
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._wire.cut_wait(self._sock)
        read = self._raw.readinto(buffer)
        if read == 0 and self._wire.in_head:
            # The standard library would take the lines that came for all there are.
            raise ConnectionResetError("the connection ended in the head of the answer")
        return read

    def fileno(self) -> int:
        return self._raw.fileno()

    def close(self) -> None:
        self._raw.close()
        super().close()
