"""Which web pages may use the server.

Browsers tell from which origin a page came.  Pages of origins that are not listed get no CORS
headers (https://fetch.spec.whatwg.org/#http-cors-protocol), so they cannot read answers, and
may not change anything either: a request that could is refused, since a browser sends some of
them without asking first.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from couchmend.errors import Forbidden
from couchmend.replica.http_face.exchange import (
    Headers,
    Message,
    Receive,
    Reply,
    Scope,
    Send,
    error_reply,
)
from couchmend.replica.http_face.guards.asgi import App, deliver, header

MAX_AGE_SECONDS = 600
METHODS = "COPY, DELETE, GET, HEAD, OPTIONS, POST, PUT"
REQUEST_HEADERS = (
    "accept, accept-language, authorization, cache-control, content-encoding, content-length,"
    " content-range, content-type, destination, expires, if-match, if-none-match, last-event-id,"
    " last-modified, origin, pragma, range, x-couch-full-commit, x-couch-id, x-couch-persist,"
    " x-couchdb-www-authenticate, x-http-method-override, x-requested-with"
)
RESPONSE_HEADERS = (
    "accept-ranges, cache-control, content-encoding, content-range, content-type, etag, location,"
    " retry-after, server, x-couch-request-id, x-couch-update-newrev, x-couchdb-body-time"
)
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_ANY = "*"
_VARY = (b"vary", b"Origin")


class Page(Enum):
    """Where a request comes from."""

    NONE = 1
    """Not from a web page, or from one that the server itself sent."""
    LISTED = 2
    """From a page of a listed origin."""
    ANY = 3
    """From some page, while all are allowed: it is never admin without a password."""
    FOREIGN = 4
    """From a page that has no business here."""


class CrossOrigin:
    """ASGI middleware: answers preflights, adds CORS headers for listed origins, and refuses
    what foreign pages might change (403).  It tells the others in `scope["page"]`.

    origins: `scheme://host[:port]`, or `*` for all, which are then never given credentials.
    credentials: whether pages of listed origins may use the session cookie; without, and for
        all other pages, cookies are taken out of the request.
    """

    def __init__(self, app: App, origins: Iterable[str], *, credentials: bool = False) -> None:
        self._app = app
        self._origins = frozenset(origin.lower() for origin in origins)
        self._any = _ANY in self._origins
        self._credentials = credentials and not self._any

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        origin = header(scope, b"origin")
        page = self._page(scope, origin)
        scope["page"] = page
        if origin is not None and not self._may_use_cookies(page):
            scope["headers"] = [field for field in scope["headers"] if field[0] != b"cookie"]
        extra = self._headers(page, origin)
        if page is Page.FOREIGN and scope["method"] not in SAFE_METHODS:
            await deliver(scope, send, _with(error_reply(_foreign()), extra))
        elif _is_preflight(scope) and page in (Page.LISTED, Page.ANY):
            await deliver(scope, send, Reply(204, b"", [*_PREFLIGHT, *extra]))
        elif extra:
            await self._app(scope, receive, _adding(extra, send))
        else:
            await self._app(scope, receive, send)

    def _page(self, scope: Scope, origin: str | None) -> Page:
        site = header(scope, b"sec-fetch-site")
        if origin is None:
            foreign = site in ("cross-site", "same-site") and not _is_followed_link(scope)
            return Page.FOREIGN if foreign else Page.NONE
        if origin.lower() in self._origins:
            return Page.LISTED
        if site == "same-origin" or _is_own(scope, origin):
            return Page.NONE
        return Page.ANY if self._any else Page.FOREIGN

    def _may_use_cookies(self, page: Page) -> bool:
        return page is Page.NONE or (page is Page.LISTED and self._credentials)

    def _headers(self, page: Page, origin: str | None) -> Headers:
        headers: Headers = []
        if page in (Page.LISTED, Page.ANY) and origin is not None:
            allowed = _ANY if self._any else origin
            headers.append((b"access-control-allow-origin", allowed.encode("latin-1")))
            headers.append((b"access-control-expose-headers", RESPONSE_HEADERS.encode()))
            if self._credentials:
                headers.append((b"access-control-allow-credentials", b"true"))
        if self._origins and not self._any:
            headers.append(_VARY)
        return headers


_PREFLIGHT: Headers = [
    (b"access-control-allow-methods", METHODS.encode()),
    (b"access-control-allow-headers", REQUEST_HEADERS.encode()),
    (b"access-control-max-age", b"%d" % MAX_AGE_SECONDS),
]


def _is_preflight(scope: Scope) -> bool:
    return (
        scope["method"] == "OPTIONS" and header(scope, b"access-control-request-method") is not None
    )


def _is_followed_link(scope: Scope) -> bool:
    """Whether a person came here from another site, which does not see what they see."""
    return (
        scope["method"] in SAFE_METHODS
        and header(scope, b"sec-fetch-mode") == "navigate"
        and header(scope, b"sec-fetch-dest") == "document"
    )


def _is_own(scope: Scope, origin: str) -> bool:
    """Whether the origin is this server, as the client calls it."""
    scheme, _, host = origin.lower().partition("://")
    # A proxy in front may speak HTTPS for the server.
    if scheme not in {scope["scheme"], "https"}:
        return False
    called = (header(scope, b"host") or "").lower()
    return _without_default_port(host, scheme) == _without_default_port(called, scheme)


def _without_default_port(host: str, scheme: str) -> str:
    return host.removesuffix(":443" if scheme == "https" else ":80")


def _adding(extra: Headers, send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *extra]
        await send(message)

    return send_with_headers


def _with(reply: Reply, extra: Headers) -> Reply:
    return Reply(reply.status, reply.body, [*reply.headers, *extra])


def _foreign() -> Forbidden:
    return Forbidden(
        "Web pages of this origin may change nothing here. If they should, add the origin to"
        " replica_server.cors_origins in the server's settings."
    )
