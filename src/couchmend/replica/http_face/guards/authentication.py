"""Finding out who asks: by session cookie, by name and password, or by being on this machine.

https://docs.couchdb.org/en/stable/api/server/authn.html

A folder without users is private: whoever uses this machine is its administrator, as long as
the request did not come through a proxy or from a foreign web page.
"""

from __future__ import annotations

import base64
import binascii
import logging

from couchmend.errors import BadRequest, CouchmendError, ReplicaError, Unauthorized
from couchmend.replica.http_face.exchange import Message, Receive, Scope, Send, error_reply
from couchmend.replica.http_face.guards.access import ADMIN, Actor
from couchmend.replica.http_face.guards.asgi import (
    App,
    deliver,
    header,
    headers_named,
    is_https,
    peer,
)
from couchmend.replica.http_face.guards.cors import Page
from couchmend.replica.http_face.guards.credentials import WRONG, Credentials
from couchmend.replica.http_face.guards.hosts import host_name, is_loopback
from couchmend.replica.http_face.guards.sessions import COOKIE, Session, Sessions
from couchmend.replica.http_face.guards.users import User

logger = logging.getLogger(__name__)


class Authentication:
    """ASGI middleware: finds out who asks, by cookie or by name and password, and puts the
    `Actor` into `scope["actor"]`.

    Wrong credentials are refused; none at all make an anonymous actor.  A session cookie that
    has become old is renewed.
    """

    def __init__(self, app: App, credentials: Credentials, sessions: Sessions) -> None:
        self._app = app
        self._credentials = credentials
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        challenge = _challenge(scope)
        if challenge is not None:
            send = _challenging(challenge, send)
        try:
            session = self._session(scope)
            if session is not None:
                actor = _actor(session.user, "cookie")
                if session.is_ageing:
                    cookie = self._sessions.cookie(session.user, secure=is_https(scope))
                    send = _renewing(cookie, send)
            else:
                actor = await self._by_password(scope)
        except ReplicaError as refusal:
            await deliver(scope, send, error_reply(refusal))
            return
        except CouchmendError as problem:
            logger.error("%s", problem)
            hidden = ReplicaError("The server's users cannot be read; its log says more.")
            await deliver(scope, send, error_reply(hidden))
            return
        scope["actor"] = actor
        await self._app(scope, receive, send)

    def _session(self, scope: Scope) -> Session | None:
        value = _cookie(scope)
        if not value:
            return None
        try:
            return self._sessions.read(value)
        except BadRequest:
            # Another program's cookie must not keep anybody from signing in or out.
            if scope["method"] in ("POST", "DELETE") and scope["path"] == "/_session":
                return None
            raise

    async def _by_password(self, scope: Scope) -> Actor:
        given = _basic(header(scope, b"authorization"))
        if given is not None:
            user = await self._credentials.verify(*given, peer(scope))
            return _actor(user, "default")
        if not self._credentials.users.exist() and _is_private(scope):
            return Actor(None, (ADMIN,))
        return Actor()


def _actor(user: User, handler: str) -> Actor:
    return Actor(user.name, user.roles, handler)


def _is_private(scope: Scope) -> bool:
    """Whether a request comes from this machine: not over the network, not for somebody else,
    and not from a web page that the settings do not name."""
    return (
        is_loopback(peer(scope) or "")
        and is_loopback(host_name(header(scope, b"host") or "") or "")
        and scope["page"] in (Page.NONE, Page.LISTED)
        and header(scope, b"x-forwarded-for") is None
        and header(scope, b"forwarded") is None
    )


def _cookie(scope: Scope) -> str | None:
    for line in headers_named(scope, b"cookie"):
        for part in line.split(";"):
            name, separator, value = part.strip().partition("=")
            if separator and name == COOKIE:
                return value.strip('"')
    return None


def _basic(authorization: str | None) -> tuple[str, str] | None:
    """The name and password of `Authorization: Basic`; None when there are none.

    Raises:
        BadRequest: not base64.
        Unauthorized: bytes that are no name and password of anybody.
    """
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True)
    except (ValueError, binascii.Error) as problem:
        raise BadRequest("Authorization header has invalid base64 value") from problem
    name, separator, password = text.partition(b":")
    # Browsers that are to forget a password are sent to sign in as `_`.
    if not separator or (name, password) == (b"_", b"_"):
        return None
    try:
        return name.decode(), password.decode()
    except UnicodeDecodeError as problem:
        raise Unauthorized(WRONG) from problem


def _challenge(scope: Scope) -> bytes | None:
    """What `WWW-Authenticate` says if this request is refused with 401.

    Programs are not challenged, unless they ask to be, lest a browser shows its own dialogue
    in the middle of an application.  A person who opens an address in a browser is.
    """
    wanted = header(scope, b"x-couchdb-www-authenticate")
    if wanted is not None:
        return wanted.encode("latin-1")
    accept = header(scope, b"accept") or ""
    if "text/html" in accept and "application/json" not in accept:
        return b'Basic realm="server", charset="UTF-8"'
    return None


def _challenging(challenge: bytes, send: Send) -> Send:
    async def send_with_challenge(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 401:
            message["headers"] = [*message["headers"], (b"www-authenticate", challenge)]
        await send(message)

    return send_with_challenge


def _renewing(cookie: bytes, send: Send) -> Send:
    async def send_with_cookie(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = message["headers"]
            if not any(name == b"set-cookie" for name, _ in headers):
                message["headers"] = [*headers, (b"set-cookie", cookie)]
        await send(message)

    return send_with_cookie
