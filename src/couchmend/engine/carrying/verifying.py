"""The fourth step: what is in the database is what was to be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from couchmend.core.revtree import Rev
from couchmend.engine.carrying.reading import NOTHING, Present, present
from couchmend.engine.carrying.reviving import revive
from couchmend.engine.carrying.site import Site
from couchmend.engine.carrying.work import Work
from couchmend.errors import ReplicaError
from couchmend.journal import resolutions
from couchmend.replica.base import ChangesQuery

_LOOKS = 3
"""How often a revision is looked for that a database has confirmed and does not show."""


def sequence_now(site: Site) -> str:
    """Where the changes begin that are to come.  It is asked of the request that reads them:
    others call the same state by other names."""
    return site.replica.changes(ChangesQuery(since="now", limit=1, style="all_docs")).last_seq


def verify(site: Site, works: Sequence[Work], since: str | None) -> None:
    """Look at what is there; each work has an outcome then.

    since: the sequence before the first write; None to look at every document by itself.
    """
    waiting = [work for work in works if work.outcome is None]
    try:
        leaves = _leaves_since(site, waiting, since)
        for work in waiting:
            seen = leaves.get(work.document)
            if seen is not None and seen == wanted_leaves(work):
                work.seen = tuple(seen)
                work.resolved()
            elif seen is None and not _writes(work):
                work.resolved()
            else:
                _look(site, work)
    except ReplicaError as problem:
        for work in waiting:
            if work.outcome is None:
                work.unavailable(problem)


def _leaves_since(
    site: Site, works: Iterable[Work], since: str | None
) -> dict[str, frozenset[Rev]]:
    """The leaves of the documents that changed."""
    found: dict[str, frozenset[Rev]] = {}
    missing = {work.document for work in works if _writes(work)}
    if since is None or not missing:
        return found
    pages = site.replica.change_pages(ChangesQuery(since=since, style="all_docs", pending=False))
    try:
        for page in pages:
            for row in page.rows:
                if row.id in missing:
                    missing.discard(row.id)
                    found[row.id] = frozenset(map(Rev.parse, row.revs))
            if not missing:
                break
    finally:
        pages.close()
    return found


def _writes(work: Work) -> bool:
    return work.written is not None or bool(work.tombstones)


def wanted_leaves(work: Work) -> frozenset[Rev]:
    """The leaves that there are to be, if nobody else wrote."""
    left = set(work.before) - set(work.tombstones)
    if work.written is not None:
        left.discard(work.plan.winner)
        left.add(work.written)
    return frozenset(left | set(work.tombstones.values()))


def _look(site: Site, work: Work) -> None:
    """By the whole tree: the leaves are not those that were wanted, or nothing is seen of them."""
    now = present(site.replica, work.document)
    for attempt in range(_LOOKS - 1):
        if now is NOTHING or work.plan.deletes or work.kept in now.tree:
            break
        site.clock.sleep(site.first_pause_seconds * 2**attempt)
        now = present(site.replica, work.document)
    judge(site, work, now)


def judge(site: Site, work: Work, now: Present) -> None:
    """Give a work its outcome by what there is now."""
    unreadable = frozenset(work.plan.unreadable)
    live = None if work.plan.deletes else now.live_from(work.kept)
    others = [rev for rev in now.live if rev != live and rev not in unreadable]
    if others:
        if live is None and not work.plan.deletes and work.kept not in now.tree:
            work.unverified(f"{work.kept} is confirmed, and not to be seen")
        else:
            work.moved(f"there is another version, {others[0]}")
    elif live is not None or work.plan.deletes:
        work.resolved(edited=live not in (None, work.kept))
    elif now is NOTHING or not now.dead or _was_deleted(site, work, now):
        # Where not even our tombstones are left, somebody erased it.
        work.deleted_since()
    else:
        revive(site, work, now)


def _was_deleted(site: Site, work: Work, now: Present) -> bool:
    """Whether somebody else, or a person by our hands, deleted what was to live on."""
    if work.kept not in now.tree:
        # It may be beyond what the database remembers of a longer history.
        strange = now.dead - work.before - set(work.tombstones.values())
        return work.recovered or bool(strange)
    below = {rev for rev in now.dead if work.kept in now.tree.ancestry(rev)}
    with site.journal.read() as tx:
        known = resolutions.listed(
            tx, database=site.database.name, document=work.document, limit=1000
        )
    by_mistake: set[Rev] = set(work.tombstones.values())
    for one in known:
        deletes = one.plan is None or one.plan.get("winner") in [str(rev) for rev in one.tombstones]
        if not deletes:
            by_mistake.update(one.tombstones.values())
    return not below <= by_mistake
