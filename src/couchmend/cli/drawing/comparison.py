"""The versions of a document beside each other, field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from couchmend.cli.drawing.marked import FAINT, NEW, lines_of, needs_signs, text_of
from couchmend.cli.drawing.pieces import differences, in_lines, is_replaced
from couchmend.cli.drawing.roles import Role
from couchmend.cli.drawing.safe import name, visible
from couchmend.cli.drawing.values import (
    ABSENT_SIGN,
    attachment,
    how_to_cut,
    needs_quotes,
    written,
)
from couchmend.core.merging.attachments import MEMBER
from couchmend.core.merging.decisions import Decision
from couchmend.core.paths import readable
from couchmend.core.values import ABSENT, Value, same

BEFORE: Final = "before"
UNCHANGED: Final = "unchanged"
REMOVED: Final = "removed"
BECOMES: Final = "becomes"
MOST_LINES: Final = 8
MOST_CHARACTERS: Final = 240
LONGEST_PATH: Final = 48
WIDEST_NAME: Final = 20
NARROWEST_VALUE: Final = 26
_GAP: Final = 3


@dataclass(frozen=True, slots=True)
class Sight:
    """How values are told: with signs in place of colours, and attachments with what is known
    of their sizes, by digest."""

    signs: bool
    sizes: Mapping[str, int]

    @classmethod
    def of(cls, console: Console, sizes: Mapping[str, int] | None = None) -> Sight:
        """As a console needs it."""
        return cls(needs_signs(console), sizes or {})


def path_of(decision: Decision) -> str:
    """What a decision is about, for people."""
    if decision.path[:1] == (MEMBER,) and len(decision.path) > 1:
        return f"attachment {name(str(decision.path[1]), LONGEST_PATH)}"
    order = ", the order" if decision.aspect == "order" else ""
    shown = "the document" if not decision.path else name(readable(decision.path), LONGEST_PATH)
    return f"{shown}{order}"


# --- one value


@dataclass(frozen=True, slots=True)
class _Telling:
    """How the values of one decision are told, all of them alike."""

    sight: Sight
    base: Value
    winner: Value
    quoted: bool
    is_attachment: bool

    @classmethod
    def of(cls, decision: Decision, sight: Sight) -> _Telling:
        values = [decision.base, decision.taken, *decision.versions.values()]
        is_attachment = decision.path[:1] == (MEMBER,) and len(decision.path) == 2
        winner = next(iter(decision.versions.values()), ABSENT)
        return cls(sight, decision.base, winner, needs_quotes(values), is_attachment)

    def text(self, value: Value) -> str:
        if self.is_attachment:
            known = self.sight.sizes.get(value.get("digest", "")) if value is not ABSENT else None
            return attachment(value, known)
        return written(value, quoted=self.quoted)

    def plainly(self, value: Value, style: str = "") -> Text:
        """A value by itself."""
        if value is ABSENT:
            return Text(ABSENT_SIGN, FAINT)
        return lines_of(self.text(value), MOST_LINES, MOST_CHARACTERS, style)

    def version(self, value: Value) -> Text:
        """A value with what differs from the base or, where there is none, from the winner's."""
        before = self.winner if self.base is ABSENT else self.base
        if same(value, before):
            return self.plainly(value) if self.base is ABSENT else Text(UNCHANGED, FAINT)
        if value is ABSENT:
            return Text("not there" if self.base is ABSENT else REMOVED, "red")
        if before is ABSENT:
            return self.plainly(value, NEW)
        pieces = differences(self.text(before), self.text(value), how_to_cut(before, value))
        if is_replaced(pieces):
            return self.plainly(value, NEW)
        return text_of(in_lines(pieces), signs=self.sight.signs)

    def is_told_within(self, value: Value) -> bool:
        """Whether what was before can be read out of the difference."""
        if self.base is ABSENT or value is ABSENT or same(value, self.base):
            return False
        cut = how_to_cut(self.base, value)
        return not is_replaced(differences(self.text(self.base), self.text(value), cut))


# --- fields


def fields(
    decisions: Sequence[Decision], roles: Sequence[Role], sight: Sight, width: int
) -> RenderableType:
    """Fields with what was before, what each version has, and what becomes of them: beside each
    other where there is room, else one beneath the other."""
    decided = any(not decision.unresolved for decision in decisions)
    shown = [role for role in roles if any(str(role.rev) in one.versions for one in decisions)]
    columns = 1 + len(shown) + decided
    if width >= WIDEST_NAME + columns * (NARROWEST_VALUE + _GAP):
        return _beside(decisions, shown, sight, width, decided=decided)
    parts: list[RenderableType] = []
    for place, decision in enumerate(decisions):
        if place:
            parts.append("")
        parts.append(Text(path_of(decision), "bold"))
        grid = _beneath(decision, roles, sight, based=_are_based(decisions))
        parts.append(Padding(grid, (0, 0, 0, 2)))
    return Group(*parts)


