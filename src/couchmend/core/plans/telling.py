"""Revisions in the sentences that plans say of themselves."""

from __future__ import annotations

from collections.abc import Collection

from couchmend.core.merging.telling import listed
from couchmend.core.revtree import Rev

_SHOWN_DIGITS = 6


def label(rev: Rev) -> str:
    """A revision by its first digits."""
    return f"{rev.generation}-{rev.hash[:_SHOWN_DIGITS]}"


def labels(revs: Collection[Rev]) -> str:
    """Several, at least one."""
    return listed([label(rev) for rev in revs])


def are(revs: Collection[object], what: str) -> str:
    """What is said of one or of several: `is deleted`, `are deleted`."""
    return f"{'is' if len(revs) == 1 else 'are'} {what}"
