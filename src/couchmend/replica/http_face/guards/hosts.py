"""By which names the server answers, and where it may listen.

A web page can have its own name resolve to 127.0.0.1, and then counts as the same origin as a
server there (DNS rebinding).  The `Host` header betrays it: it carries the page's name.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Iterable

from couchmend.errors import BadRequest, UsageError
from couchmend.replica.http_face.exchange import Receive, Scope, Send, error_reply
from couchmend.replica.http_face.guards.asgi import App, deliver, headers_named

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:/?#@\s]+)(?::[0-9]{0,5})?", re.IGNORECASE)


class KnownHosts:
    """ASGI middleware: 400 for a `Host` that is neither loopback, nor the address on which the
    request arrived, nor one of `allowed`."""

    def __init__(self, app: App, allowed: Iterable[str]) -> None:
        self._app = app
        self._allowed = frozenset(_canonical(name) for name in allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            hosts = headers_named(scope, b"host")
            name = host_name(hosts[0]) if len(hosts) == 1 else None
            if name is None or not self._is_known(name, scope):
                await deliver(scope, send, error_reply(_unknown(name)))
                return
        await self._app(scope, receive, send)

    def _is_known(self, name: str, scope: Scope) -> bool:
        if is_loopback(name) or name in self._allowed:
            return True
        # An address cannot be rebound: a page of that origin comes from this very server.
        here = scope.get("server")
        return here is not None and name == _canonical(here[0])


@functools.lru_cache(maxsize=256)
def host_name(value: str) -> str | None:
    """The name in a `Host` header, in small letters and without port; None when there is none."""
    found = _HOST.fullmatch(value)
    return None if found is None else _canonical(found[1])


@functools.lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether this is a name or an address of the machine itself that no other can reach."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def check_listen(host: str, *, users_exist: bool, folder: object = "DIR") -> None:
    """Hold that a server without users stays where nobody else can reach it.

    Raises:
        UsageError: `host` is not loopback, and there is no user.
    """
    if not users_exist and not is_loopback(_canonical(host)):
        raise UsageError(
            "without users, whoever can reach the server may read, change and delete everything",
            operation="listen",
            target=host or "all addresses",
            hint=f"add one first: couchmend replica users add {folder} NAME --admin; or listen on"
            " 127.0.0.1",
        )


@functools.lru_cache(maxsize=256)
def _canonical(host: str) -> str:
    name = host.lower().removesuffix(".")
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name


def _unknown(name: str | None) -> BadRequest:
    if name is None:
        return BadRequest("A request needs one Host header that names the server.")
    return BadRequest(
        f"The server is not called {name}. If it should be, add the name to"
        " replica_server.allowed_hosts in its settings."
    )
