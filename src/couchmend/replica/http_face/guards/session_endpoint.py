"""`/_session`: sign in, sign out, ask who one is.

https://docs.couchdb.org/en/stable/api/server/authn.html#cookie-authentication
"""

from __future__ import annotations

from urllib.parse import parse_qsl, quote

from couchmend.core.document import JSON, Doc, loads
from couchmend.errors import BadRequest, ReplicaError, Unauthorized
from couchmend.replica.http_face.exchange import (
    ClientGoneError,
    Headers,
    MethodNotAllowed,
    Receive,
    Reply,
    Request,
    Scope,
    Send,
    UnsupportedMedia,
    error_reply,
    json_reply,
)
from couchmend.replica.http_face.guards.access import Actor
from couchmend.replica.http_face.guards.asgi import App, deliver, is_https, peer
from couchmend.replica.http_face.guards.credentials import Credentials
from couchmend.replica.http_face.guards.sessions import Sessions

PATH = "/_session"
ALLOWED = "GET,HEAD,POST,DELETE"
MAX_BODY_BYTES = 64 * 1024
FORM = "application/x-www-form-urlencoded"
HANDLERS = ["cookie", "default"]


class SessionEndpoint:
    """ASGI middleware that answers at `/_session`; within `Authentication`."""

    def __init__(self, app: App, credentials: Credentials, sessions: Sessions) -> None:
        self._app = app
        self._credentials = credentials
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].rstrip("/") != PATH:
            await self._app(scope, receive, send)
            return
        try:
            reply = await self._answer(Request(scope, receive))
        except ReplicaError as refusal:
            reply = error_reply(refusal)
        except ClientGoneError:
            return
        await deliver(scope, send, reply)

    async def _answer(self, request: Request) -> Reply:
        match request.method:
            case "GET":
                return _who(request)
            case "POST":
                return await self._sign_in(request)
            case "DELETE":
                gone = self._sessions.no_cookie(secure=is_https(request.scope))
                return _reply(request, "next", 200, {"ok": True}, gone)
            case _:
                raise MethodNotAllowed(ALLOWED)

    async def _sign_in(self, request: Request) -> Reply:
        secure = is_https(request.scope)
        name, password = _name_and_password(_fields(request, await _body(request)))
        try:
            user = await self._credentials.verify(name, password, peer(request.scope))
        except Unauthorized as refusal:
            told: Doc = {"error": refusal.error, "reason": refusal.reason}
            gone = self._sessions.no_cookie(secure=secure)
            return _reply(request, "fail", refusal.status, told, gone)
        told = {"ok": True, "name": user.name, "roles": list(user.roles)}
        return _reply(request, "next", 200, told, self._sessions.cookie(user, secure=secure))


def _who(request: Request) -> Reply:
    actor: Actor = request.scope["actor"]
    if actor.name is None and request.query.get("basic") == "true":
        raise Unauthorized("Please login.")
    info: Doc = {"authentication_handlers": HANDLERS}
    if actor.handler is not None:
        info["authenticated"] = actor.handler
    return json_reply(
        {
            "ok": True,
            "userCtx": {"name": actor.name, "roles": list(actor.roles)},
            "info": info,
        }
    )


async def _body(request: Request) -> bytes:
    return await request.body(MAX_BODY_BYTES) or b""


def _fields(request: Request, body: bytes) -> dict[str, JSON]:
    content_type = (request.header(b"content-type") or "").split(";")[0].strip().lower()
    if content_type == FORM:
        try:
            return dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict"))
        except ValueError as problem:
            raise BadRequest("the form is not UTF-8") from problem
    if content_type == "application/json":
        fields = loads(body)
        if isinstance(fields, dict):
            return fields
        raise BadRequest("Request body must be a JSON object")
    raise UnsupportedMedia(f"Content-Type must be '{FORM}' or 'application/json'")


def _name_and_password(fields: dict[str, JSON]) -> tuple[str, str]:
    names = {fields[key] for key in ("username", "name") if isinstance(fields.get(key), str)}
    password = fields.get("password", "")
    if not names:
        raise BadRequest("request body must contain a username")
    if len(names) > 1:
        raise BadRequest("request body contains different usernames")
    if not isinstance(password, str):
        raise BadRequest("the password must be a string")
    return names.pop(), password


def _reply(request: Request, onward: str, status: int, told: JSON, cookie: bytes) -> Reply:
    """The answer with its cookie; a redirect when the request asks for one within this server."""
    headers: Headers = [(b"set-cookie", cookie)]
    target = request.query.get(onward, "")
    if target.startswith("/") and target[1:2] not in ("/", "\\"):
        status = 302
        headers.append((b"location", quote(target, safe="/?&=%#:@!$'()*+,;~").encode()))
    return json_reply(told, status, headers)
