"""Everything that stands between the network and the routes, in one order."""

from __future__ import annotations

from pathlib import Path

from couchmend.replica.http_face.exchange import Receive, Scope, Send
from couchmend.replica.http_face.guards.asgi import App
from couchmend.replica.http_face.guards.authentication import Authentication
from couchmend.replica.http_face.guards.cors import CrossOrigin
from couchmend.replica.http_face.guards.credentials import Credentials
from couchmend.replica.http_face.guards.hosts import KnownHosts, check_listen
from couchmend.replica.http_face.guards.session_endpoint import SessionEndpoint
from couchmend.replica.http_face.guards.sessions import Sessions
from couchmend.replica.http_face.guards.users import Users
from couchmend.settings import ReplicaServer


def protect(
    app: App,
    folder: str | Path,
    settings: ReplicaServer | None = None,
    *,
    users: Users | None = None,
) -> App:
    """The application behind its guards, from the outside in: nothing but HTTP, known hosts,
    web pages of listed origins, authentication, `/_session`.

    The application finds the `Actor` in `scope["actor"]`.

    Raises:
        UsageError: the server would listen to others without having users, or the users file
            is damaged.
    """
    settings = settings or ReplicaServer()
    users = users or Users(folder)
    check_listen(settings.host, users_exist=users.exist(), folder=folder)
    credentials = Credentials(users, cache_seconds=settings.credential_cache_seconds)
    sessions = Sessions(users, timeout_seconds=settings.session_timeout_seconds)
    app = SessionEndpoint(app, credentials, sessions)
    app = Authentication(app, credentials, sessions)
    app = CrossOrigin(app, settings.cors_origins, credentials=settings.cors_credentials)
    app = KnownHosts(app, settings.allowed_hosts)
    return _HttpOnly(app)


class _HttpOnly:
    """Lets HTTP and the start and end of the application through; there are no web sockets."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
            return
        await self._app(scope, receive, send)
