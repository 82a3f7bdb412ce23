"""Which conflicts that wait are to be planned again, since something that decides about them is
another: the settings, or the time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

from couchmend.core.document import dumps
from couchmend.engine.finding.judging import Ground
from couchmend.journal import listing
from couchmend.journal.conflicts import Conflict
from couchmend.journal.opening import Journal

_AT_ONCE: Final = 500


def fingerprint(ground: Ground) -> str:
    """SHA-256, in hexadecimal, over the settings by which conflicts are planned."""
    policies = ground.policies
    names = ground.names
    chosen = policies.each if names is None else tuple(map(policies.named, names))
    rests_on = {
        "mode": ground.mode,
        "rollout": ground.rollout,
        "only_us": ground.only_us,
        "policies": [[policy.name, policy.digest] for policy in chosen],
        "default": policies.default.digest,
    }
    return hashlib.sha256(dumps(rests_on)).hexdigest()


def with_purges(fingerprint: str, purge_seq: str) -> str:
    """A fingerprint that is another, too, after something was purged: that leaves no row in the
    feed.

    purge_seq: as `DatabaseInfo` has it; what follows its number is another with each request.
    """
    return f"{fingerprint}-{purge_seq.partition('-')[0]}"


def is_planned_by(known: str, fingerprint: str) -> bool:
    """Whether a fingerprint with purges is of these settings."""
    return known.partition("-")[0] == fingerprint


def all_open(journal: Journal, database_id: int, newest: int) -> Iterator[list[Conflict]]:
    """The open conflicts up to a number, in pages."""
    after = 0
    while True:
        with journal.read() as tx:
            page = listing.open_of(tx, database_id, after, _AT_ONCE)
        older = [one for one in page if one.id <= newest]
        if older:
            yield older
        if len(page) < _AT_ONCE:
            return
        after = page[-1].id


def due(journal: Journal, database_id: int, now: int) -> Iterator[list[Conflict]]:
    """The conflicts whose time has come, in pages."""
    after: Conflict | None = None
    while True:
        with journal.read() as tx:
            page = listing.due(tx, database_id, now, _AT_ONCE, after)
        if page:
            yield page
        if len(page) < _AT_ONCE:
            return
        after = page[-1]


def leaves_of(conflict: Conflict) -> list[str]:
    """As many revisions as a document has leaves; how many decides how it is read."""
    known = [str(rev) for rev in conflict.leafset]
    return known + [""] * (conflict.leaves - len(known))
