"""The table, for people and for programs."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from benchmarks.measuring import Kind, Row
from couchmend.core.document import Doc

TIMES = "×"


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured, where, and what must be known to read it."""

    rows: Sequence[Row]
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    remarks: Sequence[str]

    def as_json(self) -> Doc:
        """Everything, each round included."""
        return {
            "machine": dict(self.machine),
            "versions": dict(self.versions),
            "remarks": list(self.remarks),
            "rows": [_row_as_json(row) for row in self.rows],
        }

    def as_markdown(self) -> str:
        """A table for each group, and what must be known to read them."""
        return "\n".join([*self._lines(), ""])

    def _lines(self) -> Iterator[str]:
        yield "# How fast"
        yield ""
        rounds = sorted({len(row.ours) for row in self.rows})
        yield "Made by `make bench` or `make bench-couchdb`.  Both sides ran in turns in one run;"
        yield f"figures are medians of {' or '.join(map(str, rounds))} rounds, in brackets the"
        yield "least and the largest of single rounds.  Rows without a target are for information."
        for group, rows in groupby(self.rows, key=lambda row: row.group):
            yield from ("", f"## {group[:1].upper()}{group[1:]}", "")
            yield "| | couchmend | beside | | figure | must reach | |"
            yield "|---|--:|--:|---|--:|--:|---|"
            yield from map(_line, rows)
        for title, facts in (("Machine", self.machine), ("Versions", self.versions)):
            yield from ("", f"## {title}", "")
            yield from (f"- {name}: {value}" for name, value in facts.items())
        yield from ("", "## To read this", "")
        yield from (f"- {remark}" for remark in self.remarks)


def _line(row: Row) -> str:
    cells = [
        f"{row.what} ({row.note})" if row.note else row.what,
        _side(row, row.ours),
        _side(row, row.beside) if row.beside else "—",
        row.beside_name,
        _figure(row),
        _target(row),
        {True: "met", False: "**missed**", None: ""}[row.is_met()],
    ]
    return f"| {' | '.join(cells)} |"


def _side(row: Row, times: Sequence[float]) -> str:
    median = statistics.median(times)
    if row.amount is not None:
        return f"{row.amount / median:,.0f} {row.unit}/s"
    return f"{median * 1000:,.1f} ms" if median < 1 else f"{median:,.2f} s"


def _figure(row: Row) -> str:
    figure, span = row.figure(), row.span()
    if figure is None or span is None:
        return row.absent or "—"
    least, largest = span
    if row.kind is Kind.EXTRA:
        return f"{figure:.3f} s more ({least:.3f}–{largest:.3f})"
    digits = 0 if figure >= 20 else 1 if figure >= 10 else 2
    return f"{figure:,.{digits}f} {TIMES} ({least:,.{digits}f}–{largest:,.{digits}f})"


def _target(row: Row) -> str:
    if row.target is None:
        return ""
    match row.kind:
        case Kind.SPEED:
            return f"≥ {row.target:g} {TIMES}"
        case Kind.GROWTH:
            return f"≤ {row.target:g} {TIMES}"
        case Kind.EXTRA:
            return f"≤ {row.target:g} s more"


def _row_as_json(row: Row) -> Doc:
    return {
        "group": row.group,
        "what": row.what,
        "kind": row.kind.value,
        "couchmend_seconds": list(row.ours),
        "beside": row.beside_name,
        "beside_seconds": list(row.beside),
        "beside_absent": row.absent or None,
        "amount": row.amount,
        "unit": row.unit or None,
        "figure": row.figure(),
        "target": row.target,
        "met": row.is_met(),
        "note": row.note or None,
    }
