"""The ASGI application: from a request to a route and its answer."""

from __future__ import annotations

import asyncio
import logging
import secrets
import traceback
from collections.abc import Sequence

from couchmend.errors import DatabaseNotFound, ReplicaError, Unavailable, Unsupported
from couchmend.replica.embedded import Folder
from couchmend.replica.http_face.calls import Action, Answer, Call, Right
from couchmend.replica.http_face.delivery import Delivery
from couchmend.replica.http_face.exchange import (
    ClientGoneError,
    MethodNotAllowed,
    Receive,
    Reply,
    Request,
    Scope,
    Send,
    Stream,
    error_reply,
    json_reply,
)
from couchmend.replica.http_face.guards.access import (
    require_db_admin,
    require_db_maintainer,
    require_db_member,
    require_server_admin,
    require_signed_in,
)
from couchmend.replica.http_face.guards.asgi import App
from couchmend.replica.http_face.guards.protect import protect
from couchmend.replica.http_face.routes.routing import Route, route
from couchmend.replica.http_face.site import Site
from couchmend.settings import ReplicaServer, Server

logger = logging.getLogger(__name__)


def create_app(
    folder: Folder, settings: ReplicaServer | None = None, servers: Sequence[Server] = ()
) -> CouchApp:
    """An ASGI application that serves a folder of databases as a CouchDB does.

    The folder stays the caller's, who closes it after the server.

    servers: how `_replicate` talks to others; their credentials are not used.

    Raises:
        UsageError: the settings would open a folder without users to others.
    """
    return CouchApp(folder, settings or ReplicaServer(), servers)


class CouchApp:
    """The application with its guards.  `end_feeds` makes live feeds end, for a shutdown."""

    def __init__(
        self, folder: Folder, settings: ReplicaServer, servers: Sequence[Server] = ()
    ) -> None:
        self._site = Site(folder, settings, servers)
        self._guarded: App = protect(Routes(self._site), folder.path, settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._guarded(scope, receive, send)

    def end_feeds(self) -> None:
        """End all live feeds, now and later; on the event loop."""
        self._site.close()

    @property
    def open_feeds(self) -> int:
        """How many live feeds there are."""
        return len(self._site.bells)


class Routes:
    """The application without its guards; it trusts `scope["actor"]`."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        self._site.bells.attach(asyncio.get_running_loop())
        delivery = Delivery(self._site, scope, send)
        try:
            request = Request(scope, receive)
            found = route(request.segments)
            call = Call(request, self._site, found.database, found.args)
            with call.resources:
                answer = await self._answer(call, found)
                await delivery.deliver(request, answer)
        except ReplicaError as refusal:
            if refusal.status >= 500 and not isinstance(refusal, Unsupported):
                logger.warning("%s", refusal)
            await delivery.refuse(refusal, error_reply(refusal))
        except ClientGoneError:
            return
        except Exception as problem:  # noqa: BLE001 this request is lost, the server goes on
            await delivery.refuse(problem, _unexpected(problem, scope))

    async def _live(self, receive: Receive, send: Send) -> None:
        """The start and the end of the application."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._site.bells.attach(asyncio.get_running_loop())
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                self._site.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _answer(self, call: Call, found: Route) -> Answer:
        """Check, take the body in, and run the route in a worker thread."""
        action = found.endpoint.actions.get(call.request.method)
        threaded = self._site.threaded
        if action is None or action.intake is None:
            return await threaded(lambda: _run(call, found, action))
        await threaded(lambda: _admit(call, found, action))
        call.body = await action.intake(call)
        run = self._site.threaded_slowly if action.slow else threaded
        return await run(lambda: _work(call, action))


def _run(call: Call, found: Route, action: Action | None) -> Answer:
    _admit(call, found, action)
    if action is None:
        raise MethodNotAllowed(found.endpoint.allowed)
    return _work(call, action)


def _admit(call: Call, found: Route, action: Action | None) -> None:
    """Hold that the database is there and that whoever asks may do this."""
    right = Right.MEMBER if action is None and found.database is not None else Right.ANYBODY
    if action is not None:
        right = action.right
    match right:
        case Right.SIGNED_IN:
            require_signed_in(call.actor)
        case Right.SERVER_ADMIN:
            require_server_admin(call.actor)
        case Right.MEMBER:
            require_db_member(call.actor, call.replica.security())
        case Right.DATABASE_ADMIN:
            require_db_admin(call.actor, call.replica.security())
        case Right.MAINTAINER:
            require_db_maintainer(call.actor, call.replica.security())
    if found.problem is not None:
        raise found.problem


def _work(call: Call, action: Action) -> Answer:
    """Run a route, and a stream as far as its first chunk, while an error still has a status."""
    try:
        answer = action.run(call)
        if isinstance(answer, Stream) and not call.request.head:
            answer.first = next(answer.chunks, b"")
    except Unavailable as problem:
        if call.has_lost_its_database():
            raise DatabaseNotFound(call.name) from problem
        raise
    return answer


def _unexpected(problem: Exception, scope: Scope) -> Reply:
    """The answer to a request that met a mistake of ours.  The log says what and where, but
    not the message, which may quote a document."""
    ref = secrets.randbits(32)
    frames = traceback.extract_tb(problem.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "?"
    kind = type(problem).__name__
    logger.error("request failed: %s at %s (%s, ref %d)", kind, place, scope["method"], ref)
    logger.debug("ref %d", ref, exc_info=problem)
    body = {"error": "unknown_error", "reason": "the server made a mistake", "ref": ref}
    return json_reply(body, 500)
