"""What `couchmend replica put` does: documents from a file into a database."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from couchmend.cli import output
from couchmend.core.document import JSON, Doc, loads
from couchmend.errors import (
    BadRequest,
    PreconditionFailed,
    ReplicaError,
    TooLarge,
    UsageError,
)
from couchmend.replica.base import Refused, Replica, Written

DOCUMENTS_AT_ONCE = 1000
BYTES_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True)
class _Item:
    """A document, the line that it stands on, and how many bytes it takes there."""

    line: int
    doc: Doc
    size: int


@dataclass(slots=True)
class Outcome:
    """How many documents were stored and how many refused."""

    stored: int = 0
    refused: int = 0


def put_documents(
    replica: Replica,
    source: BinaryIO,
    *,
    new_edits: bool,
    as_json: bool,
    advance: Callable[[int], None],
) -> Outcome:
    """Write the documents of a file in batches and report each one that is refused.

    The file holds one JSON document, or one a line.  `advance` is told how many bytes of it
    are done.
    """
    outcome = Outcome()
    for batch in _batches(_documents(source)):
        _write(replica, batch, outcome, new_edits=new_edits, as_json=as_json)
        advance(sum(item.size for item in batch))
    return outcome


def open_source(file: str, stack: ExitStack) -> tuple[BinaryIO, int | None]:
    """A file, or the standard input for `-`, and its size where it has one."""
    if file == "-":
        return sys.stdin.buffer, None
    path = Path(file)
    try:
        return stack.enter_context(path.open("rb")), path.stat().st_size
    except OSError as problem:
        raise UsageError(
            (problem.strerror or str(problem)).lower(), operation="read", target=file
        ) from problem


def _documents(source: BinaryIO) -> Iterator[_Item]:
    """The documents of a file: one, or one a line (empty lines are passed over)."""
    first = source.readline()
    while first and not first.strip():
        first = source.readline()
    if not first:
        return
    try:
        value = loads(first)
    except BadRequest:
        # The first line is no JSON by itself: one document, laid out over several lines.
        text = first + source.read()
        yield _Item(1, _document(text, 1), len(text))
        return
    yield _Item(1, _object(value, 1), len(first))
    for number, line in enumerate(source, 2):
        if line.strip():
            yield _Item(number, _document(line, number), len(line))


def _document(text: bytes, line: int) -> Doc:
    try:
        return _object(loads(text), line)
    except BadRequest as problem:
        raise UsageError(
            "not a JSON document", target=f"line {line}", hint=problem.hint
        ) from problem


def _object(value: JSON, line: int) -> Doc:
    if not isinstance(value, dict):
        raise UsageError(
            "not a JSON object",
            target=f"line {line}",
            hint="a document is {…}; give several on a line each",
        )
    return value


def _batches(items: Iterator[_Item]) -> Iterator[list[_Item]]:
    batch: list[_Item] = []
    size = 0
    try:
        for item in items:
            batch.append(item)
            size += item.size
            if len(batch) >= DOCUMENTS_AT_ONCE or size >= BYTES_AT_ONCE:
                yield batch
                batch, size = [], 0
    except UsageError:
        # What stands before the line that cannot be read is written; then the error is told.
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _write(
    replica: Replica, batch: list[_Item], outcome: Outcome, *, new_edits: bool, as_json: bool
) -> None:
    try:
        rows = replica.bulk_docs([item.doc for item in batch], new_edits=new_edits)
    except (BadRequest, TooLarge, PreconditionFailed) as problem:
        if len(batch) == 1:
            _report(batch[0], problem.error, _why(problem), as_json=as_json)
            outcome.refused += 1
            return
        # One document spoils its batch, and the error need not say which: each by itself.
        for item in batch:
            _write(replica, [item], outcome, new_edits=new_edits, as_json=as_json)
        return
    if new_edits:
        for item, row in zip(batch, rows, strict=True):
            _account(item, row, outcome, as_json=as_json)
    else:
        _account_for_revisions(batch, rows, outcome, as_json=as_json)


def _account(item: _Item, row: Written | Refused, outcome: Outcome, *, as_json: bool) -> None:
    match row:
        case Written(id=id, rev=rev):
            outcome.stored += 1
            if as_json:
                output.line({"ok": True, "id": id, "rev": rev})
        case Refused(error=error, reason=reason):
            outcome.refused += 1
            _report(item, error, reason, as_json=as_json)


def _account_for_revisions(
    batch: list[_Item], rows: list[Written | Refused], outcome: Outcome, *, as_json: bool
) -> None:
    """With `new_edits` off only refused rows come back, by id and revision."""
    refused = {(row.id, row.rev): row for row in rows if isinstance(row, Refused)}
    for item in batch:
        id, rev = item.doc.get("_id", ""), item.doc.get("_rev", "")
        row = refused.get((id, rev)) or refused.get((id, None))
        _account(item, row or Written(id, rev), outcome, as_json=as_json)


def _report(item: _Item, error: str, reason: str, *, as_json: bool) -> None:
    id = item.doc.get("_id", "")
    if as_json:
        output.line({"id": id, "error": error, "reason": reason, "line": item.line})
    else:
        output.complain(f"line {item.line}: {id}: {error}: {reason}")


def _why(problem: ReplicaError) -> str:
    return f"{problem.reason} ({problem.hint})" if problem.hint else problem.reason
