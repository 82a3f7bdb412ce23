"""The queue: what a finding does to a conflict, and that what is looked for is found."""

from __future__ import annotations

import itertools
import random
from typing import Any, cast, get_args

import pytest
from sqlalchemy import Connection

from couchmend.core.conflicts.severity import SEVERITIES
from couchmend.core.policy.parts import ConflictType
from couchmend.errors import UsageError
from couchmend.journal import conflicts, databases
from couchmend.journal.conflicts import ANY, OPEN, STATES, Conflict, Wanted
from couchmend.journal.integrity import check
from couchmend.journal.opening import Journal
from tests.journal.findings import A, B, C, finding, notes, queued


def test_a_finding_like_the_last_is_nothing_new(journal: Journal) -> None:
    with journal.write() as tx:
        db = notes(tx)
        number = queued(tx, db, "a", 10)
        before = conflicts.get(tx, number)
        (again,) = conflicts.queue(tx, db, [finding("a", leafset=[B, A])], 20)
        assert (again.what, again.conflict) == ("same", before)
        (again,) = conflicts.queue(tx, db, [finding("a", reason="another")], 30)
        assert (again.what, again.conflict.reason, again.conflict.changed_at) == (
            "same",
            "another",
            30,
        )
        assert len(conflicts.versions(tx, number)) == 1


def test_other_leaves_or_another_examination_are_a_version(journal: Journal) -> None:
    with journal.write() as tx:
        db = notes(tx)
        number = queued(tx, db, "a", 10)
        conflicts.queue(tx, db, [finding("a", leafset=[A, C], details=[1])], 20)
        (third,) = conflicts.queue(tx, db, [finding("a", leafset=[A, C], digest="e")], 30)
        assert third.what == "version"
        assert (third.conflict.version, third.conflict.first_seen) == (3, 10)
        assert [(one.number, one.seen_at) for one in conflicts.versions(tx, number)] == [
            (3, 30),
            (2, 20),
            (1, 10),
        ]


def test_what_was_acknowledged_waits_again_with_other_leaves_only(journal: Journal) -> None:
    with journal.write() as tx:
        db = notes(tx)
        number = queued(tx, db, "a")
        conflicts.set_state(tx, number, "acknowledged", 11)
        queued(tx, db, "a", 12, digest="e")
        assert conflicts.get(tx, number).state == "acknowledged"
        queued(tx, db, "a", 13, leafset=[A, C])
        assert conflicts.get(tx, number).state == "pending"


def test_attempts_begin_anew_with_other_leaves_only(journal: Journal) -> None:
    with journal.write() as tx:
        db = notes(tx)
        number = queued(tx, db, "a", eligible=True)
        conflicts.set_state(
            tx, number, "failed", 11, error="refused", attempts=3, next_attempt_at=50
        )
        queued(tx, db, "a", 12, digest="e", eligible=True)
        kept = conflicts.get(tx, number)
        assert (kept.state, kept.attempts, kept.last_error) == ("failed", 3, "refused")
        assert [one.id for one in conflicts.due(tx, db, 50)] == [number]
        queued(tx, db, "a", 13, leafset=[A, C], eligible=True)
        fresh = conflicts.get(tx, number)
        assert (fresh.state, fresh.attempts, fresh.last_error) == ("pending", 0, "")


def test_one_that_gave_up_waits_for_a_person(journal: Journal) -> None:
    with journal.write() as tx:
        db = notes(tx)
        number = queued(tx, db, "a", eligible=True)
        assert [one.id for one in conflicts.due(tx, db, 10)] == [number]
        conflicts.set_state(tx, number, "pending", 11, error="refused", attempts=5)
        assert conflicts.due(tx, db, 1000) == []


def test_a_snooze_ends_by_itself(journal: Journal) -> None:
    with journal.write() as tx:
        db = notes(tx)
        number = queued(tx, db, "a")
        conflicts.snooze(tx, number, 100, 11)
        queued(tx, db, "a", 50, leafset=[A, C])
        assert conflicts.get(tx, number).snoozed_until == 100
        assert conflicts.due(tx, db, 99) == []
        assert [one.id for one in conflicts.due(tx, db, 100)] == [number]
        queued(tx, db, "a", 100, leafset=[A, C])
        awake = conflicts.get(tx, number)
        assert (awake.state, awake.snoozed_until) == ("pending", None)


