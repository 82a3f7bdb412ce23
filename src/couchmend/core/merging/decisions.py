"""What became of each path in a merge, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from couchmend.core.paths import Path
from couchmend.core.values import Value

Kind: TypeAlias = Literal["same", "current", "other", "combined", "conflict"]
Aspect: TypeAlias = Literal["value", "order"]

Place: TypeAlias = tuple[Path, Aspect]
"""What a decision is about."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of one path on which the versions differ, or differ from their base.

    path: where it is.
    kind: `same`: every version that changed it made the same change; `current`, `other`: the
        winner's value, another version's; `combined`: of several; `conflict`: nobody decided,
        and `taken` stands there provisionally.
    versions: the value that each version has, by its revision or side; the winner first.
    base: the value before.
    taken: the value in the result.
    competing: the versions that changed it.
    resolver: the named rule that decided; empty where it took none.
    reason: a sentence that says why.
    aspect: `order` where the path is a list whose elements have identities, and this is about
        their arrangement: the values are lists of identities.
    metadata: a field that is about the version and says nothing of its content.
    timed: whether it rests on the versions' timestamps.
    assumed: whether it is taken for an addition only because no base is known.
    """

    path: Path
    kind: Kind
    versions: Mapping[str, Value]
    base: Value
    taken: Value
    competing: tuple[str, ...] = ()
    resolver: str = ""
    reason: str = ""
    aspect: Aspect = "value"
    metadata: bool = False
    timed: bool = False
    assumed: bool = False

    @property
    def unresolved(self) -> bool:
        """Whether nobody decided."""
        return self.kind == "conflict"

    @property
    def contested(self) -> bool:
        """Whether two or more versions changed it."""
        return len(self.competing) > 1

    @property
    def place(self) -> Place:
        """What it is about, as a key."""
        return self.path, self.aspect
