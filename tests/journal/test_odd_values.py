"""What no journal could keep is refused as wrong usage."""

from __future__ import annotations

import pytest

from couchmend.errors import CouchmendError, UsageError
from couchmend.journal import conflicts, listing, resolutions
from couchmend.journal.opening import Journal

HUGE = 10**30


def test_a_number_that_is_too_large(journal: Journal) -> None:
    with pytest.raises(CouchmendError, match="no number as large"), journal.read() as tx:
        conflicts.get(tx, HUGE)
    with pytest.raises(CouchmendError, match="no number as large"), journal.read() as tx:
        resolutions.get(tx, HUGE)
    with pytest.raises(CouchmendError, match="no number as large"), journal.read() as tx:
        resolutions.listed(tx, after=HUGE)


def test_a_text_that_is_none(journal: Journal) -> None:
    with pytest.raises(UsageError, match="not Unicode"), journal.read() as tx:
        listing.listed(tx, listing.Wanted(text="\udcff"), 10)
