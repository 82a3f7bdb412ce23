"""By which fields and devices a conflict is found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, insert

from couchmend.journal.columns import key
from couchmend.journal.conflict_rows import Conflict, rank
from couchmend.journal.tables import conflict_labels

FIELD: Final = "field"
DEVICE: Final = "device"

_PLACE = ("label_key", "open", "rank", "first_seen", "conflict_id")


def relabel(tx: Connection, changes: Iterable[tuple[Conflict | None, Conflict | None]]) -> None:
    """Find conflicts as they are now, and no longer as they were; None stands for not at all."""
    gone: list[dict[str, Any]] = []
    come: list[dict[str, Any]] = []
    for old, new in changes:
        before, after = _rows(old), _rows(new)
        if before != after:
            gone += before
            come += after
    if gone:
        c = conflict_labels.c
        which = [c[name] == bindparam(f"old_{name}") for name in _PLACE]
        places = [{f"old_{name}": row[name] for name in _PLACE} for row in gone]
        tx.execute(delete(conflict_labels).where(*which), places)
    if come:
        tx.execute(insert(conflict_labels), come)


def _rows(conflict: Conflict | None) -> Sequence[dict[str, Any]]:
    if conflict is None:
        return []
    keys = {key(FIELD, field) for field in conflict.fields}
    keys |= {key(DEVICE, device) for device in conflict.devices}
    return [
        {
            "label_key": one,
            "open": conflict.is_open,
            "rank": rank(conflict.severity),
            "first_seen": conflict.first_seen,
            "conflict_id": conflict.id,
            "database_id": conflict.database_id,
            "type": conflict.type,
        }
        for one in sorted(keys)
    ]
