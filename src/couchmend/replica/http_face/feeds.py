"""Live feeds: answers that stay open and tell what happens as it happens.

A feed waits on a bell, not on a thread: threads are used only while the database is read,
so that many hundreds of feeds can be open at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import ClassVar, Protocol, TypeVar

from couchmend.core.document import Doc, dumps
from couchmend.errors import ReplicaError
from couchmend.replica.http_face.bells import Bell
from couchmend.replica.http_face.exchange import Headers

MAX_WAIT_SECONDS = 60.0
MIN_HEARTBEAT_SECONDS = 0.1

T = TypeVar("T")
Threaded = Callable[[Callable[[], T]], Awaitable[T]]
Write = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a feed, as JSON, and where it stands."""

    seq: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Taken:
    """Rows that have come; `more` says that others are there already."""

    rows: list[Row]
    more: bool


class Source(Protocol):
    """Where a feed's rows come from."""

    def take(self) -> Taken:
        """The next rows, in a worker thread; none when nothing is new."""

    def exhausted(self) -> bool:
        """Whether there will be no further row, whatever happens."""

    def closing(self) -> Doc:
        """What the last line says."""


class Form(Protocol):
    """How a feed looks on the wire."""

    @property
    def headers(self) -> Headers: ...
    @property
    def opening(self) -> bytes: ...
    @property
    def heartbeat(self) -> bytes:
        """A sign of life."""

    @property
    def once(self) -> bool:
        """Whether the feed ends with the first rows."""

    def rows(self, rows: list[Row]) -> bytes:
        """Some rows."""

    def closing(self, told: Doc) -> bytes:
        """The end."""


class Continuous:
    """A JSON object a line."""

    headers: ClassVar[Headers] = [
        (b"content-type", b"application/json"),
        (b"cache-control", b"no-cache"),
    ]
    opening = b""
    heartbeat = b"\n"
    once = False

    def rows(self, rows: list[Row]) -> bytes:
        return b"".join(row.text + b"\n" for row in rows)

    def closing(self, told: Doc) -> bytes:
        return dumps(told) + b"\n"


class EventSource:
    """Server-sent events, for browsers."""

    headers: ClassVar[Headers] = [
        (b"content-type", b"text/event-stream"),
        (b"cache-control", b"no-cache"),
    ]
    opening = b""
    heartbeat = b"event: heartbeat\ndata: \n\n"
    once = False

    def rows(self, rows: list[Row]) -> bytes:
        return b"".join(b"data: " + row.text + b"\nid: " + dumps(row.seq) + b"\n\n" for row in rows)

    def closing(self, told: Doc) -> bytes:
        return b""


class LongPoll:
    """One JSON object, complete as soon as there is something to tell."""

    headers: ClassVar[Headers] = Continuous.headers
    opening = b'{"results":[\n'
    heartbeat = b"\n"
    once = True

    def __init__(self) -> None:
        self._begun = False

    def rows(self, rows: list[Row]) -> bytes:
        if not rows:
            return b""
        text = (b",\n" if self._begun else b"") + b",\n".join(row.text for row in rows)
        self._begun = True
        return text

    def closing(self, told: Doc) -> bytes:
        return b"\n],\n" + dumps(told)[1:] + b"\n"


@dataclass(slots=True)
class Feed:
    """An answer that goes on until its client, its limit or its timeout ends it.

    With `heartbeat_seconds` it sends a sign of life whenever that long nothing was sent, and
    never times out; else it ends after `timeout_seconds` without a row.
    """

    source: Source
    form: Form
    bell: Bell
    first: Taken
    heartbeat_seconds: float | None
    timeout_seconds: float

    async def run(self, write: Write, threaded: Threaded[Taken]) -> None:
        """Send it all; returns at the end or when the bell is muted."""
        form, source = self.form, self.source
        await write(form.opening)
        taken = self.first
        rows_at = sent_at = monotonic()
        sent_any = False
        while True:
            if taken.rows:
                await write(form.rows(taken.rows))
                rows_at = sent_at = monotonic()
                sent_any = True
            if source.exhausted() or (form.once and sent_any and not taken.more):
                break
            if not taken.more:
                if self.heartbeat_seconds is None:
                    rang = await self.bell.wait(rows_at + self.timeout_seconds - monotonic())
                else:
                    rang = await self.bell.wait(sent_at + self.heartbeat_seconds - monotonic())
                if self.bell.muted:
                    break
                if not rang:
                    if self.heartbeat_seconds is None:
                        break
                    await write(form.heartbeat)
                    sent_at = monotonic()
                    taken = Taken([], more=False)
                    continue
            if self.bell.muted:
                break
            self.bell.reset()
            try:
                taken = await threaded(source.take)
            except ReplicaError:
                break  # the database was deleted: the feed ends where it is
        await write(form.closing(source.closing()))