def test_an_exclusion_stays(journal: Journal) -> None:
    with journal.write() as tx:
        db = notes(tx)
        number = queued(tx, db, "a", excluded=True)
        queued(tx, db, "a", leafset=[A, C])
        assert conflicts.get(tx, number).excluded
        assert not conflicts.exclude(tx, number, False, 20).excluded


def test_a_document_has_one_open_conflict(journal: Journal) -> None:
    with journal.write() as tx:
        db = notes(tx)
        first = queued(tx, db, "a")
        conflicts.set_state(tx, first, "resolved", 11)
        second = queued(tx, db, "a", 12)
        assert second != first
        assert [one.id for one in conflicts.of_document(tx, db, "a")] == [second, first]
        with pytest.raises(UsageError, match=f"conflict {second} is open now"):
            conflicts.set_state(tx, first, "pending", 13)
        with pytest.raises(UsageError, match="cannot be snoozed"):
            conflicts.snooze(tx, first, 99, 13)
        with pytest.raises(UsageError, match="no conflict 999"):
            conflicts.get(tx, 999)


def test_what_is_looked_for_is_found_in_order(journal: Journal) -> None:
    chance = random.Random(1)
    with journal.write() as tx:
        for name in ("one", "two", "three"):
            db = databases.register(tx, name, f"http://h/{name}", 1).id
            found = [
                finding(
                    f"Doc_{number}",
                    type=chance.choice(get_args(ConflictType)),
                    severity=chance.choice(SEVERITIES),
                    eligible=chance.random() < 0.2,
                    fields=chance.sample(["title", "body", "tags"], 2),
                    devices=chance.sample(["phone", "laptop", "tv"], 1),
                )
                for number in range(60)
            ]
            for batch in (found[:20], found[20:40], found[40:]):
                conflicts.queue(tx, db, batch, chance.randrange(5))
        everything = conflicts.listed(tx, Wanted(state=ANY), limit=1000).conflicts
        assert len(everything) == 180
        for one in everything:
            if chance.random() < 0.5:
                conflicts.set_state(tx, one.id, chance.choice(STATES), 9)
    assert check(journal).problems == ()
    with journal.read() as tx:
        every = conflicts.listed(tx, Wanted(state=ANY), limit=1000).conflicts
        kinds: dict[str, list[Any]] = {
            "database": [None, "one"],
            "type": [None, "edit_edit"],
            "severity": [None, "low", "critical"],
            "state": [None, ANY, "failed", "resolved"],
            "field": [None, "title"],
            "device": [None, "tv"],
            "eligible": [None, True],
            "text": [None, "doc_1"],
        }
        wants = [
            Wanted(**dict(zip(kinds, values, strict=True)))
            for values in itertools.product(*kinds.values())
        ]
        for wanted in chance.sample(wants, 50):
            expected = sorted(
                (one for one in every if matches(one, wanted)),
                key=lambda one: (
                    -[*SEVERITIES].index(cast(Any, one.severity)),
                    one.first_seen,
                    one.id,
                ),
            )
            assert pages(tx, wanted, chance.choice([3, 50])) == expected, wanted


def matches(one: Conflict, wanted: Wanted) -> bool:
    """Whether a conflict is wanted, told one by one."""
    is_wanted = wanted.state == ANY or one.state == wanted.state
    return (
        (one.state in OPEN if wanted.state is None else is_wanted)
        and wanted.database in (None, one.database)
        and wanted.type in (None, one.type)
        and wanted.severity in (None, one.severity)
        and wanted.eligible in (None, one.eligible)
        and (wanted.field is None or wanted.field in one.fields)
        and (wanted.device is None or wanted.device in one.devices)
        and (wanted.text is None or wanted.text.lower() in one.document.lower())
    )


def pages(tx: Connection, wanted: Wanted, limit: int) -> list[Conflict]:
    """Everything that is wanted, page by page."""
    found: list[Conflict] = []
    cursor: str | None = None
    while True:
        page = conflicts.listed(tx, wanted, limit, cursor)
        assert len(page.conflicts) <= limit
        found += page.conflicts
        cursor = page.cursor
        if cursor is None:
            return found


def test_what_there_is_not(journal: Journal) -> None:
    with journal.read() as tx:
        for wanted in (Wanted(database="x"), Wanted(state="x"), Wanted(severity="x")):
            with pytest.raises(UsageError, match="no"):
                conflicts.listed(tx, wanted)
        with pytest.raises(UsageError, match="no cursor"):
            conflicts.listed(tx, after="x")
        assert conflicts.listed(tx, Wanted(field="x", type="x")).conflicts == []
