"""What ASGI middleware needs of a request and for an answer of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from couchmend.replica.http_face.exchange import (
    NOSNIFF,
    SERVER,
    Receive,
    Reply,
    Scope,
    Send,
)

App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of this name, which is given in small letters."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return None


def headers_named(scope: Scope, name: bytes) -> list[str]:
    """Every header of this name."""
    return [str(value, "latin-1") for key, value in scope["headers"] if key == name]


def peer(scope: Scope) -> str | None:
    """The client's address."""
    client = scope.get("client")
    return client[0] if client else None


def is_https(scope: Scope) -> bool:
    """Whether the client speaks HTTPS, to the server or to a proxy that says so.

    Anybody may say so: fit for the attributes of the client's own cookie and for no more.
    """
    return scope["scheme"] == "https" or header(scope, b"x-forwarded-proto") == "https"


async def deliver(scope: Scope, send: Send, reply: Reply) -> None:
    """Send an answer; to HEAD without its body."""
    size = (b"content-length", b"%d" % len(reply.body))
    headers = [*reply.headers, SERVER, NOSNIFF, size]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    body = b"" if scope["method"] == "HEAD" else reply.body
    await send({"type": "http.response.body", "body": body})
