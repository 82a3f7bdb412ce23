"""The front door: two versions of a document, or of any JSON value, over their base.

>>> from couchmend import merge
>>> base = {"title": "Milk", "done": False}
>>> merge(base, {"title": "Oat milk", "done": False}, {"title": "Milk", "done": True})
Merge of current and other: nothing is left to decide
  title  current  "Milk" -> "Oat milk"  only current changed it
  done   other    false -> true  only other changed it
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from couchmend.core.document import JSON, dumps_checked
from couchmend.core.merging.applying import apply_decisions
from couchmend.core.merging.attachments import arranged, version_body
from couchmend.core.merging.bases import Base, BaseKind
from couchmend.core.merging.deciding import arranged_as
from couchmend.core.merging.decisions import Decision, Kind
from couchmend.core.merging.fold import fold, merge_sides
from couchmend.core.merging.joined import joined
from couchmend.core.merging.sides import Side
from couchmend.core.merging.telling import told
from couchmend.core.merging.three_way import MAX_DEPTH
from couchmend.core.paths import Path, covers, from_readable, readable, value_at
from couchmend.core.policy.policy import DEFAULT, PLAIN, Policy
from couchmend.core.policy.versions import Version
from couchmend.core.revtree import Rev, RevTree
from couchmend.core.values import ABSENT, Value, same
from couchmend.errors import DocumentInvalid, TooLarge, UsageError

MAX_BYTES = 32 << 20
"""Size of one version, as JSON."""

CHOSEN = "chosen"
"""The resolver of a decision that a person took."""

_ALIASES = {"local": "current", "remote": "other"}


@dataclass(frozen=True, slots=True, repr=False)
class Merge:
    """What came of merging versions of one document.

    value: the result, complete even where something is left to decide: there it is provisional.
        Members that CouchDB keeps beside a document's fields (`_id`, `_rev`, …) are not in it;
        `_attachments` says which content each name has.
    decisions: what became of each path on which the versions differ.
    versions: those that were merged, the winner first.
    is_document: whether what was merged are documents, whose `_attachments` has a rule of its own.
    """

    value: Value
    decisions: tuple[Decision, ...]
    versions: tuple[Version, ...]
    policy: Policy
    is_document: bool = True

    @property
    def unresolved(self) -> tuple[Decision, ...]:
        """What is left to decide."""
        return tuple(decision for decision in self.decisions if decision.unresolved)

    def take(self, path: str | Path, version: str) -> Merge:
        """The same, with the value that a version has at a path; where only the order of a list's
        elements was decided, with that of the version.

        path: as it is shown, `subtasks[id="s1"].done`, or as a decision has it.
        version: its name, `current` or `other` for one.

        Raises:
            UsageError: nothing was decided about that path, or there is no such version.
        """
        name = _ALIASES.get(version, version)
        found = next((known for known in self.versions if known.name == name), None)
        if found is None:
            names = ", ".join(known.name for known in self.versions)
            raise UsageError(f"there is no version {version!r}", hint=f"there are {names}")
        decision = self._about(path)
        if decision.aspect == "order":
            chosen = arranged_as(decision, found, CHOSEN, f"chosen: as {found.label} has them")
            return self.with_decisions(
                tuple(chosen if one is decision else one for one in self.decisions)
            )
        value = decision.versions.get(name, value_at(found.body, decision.path))
        kind: Kind = "current" if found is self.versions[0] else "other"
        return self._decided(decision, kind, value, f"chosen: the value of {found.label}")

    def put(self, path: str | Path, value: Value) -> Merge:
        """The same, with a value of one's own at a path; `ABSENT` leaves it out.

        Raises:
            UsageError: nothing was decided about that path, or only an order.
            DocumentInvalid: the value is not JSON.
        """
        if value is not ABSENT:
            _checked(value, "the value")
        decision = self._about(path)
        if decision.aspect == "order":
            raise UsageError(
                f"of {readable(decision.path)} only the order of its elements was decided",
                hint="take() arranges them as a version has them",
            )
        return self._decided(decision, "combined", value, "chosen: a value of its own")

    def _about(self, path: str | Path) -> Decision:
        wanted = from_readable(path) if isinstance(path, str) else path
        found = [decision for decision in self.decisions if decision.path == wanted]
        if found:
            return next((one for one in found if one.aspect == "value"), found[0])
        about = ", ".join(readable(decision.path) for decision in self.decisions) or "no path"
        raise UsageError(
            f"nothing was decided about {readable(wanted)}", hint=f"the versions differ on {about}"
        )

    def _decided(self, decision: Decision, kind: Kind, value: Value, reason: str) -> Merge:
        """With another outcome of one decision; what was decided beneath it counts no more."""
        chosen = replace(decision, kind=kind, taken=value, resolver=CHOSEN, reason=reason)
        decisions = tuple(
            chosen if one is decision else one
            for one in self.decisions
            if one is decision or not covers(decision.path, one.path)
        )
        return self.with_decisions(decisions)

    def with_decisions(self, decisions: tuple[Decision, ...]) -> Merge:
        """What other decisions make of the same versions."""
        value = apply_decisions(self.versions[0].body, decisions)
        return _sealed(value, decisions, self.versions, self.policy, self.is_document)

    def __repr__(self) -> str:
        return told([version.label for version in self.versions], self.decisions)


def merge(
    base: Value,
    current: Mapping[str, JSON],
    other: Mapping[str, JSON],
    policy: Policy | None = None,
) -> Merge:
    """Merge two versions of a document over their common ancestor.

    base: the ancestor's body; `ABSENT` or None where it is not known: then nothing is taken
        for a removal.
    current: the version that wins where no rule prefers one.
    policy: which rules hold for which fields; the default one where none is given.

    Raises:
        DocumentInvalid: one of them is no document, or nested more than 200 levels.
        TooLarge: one of them has more than 32 MiB.
    """
    before = ABSENT if base is None or base is ABSENT else _document(base, "the base")
    here, there = _document(current, "current"), _document(other, "other")
    return _merged(before, here, there, DEFAULT if policy is None else _known(policy))


def merge_json(base: Value, current: Value, other: Value, policy: Policy = PLAIN) -> Merge:
    """Merge two versions of any JSON value.  Every member of an object is like any other: no
    name means something of its own, unless the policy says so.

    base: `ABSENT` where it is not known; None is null.

    Raises:
        DocumentInvalid: one of them is not JSON, or nested more than 200 levels.
        TooLarge: one of them has more than 32 MiB.
    """
    if base is not ABSENT:
        _checked(base, "the base")
    here, there = _checked(current, "current"), _checked(other, "other")
    return _merged(base, here, there, _known(policy), is_document=False)


def merge_leaves(tree: RevTree, bodies: Mapping[Rev, Value], policy: Policy) -> Merge:
    """Merge the live leaves of a document's tree where its branches meet; see `fold`."""
    folded = fold(tree, bodies, policy)
    decisions = joined(folded.side, [meeting.decisions for meeting in folded.meetings])
    versions = folded.side.versions
    return _sealed(apply_decisions(versions[0].body, decisions), decisions, versions, policy)


