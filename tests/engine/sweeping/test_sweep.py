"""A sweep finds what is new, keeps every version, and resolves what may be."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from couchmend.core.plans.assessing import assess
from couchmend.core.revtree import Rev
from couchmend.engine.carrying import Resolved
from couchmend.engine.hooks import Hooks
from couchmend.errors import EngineRefused, Unavailable
from couchmend.events import ConflictDetected, Event, ResolutionPlanned, SweepFinished
from couchmend.journal import databases, records, resolutions
from couchmend.journal.opening import open_journal
from couchmend.replica.base import ChangesPage, ChangesQuery, Replica, Rows
from couchmend.replica.embedded import EmbeddedReplica
from couchmend.replica.replicate import replicate
from couchmend.settings import Work
from tests.engine.sites import branch, fork
from tests.engine.swept import (
    HOUR,
    NAME,
    SECOND,
    House,
    at,
    house,
    live,
    picture,
    policy,
    task,
    winners,
)


def mergeable(replica: Replica, id: str) -> list[Rev]:
    """A document that two devices edited in different places."""
    return fork(
        replica,
        id,
        task(),
        task(title="read", updatedAt=at(60)),
        task(notes="soon", updatedAt=at(200)),
    )


def contested(replica: Replica, id: str) -> list[Rev]:
    """A document whose status two devices set to different values, at about the same time."""
    return fork(
        replica,
        id,
        task(),
        task(status="done", updatedAt=at(60)),
        task(status="later", updatedAt=at(61)),
    )


# --- finding


def test_what_is_found_is_queued_with_all_versions_kept(anywhere: House) -> None:
    replica = anywhere.replica
    sides = mergeable(replica, "a")
    first = Rev.parse(replica.put({"_id": "plain", **task()}))
    branch(replica, "plain", [first], task(notes="alone"))
    before = picture(replica)
    report = anywhere.sweep(mode="observe")
    assert (report.outcome, report.rows, report.detected) == ("done", 2, 1)
    assert report.by_type == {"merge_candidates": 1}
    assert report.waiting == {"low": 1}
    assert report.reasons == {"mode": 1}
    assert picture(replica) == before
    (conflict,) = anywhere.open().values()
    assert conflict.state == "pending"
    assert (conflict.type, conflict.suggested) == ("merge_candidates", "merge")
    assert set(conflict.leafset) == set(sides)
    kept = anywhere.kept("a")
    assert {rev for rev in kept if rev.generation == 2} == set(sides)
    assert all(kept[rev].body is not None for rev in sides)
    if len(kept) == 3:  # a CouchDB may have dropped the ancestor's body by now
        assert {rev.generation for rev in kept} == {1, 2}
    assert kept[sides[0]].chain[0] == sides[0]
    assert len(kept[sides[0]].chain) == 2


def test_trap_9_a_deletion_that_couchdb_does_not_list(anywhere: House) -> None:
    replica = anywhere.replica
    first = Rev.parse(replica.put({"_id": "a", **task()}))
    replica.delete("a", str(first))
    branch(replica, "a", [first], task(title="kept"))
    assert "_conflicts" not in replica.get("a", conflicts=True)
    report = anywhere.sweep(mode="observe")
    assert report.by_type == {"edit_delete": 1}
    assert anywhere.open()["a"].hidden
    assert anywhere.open()["a"].suggested == "preserve-non-deleted"


def test_trap_10_how_an_earlier_conflict_was_resolved_is_none(anywhere: House) -> None:
    replica = anywhere.replica
    one, other = mergeable(replica, "a")
    winner = Rev.parse(replica.get("a")["_rev"])
    merged = replica.put({"_id": "a", "_rev": str(winner), **task(title="merged")})
    replica.delete("a", str(other if winner == one else one))
    report = anywhere.sweep(mode="observe")
    assert (report.candidates, report.detected) == (1, 0)
    assert anywhere.open() == {}
    assert live(replica, "a") == [merged]


def test_a_row_whose_leaves_are_all_dead_is_no_conflict(anywhere: House) -> None:
    replica = anywhere.replica
    for rev in mergeable(replica, "a"):
        replica.delete("a", str(rev))
    report = anywhere.sweep()
    assert (report.rows, report.candidates, report.detected) == (1, 0, 0)


def test_what_is_settled_is_passed_over(home: House) -> None:
    mergeable(home.replica, "a")
    home.sweep(mode="observe")
    home.replica.put({"_id": "b"})
    number = home.database.id
    with home.journal.write() as tx:  # as if the checkpoint had not been noted
        databases.advance(tx, number, databases.START, 0)
    report = home.sweep(mode="observe")
    assert (report.rows, report.candidates) == (2, 0)
    assert home.sweep(mode="observe", full=True).candidates == 1


def test_trap_33_nothing_new_is_seen_by_rows_not_by_sequences(anywhere: House) -> None:
    mergeable(anywhere.replica, "a")
    anywhere.sweep()
    anywhere.sweep()
    anywhere.replica.put_local("checkpoint", {"of": "somebody"})
    report = anywhere.sweep()
    assert (report.rows, report.candidates, report.detected) == (0, 0, 0)


def test_a_change_of_the_leaves_is_a_new_version_of_the_same_conflict(home: House) -> None:
    one, _ = contested(home.replica, "a")
    home.sweep(mode="observe")
    before = home.open()["a"]
    home.replica.put({"_id": "a", "_rev": str(one), **task(status="gone")})
    report = home.sweep(mode="observe")
    after = home.open()["a"]
    assert report.detected == 1
    assert (after.id, after.version) == (before.id, before.version + 1)
    assert after.first_seen == before.first_seen


def test_more_versions_than_a_bulk_read_takes(home: House) -> None:
    first = Rev.parse(home.replica.put({"_id": "a", **task()}))
    for number in range(120):
        branch(home.replica, "a", [first], task(points=number))
    home.sweep()
    conflict = home.open()["a"]
    assert conflict.leaves == 120
    assert not conflict.eligible
    assert len(home.kept("a")) >= 120


def test_trap_22_design_documents_are_never_automatic(home: House) -> None:
    fork(home.replica, "_design/x", {"language": "query"}, {"language": "query", "a": 1},
         {"language": "query", "b": 2})  # fmt: skip
    report = home.sweep()
    assert (report.detected, report.resolved) == (1, 0)
    assert report.reasons == {"design": 1}


def test_traps_16_and_32_a_forgotten_history_is_no_ancestor(home: House) -> None:
    replica = home.replica
    branch(replica, "a", [Rev(2, "b" * 32), Rev(1, "a" * 32)], task(title="1"))
    doc = {"_id": "a", "_rev": f"7-{'f' * 32}", **task(title="7", updatedAt=at(900))}
    doc["_revisions"] = {"start": 7, "ids": ["f" * 32, "e" * 32, "d" * 32]}
    assert replica.bulk_docs([doc], new_edits=False) == []
    report = home.sweep()
    assert (report.by_type, report.resolved) == ({"version_mismatch": 1}, 0)
    assert len(live(replica, "a")) == 2


# --- what is over


def test_what_was_resolved_elsewhere_is_closed(home: House) -> None:
    one, other = contested(home.replica, "a")
    home.sweep(mode="suggest")
    loser = other if str(one) == home.replica.get("a")["_rev"] else one
    home.replica.delete("a", str(loser))
    report = home.sweep(mode="suggest")
    assert (report.closed, report.waiting) == (1, {})
    assert home.of("a")[0].state == "resolved"
    assert [event.name for event in home.events].count("conflict.closed") == 1


def test_what_was_deleted_altogether_is_closed(home: House) -> None:
    sides = contested(home.replica, "a")
    home.sweep(mode="suggest")
    for rev in sides:
        home.replica.delete("a", str(rev))
    assert home.sweep(mode="suggest").closed == 1
    assert home.of("a")[0].state == "resolved"


def test_trap_36_a_purge_leaves_no_row(anywhere: House) -> None:
    sides = contested(anywhere.replica, "a")
    anywhere.sweep(mode="observe")
    anywhere.replica.purge({"a": [str(rev) for rev in sides]})
    report = anywhere.sweep(mode="suggest")  # another mode: everything is planned again
    assert report.closed == 1
    assert anywhere.of("a")[0].state == "vanished"


# --- planning again


def test_what_was_found_in_observe_is_resolved_in_auto(anywhere: House) -> None:
    mergeable(anywhere.replica, "a")
    assert anywhere.sweep(mode="observe").resolved == 0
    report = anywhere.sweep(mode="auto")
    assert (report.rows, report.detected, report.resolved) == (0, 0, 1)
    assert winners(anywhere.replica)["a"]["title"] == "read"
    assert winners(anywhere.replica)["a"]["notes"] == "soon"
    assert len(live(anywhere.replica, "a")) == 1


def test_rollout_only_adds(home: House) -> None:
    for number in range(60):
        mergeable(home.replica, f"d{number}")
    assert home.sweep(rollout=0.0).resolved == 0
    some = home.sweep(rollout=50.0).resolved
    assert 10 < some < 50
    assert home.sweep(rollout=50.0).resolved == 0
    assert home.sweep(rollout=100.0).resolved == 60 - some


def test_another_policy_is_tried_on_what_waits(home: House) -> None:
    contested(home.replica, "a")
    assert home.sweep().resolved == 0
    home.policies = policy(fields={"status": {"prefer": ["done", "later"]}})
    report = home.sweep()
    assert report.resolved == 1
    assert winners(home.replica)["a"]["status"] == "done"


def test_a_snooze_that_is_over(home: House) -> None:
    mergeable(home.replica, "a")
    home.sweep(mode="observe")
    with home.engine() as engine:
        until = home.clock.now() + HOUR
        engine.snooze(home.open()["a"].id, until, by="ann")
    assert home.sweep().resolved == 0
    assert home.open()["a"].state == "snoozed"
    home.clock.ahead = HOUR + SECOND
    assert home.sweep().resolved == 1


def test_excluded_and_skipped_ones_are_left_alone(home: House) -> None:
    for id in ("a", "b"):
        mergeable(home.replica, id)
    home.sweep(mode="suggest")
    with home.engine(mode="suggest") as engine:
        engine.exclude(home.open()["a"].id, by="ann")
        engine.skip(home.open()["b"].id, by="ann")
    assert home.sweep().resolved == 0
    assert home.open()["b"].state == "acknowledged"
    with home.engine() as engine:
        assert engine.exclude(home.open()["a"].id, False, by="ann").eligible
    assert home.sweep().resolved == 1
    assert set(home.open()) == {"b"}


def test_what_failed_is_tried_again_when_its_time_has_come(home: House) -> None:
    mergeable(home.replica, "a")
    home.sweep(mode="observe")
    conflict = home.open()["a"]
    from couchmend.journal import conflicts

    with home.journal.write() as tx:
        conflicts.set_state(
            tx, conflict.id, "failed", home.clock.now(), error="refused", attempts=2,
            next_attempt_at=home.clock.now() + HOUR,
        )  # fmt: skip
    assert home.sweep().resolved == 0
    home.clock.ahead = 2 * HOUR
    assert home.sweep().resolved == 1


# --- modes


def test_observe_writes_nothing_and_refuses_decisions(anywhere: House) -> None:
    mergeable(anywhere.replica, "a")
    before = picture(anywhere.replica)
    anywhere.sweep(mode="observe")
    with anywhere.engine(mode="observe") as engine:
        number = anywhere.open()["a"].id
        with pytest.raises(EngineRefused, match="observe"):
            engine.resolve(number, "suggested", by="ann")
        with pytest.raises(EngineRefused, match="observe"):
            engine.skip(number, by="ann")
        assert engine.preview(number, "merge").plan.ready
    assert picture(anywhere.replica) == before


def test_suggest_carries_out_what_a_person_orders(anywhere: House) -> None:
    mergeable(anywhere.replica, "a")
    contested(anywhere.replica, "b")
    assert anywhere.sweep(mode="suggest").resolved == 0
    with anywhere.engine(mode="suggest") as engine:
        a, b = (anywhere.open()[id].id for id in ("a", "b"))
        view = engine.view(a)
        assert isinstance(engine.resolve(a, "suggested", by="ann", digest=view.digest), Resolved)
        assert isinstance(engine.resolve(b, "keep-current", by="ann"), Resolved)
    assert len(live(anywhere.replica, "a")) == len(live(anywhere.replica, "b")) == 1
    assert anywhere.open() == {}
    with anywhere.journal.read() as tx:
        assert {one.by for one in resolutions.listed(tx)} == {"ann"}
        assert [one.action for one in records.accesses(tx)] == ["decided", "decided"]


def test_a_decision_on_an_outdated_view_is_refused(home: House) -> None:
    one, _ = contested(home.replica, "a")
    home.sweep(mode="suggest")
    with home.engine(mode="suggest") as engine:
        view = engine.view(home.open()["a"].id)
        home.replica.put({"_id": "a", "_rev": str(one), **task(status="new")})
        with pytest.raises(EngineRefused, match="another than the one"):
            engine.resolve(view.conflict.id, "keep-current", by="ann", digest=view.digest)
    assert len(live(home.replica, "a")) == 2


def test_many_are_decided_at_once_and_one_that_cannot_be_is_told(home: House) -> None:
    for id in ("a", "b"):
        mergeable(home.replica, id)
    contested(home.replica, "c")
    home.sweep(mode="suggest")
    numbers = {id: one.id for id, one in home.open().items()}
    with home.engine(mode="suggest") as engine:
        came = dict(engine.resolve_many([*numbers.values(), 4711], "merge", by="ann"))
    assert {id for id, number in numbers.items() if isinstance(came[number], Resolved)} == {
        "a",
        "b",
    }
    assert set(home.open()) == {"c"}
    assert "4711" in str(came[4711])


# --- what goes on meanwhile


def test_trap_4_the_winner_moves_between_reading_and_writing(home: House) -> None:
    sides = mergeable(home.replica, "a")
    edits = 0

    def meddle(event: Event) -> None:
        nonlocal edits
        if isinstance(event, ResolutionPlanned) and not edits:
            edits += 1
            winner = home.replica.get("a")
            home.replica.put({**winner, "points": 7})

    with home.engine() as engine:
        engine.events.subscribe(meddle)
        (first,) = engine.sweep([NAME]).each
        assert (first.resolved, edits) == (0, 1)
        assert len(live(home.replica, "a")) == 2
        (second,) = engine.sweep([NAME]).each
    assert second.resolved == 1
    merged = winners(home.replica)["a"]
    assert (merged["points"], merged["title"], merged["notes"]) == (7, "read", "soon")
    assert set(sides) <= set(home.kept("a"))


def test_pause_takes_effect_before_the_next_write(home: House) -> None:
    for number in range(3):
        mergeable(home.replica, f"d{number}")
    before = picture(home.replica)
    with home.engine() as engine:

        def pause(event: Event) -> None:
            if isinstance(event, ResolutionPlanned):
                engine.pause(NAME, by="ann")

        end = engine.events.subscribe(pause)
        (report,) = engine.sweep([NAME]).each
        end()
        assert (report.outcome, report.resolved) == ("done", 0)
        assert picture(home.replica) == before | {"_local": ["_local/couchmend"]}
        assert engine.sweep([NAME]).resolved == 0
        assert picture(home.replica) == before | {"_local": ["_local/couchmend"]}
        number = home.open()["d0"].id
        with pytest.raises(EngineRefused, match="paused"):
            engine.resolve(number, "merge", by="ann")
        engine.resume(NAME, by="ann")
        assert engine.sweep([NAME]).waiting == 0
    assert all(len(live(home.replica, f"d{number}")) == 1 for number in range(3))


def test_trap_13_what_keeps_coming_back_is_taken_out(home: House) -> None:
    resolved = 0
    home.replica.put({"_id": "a", **task()})
    for number in range(12):
        winner = home.replica.get("a", revs=True)
        start, hashes = winner["_revisions"]["start"], winner["_revisions"]["ids"]
        chain = [Rev(start - place, hash) for place, hash in enumerate(hashes)]
        body = {key: value for key, value in winner.items() if key[0] != "_"}
        home.replica.put({"_id": "a", "_rev": winner["_rev"], **body, "points": number + 2})
        branch(home.replica, "a", chain, {**body, "notes": f"again {number}"})
        report = home.sweep()
        resolved += report.resolved
        if not report.resolved:
            break
    assert resolved == 6
    assert report.reasons == {"loop": 1}
    assert "more than 5" in home.open()["a"].reason


def test_trap_20_tombstones_stay_and_are_not_found_again(home: House) -> None:
    mergeable(home.replica, "a")
    assert home.sweep().resolved == 1
    row = home.replica.changes(ChangesQuery(style="all_docs")).rows[-1]
    assert len(row.revs) == 2
    again = home.sweep()
    assert (again.candidates, again.detected) == (0, 0)
    assert home.sweep(full=True).detected == 0


def test_a_database_that_was_made_anew_starts_at_the_beginning(home: House) -> None:
    contested(home.replica, "old")
    home.sweep(mode="suggest")
    with EmbeddedReplica.open(":memory:", name=NAME) as anew:
        mergeable(anew, "new")
        home.replica.close()
        home.replica = anew
        number = home.database.id
        with home.journal.write() as tx:  # both were made within a second
            databases.restart(tx, number, "another")
            databases.advance(tx, number, "900-x", 0)
        report = home.sweep(mode="suggest")
        assert (report.detected, report.closed) == (1, 1)
        assert set(home.open()) == {"new"}
        assert [event.change for event in home.told("database.seen")] == ["recreated"]  # type: ignore[attr-defined]


def test_a_checkpoint_that_the_database_does_not_know(home: House) -> None:
    mergeable(home.replica, "a")
    home.sweep(mode="observe")
    number = home.database.id
    with home.journal.write() as tx:
        databases.advance(tx, number, "nonsense", 0)
    mergeable(home.replica, "b")
    report = home.sweep(mode="observe")
    assert (report.outcome, report.detected) == ("done", 1)
    assert "beginning" in report.notices[0]
    assert home.sweep(mode="observe").rows == 0


def test_a_policy_that_raises_leaves_the_conflict_to_a_person(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    mergeable(home.replica, "a")
    mergeable(home.replica, "b")
    genuine = assess

    def raising(doc: Any, *about: Any) -> Any:
        if doc.id == "a":
            raise ZeroDivisionError("from somebody's rule")
        return genuine(doc, *about)

    monkeypatch.setattr("couchmend.engine.finding.judging.assess", raising)
    report = home.sweep()
    assert (report.outcome, report.resolved, report.detected) == ("done", 1, 2)
    assert "ZeroDivisionError: from somebody's rule" in home.open()["a"].reason
    monkeypatch.undo()
    assert home.sweep(full=True).resolved == 1


def test_hooks_are_called_may_veto_and_may_fail(home: House) -> None:
    found: list[str] = []
    done: list[str] = []

    def failing(event: object) -> None:
        raise RuntimeError("a hook")

    home.hooks = Hooks(
        on_conflict=(failing, lambda event: found.append(event.document)),
        on_plan=(
            failing,
            lambda order: "not this one" if order.doc.id == "a" else None,
        ),
        on_resolved=(failing, lambda event: done.append(event.document)),
    )
    for id in ("a", "b"):
        mergeable(home.replica, id)
    report = home.sweep()
    assert (report.outcome, report.resolved) == ("done", 1)
    assert (sorted(found), done) == (["a", "b"], ["b"])
    assert len(live(home.replica, "a")) == 2
    assert len(home.told("hook.failed")) >= 4


class Vanishing(EmbeddedReplica):
    """A database that is gone after some requests."""

    left = 1 << 30

    def change_pages(self, query: ChangesQuery, rows: int = 1000) -> Rows[ChangesPage]:
        for page in super().change_pages(query, rows):
            if self.left <= 0:
                raise Unavailable("it is gone", transient=True)
            self.left -= 1
            yield page


def test_a_database_that_disappears_in_mid_sweep(home: House) -> None:
    home.replica.close()
    with Vanishing.open(":memory:", name=NAME) as replica:
        home.replica = replica
        home.work = Work(page_rows=1, batch_documents=1)
        for number in range(5):
            contested(replica, f"d{number}")
        replica.left = 2
        report = home.sweep()
        assert (report.outcome, report.detected) == ("failed", 2)
        assert isinstance(report.error, Unavailable)
        replica.left = 1 << 30
        report = home.sweep()
        assert (report.outcome, report.rows, report.detected) == ("done", 3, 3)
        assert len(home.open()) == 5


def test_stopping_a_sweep_leaves_it_where_the_next_goes_on(home: House) -> None:
    home.work = Work(page_rows=1, batch_documents=1)
    for number in range(6):
        contested(home.replica, f"d{number}")
    stop = threading.Event()
    with home.engine() as engine:
        engine.events.subscribe(
            lambda event: stop.set() if isinstance(event, ConflictDetected) else None
        )
        (report,) = engine.sweep([NAME], stop=stop).each
        assert report.outcome == "stopped"
        assert 0 < len(home.open()) < 6
        assert engine.sweep([NAME]).each[0].rows < 6
    assert len(home.open()) == 6


def test_a_dry_run_writes_nothing_anywhere(home: House) -> None:
    mergeable(home.replica, "a")
    contested(home.replica, "b")
    before = picture(home.replica)
    report = home.sweep(dry_run=True)
    assert (report.outcome, report.would_resolve, report.detected) == ("done", 1, 2)
    assert report.by_strategy == {"merge": 1}
    assert report.resolved == 0
    assert picture(home.replica) == before
    with home.journal.read() as tx:
        assert databases.every(tx) == []
    assert home.events == []
    assert home.sweep().resolved == 1


def test_events_tell_what_happened_and_detections_are_recorded(home: House) -> None:
    mergeable(home.replica, "a")
    contested(home.replica, "b")
    home.sweep()
    names = [event.name for event in home.events]
    assert names.count("conflict.detected") == 2
    assert names.count("conflict.queued") == 1
    assert names.count("resolution.resolved") == 1
    (finished,) = home.told("sweep.finished")
    assert isinstance(finished, SweepFinished)
    assert (finished.rows, finished.resolved, finished.waiting) == (2, 1, 1)
    with home.journal.read() as tx:
        recorded = records.events_since(tx)
    assert {one.data["document"] for one in recorded} == {"a", "b"}
    assert all(one.data["elapsed"] >= 0 for one in recorded)


# --- other installations


def test_we_announce_us_and_warn_of_others(home: House) -> None:
    mergeable(home.replica, "a")
    assert home.sweep(mode="observe").notices == ()
    assert home.replica.local_docs() == []
    assert home.sweep(mode="suggest").notices == ()
    with house(home.replica, open_journal("sqlite://")).journal as other:
        theirs = House(home.replica, other)
        home.replica.put_local("couchmend", {"installation": "x", "at": home.clock.now()})
        assert "another couchmend" in theirs.sweep(mode="auto").notices[0]
    home.clock.ahead = 48 * HOUR
    home.replica.put_local("couchmend", {"installation": "x", "at": 1})
    assert home.sweep(mode="auto").notices == ()


# --- several installations


def _quiet(one: House, other: House) -> int:
    """Replicate and sweep on both sides until nothing happens; how many rounds it took."""
    for number in range(12):
        before = picture(one.replica), picture(other.replica)
        one.sweep()
        other.sweep()
        replicate(one.replica, other.replica)
        replicate(other.replica, one.replica)
        if before == (picture(one.replica), picture(other.replica)):
            return number
    pytest.fail("they did not come to rest")


def test_trap_13_two_engines_on_two_replicas_end_in_the_same_state(home: House) -> None:
    theirs = house()
    with theirs.replica as replica, theirs.journal:
        for number in range(8):
            mergeable(home.replica, f"d{number}")
        replicate(home.replica, replica)
        for number in range(0, 8, 2):  # one side goes on meanwhile
            shown = home.replica.get(f"d{number}")
            home.replica.put({**shown, "points": number + 10})
        assert _quiet(home, theirs) < 6
        assert winners(home.replica) == winners(replica)
        for number in range(8):
            id = f"d{number}"
            assert live(home.replica, id) == live(replica, id)
            assert len(live(replica, id)) == 1
            merged = winners(replica)[id]
            assert (merged["title"], merged["notes"]) == ("read", "soon")
            if number % 2 == 0:
                assert merged["points"] == number + 10
        assert home.open() == theirs.open() == {}


def test_counterexample_f_a_deleted_loser_that_somebody_else_merges(home: House) -> None:
    """W contains what L' says: only L' is tombstoned.  Elsewhere L, its parent, is merged into W:
    linear, and what L' took back stands again.  The journal tells."""
    replica = home.replica
    root = branch(replica, "a", [], task(title="0", notes="0"))
    w = branch(replica, "a", [root], task(title="0", notes="w"), hash="c" * 32)
    w2 = branch(replica, "a", [w, root], task(title="0", notes="w2"), hash="d" * 32)
    loser = branch(replica, "a", [root], task(title="l", notes="0"), hash="1" * 32)
    branch(replica, "a", [loser, root], task(title="0", notes="0"), hash="2" * 32)
    w3 = branch(replica, "a", [w2, w, root], task(title="0", notes="w3"), hash="e" * 32)
    assert home.sweep().resolved == 1
    assert live(replica, "a") == [str(w3)]  # without a body: a tombstone, no more
    # Somebody who knows W and L, but not L', merges L into it.
    merged = branch(replica, "a", [w3, w2, w, root], task(title="l", notes="w3"), hash="9" * 32)
    assert live(replica, "a") == [str(merged)]
    report = home.sweep()
    assert report.detected == 1
    found = home.open()["a"]
    assert not found.eligible
    assert "took in an older version" in found.sentence
    assert live(replica, "a") == [str(merged)]
    # It stays one conflict when the document is edited again, and ends when somebody says so.
    replica.put({**replica.get("a"), "points": 9})
    assert home.sweep().detected == 0
    assert home.open()["a"].id == found.id
    with home.engine() as engine:
        engine.skip(found.id, by="ann")
    replica.put({**replica.get("a"), "points": 10})
    assert home.sweep().detected == 0
    assert home.open()["a"].state == "acknowledged"


def test_our_own_merge_overtakes_nothing(home: House) -> None:
    home.policies = policy(fields={"points": "counter"})
    replica = home.replica
    fork(replica, "a", task(points=5), task(points=6), task(points=3))
    assert home.sweep().resolved == 1
    assert winners(replica)["a"]["points"] == 4
    replica.put({**replica.get("a"), "points": 7})
    report = home.sweep()
    assert (report.detected, home.open()) == (0, {})
