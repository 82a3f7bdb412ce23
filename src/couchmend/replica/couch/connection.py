"""Requests to one CouchDB: kept-alive connections, authentication, answers and failures."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.exceptions import HTTPError

from couchmend.errors import Unavailable
from couchmend.replica.couch import failures
from couchmend.replica.couch.address import Address, quoted
from couchmend.replica.couch.answers import Answer

Params = Mapping[str, str | int | bool]

CHUNK_BYTES = 256 * 1024
_JSON_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Options:
    """How to talk to a server.

    connect_timeout_seconds: until a connection stands.
    read_timeout_seconds: of silence in an answer; a long `_find` or `_changes` with a filter
        may be silent for minutes.
    connections: kept open for reuse; more threads at once than that open their own.
    tls: how an https server is verified; the system's certificates when None.
    """

    connect_timeout_seconds: float = 10.0
    read_timeout_seconds: float = 300.0
    connections: int = 16
    tls: ssl.SSLContext | None = None


class Stream(AbstractContextManager["Stream"]):
    """An answer that is read as it comes.  Read to its end, or closed, it costs nothing more."""

    def __init__(self, response: BaseHTTPResponse, operation: str, target: str) -> None:
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._operation = operation
        self._target = target

    def answer(self, part: bytes) -> Answer:
        """A part of the body that is an answer by itself: a line of a feed."""
        return Answer(200, self.headers, part, self._operation, self._target)

    def chunks(self) -> Iterator[bytes]:
        """The body; closes the stream at the end or when the reader gives up."""
        with self, _translated(self._operation, self._target):
            yield from self._response.stream(CHUNK_BYTES, decode_content=True)

    def lines(self) -> Iterator[bytes]:
        """The body line by line, each as soon as it is here."""
        rest = b""
        with self, _translated(self._operation, self._target):
            while data := self._response.read1(CHUNK_BYTES, decode_content=True):
                *whole, rest = (rest + data).split(b"\n")
                yield from whole
            if rest:
                yield rest

    def close(self) -> None:
        """Give the connection up, or back when everything was read."""
        if self._response.closed or self._response.length_remaining == 0:
            self._response.release_conn()
        self._response.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Connection:
    """A server, or one database of it.  Usable from several threads at once."""

    def __init__(
        self,
        address: Address,
        options: Options,
        pool: HTTPConnectionPool | None = None,
        database: str | None = None,
    ) -> None:
        self._address = address
        self._options = options
        self._owns_pool = pool is None
        self._pool = _pool(address, options) if pool is None else pool
        self._closed = False
        self._signed_in = address.user is not None
        self._headers = {"accept": _JSON_TYPE, "user-agent": "couchmend"}
        if address.user is not None:
            pair = f"{address.user}:{address.password or ''}".encode()
            self._headers["authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        self.database_name = database
        self.url = address.url

    @classmethod
    def open(
        cls, url: str, *, user: str | None, password: str | None, options: Options | None
    ) -> Self:
        """A connection to the server at `url`; nothing is sent yet.

        Raises:
            UsageError: no address of a server.
        """
        return cls(_address(url, user, password), options or Options())

    @classmethod
    def open_database(
        cls, url: str, *, user: str | None, password: str | None, options: Options | None
    ) -> Self:
        """A connection to the database that the last segment of `url` names.

        Raises:
            UsageError: no address of a database.
        """
        server, name = _address(url, user, password).split_database()
        return cls(server.beneath(name), options or Options(), database=name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def database(self, name: str) -> Connection:
        """The same connection, for the requests of one database."""
        return Connection(self._address.beneath(name), self._options, self._pool, name)

    def close(self) -> None:
        """Close what this opened."""
        self._closed = True
        if self._owns_pool:
            self._pool.close()

    def answer(
        self,
        method: str,
        path: str = "",
        *,
        params: Params | None = None,
        body: bytes | Iterable[bytes] | None = None,
        content_type: str = _JSON_TYPE,
    ) -> Answer:
        """Ask for something; `path` is relative to this and percent-encoded.

        Raises:
            ReplicaError: of the class that fits, whatever went wrong.
        """
        headers = {"accept-encoding": "gzip"}
        if body is not None:
            headers["content-type"] = content_type
        response = self._send(method, path, params, body, headers, preload=True)
        return Answer(response.status, response.headers, response.data, method, self._target(path))

    def stream(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: bytes | None = None,
        read_timeout_seconds: float | None = None,
    ) -> Stream:
        """Ask for something large or endless; raises as `answer` does."""
        headers = {"accept": "*/*", "accept-encoding": "identity"}
        if body is not None:
            headers["content-type"] = _JSON_TYPE
        response = self._send(
            method, path, params, body, headers, preload=False, read_timeout=read_timeout_seconds
        )
        return Stream(response, method, self._target(path))

    def _send(
        self,
        method: str,
        path: str,
        params: Params | None,
        body: bytes | Iterable[bytes] | None,
        headers: Mapping[str, str],
        *,
        preload: bool,
        read_timeout: float | None = None,
    ) -> BaseHTTPResponse:
        """Every request passes here; only answers that are no failures come out."""
        if self._closed:
            raise Unavailable("the replica is closed", operation=method, target=self.url)
        target = self._target(path)
        with _translated(method, target):
            response = self._pool.urlopen(
                method,
                _with_params(self._address.path, path, params),
                body=body,
                headers={**self._headers, **headers},
                retries=False,
                redirect=False,
                preload_content=preload,
                decode_content=True,
                chunked=body is not None and not isinstance(body, bytes),
                timeout=Timeout(
                    connect=self._options.connect_timeout_seconds,
                    read=read_timeout or self._options.read_timeout_seconds,
                ),
            )
            if response.status < 300:
                return response
            told = response.data
        raise failures.refusal(
            response.status,
            told,
            operation=method,
            target=target,
            database=self.database_name,
            signed_in=self._signed_in,
        )

    def _target(self, path: str) -> str:
        return f"{self.url}/{path}" if path else self.url


@contextmanager
def _translated(operation: str, target: str) -> Iterator[None]:
    try:
        yield
    except HTTPError as problem:
        raise failures.unreachable(problem, operation=operation, target=target) from problem


def _address(url: str, user: str | None, password: str | None) -> Address:
    address = Address.parse(url)
    return address if user is None else replace(address, user=user, password=password)


def _pool(address: Address, options: Options) -> HTTPConnectionPool:
    host = f"[{address.host}]" if ":" in address.host else address.host
    if address.scheme == "http":
        return HTTPConnectionPool(host, address.port, maxsize=options.connections)
    return HTTPSConnectionPool(
        host,
        address.port,
        maxsize=options.connections,
        ssl_context=options.tls or ssl.create_default_context(),
    )


def _with_params(base: str, path: str, params: Params | None) -> str:
    text = f"{base}/{path}" if path else base or "/"
    if not params:
        return text
    pairs = (
        f"{name}={quoted(str(value).lower() if isinstance(value, bool) else str(value))}"
        for name, value in params.items()
    )
    return f"{text}?{'&'.join(pairs)}"
