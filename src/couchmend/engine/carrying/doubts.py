"""Writes of which nobody knows whether they happened: first look, then send again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from couchmend.engine.carrying.operations import Running
from couchmend.engine.carrying.sending import Row, Unknown
from couchmend.engine.carrying.site import Site
from couchmend.engine.carrying.work import Task
from couchmend.errors import ReplicaError


@dataclass(slots=True)
class Pending:
    """A write of a task, and what the last request said of it; `settled` once it is known what
    became of it."""

    task: Task
    row: Row | None = None
    settled: bool = False


P = TypeVar("P", bound=Pending)


def settle(
    site: Site,
    running: Running,
    waiting: Sequence[P],
    send: Callable[[Sequence[P]], None],
    look: Callable[[Sequence[P]], None],
) -> None:
    """Write all of it, and settle each.  What cannot be settled leaves its work `unavailable`.

    send: sends what is given, and settles what is certain.
    look: reads what is given, and settles what need not, or must not, be sent again; raises
        `ReplicaError` where it cannot be read.

    Raises:
        EngineRefused, TimedOut: what was not sent is as it was.
    """
    send(waiting)
    left = _unsettled(waiting)
    for attempt in range(site.attempts):
        if not left:
            return
        _pause(site, running, attempt, left)
        try:
            look(left)
        except ReplicaError as problem:
            left = _unsettled(left)
            for one in left:
                one.row = Unknown(problem)
            if not problem.transient:
                break
            continue  # never send again without having looked
        left = _unsettled(left)
        if left and attempt + 1 < site.attempts:
            send(left)
            left = _unsettled(left)
    for one in left:
        one.settled = True
        if one.task.outcome is None:
            one.task.unavailable(_problem(one))


def _unsettled(among: Iterable[P]) -> list[P]:
    return [one for one in among if not one.settled]


def _problem(one: Pending) -> ReplicaError:
    if isinstance(one.row, Unknown):
        return one.row.problem
    return ReplicaError("it is not known whether it was written", target=one.task.document)


def _pause(site: Site, running: Running, attempt: int, left: Sequence[Pending]) -> None:
    problems = [one.row.problem for one in left if isinstance(one.row, Unknown)]
    if not problems:
        return
    asked = max((one.retry_after_seconds or 0.0 for one in problems), default=0.0)
    pause = max(asked, site.first_pause_seconds * 2**attempt)
    if running.may_pause(pause):
        site.clock.sleep(pause)
