"""Engines compared on what people merged."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from benchmarks.merges.cases import Case
from couchmend import merge_json
from couchmend.core.document import JSON, dumps
from couchmend.core.values import ABSENT, Value, same

Engine: TypeAlias = Callable[[Case], tuple[Value, bool]]
"""The result, and whether nothing is left to decide."""

Verdict: TypeAlias = Literal["as committed", "order", "different", "asks"]
"""`order`: different only in the order of lists."""


@dataclass(slots=True)
class Tally:
    """What an engine made of the cases."""

    verdicts: list[Verdict] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def tally(engine: Engine, cases: Sequence[Case]) -> Tally:
    """Run an engine over cases, one after the other."""
    found = Tally()
    for case in cases:
        start = time.perf_counter()
        value, is_done = engine(case)
        found.seconds.append(time.perf_counter() - start)
        found.verdicts.append(verdict(case, _plain(value)) if is_done else "asks")
    return found


def verdict(case: Case, value: Value) -> Verdict:
    """How a result compares with what people committed."""
    if same(value, case.merged):
        return "as committed"
    return "order" if same(_unordered(value), _unordered(case.merged)) else "different"


def couchmend(case: Case) -> tuple[JSON, bool]:
    """Our own merge."""
    merged = merge_json(*case.triple)
    return merged.value, not merged.unresolved


def git(case: Case) -> tuple[Value, bool]:
    """By lines, as recorded with the cases."""
    return (case.merged if case.lines_agree else ABSENT), case.by_lines


def _plain(value: Value) -> Value:
    """Objects as dictionaries, whatever an engine makes them of."""
    return value if value is ABSENT else json.loads(json.dumps(value))


def _unordered(value: Value) -> Value:
    if type(value) is dict:
        return {name: _unordered(member) for name, member in value.items()}
    if type(value) is list:
        return sorted((_unordered(element) for element in value), key=dumps)
    return value


@dataclass(frozen=True, slots=True)
class Difference:
    """A place at which a result is not what people committed."""

    path: tuple[str | int, ...]
    base: Value
    left: Value
    right: Value
    committed: Value
    ours: Value

    @property
    def explanation(self) -> str:
        """Why they differ, as far as the values tell."""
        if same(self.committed, self.left) or same(self.committed, self.right):
            side, others = (
                ("left", self.right) if same(self.committed, self.left) else ("right", self.left)
            )
            if same(others, self.base):
                return f"only {side} changed it: a rule took something else"
            if same(self.committed, self.base):
                return f"the commit undoes what the other side changed, and keeps {side}'s value"
            return f"both changed it, and the commit keeps {side}'s value alone"
        if same(self.committed, self.base):
            return "the commit undoes both changes"
        return "the commit has a value that neither side has"


def differences(case: Case, ours: JSON) -> list[Difference]:
    """Where a result is not what people committed: the outermost places that are no objects."""
    found: list[Difference] = []

    def compare(path: tuple[str | int, ...], values: Sequence[Value]) -> None:
        committed, made = values[3], values[4]
        if same(committed, made):
            return
        if type(committed) is dict and type(made) is dict:
            for name in dict.fromkeys([*committed, *made]):
                compare((*path, name), [_member(value, name) for value in values])
        else:
            found.append(Difference(path, *values))

    compare((), (case.base, case.left, case.right, case.merged, ours))
    return found


def _member(value: Value, name: str) -> Value:
    return value.get(name, ABSENT) if type(value) is dict else ABSENT
