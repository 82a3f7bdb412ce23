"""`_replicate` (https://docs.couchdb.org/en/stable/api/server/common.html#replicate).

One run between two databases of this server, or with one on a host that the settings list.
The server never opens a file or asks another host for somebody.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from urllib.parse import SplitResult, unquote, urlsplit

from couchmend.core.document import JSON, Doc
from couchmend.errors import (
    BadRequest,
    DatabaseNotFound,
    Forbidden,
    NotFound,
    PreconditionFailed,
    Unsupported,
    UsageError,
)
from couchmend.replica.base import Replica
from couchmend.replica.couch import CouchReplica, CouchServer, Options
from couchmend.replica.http_face.calls import (
    Action,
    Answer,
    Call,
    Endpoint,
    Right,
    take_typed_json,
)
from couchmend.replica.http_face.exchange import json_reply
from couchmend.replica.http_face.guards.hosts import is_loopback
from couchmend.replica.replicate import ID_VERSION, Progress, Summary, replicate

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class _Local:
    """A database of this server."""

    name: str

    def open(self, call: Call) -> Replica:
        """The folder's replica, which stays open."""
        return call.site.folder.open(self.name)

    def create(self, call: Call) -> None:
        """Make it; raises `PreconditionFailed` if it exists."""
        call.site.folder.create(self.name)


@dataclass(frozen=True, slots=True)
class _Remote:
    """A database of a listed host."""

    url: str
    user: str | None
    password: str | None

    def open(self, call: Call) -> Replica:
        """A replica that is closed with the call."""
        replica = CouchReplica.open(
            self.url, user=self.user, password=self.password, options=self._options(call)
        )
        return call.resources.enter_context(closing(replica))

    def create(self, call: Call) -> None:
        """Make it; raises `PreconditionFailed` if it exists."""
        base, _, name = self.url.rstrip("/").rpartition("/")
        server = CouchServer(
            base, user=self.user, password=self.password, options=self._options(call)
        )
        with closing(server):
            server.create(unquote(name))

    def _options(self, call: Call) -> Options:
        """As the settings say of its server, but as whom only the caller says."""
        return replace(call.site.servers.options(self.url), authentication=None)


def replicate_once(call: Call) -> Answer:
    """`POST /_replicate`"""
    body = call.json_object()
    if body.get("cancel") is True:
        raise NotFound("missing", hint="only continuous replications can be cancelled")
    if body.get("continuous") is True:
        raise Unsupported("continuous replication is not offered here; repeat a single one")
    if body.get("filter"):
        raise Unsupported("filter functions are JavaScript, which is not run; use a selector")
    for side in ("source", "target"):
        if side not in body:
            raise BadRequest(f"`{side}` must name a database")
    doc_ids, selector, since = _limits(body)
    sides = [_side(call, body[side], side) for side in ("source", "target")]
    if body.get("create_target") is True:
        with suppress(PreconditionFailed), _refused_as_couchdb_does():
            sides[1].create(call)
    with _refused_as_couchdb_does():
        source, target = (side.open(call) for side in sides)
    with call.site.tasks.running(
        type="replication",
        source=source.url,
        target=target.url,
        continuous=False,
        user=call.actor.name,
    ) as task:

        def note(progress: Progress) -> None:
            task.update(
                changes_pending=progress.pending,
                docs_read=progress.docs_read,
                docs_written=progress.docs_written,
                doc_write_failures=progress.doc_write_failures,
                missing_revisions_found=progress.missing_found,
                revisions_checked=progress.missing_checked,
                updated_on=int(time.time()),
            )

        summary = replicate(
            source, target, doc_ids=doc_ids, selector=selector, since=since, on_progress=note
        )
    return json_reply(_told(summary))


def _limits(body: Doc) -> tuple[list[str] | None, Doc | None, str | None]:
    doc_ids, selector, since = body.get("doc_ids"), body.get("selector"), body.get("since_seq")
    if doc_ids is not None and not (
        type(doc_ids) is list and all(type(id) is str for id in doc_ids)
    ):
        raise BadRequest("`doc_ids` must be an array of strings")
    if selector is not None and type(selector) is not dict:
        raise BadRequest("`selector` must be a JSON object")
    if doc_ids is not None and selector is not None:
        raise BadRequest("`doc_ids` is incompatible with `selector`")
    if since is not None and type(since) not in (str, int):
        raise BadRequest("`since_seq` must be a sequence")
    return doc_ids, selector, None if since is None else str(since)


