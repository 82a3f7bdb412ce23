"""The sums of a scan for people; plain text, since what draws tables takes a while to import."""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from couchmend.cli.output import plain

if TYPE_CHECKING:
    from couchmend.engine.finding.scan import Scanned, ScanReport
    from couchmend.engine.finding.targets import Target

_BEST = 8
_BAR = 24
_EIGHTHS = " ▏▎▍▌▋▊▉"
_COLOURS = {"critical": "1;31", "high": "31", "medium": "33", "low": "32"}
_MEANING = {
    "merge_candidates": "merge with nothing left to decide",
    "edit_edit": "changed one field in different ways",
    "edit_delete": "deleted here, edited there",
    "version_mismatch": "no common ancestor, or another schema",
    "checksum_mismatch": "a checksum does not verify",
}


@dataclass(frozen=True, slots=True)
class Summary:
    """What is summed up: the addresses as they were given, and what was found."""

    addresses: Sequence[str]
    reports: Sequence[ScanReport]
    targets: Sequence[Target]


def of_list(one: Scanned) -> str:
    """A conflict in one line."""
    hidden = "hidden" if one.hidden else ""
    fields = ", ".join(one.fields[:4]) + (", …" if len(one.fields) > 4 else "")
    severity = _coloured(f"{one.severity:8}", one.severity)
    return f"  {severity}  {one.type:17}  {hidden:6}  {plain(one.document)}  {plain(fields)}"


def summarised(summary: Summary, *, failed: int) -> str:
    """Everything, with what to do next."""
    return "\n".join([*_lines(summary, failed), ""])


def _lines(summary: Summary, failed: int) -> Iterator[str]:
    reports = summary.reports
    conflicts = sum(report.conflicts for report in reports)
    documents = sum(report.documents for report in reports)
    where = _many(len(reports), "database")
    if not reports:
        if not failed:
            yield "No databases."
        return
    if len(reports) == 1:
        where = plain(summary.targets[0].database)
    yield f"{where}: {_many(documents, 'document')}, {_many(conflicts, 'conflict')}"
    yield from _of_hidden(reports)
    if conflicts:
        yield from ("", *_types(reports))
        yield from _counts("field", [report.by_field for report in reports])
        pairs = [
            Counter({f"{one} ↔ {other}": n for (one, other), n in report.by_devices.items()})
            for report in reports
        ]
        yield from _counts("devices", pairs)
        yield from _databases(summary)
    yield from _troubles(reports)
    yield from ("", *_next(summary, conflicts, failed))


def _of_hidden(reports: Sequence[ScanReport]) -> Iterator[str]:
    hidden = sum(report.hidden for report in reports)
    if hidden:
        are = "is" if hidden == 1 else "are"
        yield f"{hidden:,} {are} hidden: a deletion against an edit, not listed in _conflicts"


def _types(reports: Sequence[ScanReport]) -> Iterator[str]:
    """Types by severity."""
    from couchmend.core.conflicts.severity import SEVERITIES

    both = Counter[tuple[str, str]]()
    for report in reports:
        both += report.by_both
    totals = Counter[str]()
    for (type, _), count in both.items():
        totals[type] += count
    order = list(reversed(SEVERITIES))
    yield _row("type", "conflicts", order)
    for type, total in totals.most_common():
        cells = [both[type, severity] for severity in order]
        texts = [
            _coloured(f"{count:>8,}", severity) if count else f"{'·':>8}"
            for count, severity in zip(cells, order, strict=True)
        ]
        yield f"  {type:17} {total:>9,}  {'  '.join(texts)}   {_MEANING[type]}"
    sums = [sum(count for (_, s), count in both.items() if s == severity) for severity in order]
    if len(totals) > 1:
        yield _row("all", f"{sum(sums):,}", [f"{count:,}" if count else "·" for count in sums])


def _row(first: str, total: str, cells: Sequence[str]) -> str:
    return f"  {first:17} {total:>9}  {'  '.join(f'{cell:>8}' for cell in cells)}"


def _counts(what: str, parts: Sequence[Counter[str]]) -> Iterator[str]:
    """The most frequent, with bars."""
    counts = Counter[str]()
    for part in parts:
        counts += part
    if not counts:
        return
    best = counts.most_common(_BEST)
    width = min(max(len(plain(name)) for name, _ in best), 40)
    yield ""
    yield f"  {what:{width}}  conflicts"
    for name, count in best:
        yield f"  {_cut(plain(name), width)}  {count:>9,}  {_bar(count / best[0][1])}"
    if len(counts) > len(best):
        yield f"  and {len(counts) - len(best):,} more"


def _databases(summary: Summary) -> Iterator[str]:
    """Those with conflicts, where there are several."""
    if len(summary.reports) < 2:
        return
    counts = Counter(
        {
            target.url: report.conflicts
            for target, report in zip(summary.targets, summary.reports, strict=True)
            if report.conflicts
        }
    )
    yield from _counts("database", [counts])


def _troubles(reports: Sequence[ScanReport]) -> Iterator[str]:
    unreadable = sum(report.unreadable + report.unread for report in reports)
    if unreadable:
        yield ""
        yield f"Of {_many(unreadable, 'document')} not all versions could be read:"
        problems = [problem for report in reports for problem in report.problems]
        for problem in problems[:5]:
            yield f"  {plain(problem.document)}: {plain(problem.sentence)}"
        if len(problems) > 5:
            yield f"  and {len(problems) - 5:,} more (--json tells all)"


def _next(summary: Summary, conflicts: int, failed: int) -> Iterator[str]:
    """What to do now."""
    if not conflicts:
        yield "Nothing to do: no conflicts" + (" in what could be read." if failed else ".")
        return
    merging = sum(report.by_type["merge_candidates"] for report in summary.reports)
    where = " ".join(map(_quoted, summary.addresses))
    ways = [
        (f"couchmend scan {where} --sample 3", "look at some of them, field by field"),
        (f"couchmend policy suggest {where}", "rules that fit these documents"),
        (f"couchmend sweep {where}", "queue them, with all versions kept; writes to no database"),
    ]
    width = max(len(command) for command, _ in ways)
    yield "What to do next" + (f" ({merging:,} of them merge by themselves)" if merging else "")
    one_line = width + 60 <= shutil.get_terminal_size((100, 24)).columns
    for command, why in ways:
        if one_line:
            yield f"  {command:{width}}  {why}"
        else:
            yield from (f"  {why}:", f"    {command}")


def _quoted(address: str) -> str:
    """An address as a shell takes it, without its credentials."""
    import shlex

    from couchmend.errors import without_credentials

    return shlex.quote(plain(without_credentials(address)))


def _bar(share: float) -> str:
    eighths = max(1, round(share * _BAR * 8))
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()


def _cut(text: str, width: int) -> str:
    return f"{text:{width}}" if len(text) <= width else f"{text[: width - 1]}…"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _coloured(text: str, severity: str) -> str:
    code = _COLOURS.get(severity)
    if code is None or not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\033[{code}m{text}\033[0m"