def _beside(
    decisions: Sequence[Decision], roles: Sequence[Role], sight: Sight, width: int, *, decided: bool
) -> Table:
    based = _are_based(decisions)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    table.add_column("", width=WIDEST_NAME, overflow="fold")
    each = (width - WIDEST_NAME) // (based + len(roles) + decided) - _GAP
    if based:
        table.add_column(Text(BEFORE, FAINT), overflow="fold", width=each)
    for role in roles:
        table.add_column(Text(role.label, role.style), overflow="fold", width=each)
    if decided:
        table.add_column(Text(BECOMES, FAINT), overflow="fold", width=each)
    for place, decision in enumerate(decisions):
        if place:
            table.add_row()
        telling = _Telling.of(decision, sight)
        values = dict(_with_roles(decision, roles))
        cells = [
            telling.version(values[role]) if role in values else Text(ABSENT_SIGN, FAINT)
            for role in roles
        ]
        end = [_becomes(decision, roles, telling)] if decided else []
        start = [_before(decision, telling)] if based else []
        table.add_row(Text(path_of(decision), "bold"), *start, *cells, *end)
    return table


def _are_based(decisions: Sequence[Decision]) -> bool:
    """Whether anything is known of what was before."""
    return any(decision.base is not ABSENT for decision in decisions)


def _beneath(decision: Decision, roles: Sequence[Role], sight: Sight, *, based: bool) -> Table:
    telling = _Telling.of(decision, sight)
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    long = len(telling.text(decision.base)) > MOST_CHARACTERS
    if based and not (long and all(map(telling.is_told_within, decision.versions.values()))):
        grid.add_row(Text(BEFORE, FAINT), _before(decision, telling))
    for role, value in _with_roles(decision, roles):
        grid.add_row(Text(role.label, role.style), telling.version(value))
    if not decision.unresolved and decision.resolver:
        grid.add_row(Text(BECOMES, FAINT), _becomes(decision, roles, telling))
    return grid


def _before(decision: Decision, telling: _Telling) -> Text:
    if decision.base is ABSENT:
        return Text("not there, as far as is known" if decision.assumed else "not there", FAINT)
    return telling.plainly(decision.base)


def _with_roles(decision: Decision, roles: Sequence[Role]) -> list[tuple[Role, Value]]:
    return [
        (role, decision.versions[str(role.rev)])
        for role in roles
        if str(role.rev) in decision.versions
    ]


def _becomes(decision: Decision, roles: Sequence[Role], telling: _Telling) -> Text:
    """What becomes of a field, and why: the version whose value it is, or else the value."""
    if decision.unresolved:
        return Text("to decide", "bold red")
    holders = [
        (role.label, role.style)
        for role, value in _with_roles(decision, roles)
        if same(value, decision.taken)
    ]
    if len(holders) == 1:
        told = Text.assemble(holders[0])
    elif holders:
        told = Text("as the versions have it")
    elif same(decision.taken, decision.base):
        told = Text("as before")
    else:
        told = telling.version(decision.taken)
    if decision.reason:
        # The sentence about a value of several lines stands on one of its own.
        told.append("\n" if "\n" in told.plain else "  ")
        told.append(visible(decision.reason), FAINT)
    return told


# --- what combines by itself


def changes(decisions: Sequence[Decision], roles: Sequence[Role], sight: Sight) -> Table:
    """What becomes of fields about which there was nothing to choose, one after the other."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(max_width=WIDEST_NAME, overflow="fold")
    grid.add_column(overflow="fold")
    for decision in decisions:
        telling = _Telling.of(decision, sight)
        told = _changed(decision, telling)
        told.append("\n" if "\n" in told.plain else "  ")
        told.append(_whose(decision, roles), FAINT)
        grid.add_row(Text(path_of(decision), "bold"), told)
    return grid


def _changed(decision: Decision, telling: _Telling) -> Text:
    if decision.base is ABSENT or telling.is_told_within(decision.taken):
        return telling.version(decision.taken)
    before = telling.text(decision.base)
    if "\n" in before or len(before) > LONGEST_PATH:
        return telling.version(decision.taken)
    return Text.assemble((visible(before), FAINT), " → ", telling.version(decision.taken))


def _whose(decision: Decision, roles: Sequence[Role]) -> str:
    holders = [
        role.label for role, value in _with_roles(decision, roles) if same(value, decision.taken)
    ]
    if decision.kind == "combined" or not holders:
        return visible(decision.reason) or "combined"
    return "by both" if len(holders) > 1 else f"by {holders[0]}"
