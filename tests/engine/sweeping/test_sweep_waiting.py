"""What waits keeps waiting, whatever fails between; and what is over is closed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from couchmend.engine.carrying import Resolved
from couchmend.engine.engine import Engine
from couchmend.engine.hooks import Hooks
from couchmend.errors import Forbidden, Unavailable, UsageError
from couchmend.replica.base import BulkGetRow, Missing, Replica
from couchmend.replica.embedded import EmbeddedReplica
from tests.engine.sites import branch, fork
from tests.engine.sweeping.test_sweep import contested, mergeable
from tests.engine.swept import HOUR, NAME, SECOND, House, at, house, live, policy, task


class Unreadable:
    """A database that tells nothing of its documents, but their rows."""

    def __new__(cls, inner: Replica) -> Any:
        made = super().__new__(cls)
        made.__dict__["_inner"] = inner
        return made

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def bulk_get(self, items: Any, **more: Any) -> Iterator[BulkGetRow]:
        for id, _ in items:
            yield BulkGetRow(id, (Missing(id, None, "internal_server_error", "timeout"),))


def unread_once(home: House) -> None:
    """A sweep that cannot read; the next one is told that time has passed."""
    inner = home.replica
    home.replica = Unreadable(inner)
    home.sweep(mode="suggest", full=True)
    home.replica = inner
    home.clock.ahead += HOUR


def decided(home: House, what: str) -> None:
    number = home.open()["a"].id
    with home.engine(mode="suggest") as engine:
        _decide(engine, number, what, home.clock.now() + 100 * HOUR)


def _decide(engine: Engine, number: int, what: str, until: int) -> None:
    match what:
        case "skip":
            engine.skip(number, by="ann")
        case "snooze":
            engine.snooze(number, until, by="ann")
        case "exclude":
            engine.exclude(number, by="ann")


@pytest.mark.parametrize(
    ("what", "state"), [("skip", "acknowledged"), ("snooze", "snoozed"), ("exclude", "pending")]
)
def test_what_a_person_decided_outlives_that_it_cannot_be_read(
    home: House, what: str, state: str
) -> None:
    mergeable(home.replica, "a")
    home.sweep(mode="suggest")
    decided(home, what)
    unread_once(home)
    assert home.sweep(mode="suggest").candidates == 1
    assert home.open()["a"].state == state
    assert home.sweep(mode="auto").resolved == 0
    assert home.open()["a"].state == state
    assert home.sweep(mode="auto").candidates == 0


def test_what_changed_and_could_not_be_read_is_read_later_though_it_was_skipped(
    home: House,
) -> None:
    sides = mergeable(home.replica, "a")
    home.sweep(mode="suggest")
    decided(home, "skip")
    home.replica.delete("a", str(sides[1]))
    mergeable(home.replica, "b")
    inner = home.replica
    home.replica = Unreadable(inner)
    home.sweep(mode="suggest")
    home.replica = inner
    assert home.open()["b"].state == "failed"
    home.clock.ahead += HOUR
    home.sweep(mode="suggest")
    assert home.open()["b"].state == "pending"
    assert home.open()["b"].last_error == ""
    assert set(home.open()) == {"b"}


def test_what_can_be_read_again_has_not_failed(home: House) -> None:
    contested(home.replica, "a")
    home.sweep(mode="suggest")
    unread_once(home)
    assert home.open()["a"].state == "failed"
    assert "timeout" in home.open()["a"].last_error
    assert home.sweep(mode="suggest").candidates == 1
    assert (home.open()["a"].state, home.open()["a"].last_error) == ("pending", "")
    assert home.sweep(mode="suggest").candidates == 0


def test_a_purge_is_noticed_by_the_next_sweep(anywhere: House) -> None:
    sides = contested(anywhere.replica, "a")
    contested(anywhere.replica, "b")
    anywhere.sweep()
    assert anywhere.sweep().candidates == 0
    anywhere.replica.purge({"a": [str(rev) for rev in sides]})
    anywhere.clock.ahead += 120 * SECOND  # one that finds nothing to do need not look
    assert anywhere.sweep().closed == 1
    assert anywhere.of("a")[0].state == "vanished"
    assert set(anywhere.open()) == {"b"}
    assert anywhere.sweep().candidates == 0


def test_what_is_over_cannot_be_excluded(home: House) -> None:
    mergeable(home.replica, "a")
    assert home.sweep().resolved == 1
    with home.engine() as engine, pytest.raises(UsageError, match="is resolved, and over"):
        engine.exclude(1, by="ann")


# --- a clock that jumps


@pytest.mark.parametrize("before", [{"mode": "observe"}, {"rollout": 0.0}])
def test_what_was_found_while_the_clock_was_ahead_is_planned_again(
    home: House, before: dict[str, Any]
) -> None:
    home.clock.ahead = 1000 * HOUR
    mergeable(home.replica, "a")
    assert home.sweep(**before).resolved == 0
    home.clock.ahead = 0
    assert home.sweep(mode="auto").resolved == 1
    assert len(live(home.replica, "a")) == 1


def test_what_waits_for_its_next_attempt_does_not_wait_for_a_clock(home: House) -> None:
    mergeable(home.replica, "a")
    home.sweep(mode="observe")
    home.clock.ahead = 1000 * HOUR
    replica = home.replica
    home.replica = Unwritable(replica)
    assert home.sweep().failed == 1
    assert home.open()["a"].state == "failed"
    home.replica = replica
    home.clock.ahead = 0
    assert home.sweep().resolved == 1


class Unwritable(Unreadable):
    """A database that cannot be reached when something is to be written."""

    def bulk_get(self, items: Any, **more: Any) -> Iterator[BulkGetRow]:
        rows: Iterator[BulkGetRow] = self._inner.bulk_get(items, **more)
        return rows

    def changes(self, query: Any) -> Any:
        if query.since == "now":
            raise Unavailable("no answer", operation="changes")
        return self._inner.changes(query)


# --- what was overtaken


def test_a_database_that_fails_while_it_is_looked_whether_something_was_overtaken(
    home: House,
) -> None:
    """The change is not passed over: the next sweep looks."""
    replica = home.replica
    root = branch(replica, "a", [], task(title="0", notes="0"))
    w = branch(replica, "a", [root], task(title="0", notes="w"), hash="c" * 32)
    loser = branch(replica, "a", [root], task(title="l", notes="0"), hash="1" * 32)
    branch(replica, "a", [loser, root], task(title="0", notes="0"), hash="2" * 32)
    w2 = branch(replica, "a", [w, root], task(title="0", notes="w2"), hash="d" * 32)
    w3 = branch(replica, "a", [w2, w, root], task(title="0", notes="w3"), hash="e" * 32)
    assert home.sweep().resolved == 1
    between = branch(replica, "a", [w3, w2, w, root], task(title="l", notes="w3"), hash="9" * 32)
    branch(replica, "a", [between, w3, w2, w, root], task(title="l", notes="w4"), hash="8" * 32)
    home.replica = FailingAncestors(replica)
    assert home.sweep().outcome == "failed"
    home.replica = replica
    assert home.sweep().detected == 1
    assert "took in an older version" in home.open()["a"].sentence


class FailingAncestors(Unreadable):
    """A database that cannot be reached when inner revisions are to be read."""

    def bulk_get(self, items: Any, **more: Any) -> Iterator[BulkGetRow]:
        wanted = list(items)
        if any(rev is not None for _, rev in wanted):
            raise Unavailable("no answer", operation="bulk_get")
        rows: Iterator[BulkGetRow] = self._inner.bulk_get(wanted, **more)
        return rows


# --- what was refused


def test_what_was_refused_is_tried_under_another_policy() -> None:
    def refusing(doc: Any, *rest: Any) -> None:
        if (doc.get("title"), doc.get("notes")) == ("read", "soon") and doc["points"] == 5:
            raise Forbidden("read later")

    replica = EmbeddedReplica.open(":memory:", name=NAME, validators=[refusing])
    home = house(replica)
    with replica, closing(home):
        fork(
            replica,
            "a",
            task(points=1),
            task(points=2, title="read", updatedAt=at(60)),
            task(points=5, notes="soon", updatedAt=at(200)),
        )
        home.policies = policy(fields={"points": "max"})
        assert home.sweep().failed == 1
        assert home.open()["a"].state == "failed"
        assert home.sweep().failed == 0
        home.policies = policy(fields={"points": "min"})
        assert home.sweep().resolved == 1
        assert replica.get("a")["points"] == 2


def test_what_a_hook_did_not_want_is_asked_about_under_another_policy(home: House) -> None:
    mergeable(home.replica, "a")
    home.hooks = Hooks(on_plan=(lambda order: "not now",))
    assert home.sweep().failed == 1
    home.hooks = Hooks()
    assert home.sweep().resolved == 0
    home.policies = policy(fields={"title": "latest"})
    assert home.sweep().resolved == 1


# --- what was begun and cannot be recovered yet


class Silent(Unreadable):
    """A database that is written to, and then does not answer the next `silent` questions."""

    def bulk_get(self, items: Any, **more: Any) -> Iterator[BulkGetRow]:
        if self.__dict__.get("written") and self.__dict__["silent"] > 0:
            self.__dict__["silent"] -= 1
            raise Unavailable("no answer", operation="bulk_get")
        rows: Iterator[BulkGetRow] = self._inner.bulk_get(items, **more)
        return rows

    def bulk_docs(self, docs: Any, **more: Any) -> Any:
        self.__dict__["written"] = True
        return self._inner.bulk_docs(docs, **more)


def test_what_was_reopened_stays_open_though_its_undo_cannot_be_recovered_yet(
    home: House,
) -> None:
    mergeable(home.replica, "a")
    home.sweep(mode="suggest")
    with home.engine() as engine:
        engine.resolve(home.open()["a"].id, "keep-current", by="ann")
    replica = home.replica
    home.replica = silent = Silent(replica)
    silent.__dict__["silent"] = 1000
    with home.engine() as engine:
        assert not isinstance(engine.undo(1, "reopen", by="ann").outcome, Resolved)
    assert len(live(replica, "a")) == 2
    for _ in range(2):
        silent.__dict__["silent"] = 1  # the recovery's; what is found is read
        assert home.sweep().resolved == 0
        assert len(live(replica, "a")) == 2
    home.replica = replica
    for _ in range(3):
        home.sweep()
        assert len(live(replica, "a")) == 2
    assert home.open()["a"].excluded
