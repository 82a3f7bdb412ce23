"""What one side of a merge is: a version, or what several versions were merged to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from couchmend.core.merging.decisions import Decision, Place
from couchmend.core.paths import Path
from couchmend.core.policy.versions import Version, newest
from couchmend.core.values import Value


class Supply:
    """Which version supplied what stands at a path: the root's, but where another is named."""

    __slots__ = ("_known", "_made_of", "_paths_beneath")

    def __init__(self, root: Version) -> None:
        self._known: Mapping[Path, Version] | None = {(): root}
        self._paths_beneath: Mapping[Path, Sequence[Path]] | None = None
        self._made_of: tuple[Supply, Supply, Sequence[Decision]] | None = None

    @classmethod
    def merged(cls, current: Supply, other: Supply, decisions: Sequence[Decision]) -> Self:
        """Who supplied what of a merge: of equal values, the newest."""
        made: Self = object.__new__(cls)
        made._known = None  # most merges are not asked
        made._paths_beneath = None
        made._made_of = (current, other, decisions)
        return made

    @property
    def _named(self) -> Mapping[Path, Version]:
        if self._known is None:
            self._known = {} if self._made_of is None else _supplied(*self._made_of)
            self._made_of = None
        return self._known

    def at(self, path: Path) -> Version:
        """The version that supplied the value at a path, or most of it."""
        for length in range(len(path), 0, -1):
            found = self._named.get(path[:length])
            if found is not None:
                return found
        return self._named[()]

    def newest(self, path: Path) -> Version:
        """The newest of the versions that supplied anything of the value at a path."""
        if len(self._named) == 1:
            return self._named[()]
        return newest([self.at(path), *(found for _, found in self.beneath(path))])

    def beneath(self, path: Path) -> Iterator[tuple[Path, Version]]:
        """The paths beneath one that have a version of their own."""
        if self._paths_beneath is None:
            found: dict[Path, list[Path]] = {}
            for named in self._named:
                for length in range(len(named)):
                    found.setdefault(named[:length], []).append(named)
            self._paths_beneath = found
        for named in self._paths_beneath.get(path, ()):
            yield named, self._named[named]

    def with_version(self, path: Path, version: Version) -> Supply:
        """The same, but for what stands at a path."""
        changed = Supply(version)
        changed._known = {**self._named, path: version}
        return changed

    def paths(self) -> list[Path]:
        """The paths that have a version of their own."""
        return list(self._named)


def _supplied(current: Supply, other: Supply, decisions: Iterable[Decision]) -> dict[Path, Version]:
    named = {
        path: newest([current.at(path), other.at(path)])
        for path in dict.fromkeys([*current.paths(), *other.paths()])
    }
    for decision in decisions:
        if decision.aspect == "order":
            continue
        path = decision.path
        match decision.kind:
            case "current" | "conflict":
                taken, left = current, other
            case "other":
                taken, left = other, current
            case _:
                named[path] = newest([current.newest(path), other.newest(path)])
                continue
        for beneath, _ in left.beneath(path):
            named.pop(beneath, None)
        named.update(taken.beneath(path))
        named[path] = taken.at(path)
    return named


@dataclass(frozen=True, slots=True)
class Competitor:
    """A version whose value competes on a path that is unresolved."""

    version: Version
    value: Value


class OpenPaths(Mapping[Place, tuple[Competitor, ...]]):
    """The paths that are unresolved, with all that competes there; also by what they are in."""

    __slots__ = ("_beneath", "_rivals")

    def __init__(self, rivals: Mapping[Place, tuple[Competitor, ...]] | None = None) -> None:
        self._rivals = dict(rivals or {})
        self._beneath: dict[Path, list[Place]] = {}
        for place in self._rivals:
            for length in range(len(place[0]) + 1):
                self._beneath.setdefault(place[0][:length], []).append(place)

    def __getitem__(self, place: Place) -> tuple[Competitor, ...]:
        return self._rivals[place]

    def __iter__(self) -> Iterator[Place]:
        return iter(self._rivals)

    def __len__(self) -> int:
        return len(self._rivals)

    def __repr__(self) -> str:
        return f"OpenPaths({self._rivals!r})"

    def beneath(self, path: Path) -> Sequence[Place]:
        """Those at or beneath a path."""
        return self._beneath.get(path, ())

    def cover(self, path: Path) -> bool:
        """Whether a path, or one above it, is open as a whole."""
        return any((path[:length], "value") in self._rivals for length in range(len(path) + 1))


NOTHING_OPEN: Final = OpenPaths()


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a merge.

    value: the body; where a path is unresolved, provisional.
    versions: those that were merged to it, the best first.
    supply: which of them supplied what.
    open: the unresolved paths, with all that competes there.
    """

    value: Value
    versions: tuple[Version, ...]
    supply: Supply
    open: OpenPaths

    @classmethod
    def of(cls, version: Version) -> Side:
        """A version by itself."""
        return cls(version.body, (version,), Supply(version), NOTHING_OPEN)

    def is_open(self, path: Path) -> bool:
        """Whether something at or beneath a path is unresolved."""
        return bool(self.open.beneath(path))

    @property
    def label(self) -> str:
        """How sentences call it."""
        return " and ".join(version.label for version in self.versions)
