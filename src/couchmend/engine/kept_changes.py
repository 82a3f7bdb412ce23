"""Changes of the configuration, kept in the journal."""

from __future__ import annotations

from collections.abc import Sequence

from couchmend.journal.opening import Journal
from couchmend.journal.records import record_config_change
from couchmend.reloading import Keep


def kept_in(journal: Journal) -> Keep:
    """What `Reloading` is given as `keep`."""

    def keep(at: int, by: str, changes: Sequence[str], refused: str) -> None:
        with journal.write() as tx:
            record_config_change(tx, at, by, changes, refused)

    return keep
