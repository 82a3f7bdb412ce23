"""The third step: the losers of confirmed merges are deleted, each as the leaf that was read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from couchmend.core.plans.writes import Tombstone
from couchmend.core.revtree import Rev
from couchmend.engine.carrying.doubts import Pending, settle
from couchmend.engine.carrying.operations import Running
from couchmend.engine.carrying.reading import Present, leaves_now, present
from couchmend.engine.carrying.sending import clear, grouped, send
from couchmend.engine.carrying.site import Site
from couchmend.engine.carrying.work import Work
from couchmend.errors import ReplicaError
from couchmend.replica.base import Refused, Written

_ONE_BY_ONE = 3
"""So many tombstones of a document go in requests of their own: PouchDB, given two of one
document, may keep a leaf without a body where it refuses the first.  More go at once."""

_TOMBSTONE_BYTES = 200


@dataclass(slots=True, kw_only=True)
class _Grave(Pending):
    work: Work
    tombstone: Tombstone


def hold_bodyless(site: Site, works: Sequence[Work]) -> None:
    """Read the leaves of what is resolved without a write: only what is as it was read may be
    tombstoned."""
    waiting = [work for work in works if work.outcome is None and work.plan.write is None]
    try:
        leaves = leaves_now(site.replica, [work.document for work in waiting])
        for work in waiting:
            if leaves.get(work.document, frozenset()) == work.before:
                continue
            work.moved("the document changed meanwhile")
    except ReplicaError as problem:
        for work in waiting:
            if work.outcome is None:
                work.unavailable(problem)


def tombstone_losers(site: Site, running: Running, works: Sequence[Work]) -> None:
    """Delete the losers, and with plans that delete the document the winner after all others.

    Each work has then all of its tombstones, or an outcome.

    Raises:
        EngineRefused, TimedOut: what was not sent is as it was.
    """
    for turn in _turns(works):
        settle(
            site,
            running,
            turn,
            lambda some: _send(site, running, some),
            lambda some: _look(site, some),
        )


def _turns(works: Sequence[Work]) -> Iterator[list[_Grave]]:
    """What is sent together; looked at only when its turn comes."""
    for place in range(_ONE_BY_ONE):
        turn = [grave for work in _alive(works) for grave in _graves(work, place, place + 1)]
        if turn:
            yield turn
    turn = [grave for work in _alive(works) for grave in _graves(work, _ONE_BY_ONE, None)]
    if turn:
        yield turn
    turn = [
        _Grave(task=work, work=work, tombstone=tombstone)
        for work in _alive(works)
        for tombstone in work.plan.tombstones
        if tombstone.rev == work.plan.winner and tombstone.rev not in work.tombstones
    ]
    if turn:
        yield turn


def _alive(works: Sequence[Work]) -> list[Work]:
    return [work for work in works if work.outcome is None]


def _graves(work: Work, start: int, end: int | None) -> list[_Grave]:
    losers = [one for one in work.plan.tombstones if one.rev != work.plan.winner][start:end]
    return [
        _Grave(task=work, work=work, tombstone=one)
        for one in losers
        if one.rev not in work.tombstones
    ]


def _send(site: Site, running: Running, waiting: Sequence[_Grave]) -> None:
    for group in grouped((one, _TOMBSTONE_BYTES) for one in waiting):
        clear(site, running)
        for one in group:
            one.work.begun = True
        docs = [one.tombstone.document(one.work.document) for one in group]
        for one, row in zip(group, send(site, docs), strict=True):
            one.row = row
            match row:
                case Written(rev=rev, accepted=accepted):
                    _confirm(one, Rev.parse(rev))
                    one.work.accepted = one.work.accepted or accepted
                case Refused(error="forbidden" | "unauthorized"):
                    one.settled = True
                    one.work.refused(row.error, row.reason)


def _confirm(one: _Grave, rev: Rev) -> None:
    one.settled = True
    one.work.tombstones[one.tombstone.rev] = rev


def _look(site: Site, doubtful: Sequence[_Grave]) -> None:
    found: dict[str, Present] = {}
    for one in doubtful:
        work = one.work
        now = found.get(work.document)
        if now is None:
            now = found[work.document] = present(site.replica, work.document)
        _settle(one, now)


def _settle(one: _Grave, now: Present) -> None:
    """What became of a tombstone by what there is now; it stays unsettled where it is to be sent
    again."""
    work, loser = one.work, one.tombstone.rev
    found = tombstone_in(one.tombstone, now)
    if found is not None:
        _confirm(one, found)
        return
    if not now.tree.is_leaf(loser):
        one.settled = True
        if work.outcome is None:
            work.moved(moved_away(loser, now))
        return
    match one.row:
        case Refused(error="conflict"):
            one.settled = True
            if work.outcome is None:
                work.moved("the database says that it was edited meanwhile")
        case Refused(error=error, reason=reason):
            one.settled = True
            if work.outcome is None:
                work.refused(error, reason)
        case _ if loser != work.kept and now.live_from(work.kept) is None:
            one.settled = True
            if work.outcome is None:
                work.moved(f"{work.kept} is not there any more")


def tombstone_in(tombstone: Tombstone, now: Present) -> Rev | None:
    """The revision that a tombstone became, if it is there: under the expected name, or on a
    server that hashes otherwise, the deletion of that leaf that says nothing."""
    if tombstone.expected in now.tree:
        return tombstone.expected
    for rev in now.children(tombstone.rev):
        if rev in now.dead and not now.bodies.get(rev, {"": "not read"}):
            return rev
    return None


def moved_away(loser: Rev, now: Present) -> str:
    """What is told of a loser that is no leaf any more."""
    if loser in now.tree:
        return f"{loser} was edited or deleted meanwhile"
    return f"{loser} is not there any more"
