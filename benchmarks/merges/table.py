"""Engines on what people merged, as a table."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence

from benchmarks.merges import evaluation, nbdime
from benchmarks.merges.cases import Case
from benchmarks.merges.evaluation import Tally
from couchmend import merge_json


def quality(cases: Sequence[Case]) -> Iterator[str]:
    """The table, and why we ask where we do."""
    faithful = [case for case in cases if case.faithful]
    others = len(cases) - len(faithful)
    by_lines = [case for case in faithful if case.by_lines]
    rest = [case for case in faithful if not case.by_lines]
    yield f"Made by `make eval` over {len(cases)} merges that people made of JSON files.  In"
    yield f"{len(faithful)} the commit takes every change that only one side made and adds nothing;"
    yield f"the other {others} hold more than a merge, and are told apart.  “Merged” are those with"
    yield "nothing left to decide; “different” of these are not what people committed, not counting"
    yield "lists that differ only in their order.\n"
    yield (
        f"| engine | git merges cleanly ({len(by_lines)}): merged, different, other order |"
        f" git conflicts ({len(rest)}): merged, different, other order |"
        f" the other {others}: merged, different | median | slowest |"
    )
    yield "|---|---|---|---|--:|--:|"
    engines = {"couchmend": evaluation.couchmend}
    if nbdime.missing() is None:
        engines["nbdime, generic"] = lambda case: nbdime.merge(case.triple)
    for name, engine in {"git, by lines": evaluation.git, **engines}.items():
        parts = [
            evaluation.tally(engine, some)
            for some in (by_lines, rest, [case for case in cases if not case.faithful])
        ]
        times = [seconds for part in parts for seconds in part.seconds]
        speed = (f"{statistics.median(times) * 1000:.2f} ms", f"{max(times) * 1000:.0f} ms")
        if name not in engines:
            speed = ("", "")
        yield f"| {name} | {' | '.join((*map(_counts, parts), *speed))} |"
    yield "\nWhere couchmend asks and git does not merge either, why the first path is left open:\n"
    reasons = Counter(_why_it_asks(case) for case in rest)
    yield from (f"- {count} × {why}" for why, count in reasons.most_common() if why)


def _counts(part: Tally) -> str:
    verdicts = Counter(part.verdicts)
    merged = len(part.verdicts) - verdicts["asks"]
    return f"{merged}, {verdicts['different']}, {verdicts['order']}"


def _why_it_asks(case: Case) -> str:
    left = merge_json(*case.triple).unresolved
    return left[0].reason.partition(" (")[0] if left else ""
