"""Named rules that decide what becomes of a value that several versions changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

from couchmend.core.document import check
from couchmend.core.paths import Path
from couchmend.core.policy.versions import Version
from couchmend.core.values import ABSENT, Value
from couchmend.errors import DocumentInvalid

MAX_DEPTH = 200
"""Levels of lists and objects that a resolver may return."""


@dataclass(frozen=True, slots=True)
class Unresolved:
    """What a resolver returns that cannot decide; `reason` is a sentence, or empty."""

    reason: str = ""


UNRESOLVED = Unresolved()


@dataclass(frozen=True, slots=True)
class Context:
    """What a resolver may look at beside the values.

    current, other: the versions that supplied the values.
    base_body: the whole body before, or `ABSENT`.
    base_exact: whether that is the body of the true common ancestor.
    """

    path: Path
    current: Version
    other: Version
    base_body: Value
    base_exact: bool

    def copied(self) -> Context:
        """The same, for somebody who may change what is in it."""
        return replace(
            self,
            current=replace(self.current, body=_copy(self.current.body)),
            other=replace(self.other, body=_copy(self.other.body)),
            base_body=_copy(self.base_body),
        )


Resolve: TypeAlias = Callable[[Value, Value, Value, Context], Value | Unresolved]
"""`resolve(base, current, other, context)`: the value, or that it cannot tell."""


class Form(Enum):
    """How a value is to be merged, for the resolvers that say no more than that."""

    KEYED = "keyed"
    SET = "set"
    SEQUENCE = "sequence"
    TEXT = "text"
    ATOMIC = "atomic"


@dataclass(frozen=True, slots=True)
class Resolver:
    """A named rule.

    resolve: what decides; None for those that are a `form`.
    idempotent: whether merging what it gave with one of its inputs again changes nothing.
    timed: whether it goes by timestamps.
    about: what it does, in a few words.
    trusted: whether it neither changes what it is given nor returns what is not JSON.
    """

    name: str
    resolve: Resolve | None = None
    form: Form | None = None
    idempotent: bool = True
    timed: bool = False
    about: str = ""
    trusted: bool = False

    def decide(
        self, base: Value, current: Value, other: Value, context: Context
    ) -> Value | Unresolved:
        """What `resolve` says.  That it failed, or returned what is not JSON, is `Unresolved`
        with the message as its reason; it never raises."""
        if self.resolve is None:
            return Unresolved("it says how to merge, not what to take")
        if self.trusted:
            return self.resolve(base, current, other, context)
        try:
            found = self.resolve(_copy(base), _copy(current), _copy(other), context.copied())
        except Exception as problem:  # noqa: BLE001  # anyone's code; its message is kept
            return Unresolved(f"it failed with {type(problem).__name__}: {problem}")
        if found is ABSENT or isinstance(found, Unresolved):
            return found
        try:
            check(found, MAX_DEPTH)
        except DocumentInvalid as problem:
            return Unresolved(f"it returned what is not JSON: {problem.message}")
        return found


def _copy(value: Value) -> Value:
    """A value that may be changed without changing the version that it is of."""
    if type(value) is dict:
        return {key: _copy(member) for key, member in value.items()}
    if type(value) is list:
        return [_copy(element) for element in value]
    return value
