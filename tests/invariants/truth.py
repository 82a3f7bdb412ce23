"""What users wrote into a document, and what each of them had before their eyes: by this every
revision is judged.

A write is *superseded* when somebody wrote the same place who knew it.  Of what a revision has
taken in, every place must have a value that was written and not superseded; a counter must be
the sum of what was added.  A revision takes in what its ancestors have, what was merged into it,
and what the leaves said that were tombstoned because it says all of it already.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from couchmend.core.document import Doc
from couchmend.core.revtree import Rev
from couchmend.core.values import ABSENT, Value, same

Place = tuple[str, ...]
Places = dict[Place, Value]

COUNTER: Place = ("c",)
TAGS, FILES = "tags", "_attachments"
METADATA = frozenset({"updatedAt", "deviceId"})


class Lost(AssertionError):
    """Something that somebody wrote was lost, came back, or was counted wrongly."""


def places(body: Doc) -> Places:
    """What a body says, place by place: fields, tags one by one, files by their digest."""
    found: Places = {}
    for name, value in body.items():
        if name == FILES:
            found |= {(FILES, file): entry["digest"] for file, entry in value.items()}
        elif name == TAGS:
            found |= {(TAGS, tag): True for tag in value}
        elif name not in METADATA:
            found[name,] = value
    return found


@dataclass(frozen=True)
class Ended:
    """Why an engine tombstoned a leaf: `into` had taken in what it said."""

    into: Rev
    edits: frozenset[Rev]


@dataclass
class Truth:
    """What is true of one document.

    own: the edits that a revision brought to its branch: its own, or those that were merged.
    saw: what whoever made an edit knew; wrote: what they changed, counters by how much.
    merges: what engines wrote; ended: the tombstones that engines wrote; deletions: users'.
    excused: why values are not judged: a purge, an undoing, or an edit that nobody can tell from
        a merge.
    """

    id: str
    bodies: dict[Rev, Doc] = field(default_factory=dict)
    parents: dict[Rev, Rev | None] = field(default_factory=dict)
    own: dict[Rev, set[Rev]] = field(default_factory=dict)
    saw: dict[Rev, frozenset[Rev]] = field(default_factory=dict)
    wrote: dict[Rev, Places] = field(default_factory=dict)
    merges: set[Rev] = field(default_factory=set)
    ended: dict[Rev, list[Ended]] = field(default_factory=dict)
    deletions: set[Rev] = field(default_factory=set)
    excused: str = ""

    # --- what is written

    def edit(self, rev: Rev, parent: Rev | None, body: Doc, saw: Iterable[Rev]) -> None:
        """A user wrote a revision; `saw` are the edits that they knew."""
        before = places(self.bodies[parent]) if parent in self.bodies else {}
        wrote = _changes(before, places(body))
        if rev in self.merges:
            self.excused = f"{rev} is a user's edit and a merge"
        known = frozenset(saw)
        if rev in self.saw:  # made alike by two: it knows what both of them knew
            known &= self.saw[rev]
        self._add(rev, parent, body)
        self.own[rev].add(rev)
        self.saw[rev], self.wrote[rev] = known, wrote

    def merge(self, rev: Rev, parent: Rev, body: Doc, edits: Iterable[Rev]) -> None:
        """An engine wrote a revision, which takes in `edits`."""
        if rev in self.wrote:
            self.excused = f"{rev} is a user's edit and a merge"
        self._add(rev, parent, body)
        self.merges.add(rev)
        self.own[rev] |= set(edits)

    def end(self, tombstone: Rev, loser: Rev, into: Rev, edits: Iterable[Rev]) -> None:
        """An engine tombstoned a leaf that says nothing that `into` does not."""
        self.parents.setdefault(tombstone, loser)
        self.own.setdefault(tombstone, set())
        told = Ended(into, frozenset(edits))
        if told not in self.ended.setdefault(tombstone, []):
            self.ended[tombstone].append(told)

    def delete(self, tombstone: Rev, leaf: Rev) -> None:
        """A user deleted a leaf."""
        self.parents.setdefault(tombstone, leaf)
        self.own.setdefault(tombstone, set())
        self.deletions.add(tombstone)

    def _add(self, rev: Rev, parent: Rev | None, body: Doc) -> None:
        self.bodies[rev], self.parents[rev] = body, parent
        self.own.setdefault(rev, set())

    # --- what is known

    def known(self, rev: Rev, dead: Collection[Rev]) -> set[Rev]:
        """The edits that a revision has taken in, where these tombstones are known."""
        edits = set[Rev]()
        chain = set[Rev]()
        step: Rev | None = rev
        while step is not None:
            chain.add(step)
            edits |= self.own.get(step, set())
            step = self.parents.get(step)
        for tombstone in dead:
            for told in self.ended.get(tombstone, ()):
                if told.into in chain:
                    edits |= told.edits
        return edits

    def allowed(self, edits: Collection[Rev]) -> dict[Place, list[Value]]:
        """The values that a revision may have that has taken in these edits."""
        found: dict[Place, list[Value]] = {}
        for place in {place for edit in edits for place in self.wrote[edit]}:
            writes = [edit for edit in sorted(edits) if place in self.wrote[edit]]
            if place == COUNTER:
                total = sum(_number(self.wrote[edit][place]) for edit in writes)
                found[place] = [total]
                continue
            last = [w for w in writes if not any(w in self.saw[o] for o in writes if o != w)]
            values: list[Value] = []
            for edit in last:
                value = self.wrote[edit][place]
                if not any(same(value, one) for one in values):
                    values.append(value)
            found[place] = values
        return found

    def check(self, rev: Rev, dead: Collection[Rev], why: str) -> None:
        """Hold that a revision says what it must."""
        if self.excused:
            return
        allowed = self.allowed(self.known(rev, dead))
        said = places(self.bodies[rev])
        for place in {*said, *allowed}:
            value = said.get(place, ABSENT)
            if place == COUNTER and value is ABSENT:
                value = 0
            may = allowed.get(place, [0 if place == COUNTER else ABSENT])
            if not any(same(value, one) for one in may):
                where = ".".join(place)
                raise Lost(f"{why}: {self.id} {rev} has {where}={value!r}, not one of {may!r}")


def _changes(before: Places, after: Places) -> Places:
    found: Places = {}
    for place in {*before, *after}:
        old, new = before.get(place, ABSENT), after.get(place, ABSENT)
        if place == COUNTER:
            if _number(old) != _number(new):
                found[place] = _number(new) - _number(old)
        elif not same(old, new):
            found[place] = new
    return found


def _number(value: Value) -> Any:
    return 0 if value is ABSENT else value


def body_of_choice(chosen: Mapping[Place, Value]) -> Doc:
    """The body that says these things, but for files."""
    body: Doc = {
        place[0]: value for place, value in sorted(chosen.items())
        if len(place) == 1 and value is not ABSENT
    }  # fmt: skip
    tags = sorted(p[1] for p, v in chosen.items() if p[0] == TAGS and v is not ABSENT)
    if tags or any(place[0] == TAGS for place in chosen):
        body[TAGS] = tags
    return body
