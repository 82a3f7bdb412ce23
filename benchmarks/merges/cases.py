"""Merges that people made: of each the base, both sides, and what they committed.

They come from the histories of public projects: every merge commit with one merge base in
which both sides changed the same JSON file.  The data belongs to those projects and is not part
of this one.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from couchmend.core.document import JSON, loads

Triple: TypeAlias = tuple[JSON, JSON, JSON]
"""Base, current, other."""

VARIABLE = "CASES"
_PLACES = ("benchmarks/merges/cases.jsonl.gz", "../shared/real-merges/cases.jsonl.gz")


@dataclass(frozen=True, slots=True)
class Case:
    """One file of one merge commit.

    faithful: the commit takes every change that only one side made, and adds nothing.
    by_lines: whether git merges the text without a conflict.
    lines_agree: whether that is what was committed.
    """

    where: str
    base: JSON
    left: JSON
    right: JSON
    merged: JSON
    faithful: bool
    by_lines: bool
    lines_agree: bool

    @property
    def triple(self) -> Triple:
        """What is to be merged."""
        return self.base, self.left, self.right


def find() -> Path | None:
    """The file with the cases: that of the environment variable `CASES`, or one nearby."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    return next((path for path in map(Path, _PLACES) if path.exists()), None)


def read(file: Path) -> Iterator[Case]:
    """The cases, one JSON object a line, gzipped."""
    with gzip.open(file) as lines:
        for line in lines:
            case = loads(line)
            yield Case(
                f"{case['repo']} {case['commit'][:10]} {case['path']}",
                case["base"],
                case["left"],
                case["right"],
                case["merged"],
                case["faithful"],
                case["line_merge"] == "clean",
                case["line_merge_equals_merged"],
            )
