"""One conflict as a picture: what happened, the tree, the fields, and what would be done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from couchmend.cli import tree
from couchmend.cli.drawing.comparison import Sight, changes, fields, path_of
from couchmend.cli.drawing.marked import FAINT
from couchmend.cli.drawing.roles import Role, roles_of, shortened
from couchmend.cli.drawing.safe import name, visible
from couchmend.cli.drawing.story import story
from couchmend.cli.tree import short_hash_length
from couchmend.core.conflicts.classify import Classification
from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.merging.bases import BaseKind
from couchmend.core.merging.decisions import Decision
from couchmend.core.merging.merge import CHOSEN
from couchmend.core.paths import Path, readable
from couchmend.core.plans.examine import Examined
from couchmend.core.plans.planned import Plan, PlannedBase
from couchmend.core.revtree import Rev
from couchmend.core.values import ABSENT, Value, same

SEVERITY: Mapping[str, str] = {
    "critical": "bold white on red",
    "high": "bold red",
    "medium": "yellow",
    "low": "cyan",
}
TYPES: Mapping[str, str] = {
    "edit_edit": "edit against edit",
    "edit_delete": "edit against deletion",
    "merge_candidates": "merges without loss",
    "version_mismatch": "no common version",
    "checksum_mismatch": "wrong checksum",
}
KNOWN, GONE = "◆", "◇"
_MOST_NAMES = 8
_LONGEST_ID = 44
_INDENT = (0, 0, 0, 2)


@dataclass(frozen=True, slots=True)
class Picture:
    """What is shown of a conflict.

    facts: of the queue, by name, such as its state.
    sizes: of attachments' contents in bytes, by digest, where known.
    everything: whether to show also what combines without loss, and the whole result.
    """

    examined: Examined
    kind: Classification
    plan: Plan
    number: int | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    everything: bool = False

    @property
    def doc(self) -> ConflictedDocument:
        """The document."""
        return self.examined.doc

    @property
    def roles(self) -> Mapping[Rev, Role]:
        """What its versions are called."""
        return roles_of(self.doc, self.examined.policy, self.examined.deletions)


def show(picture: Picture, where: Console) -> None:
    """Draw a conflict."""
    sight = Sight.of(where, picture.sizes)
    width = where.width
    where.print(heading(picture, width))
    where.print(Padding(Text(story(picture.examined)), (1, 0, 1, 0)))
    for line in history(picture, width - 2):
        where.print(Text("  ") + line, no_wrap=True, crop=False, overflow="ignore")
    for title, about, part in sections(picture, sight, width - 2):
        where.print()
        where.print(_title(title, about))
        where.print(Padding(part, _INDENT))


def heading(picture: Picture, width: int) -> RenderableType:
    """What it is, in two lines; in more where they are short."""
    kind, doc = picture.kind, picture.doc
    number = "" if picture.number is None else f"conflict {picture.number}"
    state = picture.facts.get("state", "")
    rest = [visible(told) for key, told in picture.facts.items() if key != "state"]
    return Group(
        _apart(
            Text.assemble(
                (name(doc.id, _LONGEST_ID), "bold"), ("  in ", FAINT), name(doc.database)
            ),
            Text(" · ".join(part for part in (number, visible(state)) if part)),
            width,
        ),
        _apart(severity_and_type(kind), Text(" · ".join(rest), FAINT), width),
    )


def _apart(left: Text, right: Text, width: int) -> RenderableType:
    """Words at both ends of a line, or one beneath the other."""
    if len(left) + len(right) + 2 > width:
        return Group(left, right)
    grid = Table.grid(expand=True)
    grid.add_column(ratio=1)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_row(left, right)
    return grid


def severity_and_type(kind: Classification) -> Text:
    """How grave and of what type it is."""
    told = Text.assemble(
        (kind.severity, SEVERITY[kind.severity]), "  ", TYPES.get(kind.type, kind.type)
    )
    if kind.path:
        told.append(f", {name(readable(kind.path))}", FAINT)
    return told


def _title(title: str, about: str) -> Text:
    told = Text(title, "bold")
    if about:
        told.append(f"  {about}", FAINT)
    return told


# --- the tree


def history(picture: Picture, width: int) -> list[Text]:
    """The revision tree, its leaves called by their roles, and where the versions come from."""
    doc = picture.doc
    marks = {
        base.at: KNOWN if base.kind is BaseKind.EXACT else GONE
        for base in picture.plan.bases
        if base.at is not None
    }
    roles = picture.roles
    called = {rev: (role.label, role.style) for rev, role in roles.items()}
    notes = {rev: role.note for rev, role in roles.items() if role.note}
    lines = tree.draw(doc.tree, width=width, roles=called, marks=marks)
    room = max(map(len, lines)) + 2 + max(map(len, notes.values()), default=0)
    if room <= width:
        lines = tree.draw(doc.tree, width=width, notes=notes, roles=called, marks=marks)
    else:
        longest = max(len(role.label) for role in roles.values())
        for rev, note in notes.items():
            role = roles[rev]
            lines.append(Text.assemble((role.label.ljust(longest), role.style), "  ", note))
    lines += [Text(told, FAINT) for told in _about_bases(picture.plan.bases)]
    return lines


def _about_bases(bases: Sequence[PlannedBase]) -> Iterator[str]:
    """What the signs in the tree say."""
    kinds = {base.kind for base in bases}
    if BaseKind.EXACT in kinds:
        yield f"{KNOWN} where they part; what it said is known"
    for base in bases:
        instead = "" if base.rev is None else f"; {shortened(base.rev)} stands in for it"
        if base.inferred and base.rev is not None:
            yield f"  compared with {shortened(base.rev)}, which both contain"
        elif base.kind in (BaseKind.APPROXIMATE, BaseKind.GONE):
            yield f"{GONE} where they part; what it said is gone{instead}"
        elif base.kind is BaseKind.CREATED:
            yield "  created more than once: there is nothing that they have in common"
        elif base.kind is BaseKind.STEMMED:
            yield "  the database forgot where they part"


# --- the fields


def sections(
    picture: Picture, sight: Sight, width: int
) -> Iterator[tuple[str, str, RenderableType]]:
    """The parts beneath the tree: a title, what is said about it, and what it has."""
    plan = picture.plan
    roles = [role for role in picture.roles.values() if role.rev in picture.doc.bodies]
    told = [one for one in plan.decisions if one.path or one.aspect == "order"]
    opened = [one for one in told if one.unresolved]
    decided = [one for one in told if _is_choice(one)]
    rest = [one for one in told if not one.unresolved and not _is_choice(one)]
    metadata = [one for one in rest if one.metadata]
    rest = [one for one in rest if not one.metadata]
    if opened:
        count = "1 field" if len(opened) == 1 else f"{len(opened)} fields"
        yield "To decide", count, fields(opened, roles, sight, width)
    if decided:
        by = "by hand" if plan.strategy == "manual" else f"by {plan.strategy}"
        yield "Decided", by, fields(decided, roles, sight, width)
    if rest and picture.everything:
        yield "Combined", "without loss", changes(rest, roles, sight)
    elif rest:
        yield "Combined", _number(rest), Text(_names(rest))
    if metadata and picture.everything:
        yield "About the version", "", changes(metadata, roles, sight)
    lost = list(_since_deletion(picture))
    if lost:
        about = "what was edited, and would be lost if the deletion were confirmed"
        yield "Edited", about, fields(lost, roles, sight, width)
    if plan.write is not None and picture.everything:
        from couchmend.cli.drawing.values import written

        yield "Result", "", Text(_visible_lines(written(plan.write.body, one_line=width)))
    yield "What would be done", plan.strategy, what_would_be_done(plan)


def _visible_lines(text: str) -> str:
    return "\n".join(map(visible, text.splitlines()))


def _is_choice(decision: Decision) -> bool:
    """Whether one value was preferred to another, or chosen by hand."""
    if decision.resolver == CHOSEN:
        return True
    return decision.contested and not decision.metadata and decision.kind in ("current", "other")


def _number(rest: Sequence[Decision]) -> str:
    return f"{len(rest)} change{'' if len(rest) == 1 else 's'} without loss (--all shows them)"


def _names(rest: Sequence[Decision]) -> str:
    shown = [path_of(one) for one in rest[:_MOST_NAMES]]
    more = len(rest) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _since_deletion(picture: Picture) -> Iterator[Decision]:
    """What the one version that is left changed since the revision that somebody deleted."""
    doc, deletions = picture.doc, picture.examined.deletions
    if len(doc.live) != 1 or not deletions:
        return
    parent = doc.tree.parent(deletions[0])
    before = None if parent is None else doc.bodies.get(parent)
    if before is None:
        return
    now, rules = doc.bodies[doc.live[0]], picture.examined.policy.rules
    for path, was, made in _differences(before, now, ()):
        rule = rules.at(path)
        if rule is None or not rule.metadata:
            yield Decision(path, "current", {str(doc.live[0]): made}, was, made)


def _differences(before: Value, now: Value, path: Path) -> Iterator[tuple[Path, Value, Value]]:
    if same(before, now):
        return
    if type(before) is dict and type(now) is dict:
        for key in dict.fromkeys([*now, *before]):
            yield from _differences(before.get(key, ABSENT), now.get(key, ABSENT), (*path, key))
    else:
        yield path, before, now


# --- what would be done


def what_would_be_done(plan: Plan) -> RenderableType:
    """The writes of a plan; while it is not ready, what it lacks."""
    if not plan.ready:
        return Text(f"Nothing yet: {visible(plan.sentence)}.", "yellow")
    length = short_hash_length([*plan.leafset, plan.winner])
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    if plan.write is not None:
        told = f"{shortened(plan.write.expected, length)} over {shortened(plan.winner, length)}"
        grid.add_row(Text("write", "green"), Text(told))
        carried = [one for one in plan.write.attachments if one.carried]
        if carried:
            names = ", ".join(name(one.name) for one in carried)
            grid.add_row(Text("carry", "green"), Text(f"{names}, from the other version"))
    elif not plan.deletes:
        grid.add_row(Text("keep", "green"), Text(f"{shortened(plan.winner, length)} as it is"))
    for tombstone in plan.tombstones:
        grid.add_row(Text("delete", "red"), Text(shortened(tombstone.rev, length)))
    for rev in plan.acknowledge:
        told = f"the deletion {shortened(rev, length)} (nothing is written for it)"
        grid.add_row(Text("set aside", FAINT), Text(told))
    kept = "Every version is kept in the journal first, and it can be undone."
    return Group(Text(_sentence(plan.sentence)), grid, Text(kept, FAINT))


def _sentence(told: str) -> str:
    shown = visible(told)
    return f"{shown[:1].upper()}{shown[1:]}."
