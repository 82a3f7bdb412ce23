"""What one side of a merge is: a version, or what several versions were merged to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from couchmend.core.merging.decisions import Place
from couchmend.core.paths import Path, covers
from couchmend.core.policy.versions import Version, newest
from couchmend.core.values import Value


class Supply:
    """Which version supplied what stands at a path: the root's, but where another is named."""

    __slots__ = ("_named",)

    def __init__(self, root: Version, named: Mapping[Path, Version] | None = None) -> None:
        self._named: dict[Path, Version] = {(): root, **(named or {})}

    def at(self, path: Path) -> Version:
        """The version that supplied the value at a path, or most of it."""
        for length in range(len(path), -1, -1):
            found = self._named.get(path[:length])
            if found is not None:
                return found
        raise AssertionError("the root has a version")

    def newest(self, path: Path) -> Version:
        """The newest of the versions that supplied anything of the value at a path."""
        if len(self._named) == 1:
            return self._named[()]
        return newest([self.at(path), *(found for _, found in self.beneath(path))])

    def beneath(self, path: Path) -> Iterator[tuple[Path, Version]]:
        """The paths beneath one that have a version of their own."""
        for named, version in self._named.items():
            if len(named) > len(path) and covers(path, named):
                yield named, version

    def with_version(self, path: Path, version: Version) -> Supply:
        """The same, but for what stands at a path."""
        named = {**self._named, path: version}
        return Supply(named.pop(()), named)

    def paths(self) -> list[Path]:
        """The paths that have a version of their own."""
        return list(self._named)


@dataclass(frozen=True, slots=True)
class Competitor:
    """A version whose value competes on a path that is unresolved."""

    version: Version
    value: Value


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
    open: Mapping[Place, tuple[Competitor, ...]]

    @classmethod
    def of(cls, version: Version) -> Side:
        """A version by itself."""
        return cls(version.body, (version,), Supply(version), {})

    def is_open(self, path: Path) -> bool:
        """Whether something at or beneath a path is unresolved."""
        return any(covers(path, place[0]) for place in self.open)

    @property
    def label(self) -> str:
        """How sentences call it."""
        return " and ".join(version.label for version in self.versions)
