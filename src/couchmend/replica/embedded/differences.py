"""`_revs_diff`: which revisions a database lacks."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from couchmend.core.revtree import Rev
from couchmend.replica.base import RevsDiff
from couchmend.replica.embedded.records import find_records


def revs_diff(
    connection: sqlite3.Connection, revs: Mapping[str, Sequence[str]]
) -> dict[str, RevsDiff]:
    """See `Replica.revs_diff`."""
    records = find_records(connection, revs)
    answer = {}
    for id, texts in revs.items():
        record = records.get(id)
        if record is None:
            missing, ancestors = [Rev.parse(text) for text in texts], []
        elif record.tree is None and len(texts) == 1 and texts[0] == record.winner:
            continue
        else:
            tree = record.revtree()
            missing = tree.missing(Rev.parse(text) for text in texts)
            ancestors = tree.possible_ancestors(missing)
        if missing:
            answer[id] = RevsDiff(tuple(map(str, missing)), tuple(map(str, ancestors)))
    return answer
