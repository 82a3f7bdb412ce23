"""What was measured: two sides, several rounds each, and what is made of them."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """How the two sides are compared."""

    SPEED = "times as fast"  # at least
    GROWTH = "times the time"  # at most
    EXTRA = "seconds more"  # at most


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    `target` is what the figure must reach; a row without one is for information.
    `ours` and `beside` are seconds, one number a round, rounds in pairs.  `amount` things of
    `unit` were done in each; without an amount, times are shown and not rates.  `beside` is
    empty where the peer cannot run here; `absent` says why.
    """

    group: str
    what: str
    kind: Kind
    target: float | None
    ours: Sequence[float]
    beside_name: str
    beside: Sequence[float]
    amount: int | None = None
    unit: str = ""
    note: str = ""
    absent: str = ""

    def figure(self) -> float | None:
        """Both medians compared, in the words of `kind`."""
        if not self.beside:
            return None
        return self._compare(statistics.median(self.ours), statistics.median(self.beside))

    def span(self) -> tuple[float, float] | None:
        """The least and the largest of the same figure over single rounds."""
        if not self.beside:
            return None
        rounds = [self._compare(a, b) for a, b in zip(self.ours, self.beside, strict=True)]
        return min(rounds), max(rounds)

    def is_met(self) -> bool | None:
        """Whether the target is reached; None where there is none or nothing beside."""
        figure = self.figure()
        if figure is None or self.target is None:
            return None
        return figure >= self.target if self.kind is Kind.SPEED else figure <= self.target

    def _compare(self, ours: float, beside: float) -> float:
        match self.kind:
            case Kind.SPEED:
                return beside / ours
            case Kind.GROWTH:
                return ours / beside
            case Kind.EXTRA:
                return ours - beside


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    # The documents that a benchmark holds are no work of the collector's meanwhile.
    gc.collect()
    gc.freeze()
    try:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start
    finally:
        gc.unfreeze()


def in_turns(
    rounds: int, ours: Callable[[], float], beside: Callable[[], float] | None
) -> tuple[list[float], list[float]]:
    """Run both sides `rounds` times, one after the other, the first one changing each time."""
    left: list[float] = []
    right: list[float] = []
    sides = [(ours, left)] if beside is None else [(ours, left), (beside, right)]
    for number in range(rounds):
        for side, times in sides if number % 2 == 0 else reversed(sides):
            times.append(side())
    return left, right


def hold(found: int, expected: int) -> None:
    """Refuse to measure something that went wrong."""
    if found != expected:
        raise RuntimeError(f"{found} where {expected} were expected: this measures nothing")