def _known(policy: Policy) -> Policy:
    if not isinstance(policy, Policy):
        raise UsageError(
            f"{policy!r} is not a policy", hint='make one: Policy(fields={"tags": "set"})'
        )
    return policy


def _merged(
    base: Value, current: Value, other: Value, policy: Policy, *, is_document: bool = True
) -> Merge:
    mine = policy.version("current", current)
    theirs = replace(policy.version("other", other), rank=1)
    kind = BaseKind.CREATED if base is ABSENT else BaseKind.EXACT
    side, decisions = merge_sides(
        Base(kind, None, base),
        Side.of(mine),
        Side.of(theirs),
        policy,
        is_document=is_document,
    )
    return _sealed(side.value, tuple(decisions), (mine, theirs), policy, is_document)


def _sealed(
    value: Value,
    decisions: tuple[Decision, ...],
    versions: tuple[Version, ...],
    policy: Policy,
    is_document: bool = True,
) -> Merge:
    """A merge whose value has the right checksum, where the policy knows of one."""
    value = arranged(value) if is_document else value
    right = policy.sealed(value)
    if policy.checksum is not None and right is not value:
        path = policy.checksum.field
        about = _about_checksum(path, value_at(right, path), versions)
        decisions = (*(one for one in decisions if one.path != path), about)
    return Merge(right, decisions, versions, policy, is_document)


def _about_checksum(path: Path, taken: Value, versions: tuple[Version, ...]) -> Decision:
    values = {version.name: value_at(version.body, path) for version in versions}
    first, *others = values.values()
    kind: Kind = "current" if same(taken, first) else "combined"
    if any(same(taken, value) for value in others):
        kind = "other"
    return Decision(
        path, kind, values, ABSENT, taken, (), "checksum", "computed over the result", metadata=True
    )


def _document(value: JSON, name: str) -> JSON:
    if not isinstance(value, Mapping):
        raise DocumentInvalid(
            "a document is an object", target=name, hint="merge_json merges any JSON value"
        )
    if not all(isinstance(key, str) for key in value):
        raise DocumentInvalid("a key of it is not a string", target=name)
    try:
        body = version_body(value)
    except DocumentInvalid as problem:
        problem.target = name
        raise
    return _checked(body, name)


def _checked(value: JSON, name: str) -> JSON:
    try:
        size = len(dumps_checked(value, MAX_DEPTH))
    except DocumentInvalid as problem:
        problem.target, problem.hint = name, f"a merge takes JSON of up to {MAX_DEPTH} levels"
        raise
    if size > MAX_BYTES:
        raise TooLarge(f"it has {size} bytes, and {MAX_BYTES} is the limit", target=name)
    return value
