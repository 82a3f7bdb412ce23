"""The second step: the merges, each over the winner that it was made for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from couchmend.core.document import dumps
from couchmend.core.plans.writes import Write
from couchmend.core.revtree import Rev
from couchmend.engine.carrying.doubts import Pending, settle
from couchmend.engine.carrying.operations import Running
from couchmend.engine.carrying.reading import leaves_now, merge_in, present
from couchmend.engine.carrying.sending import carried_bytes, clear, document_of, grouped, send
from couchmend.engine.carrying.site import Site
from couchmend.engine.carrying.work import Work
from couchmend.replica.base import Refused, Written


@dataclass(slots=True, kw_only=True)
class _Merge(Pending):
    work: Work
    write: Write


def write_merges(site: Site, running: Running, works: Sequence[Work]) -> None:
    """Write what the plans merge; each work has then a `written` revision or an outcome, unless
    its plan writes nothing.

    Raises:
        EngineRefused, TimedOut: what was not sent is as it was.
    """
    waiting = [
        _Merge(task=work, work=work, write=work.plan.write)
        for work in works
        if work.outcome is None and work.written is None and work.plan.write is not None
    ]
    if waiting:
        settle(
            site,
            running,
            waiting,
            lambda some: _send(site, running, some),
            lambda some: _look(site, some),
        )


def _send(site: Site, running: Running, waiting: Sequence[_Merge]) -> None:
    for group in grouped((one, _size(one)) for one in waiting):
        docs = [document_of(site, one.work.document, one.write, one.work.contents) for one in group]
        clear(site, running)
        for one in group:
            one.work.begun = True
        for one, row in zip(group, send(site, docs), strict=True):
            one.row = row
            match row:
                case Written(rev=rev, accepted=accepted):
                    _confirm(one, Rev.parse(rev), accepted)
                case Refused(error="forbidden" | "unauthorized"):
                    one.settled = True
                    one.work.refused(row.error, row.reason)


def _size(one: _Merge) -> int:
    return len(dumps(one.write.fields)) + carried_bytes(one.write, one.work.contents)


def _confirm(one: _Merge, rev: Rev, accepted: bool = False) -> None:
    one.settled = True
    one.work.written = rev
    one.work.accepted = one.work.accepted or accepted


def _look(site: Site, doubtful: Sequence[_Merge]) -> None:
    leaves = leaves_now(site.replica, [one.work.document for one in doubtful])
    for one in doubtful:
        work = one.work
        if leaves.get(work.document) != work.before:
            now = present(site.replica, work.document)
            found = merge_in(site.replica, work.document, one.write, now, work.contents)
            if found is not None:
                _confirm(one, found)
                continue
            if not now.tree.is_leaf(one.write.parent):
                one.settled = True
                work.moved(f"{one.write.parent} was edited meanwhile, or is gone")
                continue
        match one.row:
            case Refused(error="conflict"):
                one.settled = True
                work.moved("the database says that it was edited meanwhile")
            case Refused(error=error, reason=reason):
                one.settled = True
                work.refused(error, reason)
