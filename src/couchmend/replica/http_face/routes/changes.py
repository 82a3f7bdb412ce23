"""`_changes` (https://docs.couchdb.org/en/stable/api/database/changes.html)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from couchmend.core.document import DESIGN, JSON, Doc, dumps
from couchmend.core.selector import Selector
from couchmend.errors import BadRequest, NotFound, Unsupported
from couchmend.replica.base import ChangesQuery, Include, Style
from couchmend.replica.embedded import EmbeddedReplica
from couchmend.replica.http_face.calls import Action, Answer, Call, Endpoint, take_typed_json
from couchmend.replica.http_face.exchange import Stream, not_modified, quoted
from couchmend.replica.http_face.feeds import (
    MAX_WAIT_SECONDS,
    MIN_HEARTBEAT_SECONDS,
    Continuous,
    EventSource,
    Feed,
    Form,
    LongPoll,
    Row,
    Taken,
)
from couchmend.replica.http_face.paging import PageSize
from couchmend.replica.http_face.parameters import json_parameter, whole_number

JAVASCRIPT = "this server does not run JavaScript; use the filter _selector instead"


@dataclass(frozen=True, slots=True)
class FeedOptions:
    """How a feed is sent; None for `normal`, which ends by itself."""

    form: Form | None
    heartbeat_seconds: float | None
    timeout_seconds: float


def feed_options(query: Mapping[str, str], kinds: str) -> FeedOptions:
    """Read `feed`, `heartbeat` and `timeout`; `kinds` lists the feeds for the error.

    Raises:
        BadRequest: an unknown feed, or times that are no whole milliseconds.
    """
    forms: dict[str, type[Continuous] | type[EventSource] | type[LongPoll] | None] = {
        "normal": None,
        "longpoll": LongPoll,
        "continuous": Continuous,
        "live": Continuous,
        "eventsource": EventSource,
    }
    feed = query.get("feed", "normal")
    if feed not in forms:
        raise BadRequest(f"Supported `feed` types: {kinds}")
    form = forms[feed]
    timeout = whole_number(
        query, "timeout", "The timeout parameter should be a non-negative integer"
    )
    seconds = MAX_WAIT_SECONDS if timeout is None else min(timeout / 1000, MAX_WAIT_SECONDS)
    return FeedOptions(None if form is None else form(), _heartbeat(query), seconds)


def _heartbeat(query: Mapping[str, str]) -> float | None:
    if query.get("heartbeat") in ("true", None):
        return MAX_WAIT_SECONDS if "heartbeat" in query else None
    number = whole_number(
        query,
        "heartbeat",
        "Invalid heartbeat value. Expecting a positive integer value (in milliseconds).",
    )
    if not number:
        raise BadRequest("The heartbeat value should be a positive integer (in milliseconds).")
    return min(max(number / 1000, MIN_HEARTBEAT_SECONDS), MAX_WAIT_SECONDS)


def _wanted(call: Call) -> ChangesQuery:
    query = call.query
    interval = query.get("seq_interval")
    if interval is not None and not (interval.isdecimal() and int(interval)):
        raise BadRequest("invalid_seq_interval")
    include = Include()
    for name in ("conflicts", "attachments", "att_encoding_info"):
        if query.get(name) == "true":
            include[name] = True
    wanted = ChangesQuery(
        since=_since(call),
        limit=whole_number(query, "limit", "The limit parameter should be a non-negative integer"),
        descending=query.get("descending") == "true",
        style=_style(query),
        include_docs=query.get("include_docs") == "true",
        include=include,
    )
    return _filtered(call, wanted)


def _style(query: Mapping[str, str]) -> Style:
    match query.get("style", "main_only"):
        case ("main_only" | "all_docs") as style:
            return style
    raise BadRequest("`style` must be main_only or all_docs")


def _filtered(call: Call, wanted: ChangesQuery) -> ChangesQuery:
    posted = call.request.method == "POST"
    body: Doc = call.json_object() if posted and call.body != b"" else {}
    match call.query.get("filter", ""):
        case "":
            return wanted
        case "_doc_ids":
            ids = body.get("doc_ids") if posted else json_parameter(call.query, "doc_ids")
            return replace(wanted, doc_ids=_doc_ids(ids))
        case "_selector":
            if not posted:
                raise BadRequest("Selector must be specified in POST payload")
            return replace(wanted, selector=_selector(body.get("selector")))
        case "_design":
            return replace(wanted, selector={"_id": {"$beginsWith": DESIGN}})
        case name:
            raise _refused_filter(call, name)


def _since(call: Call) -> str:
    since = call.query.get("last-event-id", call.query.get("since", "0"))
    if call.query.get("feed") == "eventsource":
        since = call.request.header(b"last-event-id") or since
    return since.strip('"')


def _doc_ids(ids: JSON) -> list[str]:
    if type(ids) is not list or not all(type(id) is str for id in ids):
        raise BadRequest("`doc_ids` filter parameter is not a list of doc ids.")
    return ids


def _selector(selector: JSON) -> Doc:
    if type(selector) is not dict:
        raise BadRequest("Selector error: expected a JSON object")
    try:
        Selector(selector)
    except BadRequest as problem:
        raise BadRequest(problem.reason) from problem
    return selector


def _refused_filter(call: Call, name: str) -> Exception:
    """Why a filter function cannot be used: there is none of the name, or it is JavaScript."""
    if name == "_view":
        name = call.query.get("view", "")
        if not name:
            return BadRequest("`view` filter parameter is not provided.")
        kind, form = "views", "`view` must be of the form `designname/viewname`"
    else:
        kind, form = "filters", "`filter` must be of the form `designname/filtername`"
        if name.startswith("_"):
            return BadRequest("unknown builtin filter name")
    parts = [part for part in name.split("/") if part]
    if len(parts) != 2:
        return BadRequest(form)
    functions = call.replica.get(DESIGN + parts[0]).get(kind)
    for known, key in ((functions is not None, kind), (_has(functions, parts[1]), parts[1])):
        if not known:
            return NotFound(f"missing json key: {key}")
    return Unsupported(JAVASCRIPT)


def _has(functions: JSON, name: str) -> bool:
    return type(functions) is dict and name in functions


def changes(call: Call) -> Answer:
    """`GET` and `POST /db/_changes`"""
    replica = call.replica
    options = feed_options(call.query, "normal, continuous, live, longpoll, eventsource")
    if options.form is not None:
        return _live(call, options, options.form)
    etag = _etag(replica)
    if call.request.matches(etag):
        return not_modified(etag)
    answer = Stream(_rows(_Changes(replica, _wanted(call))))
    answer.headers.append((b"etag", etag))
    return answer


def _live(call: Call, options: FeedOptions, form: Form) -> Feed:
    replica, bells = call.replica, call.site.bells
    bell = bells.hang(replica, replica.subscribe)
    call.resources.callback(bells.take_down, replica, bell)
    source = _Changes(replica, _wanted(call))
    return Feed(
        source, form, bell, source.take(), options.heartbeat_seconds, options.timeout_seconds
    )


def _etag(replica: EmbeddedReplica) -> bytes:
    return quoted(
        hashlib.md5(replica.state_tag().encode(), usedforsecurity=False).hexdigest().upper()
    )


def _rows(source: _Changes) -> Iterator[bytes]:
    before = b'{"results":[\n'
    more = True
    while more:
        taken = source.take()
        if taken.rows:
            yield before + b",\n".join(row.text for row in taken.rows)
            before = b",\n"
        more = taken.more
    opening = b"" if before == b",\n" else before
    yield opening + b"\n],\n" + dumps(source.closing())[1:] + b"\n"


class _Changes:
    """The rows of one feed, page by page."""

    def __init__(self, replica: EmbeddedReplica, query: ChangesQuery) -> None:
        self._replica = replica
        self._query = query
        self._size = PageSize(100 if query.include_docs else 1000)
        self._left = query.limit
        self._last_seq = query.since
        self._before: str | None = None
        self._pending = 0
        self._continues = False
        self._ended = False

    def take(self) -> Taken:
        """The next page; raises `BadRequest` when `since` is no sequence."""
        limit = self._size.rows if self._left is None else min(self._size.rows, self._left)
        query = replace(self._query, since=self._last_seq, before=self._before, limit=limit)
        # What lies beyond is told once, at the end, and costs time to count.
        named = query.doc_ids is not None
        page = self._replica.changes(replace(query, pending=named or limit == self._left))
        rows = [Row(row.seq, dumps(row.as_json())) for row in page.rows]
        self._size.learn(len(rows), sum(len(row.text) for row in rows))
        if self._left is not None:
            self._left -= len(rows)
        full = len(rows) == limit
        if self._query.descending:
            self._before = rows[-1].seq if rows else self._before
            self._ended = not full
        if named and self._continues:  # counted from the first page on, as CouchDB does
            self._pending -= len(rows)
        else:
            self._pending = page.pending
        self._last_seq = page.last_seq
        self._continues = full and not self.exhausted()
        return Taken(rows, more=self._continues)

    def exhausted(self) -> bool:
        """Whether the limit is reached, or a feed that runs backwards is at the beginning."""
        return self._left == 0 or self._ended

    def closing(self) -> Doc:
        """Where to go on, and how much lies there."""
        return {"last_seq": self._last_seq, "pending": self._pending}


ENDPOINT = Endpoint(
    {"GET": Action(changes), "POST": Action(changes, intake=take_typed_json)}, "GET,POST,HEAD"
)
