"""What a route is given, and how it says what it needs.

A route is a synchronous function from a `Call` to an answer.  It runs in a worker thread
and may call the database as it likes; only live feeds run on the event loop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from couchmend.core.document import DESIGN, JSON, Doc, loads
from couchmend.errors import BadRequest
from couchmend.replica.embedded import EmbeddedReplica
from couchmend.replica.http_face.exchange import Reply, Request, Stream
from couchmend.replica.http_face.feeds import Feed
from couchmend.replica.http_face.guards.access import Actor, require_db_admin
from couchmend.replica.http_face.site import Site

Answer: TypeAlias = Reply | Stream | Feed


class Right(Enum):
    """Who may use a route."""

    ANYBODY = 1
    SIGNED_IN = 2
    MEMBER = 3
    DATABASE_ADMIN = 4
    MAINTAINER = 5
    SERVER_ADMIN = 6


class Call:
    """A request on its way through a route: what was asked, of which database, by whom.

    `resources` is closed when the answer has been sent.
    """

    __slots__ = ("_replica", "actor", "args", "body", "name", "request", "resources", "site")

    def __init__(
        self, request: Request, site: Site, database: str | None, args: tuple[str, ...]
    ) -> None:
        self.request = request
        self.site = site
        self.args = args
        self.name = database or ""
        self.actor: Actor = request.scope["actor"]
        self.body: Any = None
        self.resources = ExitStack()
        self._replica: EmbeddedReplica | None = None

    @property
    def replica(self) -> EmbeddedReplica:
        """The database that the path names."""
        if self._replica is None:
            self._replica = self.site.folder.open(self.name)
            self.site.warn_about(self._replica)
        return self._replica

    def has_lost_its_database(self) -> bool:
        """Whether the database was deleted while the route was at work."""
        return self._replica is not None and not self._replica.is_current()

    @property
    def query(self) -> Mapping[str, str]:
        """The query parameters; of one that is given twice, the last."""
        return self.request.query

    def json(self) -> JSON:
        """The body as JSON; raises `BadRequest`."""
        if self.body is None:
            raise BadRequest("Missing request body")
        return loads(self.body)

    def json_object(self) -> Doc:
        """The body as a JSON object; raises `BadRequest`."""
        value = self.json()
        if type(value) is not dict:
            raise BadRequest("Request body must be a JSON object")
        return value

    def check_design(self, id: str) -> None:
        """Hold that whoever asks may write this document: design documents are for admins."""
        if id.startswith(DESIGN):
            require_db_admin(self.actor, self.replica.security())


Run: TypeAlias = Callable[[Call], Answer]
Intake: TypeAlias = Callable[[Call], Awaitable[Any]]
"""Takes the body in, on the event loop, once it is clear that the client may send it."""


async def take_json(call: Call) -> bytes | None:
    """The body as bytes, for JSON."""
    return await call.request.body(call.site.settings.max_request_bytes)


async def take_typed_json(call: Call) -> bytes | None:
    """The same, where CouchDB insists on `Content-Type: application/json`."""
    call.request.require_type("application/json")
    return await call.request.body(call.site.settings.max_request_bytes)


@dataclass(frozen=True, slots=True)
class Action:
    """What one method does at one address; `slow` if it may take minutes."""

    run: Run
    right: Right = Right.MEMBER
    intake: Intake | None = None
    slow: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The methods of one address; `allowed` is how CouchDB lists them."""

    actions: Mapping[str, Action]
    allowed: str
