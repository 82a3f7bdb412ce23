"""`python -m benchmarks.merges`: engines on what people merged, as a table, and every difference
with its explanation."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import machine
from benchmarks.merges import evaluation
from benchmarks.merges.cases import VARIABLE, Case, find, read
from benchmarks.merges.table import quality
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
    """The table, and what it was made on."""
    yield "# How well documents are merged\n"
    yield from quality(cases)
    yield "\n## Machine\n"
    yield from (f"- {name}: {value}" for name, value in machine.describe().items())


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
