"""One request on its way: connections that are kept, and time limits that hold.

A socket's own timeout bounds silence only; a server that sends a byte now and then would
hold us for ever.  So every wait for bytes is also cut to a deadline: see `Exchange`.
"""

from __future__ import annotations

import http.client
import io
import selectors
import socket
import ssl
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection

from couchmend.replica.couch.connection.address import Address
from couchmend.replica.couch.connection.exchange import Exchange
from couchmend.replica.couch.connection.failures import NoHandshake
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
        self._under_way = _UnderWay()
        self._pool.conn_kw["under_way"] = self._under_way

    def request(
        self,
        method: str,
        path: str,
        body: Body | None,
        headers: Mapping[str, str],
        exchange: Exchange,
    ) -> BaseHTTPResponse:
        """Send a request; its answer's body is not read yet, and not decoded.

        exchange: how long it may take; tells afterwards how far it got.

        Raises:
            urllib3.exceptions.HTTPError: there is no answer.
        """
        length = getattr(body, "length", None)
        if length is not None:
            headers = {**headers, "content-length": str(length)}
        self._under_way.exchange = exchange
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
            timeout=Timeout(connect=self._options.connect_timeout_seconds),
        )
        exchange.head_came()
        return response

    def close(self) -> None:
        """Close the connections that nobody uses; the others when they are given back."""
        self._pool.close()


class _UnderWay(threading.local):
    """The exchange that this thread begins: urllib3 has no way to tell its connections."""

    exchange: Exchange | None = None


class _Wire:
    """What our connections do beyond urllib3's: every wait has an end."""

    sock: socket.socket | ssl.SSLSocket | None
    _under_way: _UnderWay
    exchange: Exchange
    _heard = False
    _cut = False
    """Whether a request was not sent to its end, so that no other can follow it."""

    def begin(self) -> None:
        """A request is about to be sent.  While its body is, the thread may begin others."""
        assert self._under_way.exchange is not None  # by `Transport.request`
        self.exchange = self._under_way.exchange
        self.exchange.heard = self._heard and self.sock is not None

    def wait_for(self, sock: socket.socket) -> None:
        """Before every wait for bytes.  What http.client reads to the end of the connection
        is not the connection's socket any more."""
        sock.settimeout(self.exchange.longest_wait())

    def heard(self) -> None:
        """Bytes came."""
        self._heard = self.exchange.heard = True

    def read_from(self, sock: socket.socket, *args: Any, **words: Any) -> Any:
        """What reads an answer: the standard library's, on a file that knows the deadline."""
        self.exchange.was_sent()
        return http.client.HTTPResponse(_Readable(sock, self), *args, **words)  # type: ignore[arg-type]

    def send_all(self, data: Any) -> None:
        """Send in pieces, so that silence shows while there is more to send.

        A server that answers before it has everything will not read on: its answer is what
        the caller wants to see.
        """
        assert self.sock is not None  # connected by the caller
        view = memoryview(data)
        if len(view) > _SENT_AT_ONCE and not isinstance(self.sock, ssl.SSLSocket):
            self._send_while_unanswered(self.sock, view)
            return
        # What can be read from a TLS connection may be no answer.
        for start in range(0, len(view), _SENT_AT_ONCE):
            self.wait_for(self.sock)
            try:
                self.sock.sendall(view[start : start + _SENT_AT_ONCE])
            except TimeoutError as problem:
                raise self.exchange.overdue() from problem

    def _send_while_unanswered(self, sock: socket.socket, view: memoryview) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
            while view:
                seconds = self.exchange.longest_wait()
                sock.settimeout(seconds)
                ready = selector.select(seconds)
                if not ready:
                    raise self.exchange.overdue()
                if ready[0][1] & selectors.EVENT_READ:
                    self._cut = True
                    raise BrokenPipeError  # urllib3 reads the answer then
                view = view[sock.send(view[:_SENT_AT_ONCE]) :]


class _PlainWire(_Wire, HTTPConnection):
    response_class = _Wire.read_from  # type: ignore[assignment]

    def __init__(self, *args: Any, under_way: _UnderWay, **words: Any) -> None:
        super().__init__(*args, **words)
        self._under_way = under_way

    def putrequest(self, *args: Any, **words: Any) -> None:
        self.begin()
        super().putrequest(*args, **words)

    def connect(self) -> None:
        self._cut = self._heard = False
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

    def __init__(self, *args: Any, under_way: _UnderWay, **words: Any) -> None:
        super().__init__(*args, **words)
        self._under_way = under_way

    def putrequest(self, *args: Any, **words: Any) -> None:
        self.begin()
        super().putrequest(*args, **words)

    def connect(self) -> None:
        self._heard = False
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
        self._wire.wait_for(self._sock)
        try:
            read = self._raw.readinto(buffer)
        except TimeoutError as problem:
            raise self._wire.exchange.overdue() from problem
        if read:
            self._wire.heard()
        elif self._wire.exchange.in_head:
            # The standard library would take the lines that came for all there are.
            raise ConnectionResetError("the connection ended in the head of the answer")
        return read

    def fileno(self) -> int:
        return self._raw.fileno()

    def close(self) -> None:
        self._raw.close()
        super().close()
