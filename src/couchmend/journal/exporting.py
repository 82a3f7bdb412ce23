"""Everything that the journal holds: as JSON lines for any program, or into another journal."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any, Final

from sqlalchemy import Connection, Table, func, insert, select, text

from couchmend.core.document import JSON, loads
from couchmend.core.revtree import Rev
from couchmend.errors import UsageError
from couchmend.journal.columns import unpack
from couchmend.journal.contents import unpacked
from couchmend.journal.opening import Journal
from couchmend.journal.tables import REVISION, content_chunks, contents, metadata

FORMAT: Final = 1

_AT_ONCE = 500
_CHUNKS_AT_ONCE = 4
_ONLY_HERE = frozenset({"leases", "operations"})
"""What is about processes that run now."""


def export(journal: Journal, *, with_contents: bool = True) -> Iterator[JSON]:
    """Everything, as of one instant: a header, each row of each table, a footer that counts them.

    Bodies and plans are JSON, contents of attachments base64 by pieces of a megabyte; digests
    are hexadecimal.

    with_contents: whether the contents of attachments are wanted.

    Raises:
        JournalError: the journal cannot be read, or something in it is damaged.
    """
    yield {"couchmend_journal": FORMAT, "version": REVISION}
    counts: dict[str, int] = {}
    with journal.read() as tx:
        for table in metadata.sorted_tables:
            if table is content_chunks and not with_contents:
                continue
            name = str(table.name)
            for row in _rows(tx, table):
                counts[name] = counts.get(name, 0) + 1
                yield {"table": name, "row": _shown(table, row)}
    yield {"rows": counts}


def _rows(tx: Connection, table: Table) -> Iterator[dict[str, Any]]:
    at_once = _CHUNKS_AT_ONCE if table is content_chunks else _AT_ONCE
    statement = select(table).order_by(*table.primary_key.columns)
    if table is content_chunks:  # those of contents that are not whole are nobody's
        statement = statement.join(contents).where(contents.c.digest.is_not(None))
    elif table is contents:
        statement = statement.where(contents.c.digest.is_not(None))
    rows = tx.execution_options(yield_per=at_once).execute(statement)
    for row in rows:
        yield {str(name): value for name, value in row._mapping.items()}


def _shown(table: Table, row: dict[str, Any]) -> JSON:
    if table.name == "bodies":
        return {**_plain(row), "body": loads(unpack(row["body"]))}
    if table is content_chunks:
        data = base64.b64encode(unpacked(row["data"])).decode()
        return {**_plain(row), "data": data}
    return _plain(row)


def _plain(row: dict[str, Any]) -> JSON:
    return {name: _plain_value(value) for name, value in row.items()}


def _plain_value(value: Any) -> JSON:
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, tuple):
        return [str(one) if isinstance(one, Rev) else one for one in value]
    return value


def copy(
    source: Journal, target: Journal, on_progress: Callable[[str, int], None] | None = None
) -> dict[str, int]:
    """Put everything that a journal holds into another, empty one, in one transaction there.

    Numbers stay, so what refers to a conflict or a resolution still does.  Nobody should write
    to the source meanwhile: what is written after the beginning is not copied.

    on_progress: is told of a table and how many rows of it were copied since it was told last.

    Returns how many rows of each table were copied.

    Raises:
        UsageError: the target is not empty.
        JournalError: one of them cannot be used; nothing is in the target then.
    """
    counts: dict[str, int] = {}
    with source.read() as old, target.write() as new:
        if new.scalar(select(func.count()).select_from(metadata.tables["databases"])):
            raise UsageError(
                "there is something in it already",
                operation="copy",
                target=target.url,
                hint="name an empty database, or a file that is not there",
            )
        for table in metadata.sorted_tables:
            if table.name in _ONLY_HERE:
                continue
            for batch in _batched(_rows(old, table), table):
                new.execute(insert(table), batch)
                counts[str(table.name)] = counts.get(str(table.name), 0) + len(batch)
                if on_progress is not None:
                    on_progress(str(table.name), len(batch))
            if "id" in table.c:
                _count_on(new, table)
    return counts


def _batched(rows: Iterator[dict[str, Any]], table: Table) -> Iterator[list[dict[str, Any]]]:
    at_once = _CHUNKS_AT_ONCE if table is content_chunks else _AT_ONCE
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == at_once:
            yield batch
            batch = []
    if batch:
        yield batch


def _count_on(tx: Connection, table: Table) -> None:
    """Let the next number be one that is not taken."""
    if tx.dialect.name != "postgresql":
        return  # SQLite sees to it
    highest = tx.scalar(select(func.max(table.c.id)))
    if highest is not None:
        tx.execute(
            text("SELECT setval(pg_get_serial_sequence(:table, 'id'), :highest)"),
            {"table": table.name, "highest": highest},
        )
