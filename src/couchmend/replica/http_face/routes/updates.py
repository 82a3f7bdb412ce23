"""`_db_updates` (https://docs.couchdb.org/en/stable/api/server/common.html#db-updates)."""

from __future__ import annotations

from couchmend.core.document import Doc, dumps
from couchmend.replica.http_face.calls import Action, Answer, Call, Endpoint, Right
from couchmend.replica.http_face.exchange import Stream
from couchmend.replica.http_face.feeds import Feed, Row, Taken
from couchmend.replica.http_face.news import News
from couchmend.replica.http_face.parameters import whole_number
from couchmend.replica.http_face.routes.changes import feed_options


class _Updates:
    """The rows of one feed."""

    def __init__(self, news: News, since: int, limit: int | None) -> None:
        self._news = news
        self._seq = since
        self._left = limit

    def take(self) -> Taken:
        """What has happened since the last call."""
        events = self._news.after(self._seq, self._left)
        if events:
            self._seq = events[-1].seq
        if self._left is not None:
            self._left -= len(events)
        return Taken([self._row(event.database, event.kind, event.seq) for event in events], False)

    def exhausted(self) -> bool:
        """Whether the limit is reached."""
        return self._left == 0

    def closing(self) -> Doc:
        """Where to go on."""
        return {"last_seq": self._news.format_seq(self._seq)}

    def _row(self, database: str, kind: str, number: int) -> Row:
        seq = self._news.format_seq(number)
        return Row(seq, dumps({"db_name": database, "type": kind, "seq": seq}))


def updates(call: Call) -> Answer:
    """`GET /_db_updates`"""
    options = feed_options(call.query, "normal, continuous, longpoll, eventsource")
    news, bells = call.site.news, call.site.bells
    limit = whole_number(
        call.query, "limit", "The limit parameter should be a non-negative integer"
    )
    source = _Updates(news, news.parse_seq(call.query.get("since", "0")), limit)
    if options.form is None:
        taken = source.take()
        rows = b",\n".join(row.text for row in taken.rows)
        text = b'{"results":[\n' + rows + b"\n],\n" + dumps(source.closing())[1:] + b"\n"
        return Stream(iter((text,)))
    bell = bells.hang(news, news.subscribe)
    call.resources.callback(bells.take_down, news, bell)
    return Feed(
        source,
        options.form,
        bell,
        source.take(),
        options.heartbeat_seconds,
        options.timeout_seconds,
    )


ENDPOINT = Endpoint({"GET": Action(updates, Right.SERVER_ADMIN)}, "GET")
