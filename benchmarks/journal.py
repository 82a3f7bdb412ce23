"""The journal among many conflicts beside the same journal among few."""

from __future__ import annotations

import hashlib
import itertools
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from benchmarks.measuring import Kind, Row, hold, in_turns, seconds
from couchmend.core.revtree import Rev
from couchmend.journal import archive, conflicts, databases
from couchmend.journal.conflicts import Finding, Wanted
from couchmend.journal.opening import Journal, open_journal

GROUP = "journal"
DATABASES = 10
FIELDS = ("title", "body", "tags", "status", *(f"field {number}" for number in range(300)))
DEVICES = tuple(f"device {number}" for number in range(200))
LIMIT = 3.0
"""How many times as long anything may take when there is a hundred times as much."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    few: int = 10_000
    many: int = 1_000_000
    batch: int = 500
    rounds: int = 7


TINY = Size(few=100, many=300, batch=50, rounds=1)


def measure(*, tiny: bool) -> list[Row]:
    """Every row of the journal."""
    size = TINY if tiny else Size()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="couchmend-bench-")))
        few, many = (
            stack.enter_context(_filled(folder / f"{number}.db", number, size.batch))
            for number in (size.few, size.many)
        )
        looked = [
            _row(what, size, partial(_read, many, work), partial(_read, few, work))
            for what, work in _lookups(size.batch)
        ]
        written = [
            _row(what, size, partial(work, many), partial(work, few))
            for what, work in _writes(size)
        ]
        return looked + written


def _row(what: str, size: Size, ours: Callable[[], float], beside: Callable[[], float]) -> Row:
    left, right = in_turns(size.rounds, ours, beside)
    note = f"{size.many:,} conflicts beside {size.few:,}"
    return Row(GROUP, what, Kind.GROWTH, LIMIT, left, f"among {size.few:,}", right, note=note)


def _read(journal: Journal, work: Callable[[Connection], object]) -> float:
    with journal.read() as tx:
        return seconds(lambda: work(tx))


def _lookups(batch: int) -> list[tuple[str, Callable[[Connection], object]]]:
    def page(**wanted: str) -> Callable[[Connection], object]:
        return lambda tx: conflicts.listed(tx, Wanted(**wanted))  # type: ignore[arg-type]

    named = [f"doc-{number}" for number in range(batch)]
    return [
        ("a page of the queue", page()),
        ("a page of one database", page(database="db 3")),
        ("a page of a rare type and severity", page(type="checksum_mismatch", severity="low")),
        ("a page of a frequent field", page(field="title")),
        ("a page of a rare field in one database", page(field="field 7", database="db 3")),
        ("all counts", conflicts.counts),
        ("what is due", lambda tx: conflicts.due(tx, 1, 1 << 62, limit=100)),
        (f"the archive of {batch} documents", lambda tx: archive.kept(tx, 1, named)),
    ]


def _writes(size: Size) -> list[tuple[str, Callable[[Journal], float]]]:
    numbers = itertools.count(1 << 40)
    chance = random.Random(2)  # the same every time

    def queue(journal: Journal) -> float:
        found = [_finding(next(numbers), chance) for _ in range(size.batch)]
        return seconds(lambda: _queue(journal, found))

    def settle(journal: Journal) -> float:
        rows = {f"doc-{next(numbers)}": "0" * 32 for _ in range(size.batch * 2)}
        return seconds(lambda: _settle(journal, rows))

    return [
        (f"queue {size.batch} new conflicts", queue),
        (f"settle {size.batch * 2} rows", settle),
    ]


def _queue(journal: Journal, found: list[Finding]) -> None:
    with journal.write() as tx:
        hold(len(conflicts.queue(tx, 1, found, 1)), len(found))


def _settle(journal: Journal, rows: dict[str, str]) -> None:
    with journal.write() as tx:
        databases.settle(tx, 1, rows)


# --- a journal with so many conflicts


def _filled(path: Path, number: int, batch: int) -> Journal:
    journal = open_journal(f"sqlite:///{path}")
    chance = random.Random(1)  # the same every time
    with journal.write() as tx:
        known = [
            databases.register(tx, f"db {one}", f"http://localhost/db{one}", 1).id
            for one in range(DATABASES)
        ]
    for start in range(0, number, batch):
        found = [_finding(one, chance) for one in range(start, min(start + batch, number))]
        with journal.write() as tx:
            database = known[start // batch % DATABASES]
            conflicts.queue(tx, database, found, start)
            archive.keep(tx, database, {one.document: _kept(one) for one in found}, start)
    return journal


def _finding(number: int, chance: random.Random) -> Finding:
    document = f"doc-{number}"
    return Finding(
        document=document,
        type=chance.choices(
            ["edit_edit", "edit_delete", "merge_candidates", "checksum_mismatch"], [60, 20, 19, 1]
        )[0],
        severity=chance.choices(["low", "medium", "high", "critical"], [60, 25, 12, 3])[0],
        hidden=False,
        leaves=2,
        fields=chance.sample(FIELDS, 2) if chance.random() < 0.5 else ["title"],
        devices=chance.sample(DEVICES, 2),
        suggested="manual",
        eligible=chance.random() < 0.05,
        reason="a person decides",
        sentence="the versions changed title in different ways",
        policy="default",
        policy_digest="0" * 32,
        digest=_hash(document),
        leafset=[Rev(2, _hash(document + side)) for side in "ab"],
        row_digest=_hash(document + "row"),
        details={"checks": [{"name": "mode", "passed": False, "sentence": "mode is observe"}]},
    )


def _kept(found: Finding) -> Iterator[archive.Archived]:
    first = found.leafset[0]
    yield archive.Archived(first, (first,), False, {"title": found.digest, "done": False})


def _hash(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
