"""`python -m benchmarks.merges`: engines on what people merged, as a table, and every difference
with its explanation."""

from __future__ import annotations

import argparse
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import machine
from benchmarks.merges import evaluation, nbdime
from benchmarks.merges.cases import VARIABLE, Case, find, read
from benchmarks.merges.evaluation import Tally
from couchmend import merge_json
from couchmend.core.merging.telling import change, short
from couchmend.core.paths import readable

HERE = Path(__file__).parent.parent
RESULTS = "RESULTS-merges.md"
DIFFERENCES = "merges-differences.md"


def main(arguments: list[str] | None = None) -> None:
    """Evaluate, print the table, and write it and the differences beside the benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.merges", description=__doc__)
    parser.add_argument("--cases", type=Path, default=find(), help="one case a line, gzipped JSON")
    parser.add_argument("--output", type=Path, default=HERE, metavar="FOLDER")
    chosen = parser.parse_args(arguments)
    if chosen.cases is None:
        parser.error(f"no cases were found: name their file with --cases, or in {VARIABLE}")
    cases = list(read(chosen.cases))
    report = "\n".join(results(cases)) + "\n"
    print(report)
    chosen.output.mkdir(parents=True, exist_ok=True)
    (chosen.output / RESULTS).write_text(report)
    (chosen.output / DIFFERENCES).write_text("\n".join(explained(cases)) + "\n")


def results(cases: Sequence[Case]) -> Iterator[str]:
    """The table."""
    faithful = [case for case in cases if case.faithful]
    others = len(cases) - len(faithful)
    by_lines = [case for case in faithful if case.by_lines]
    rest = [case for case in faithful if not case.by_lines]
    yield "# How well documents are merged\n"
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
    yield "\n## Where couchmend asks and git does not merge either\n"
    yield "Of these conflicts, why the first path is left to decide:\n"
    reasons = Counter(_why_it_asks(case) for case in rest)
    yield from (f"- {count} × {why}" for why, count in reasons.most_common() if why)
    yield "\n## Machine\n"
    yield from (f"- {name}: {value}" for name, value in machine.describe().items())


def _counts(part: Tally) -> str:
    verdicts = Counter(part.verdicts)
    merged = len(part.verdicts) - verdicts["asks"]
    return f"{merged}, {verdicts['different']}, {verdicts['order']}"


def _why_it_asks(case: Case) -> str:
    left = merge_json(*case.triple).unresolved
    return left[0].reason.partition(" (")[0] if left else ""


def explained(cases: Sequence[Case]) -> Iterator[str]:
    """Every case in which nothing is left to decide and the result is another, and every
    faithful one in which something is."""
    yield "# Where the merge is not what people committed\n"
    yield "Made by `make eval`.\n"
    for case in cases:
        merged = merge_json(*case.triple)
        kind = evaluation.verdict(case, merged.value)
        if merged.unresolved or kind == "as committed":
            continue
        more = "" if case.faithful else "; the commit holds more than a merge"
        yield f"## {case.where}\n\n{kind}{more}\n"
        for found in evaluation.differences(case, merged.value):
            yield f"- `{readable(found.path)}`: {found.explanation}"
            for name in ("base", "left", "right", "committed", "ours"):
                yield f"    - {name}: `{short(getattr(found, name))}`"
        yield ""
    yield "# Where it asks\n"
    for case in cases:
        left = merge_json(*case.triple).unresolved
        if case.faithful and left:
            yield f"- {case.where}"
            yield from (
                f"    - `{readable(one.path)}`: {one.reason}: `{change(one)}`" for one in left
            )


if __name__ == "__main__":
    main()
