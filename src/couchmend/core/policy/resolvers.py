"""Named rules that decide what becomes of a value that several versions changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from couchmend.core.paths import Path
from couchmend.core.policy.versions import Version
from couchmend.core.values import Value


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
    """

    name: str
    resolve: Resolve | None = None
    form: Form | None = None
    idempotent: bool = True
    timed: bool = False
