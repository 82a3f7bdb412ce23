"""Decisions about many conflicts at once: as if one by one, in few requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from couchmend.engine.carrying import Resolved
from couchmend.engine.deciding.undo import Undone
from couchmend.engine.deciding.views import Preview
from couchmend.engine.engine import Engine
from couchmend.errors import CouchmendError, EngineRefused, UsageError
from couchmend.journal import databases, records, resolutions
from couchmend.journal.opening import open_journal
from couchmend.replica.base import Replica
from tests.contract.backends import Backend
from tests.engine.failing import FailingReplica, Interruption
from tests.engine.sites import fork
from tests.engine.swept import NAME, House, at, house, live, picture, task, winners

DOCUMENTS = ("a", "b", "c", "gone", "left", "open")


@pytest.fixture
def home() -> Iterator[House]:
    """Ten conflicts, swept and left to people."""
    made = house()
    for number in range(10):
        mergeable(made.replica, f"d{number}")
    made.sweep(mode="suggest")
    yield made
    made.close()
    made.replica.close()


def mergeable(replica: Replica, id: str) -> None:
    """A document that two devices edited in different places."""
    first, second = task(title="read", updatedAt=at(60)), task(notes="soon", updatedAt=at(200))
    fork(replica, id, task(), first, second)


def prepare(home: House) -> list[int]:
    """Conflicts of several kinds, and what became of some since they were found."""
    for id in DOCUMENTS[:-1]:
        mergeable(home.replica, id)
    fork(home.replica, "open", task(), task(status="done"), task(status="doing"))
    home.sweep(mode="suggest")
    numbers = [one.id for _, one in sorted(home.open().items())]
    home.replica.put({**home.replica.get("b"), "points": 3})
    home.replica.purge({"gone": live(home.replica, "gone")})
    for rev in live(home.replica, "left")[1:]:
        home.replica.delete("left", rev)
    return [*numbers, 4711]


def told(came: Any) -> Any:
    """What came of it, without what differs from journal to journal."""
    if isinstance(came, CouchmendError):
        return type(came), str(came)
    if isinstance(came, Preview):
        return came.plan, came.view.digest, came.view.conflict.state
    if isinstance(came, Undone):
        return came.how, came.plan, type(came.outcome), came.sentence
    return type(came), came.document, came.written, came.tombstones


def each(ask: Any, numbers: list[int]) -> dict[int, Any]:
    """One by one."""
    found: dict[int, Any] = {}
    for number in numbers:
        try:
            found[number] = told(ask(number))
        except CouchmendError as problem:
            found[number] = told(problem)
    return found


def states(home: House) -> dict[str, Any]:
    """How the conflicts of each document stand."""
    return {
        id: [(one.state, one.version, one.excluded, one.row_digest) for one in home.of(id)]
        for id in DOCUMENTS
    }


@pytest.mark.parametrize("strategy", ["merge", "suggested"])
def test_together_is_as_one_by_one(backend: Backend, strategy: str) -> None:
    with (
        backend.replica() as first,
        backend.replica() as second,
        open_journal("sqlite://") as ours,
        open_journal("sqlite://") as theirs,
    ):
        single, many = house(first, ours), house(second, theirs)
        numbers = prepare(single)
        assert prepare(many) == numbers
        with single.engine(mode="suggest") as one, many.engine(mode="suggest") as other:
            expected = each(lambda number: one.preview(number, strategy), numbers)
            found = dict(other.preview_many(numbers, strategy))
            assert {number: told(came) for number, came in found.items()} == expected
            expected = each(lambda number: one.resolve(number, strategy, by="me"), numbers)
            found_ = dict(other.resolve_many(numbers, strategy, by="me"))
            assert {number: told(came) for number, came in found_.items()} == expected
            assert states(many) == states(single)
            done = resolved(single)
            assert resolved(many) == done
            assert len(done) >= 3
            taken = [*reversed(done), 4711]
            expected = each(lambda number: one.undo(number, "reopen", by="me"), taken)
            back = dict(other.undo_many(taken, "reopen", by="me"))
            assert {number: told(came) for number, came in back.items()} == expected
        assert states(many) == states(single)
        assert picture(many.replica) == picture(single.replica)
        assert winners(many.replica) == winners(single.replica)


def resolved(home: House) -> list[int]:
    """The numbers of the resolutions, the oldest first."""
    with home.journal.read() as tx:
        listed = resolutions.listed(tx, limit=100)
    return sorted(one.id for one in listed if one.state == "done")


def test_many_take_few_requests(home: House) -> None:
    calls = Interruption()
    numbers = [one.id for one in home.open().values()]
    inner, home.replica = home.replica, FailingReplica(home.replica, calls)
    with home.engine(mode="suggest") as engine:
        came = dict(engine.resolve_many(numbers, "merge", by="me"))
        assert all(isinstance(one, Resolved) for one in came.values())
        # The reader begins with few documents.
        assert calls.calls.count("bulk_get") <= 4
        assert calls.calls.count("bulk_docs") == 2
        calls.calls.clear()
        back = dict(engine.undo_many(resolved(home), "reopen", by="me"))
        assert {type(getattr(one, "outcome", None)) for one in back.values()} == {Resolved}
        assert calls.calls.count("bulk_get") == 2
        assert calls.calls.count("bulk_docs") <= 3
        assert len(calls.calls) <= 5
    home.replica = inner
    with home.journal.read() as tx:
        accesses = records.accesses(tx)
    assert [one.action for one in accesses].count("decided") == 10
    assert [one.action for one in accesses].count("undid") == 10


def test_nothing_is_written_where_that_is_forbidden(home: House) -> None:
    numbers = [one.id for one in home.open().values()]
    with home.engine(mode="suggest") as engine:
        list(engine.resolve_many(numbers, "merge", by="me"))
    done, before = resolved(home), picture(home.replica)
    with home.engine(mode="observe") as engine:
        came = dict(engine.undo_many(done, by="me"))
        assert came.keys() == set(done)
        assert all(isinstance(one, EngineRefused) for one in came.values())
        # Looking is allowed.
        seen = dict(engine.undo_many(done, "reopen", by="me", preview=True))
        assert {type(one) for one in seen.values()} == {Undone}
    with home.engine(mode="suggest") as engine:
        with home.journal.write() as tx:
            databases.pause(tx, NAME, "me", home.clock.now())
        came = dict(engine.undo_many(done, by="me"))
        assert all("paused" in str(one) for one in came.values())
        assert came.keys() == set(done)
    assert picture(home.replica) == before
    assert resolved(home) == done


def test_an_undo_and_what_it_took_back_in_one_go(home: House) -> None:
    (number, *_) = [one.id for one in home.open().values()]
    with home.engine(mode="suggest") as engine:
        engine.resolve(number, "merge", by="me")
        (first,) = resolved(home)
        undone = engine.undo(first, "reopen", by="me").number
        assert undone is not None
        came = dict(engine.undo_many([first, undone, first], by="me"))
        # The newest first: it is resolved again; what was taken back before stays so.
        assert list(came) == [undone, first]
        assert _outcome(came[undone]) is Resolved
        assert isinstance(came[first], EngineRefused)
        assert isinstance(dict(engine.undo_many([4711], by="me"))[4711], UsageError)
        assert list(engine.undo_many([], by="me")) == []
        assert _engine_raises(engine, first)


def _outcome(found: Undone | CouchmendError) -> type:
    assert isinstance(found, Undone)
    return type(found.outcome)


def _engine_raises(engine: Engine, number: int) -> bool:
    with pytest.raises(EngineRefused, match="taken back already"):
        engine.undo(number, by="me")
    return True
