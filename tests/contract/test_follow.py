"""The changes feed as changes happen."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from couchmend.errors import BadRequest
from couchmend.replica.base import ChangeRow, ChangesQuery, Heartbeat, Replica
from tests.contract.chains import TREE, grow


def _ids(events: Iterator[ChangeRow | Heartbeat]) -> list[str]:
    return [event.id for event in events if isinstance(event, ChangeRow)]


def test_what_is_there_comes_first_and_the_timeout_ends_it(replica: Replica) -> None:
    for n in range(3):
        replica.put({"_id": f"d{n}"})
    started = time.monotonic()
    events = replica.follow(heartbeat_seconds=10, timeout_seconds=0.5)
    assert sorted(_ids(events)) == ["d0", "d1", "d2"]
    assert 0.4 < time.monotonic() - started < 5


def test_heartbeats_while_nothing_happens(replica: Replica) -> None:
    events = list(replica.follow(heartbeat_seconds=0.2, timeout_seconds=1.0))
    assert 2 <= len(events) <= 5
    assert all(event == Heartbeat() for event in events)


def test_a_write_from_another_thread(replica: Replica) -> None:
    replica.put({"_id": "before"})
    now = replica.changes(ChangesQuery(since="now")).last_seq
    events = replica.follow(ChangesQuery(since=now), heartbeat_seconds=0.2, timeout_seconds=20)
    assert next(events) == Heartbeat()
    writing = threading.Thread(target=replica.put, args=({"_id": "while"},))
    writing.start()
    started = time.monotonic()
    row = next(event for event in events if isinstance(event, ChangeRow))
    assert row.id == "while"
    assert time.monotonic() - started < 5
    writing.join()
    events.close()
    later = replica.changes(ChangesQuery(since=row.seq))
    assert later.rows == ()


def test_a_change_puts_the_timeout_off(replica: Replica) -> None:
    now = replica.changes(ChangesQuery(since="now")).last_seq

    def write() -> None:
        for n in range(4):
            time.sleep(0.4)
            replica.put({"_id": f"d{n}"})

    writing = threading.Thread(target=write)
    writing.start()
    events = replica.follow(ChangesQuery(since=now), heartbeat_seconds=0.5, timeout_seconds=1.2)
    assert _ids(events) == [f"d{n}" for n in range(4)]
    writing.join()


def test_a_limit_ends_it(replica: Replica) -> None:
    for n in range(3):
        replica.put({"_id": f"d{n}"})
    events = replica.follow(ChangesQuery(limit=2), heartbeat_seconds=10, timeout_seconds=10)
    assert len(list(events)) == 2


def test_a_followed_feed_has_styles_filters_and_documents(replica: Replica) -> None:
    grow(replica)
    replica.put({"_id": "other", "n": 1})
    query = ChangesQuery(doc_ids=[TREE], style="all_docs", include_docs=True)
    (row,) = replica.follow(query, heartbeat_seconds=10, timeout_seconds=0.3)
    assert isinstance(row, ChangeRow)
    assert row.revs == ("2-cccc", "2-bbbb", "3-dddd")
    assert row.doc == {"_id": TREE, "_rev": "2-cccc", "v": "right"}
    query = ChangesQuery(selector={"n": 1})
    assert _ids(replica.follow(query, heartbeat_seconds=10, timeout_seconds=0.3)) == ["other"]


def test_a_feed_that_is_not_read_on_can_be_closed(replica: Replica) -> None:
    replica.put({"_id": "a"})
    events = replica.follow(heartbeat_seconds=10)
    assert isinstance(next(events), ChangeRow)
    events.close()
    assert replica.get("a")["_id"] == "a"


def test_a_malformed_since(replica: Replica) -> None:
    with pytest.raises(BadRequest):
        list(replica.follow(ChangesQuery(since="rubbish"), timeout_seconds=1))
