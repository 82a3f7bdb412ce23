"""A small application behind its guards, called directly over ASGI."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import argon2

from couchmend.replica.http_face.exchange import Message, Receive, Scope, Send
from couchmend.replica.http_face.guards.access import Actor
from couchmend.replica.http_face.guards.asgi import App

CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Hashes in a tenth of a millisecond; for tests only."""

LOCAL = "127.0.0.1"
ELSEWHERE = "192.0.2.7"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """The header of this name; there must not be several."""
        found = [value for key, value in self.headers if key == name]
        assert len(found) <= 1, found
        return found[0] if found else None

    @property
    def cookie(self) -> str:
        """The session cookie that was set, as a client sends it back."""
        value = self.header("set-cookie")
        assert value is not None
        return value.split(";")[0]


@dataclass(frozen=True)
class Client:
    """Sends requests from one address."""

    app: App
    address: str = LOCAL
    server: str = LOCAL
    host: str | None = "localhost:5985"
    scheme: str = "http"

    async def send(
        self,
        method: str,
        path: str,
        *,
        auth: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        value: Any = None,
    ) -> Answer:
        """One request; `value` is a body in JSON, `auth` a name and password."""
        fields = {} if self.host is None else {"host": self.host}
        if auth is not None:
            fields["authorization"] = basic(*auth)
        if value is not None:
            body = json.dumps(value).encode()
            fields["content-type"] = "application/json"
        fields |= {"content-length": str(len(body)), **(headers or {})}
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "scheme": self.scheme,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(k.encode(), v.encode("latin-1")) for k, v in fields.items()],
            "client": (self.address, 50000),
            "server": (self.server, 5985),
        }
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def keep(message: Message) -> None:
            sent.append(message)

        await self.app(scope, receive, keep)
        start, *rest = sent
        return Answer(
            start["status"],
            [(k.decode(), v.decode("latin-1")) for k, v in start["headers"]],
            b"".join(message["body"] for message in rest),
        )

    def request(self, method: str, path: str, **more: Any) -> Answer:
        """One request by itself."""
        return asyncio.run(self.send(method, path, **more))


def basic(name: str, password: str) -> str:
    """`Authorization` for a name and a password."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


async def whoami(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that tells who asks; `/401` refuses."""
    actor: Actor = scope["actor"]
    status = 401 if scope["path"] == "/401" else 200
    told = json.dumps({"name": actor.name, "roles": actor.roles}).encode()
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", b"application/json")],
        }
    )
    await send({"type": "http.response.body", "body": told})
