"""What comes out of a merge of two sides: the decisions, and what stays open."""

from __future__ import annotations

from collections.abc import Sequence

from couchmend.core.merging.decisions import Aspect, Decision, Kind, Place
from couchmend.core.merging.sides import Competitor, Side
from couchmend.core.paths import Element, Path, Step, value_at
from couchmend.core.policy.versions import Version
from couchmend.core.values import ABSENT, Value, same

BOTH: Sequence[Kind] = ("current", "other")


class Outcome:
    """Collects what becomes of each path of two sides."""

    def __init__(self, current: Side, other: Side, *, base_known: bool) -> None:
        self.current = current
        self.other = other
        self.base_known = base_known
        self.decisions: list[Decision] = []
        self.open: dict[Place, tuple[Competitor, ...]] = {}
        self.were_open = dict.fromkeys([*current.open, *other.open])
        """What one of the sides left open."""

    def touches_open(self, path: Path) -> bool:
        """Whether something at or beneath a path is open on one of the sides."""
        return self.current.is_open(path) or self.other.is_open(path)

    def open_beneath(self, path: Path) -> list[Step]:
        """The steps from a path that lead to what was open, and may be in no value: it stands
        there provisionally that there is none."""
        depth = len(path)
        places = [*self.current.open.beneath(path), *self.other.open.beneath(path)]
        return [opened[depth] for opened, _ in places if len(opened) > depth]

    def is_open_by(self, path: Path, key: str) -> bool:
        """Whether what is open in a list lies in elements known by this member, and their order
        is open by it, if it is."""
        steps = self.open_beneath(path)
        orders = [side.open.get((path, "order"), ()) for side in (self.current, self.other)]
        known = [one for order in orders for rival in order for one in rival.value or ()]
        return all(isinstance(step, Element) and step.key == key for step in steps) and all(
            key in identity for identity in known
        )

    def both_did(self, path: Path, base: Value, current: Value, other: Value) -> None:
        """Both sides changed it to the same."""
        if base is not ABSENT:
            did = "removed it" if current is ABSENT else "made the same change"
        elif self.base_known:
            did = "added the same"
        else:
            return  # the versions do not differ, and from what they did is not known
        self.note(path, "same", base, current, other, current, f"both sides {did}", by=BOTH)

    def only(self, path: Path, kind: Kind, base: Value, current: Value, other: Value) -> Value:
        """Only one side changed it: its value is taken, and what it left open stays open."""
        taken, side = (current, self.current) if kind == "current" else (other, self.other)
        for place in side.open.beneath(path):
            self.open[place] = side.open[place]
        assumed = base is ABSENT and not self.base_known
        who = side.supply.newest(path).label
        if assumed:
            reason = f"only {who} has it; without a base that is taken for an addition"
        elif base is ABSENT:
            reason = f"only {who} added it"
        elif taken is ABSENT:
            reason = f"only {who} removed it"
        else:
            reason = f"only {who} changed it"
        self.note(path, kind, base, current, other, taken, reason, by=(kind,), assumed=assumed)
        return taken

    def took(
        self,
        path: Path,
        base: Value,
        current: Value,
        other: Value,
        taken: Value,
        reason: str,
        *,
        resolver: str = "",
        timed: bool = False,
    ) -> Value:
        """Both sides changed it, and `taken` is the outcome."""
        self.note(
            path,
            kind_of(taken, current, other),
            base,
            current,
            other,
            taken,
            reason,
            by=BOTH,
            resolver=resolver,
            timed=timed,
        )
        return taken

    def note(
        self,
        path: Path,
        kind: Kind,
        base: Value,
        current: Value,
        other: Value,
        taken: Value,
        reason: str,
        *,
        by: Sequence[Kind] = (),
        resolver: str = "",
        aspect: Aspect = "value",
        metadata: bool = False,
        timed: bool = False,
        assumed: bool = False,
    ) -> None:
        """A decision; `by` are the sides that changed it."""
        mine = self.current.supply.newest(path).name
        theirs = self.other.supply.newest(path).name
        competing = tuple(mine if side == "current" else theirs for side in by)
        self.decisions.append(
            Decision(
                path,
                kind,
                {mine: current, theirs: other},
                base,
                taken,
                competing,
                resolver,
                reason,
                aspect,
                metadata,
                timed,
                assumed,
            )
        )

    def conflict(
        self,
        path: Path,
        base: Value,
        current: Value,
        other: Value,
        reason: str = "",
        *,
        resolver: str = "",
        aspect: Aspect = "value",
        taken: Value = None,
    ) -> Value:
        """Leave a path open; the current side's value, or `taken`, stands there provisionally."""
        rivals = self._rivals((path, aspect), base, current, other)
        self.open[path, aspect] = rivals
        values = {rival.version.name: rival.value for rival in rivals}
        self.decisions.append(
            Decision(
                path,
                "conflict",
                values,
                base,
                current if taken is None else taken,
                tuple(values),
                resolver,
                reason or self.why(base, current, other),
                aspect,
            )
        )
        return current

    def why(self, base: Value, current: Value, other: Value) -> str:
        """Why nobody can tell which value is right."""
        if current is ABSENT:
            return f"{self.current.label} removed what {self.other.label} changed"
        if other is ABSENT:
            return f"{self.other.label} removed what {self.current.label} changed"
        if not self.base_known:
            return "they differ, and without a base nobody can tell who changed what"
        if base is ABSENT:
            return "both sides added it, with different values"
        return "both sides changed it, to different values"

    def _rivals(
        self, place: Place, base: Value, current: Value, other: Value
    ) -> tuple[Competitor, ...]:
        """All that competes on a path: what did before, and what changed it now."""
        rivals: dict[str, Competitor] = {}
        mine, theirs = self._open_at(self.current, place), self._open_at(self.other, place)
        for side, value, opened in ((self.current, current, mine), (self.other, other, theirs)):
            for version, competing in opened:
                rivals.setdefault(version.name, Competitor(version, competing))
            left_alone = bool(mine or theirs) and same(value, base)
            if not opened and not left_alone:
                supplier = side.supply.newest(place[0])
                rivals.setdefault(supplier.name, Competitor(supplier, value))
        return tuple(rivals.values())

    def _open_at(self, side: Side, place: Place) -> list[tuple[Version, Value]]:
        if place in side.open:
            return [(rival.version, rival.value) for rival in side.open[place]]
        path = place[0]
        beneath = [side.open[opened] for opened in side.open.beneath(path)]
        versions = {rival.version.name: rival.version for rivals in beneath for rival in rivals}
        return [(version, value_at(version.body, path)) for version in versions.values()]


def kind_of(taken: Value, current: Value, other: Value) -> Kind:
    """Whose value was taken."""
    if same(taken, current):
        return "current"
    return "other" if same(taken, other) else "combined"
