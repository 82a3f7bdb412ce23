"""A real server on a free port, and a client that shows what it answers."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from couchmend.replica.embedded import Folder, Limits
from couchmend.replica.http_face.server import BackgroundServer
from couchmend.settings import ReplicaServer, Server


@dataclass(frozen=True)
class Answered:
    """What came back; `headers` in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def is_error(self, status: int, error: str, reason: str | None = None) -> bool:
        """Whether this is that refusal, in CouchDB's form."""
        told = self.json
        assert (self.status, told["error"]) == (status, error), (self.status, told)
        assert reason is None or told["reason"] == reason, told
        assert set(told) == {"error", "reason"}, told
        assert self.headers["content-type"] == "application/json"
        return True


class Client:
    """Speaks HTTP over one connection that is kept open."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self.host = f"{parts.hostname}:{parts.port}"
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)

    def close(self) -> None:
        self._connection.close()

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        """One request; `body` is sent as JSON, `raw` as it is.  Follows redirects."""
        given = dict(headers or {})
        if body is not None:
            raw = json.dumps(body).encode()
            given.setdefault("Content-Type", "application/json")
        self._connection.request(method, path, raw, given)
        response = self._connection.getresponse()
        text = response.read()
        found = {name.lower(): value for name, value in response.getheaders()}
        if response.status == 301:
            return self.send(method, urlsplit(found["location"]).path, raw=raw, headers=given)
        return Answered(response.status, found, text)

    def get(self, path: str, **headers: str) -> Answered:
        """GET; a header's underscores stand for dashes."""
        return self.send("GET", path, headers=_headers(headers))

    def put(self, path: str, body: Any = None, **headers: str) -> Answered:
        """PUT with a JSON body."""
        return self.send("PUT", path, body, headers=_headers(headers))

    def post(self, path: str, body: Any = None, **headers: str) -> Answered:
        """POST with a JSON body."""
        return self.send("POST", path, body, headers=_headers(headers))

    def delete(self, path: str, **headers: str) -> Answered:
        """DELETE."""
        return self.send("DELETE", path, headers=_headers(headers))


def _headers(given: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in given.items()}


@contextmanager
def served(
    path: Path,
    *,
    limits: Limits | None = None,
    servers: Sequence[Server] = (),
    **settings: Any,
) -> Iterator[tuple[BackgroundServer, Folder]]:
    """A server over a folder in `path`; whoever calls it is admin, since it has no users."""
    folder = Folder(path, limits=limits)
    try:
        with BackgroundServer(folder, ReplicaServer(port=0, **settings), servers) as server:
            yield server, folder
    finally:
        folder.close()
