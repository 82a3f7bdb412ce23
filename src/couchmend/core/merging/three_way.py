"""Merging two sides over their base: the rules for one path, in their order.

Nothing is decided here that the rules do not decide: where they end, the path stays open, with
all that competes there.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, TypeAlias

from couchmend.core.document import too_deep
from couchmend.core.merging.attachments import MEMBER
from couchmend.core.merging.keyed import keyed_by, merge_keyed
from couchmend.core.merging.outcome import Outcome, kind_of
from couchmend.core.merging.sides import Side
from couchmend.core.paths import Path
from couchmend.core.policy.patterns import Patterns
from couchmend.core.policy.policy import Policy, Rule
from couchmend.core.policy.resolvers import Context, Form, Unresolved
from couchmend.core.sequences.budget import DEFAULT_OPERATIONS, Budget, TooMuchWork
from couchmend.core.sequences.lists import are_sets, merge_sequence, merge_set
from couchmend.core.sequences.text import merge_text
from couchmend.core.values import ABSENT, Value, is_text, same

MAX_DEPTH = 200
"""Levels of lists and objects in a document that is merged."""

Rules: TypeAlias = Patterns[Rule]
_EMPTY: Mapping[str, Any] = {}
_TOO_MUCH = "both sides changed so much that comparing it piece by piece is too much work"


class ThreeWay:
    """The merge of two sides over one base.

    base: `ABSENT` where none is known.
    base_exact: whether it is the body of the true common ancestor.
    is_document: whether what is merged are documents, whose `_attachments` has a rule of its own.
    """

    def __init__(
        self,
        base: Value,
        current: Side,
        other: Side,
        policy: Policy,
        *,
        base_exact: bool,
        is_document: bool = True,
        operations: int = DEFAULT_OPERATIONS,
    ) -> None:
        self._base = base
        self._policy = policy
        self._base_exact = base_exact and base is not ABSENT
        self._is_document = is_document
        self._budget = Budget(operations)
        self.outcome = Outcome(current, other, base_known=base is not ABSENT)
        self.value = self._at((), policy.rules, base, current.value, other.value)

    # --- the rules for one path

    def _at(self, path: Path, rules: Rules, base: Value, current: Value, other: Value) -> Value:
        outcome, rule = self.outcome, rules.value
        opened = bool(outcome.were_open) and outcome.touches_open(path)
        if opened and (path, "value") in outcome.were_open:
            return outcome.conflict(path, base, current, other)
        if rule is not None and rule.metadata and rule.resolver.resolve is not None:
            return self._metadata(path, rule, base, current, other)
        alike = not opened and same(current, other)
        if alike and (current is ABSENT or same(current, base)):
            return self._alike(path, base, current, other)
        goes_on = (rule is None or rules.goes_on) and not self._is_attachment(path)
        if path == (MEMBER,) and self._is_document:
            # What a version without attachments does not have, it has removed one by one.
            sides = [{} if value is ABSENT else value for value in (base, current, other)]
            return self._members(path, rules, *sides)
        if goes_on and type(current) is dict and type(other) is dict:
            return self._members(path, rules, base, current, other)
        identity = keyed_by(self._policy.identity_keys, rules, base, current, other)
        if identity.key is not None and (not opened or outcome.is_open_by(path, identity.key)):
            return self._elements(path, rules, identity.key, base, current, other)
        if alike and not self._adds_up(rule, current):
            return self._alike(path, base, current, other)
        unchanged = self._unchanged(path, base, current, other)
        if unchanged == "other":
            return outcome.only(path, "current", base, current, other)
        if unchanged == "current":
            return outcome.only(path, "other", base, current, other)
        if opened:
            return outcome.conflict(path, base, current, other)
        if rule is not None and rule.resolver.resolve is not None:
            return self._resolved(path, rule, base, current, other)
        return self._by_form(path, rules, identity.why, base, current, other)

    def _adds_up(self, rule: Rule | None, value: Value) -> bool:
        """Whether equal is not the same for a value, or may not be for what is in it: both
        sides may have added."""
        if not self._base_exact or self._policy.is_idempotent:
            return False
        return type(value) is list or (rule is not None and not rule.resolver.idempotent)

    def _alike(self, path: Path, base: Value, current: Value, other: Value) -> Value:
        """Equal on both sides."""
        if not same(current, base):
            self.outcome.both_did(path, base, current, other)
        return current

    def _is_attachment(self, path: Path) -> bool:
        """Whether a path is that of one attachment, which is its content and type at once."""
        return len(path) == 2 and path[0] == MEMBER and self._is_document

    def _unchanged(self, path: Path, base: Value, current: Value, other: Value) -> str:
        """Which side left the path as it was, with nothing open beneath."""
        outcome = self.outcome
        if same(other, base) and not outcome.other.is_open(path):
            return "other"
        if same(current, base) and not outcome.current.is_open(path):
            return "current"
        return ""

    def _members(
        self, path: Path, rules: Rules, base: Value, current: Value, other: Value
    ) -> Value:
        """Two objects, member by member: current's order, then what only the other has."""
        if len(path) >= MAX_DEPTH:
            raise too_deep()
        before = base if type(base) is dict else _EMPTY
        nothing_open = not self.outcome.were_open
        merged = {}
        for name in [*current, *(name for name in other if name not in current)]:
            mine, theirs = current.get(name, ABSENT), other.get(name, ABSENT)
            was = before.get(name, ABSENT)
            # Most members are what they were.
            if nothing_open and same(mine, theirs) and same(mine, was):
                merged[name] = mine
                continue
            taken = self._at((*path, name), rules.beneath(name), was, mine, theirs)
            if taken is not ABSENT:
                merged[name] = taken
        for name in (*before, *self.outcome.open_beneath(path)):
            if type(name) is str and name not in current and name not in other:
                was = before.get(name, ABSENT)
                self._at((*path, name), rules.beneath(name), was, ABSENT, ABSENT)
        return merged

    def _elements(
        self, path: Path, rules: Rules, key: str, base: Value, current: Value, other: Value
    ) -> Value:
        if len(path) >= MAX_DEPTH:
            raise too_deep()
        try:
            return merge_keyed(
                self.outcome, self._at, path, rules, key, base, current, other, self._budget
            )
        except TooMuchWork:
            return self.outcome.conflict(path, base, current, other, _TOO_MUCH)

    def _metadata(self, path: Path, rule: Rule, base: Value, current: Value, other: Value) -> Value:
        if same(current, other):
            return current
        name = rule.resolver.name
        taken = self._by_resolver(path, rule, base, current, other)
        if isinstance(taken, Unresolved):
            return self._undecided(path, name, taken, base, current, other)
        kind = kind_of(taken, current, other)
        reason = f"about the version, not its content: {name}"
        self.outcome.note(
            path, kind, base, current, other, taken, reason, resolver=name, metadata=True
        )
        return taken

    def _resolved(self, path: Path, rule: Rule, base: Value, current: Value, other: Value) -> Value:
        name = rule.resolver.name
        taken = self._by_resolver(path, rule, base, current, other)
        if isinstance(taken, Unresolved):
            return self._undecided(path, name, taken, base, current, other)
        reason = f"both sides changed it; the policy says {name}"
        timed = rule.resolver.timed
        return self.outcome.took(
            path, base, current, other, taken, reason, resolver=name, timed=timed
        )

    def _undecided(
        self, path: Path, name: str, found: Unresolved, base: Value, current: Value, other: Value
    ) -> Value:
        reason = f"{name}: {found.reason or 'it cannot tell'}"
        return self.outcome.conflict(path, base, current, other, reason, resolver=name)

    def _by_resolver(
        self, path: Path, rule: Rule, base: Value, current: Value, other: Value
    ) -> Value | Unresolved:
        mine = self.outcome.current.supply.newest(path)
        theirs = self.outcome.other.supply.newest(path)
        context = Context(path, mine, theirs, self._base, self._base_exact)
        return rule.resolver.decide(base, current, other, context)

    def _record(
        self,
        path: Path,
        rules: Rules,
        timed: set[bool],
        base: Value,
        current: Value,
        other: Value,
    ) -> Value:
        """An element without identity; `ABSENT` if something is left to decide.  What is decided
        within it has no path of its own: its list has the decision.

        timed: takes in whether that rests on timestamps.
        """
        whole = self.outcome
        self.outcome = Outcome(whole.current, whole.other, base_known=whole.base_known)
        try:
            taken = self._at(path, rules, base, current, other)
            timed.update(decision.timed for decision in self.outcome.decisions)
            return ABSENT if self.outcome.open else taken
        finally:
            self.outcome = whole

    def _by_form(
        self, path: Path, rules: Rules, why: str, base: Value, current: Value, other: Value
    ) -> Value:
        """What is neither an object nor decided by a resolver: lists and texts piece by piece,
        anything else is a conflict."""
        rule = rules.value
        form = None if rule is None else rule.resolver.form
        name = "" if rule is None else rule.resolver.name
        note = f" (as a sequence: {why})" if why else ""
        outcome, budget = self.outcome, self._budget
        timed: set[bool] = set()
        try:
            if type(current) is list and type(other) is list and form is not Form.ATOMIC:
                before = base if type(base) is list else None
                if _as_set(form, before, current, other):
                    merged = merge_set(before, current, other, budget)
                    reason = "as a set: what either side removed is gone, what either added stays"
                    return outcome.took(path, base, current, other, merged, reason, resolver="set")
                if before is None:
                    reason = outcome.why(base, current, other) + note
                    return outcome.conflict(path, base, current, other, reason, resolver=name)
                record = partial(self._record, (*path, 0), rules.beneath(0), timed)
                found: Value | None = merge_sequence(before, current, other, budget, record)
                what, resolver = "the same place of the list", "sequence"
            elif form is not Form.ATOMIC and _are_texts(form, base, current, other):
                found = merge_text(base, current, other, budget)
                what, resolver = "the same words", "text"
            else:
                return outcome.conflict(path, base, current, other, resolver=name)
        except TooMuchWork:
            return outcome.conflict(path, base, current, other, _TOO_MUCH, resolver=name)
        if found is not None and same(found, current) and same(found, other):
            return self._alike(path, base, current, other)
        if found is None:
            reason = f"both sides changed {what}{note}"
            return outcome.conflict(path, base, current, other, reason, resolver=name)
        reason = f"both sides changed it in different places{note}"
        return outcome.took(
            path, base, current, other, found, reason, resolver=resolver, timed=True in timed
        )


def _as_set(form: Form | None, base: Value, current: Value, other: Value) -> bool:
    if form is not None:
        return form is Form.SET
    return are_sets([current, other] if base is None else [current, other, base])


def _are_texts(form: Form | None, *values: Value) -> bool:
    """Strings of several lines; with the policy's word, of one."""
    if not all(type(value) is str for value in values):
        return False
    return form is Form.TEXT or any(map(is_text, values))
