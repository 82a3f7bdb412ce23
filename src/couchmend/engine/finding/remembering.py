"""What the journal remembers of documents that are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from couchmend.engine.finding.reading import Known
from couchmend.journal import acknowledging, archive, resolutions
from couchmend.journal.opening import Journal


def remembered(journal: Journal, database_id: int, documents: Sequence[str]) -> Mapping[str, Known]:
    """What is remembered of these documents, by id."""
    with journal.read() as tx:
        acknowledged = acknowledging.acknowledged(tx, database_id, documents)
        recorded = resolutions.recorded(tx, database_id, documents)
        kept = archive.kept(tx, database_id, documents)
        dead = resolutions.tombstones_of(tx, database_id, documents)
    known = {}
    for document in documents:
        archived = kept.get(document, {})
        tombstones = {rev for rev, one in archived.items() if one.deleted}
        tombstones.update(dead.get(document, {}).values())
        known[document] = Known(
            acknowledged.get(document, frozenset()),
            recorded.get(document, {}),
            {rev: one.body for rev, one in archived.items() if one.body is not None},
            frozenset(tombstones),
        )
    return known
