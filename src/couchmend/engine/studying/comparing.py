"""What edits change, and where versions collide."""

from __future__ import annotations

from collections import Counter

from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.document import JSON, Doc, dumps
from couchmend.core.merging.attachments import MEMBER
from couchmend.core.merging.bases import BaseKind
from couchmend.core.merging.fold import Fold, fold
from couchmend.core.merging.joined import joined
from couchmend.core.paths import Path
from couchmend.core.policy.policy import DEFAULT
from couchmend.core.policy.timestamps import instant
from couchmend.core.values import same
from couchmend.engine.studying.fields import Edits, Field, Fields, identifies
from couchmend.engine.studying.reading import Studied
from couchmend.errors import CouchmendError

MAX_MERGED_LEAVES = 20


def compare(fields: Fields, studied: Studied) -> None:
    """Note what the edits of a document changed, and where its versions collide."""
    for before, after in studied.edits():
        if not same(before, after):
            fields.edits += 1
            _edited(fields.root, before, after)
    if studied.in_conflict:
        fields.conflicts += 1
        if 1 < len(studied.live) <= MAX_MERGED_LEAVES:
            _collided(fields, studied)


def _edited(at: Field, before: Doc, after: Doc) -> None:
    for name, member in at.members.items():
        if name not in before or name not in after:
            continue
        old, new = before[name], after[name]
        edits = member.edits
        edits.compared += 1
        if same(old, new):
            continue
        edits.changed += 1
        match old, new:
            case (dict(), dict()):
                _edited(member, old, new)
            case (list(), list()):
                _list_edited(edits, old, new)
            case _:
                _value_edited(edits, old, new)


def _value_edited(edits: Edits, old: JSON, new: JSON) -> None:
    was, is_ = instant(old), instant(new)
    if was is not None and is_ is not None:
        edits.later += is_ > was
    if type(old) is int and type(new) is int:
        step = new - old
        edits.up += step > 0
        edits.down += step < 0
        edits.ones += step == 1
        edits.furthest = max(edits.furthest, abs(step))


def _list_edited(edits: Edits, old: list[JSON], new: list[JSON]) -> None:
    edits.reordered += Counter(map(dumps, old)) == Counter(map(dumps, new))
    if not all(type(one) is dict for one in (*old, *new)) or not old or not new:
        return
    for name in old[0]:
        if identifies(name, old) and identifies(name, new):
            before = {element[name]: element for element in old}
            changed = any(
                not same(element, before[element[name]])
                for element in new
                if element[name] in before
            )
            edits.kept[name] += changed


# --- conflicts


def _collided(fields: Fields, studied: Studied) -> None:
    live = studied.live
    winner, *others = (studied.bodies[rev] for rev in live)
    for other in others:
        _differ(fields.root, winner, other)
    base = studied.bodies.get(studied.meeting) if studied.meeting else None
    if base is None:
        return
    fields.with_base += 1
    _grown(fields.root, base, [winner, *others])
    doc = ConflictedDocument("", studied.id, studied.tree, studied.bodies)
    try:
        folded = fold(doc.tree, doc.bodies, DEFAULT, among=doc.live)
    except CouchmendError:  # too large or too deep to be merged
        return
    if folded.meetings and all(one.base.kind is BaseKind.EXACT for one in folded.meetings):
        _contested(fields, folded)


def _contested(fields: Fields, folded: Fold) -> None:
    contested: dict[tuple[str, ...], bool] = {}
    for decision in joined(folded.side, [meeting.decisions for meeting in folded.meetings]):
        if decision.contested and decision.kind != "same":
            path = _field(decision.path)
            contested[path] = contested.get(path, False) or decision.unresolved
    for path, is_open in contested.items():
        found = fields.at(path)
        if found is not None and path and path[0] != MEMBER:
            found.collisions.contested += 1
            found.collisions.open += is_open


def _field(path: Path) -> tuple[str, ...]:
    """The members that a path begins with: a list is one field."""
    names = []
    for step in path:
        if not isinstance(step, str):
            break
        names.append(step)
    return tuple(names)


def _differ(at: Field, winner: Doc, other: Doc) -> None:
    for name, member in at.members.items():
        if name in winner and name in other:
            member.collisions.compared += 1
            member.collisions.differs += not same(winner[name], other[name])
            if type(winner[name]) is dict and type(other[name]) is dict:
                _differ(member, winner[name], other[name])


def _grown(at: Field, base: Doc, versions: list[Doc]) -> None:
    for name, member in at.members.items():
        values = [version.get(name) for version in versions]
        before = base.get(name)
        if type(before) is int:
            member.collisions.both_up += sum(type(v) is int and v > before for v in values) > 1
        elif type(before) is dict and all(type(value) is dict for value in values):
            _grown(member, before, [value for value in values if type(value) is dict])