def _side(call: Call, given: JSON, side: str) -> _Local | _Remote:
    headers: JSON = {}
    auth: JSON = {}
    url = given
    if type(given) is dict:
        url, headers, auth = given.get("url"), given.get("headers", {}), given.get("auth", {})
    if type(url) is not str or not url:
        raise BadRequest(f"`{side}` must name a database")
    if not url.startswith(("http://", "https://")):
        return _Local(url)
    try:
        parts = urlsplit(url)
        place = parts.hostname, parts.port or _PORTS[parts.scheme]
    except ValueError as problem:
        raise BadRequest(f"`{side}` has an invalid url", error="invalid_replication") from problem
    if not place[0]:
        raise BadRequest(f"`{side}` has an invalid url", error="invalid_replication")
    if _is_here(call, parts, place[1]):
        return _Local(unquote(parts.path.strip("/")))
    allowed = call.site.settings.replicate_hosts
    host = f"[{place[0]}]" if ":" in place[0] else place[0]
    if not {place[0], f"{host}:{place[1]}"} & set(allowed):
        raise Forbidden(
            f"this server may not talk to {host}:{place[1]}; an administrator can add it to"
            " replica_server.replicate_hosts"
        )
    user, password = _credentials(auth, headers)
    return _Remote(url, user, password)


def _is_here(call: Call, parts: SplitResult, port: int) -> bool:
    """Whether an address is this server's own."""
    if parts.scheme != call.request.scope["scheme"]:
        return False
    if parts.netloc.rpartition("@")[2].lower() == (call.request.header(b"host") or "").lower():
        return True
    here = call.request.scope.get("server") or ("", None)
    return port == here[1] and is_loopback(parts.hostname or "") and is_loopback(here[0])


def _credentials(auth: JSON, headers: JSON) -> tuple[str | None, str | None]:
    """Name and password out of `auth.basic` or an `Authorization` header."""
    if not isinstance(auth, Mapping) or not isinstance(headers, Mapping):
        raise BadRequest("`auth` and `headers` must be JSON objects")
    basic = auth.get("basic")
    if isinstance(basic, Mapping):
        user, password = basic.get("username"), basic.get("password")
        if type(user) is not str or type(password) is not str:
            raise BadRequest("`auth.basic` needs `username` and `password`")
        return user, password
    for name, value in headers.items():
        if name.lower() != "authorization":
            raise BadRequest(f"the header {name} cannot be sent; only Authorization can")
        return _basic(value)
    return None, None


def _basic(value: JSON) -> tuple[str, str]:
    scheme, _, encoded = str(value).partition(" ")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError) as problem:
        raise BadRequest("Authorization must be Basic with base64") from problem
    user, colon, password = text.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise BadRequest("Authorization must be Basic with base64")
    return user, password


@contextmanager
def _refused_as_couchdb_does() -> Iterator[None]:
    """What is wrong with a side, in CouchDB's words."""
    try:
        yield
    except UsageError as problem:
        raise BadRequest(problem.message, error="invalid_replication") from problem
    except DatabaseNotFound as problem:
        raise NotFound(f"could not open {problem.target}", error="db_not_found") from problem


def _told(summary: Summary) -> Doc:
    """The answer, with this run as its history."""
    progress = summary.progress
    unchanged = {"no_changes": True} if progress.last_seq == progress.start_seq else {}
    return {
        "ok": True,
        **unchanged,
        "session_id": summary.session_id,
        "source_last_seq": progress.last_seq,
        "replication_id_version": ID_VERSION,
        "history": [summary.history_entry()],
    }


ENDPOINT = Endpoint(
    {"POST": Action(replicate_once, Right.SERVER_ADMIN, take_typed_json, slow=True)}, "POST"
)
