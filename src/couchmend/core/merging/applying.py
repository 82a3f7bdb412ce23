"""Decisions carried out: what they make of the current version's body."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from couchmend.core.document import JSON
from couchmend.core.merging.attachments import MEMBER
from couchmend.core.merging.decisions import Decision
from couchmend.core.paths import Element, Step
from couchmend.core.values import ABSENT, Value

_UNDECIDED: Final = object()


def apply_decisions(current: Value, decisions: Iterable[Decision]) -> Value:
    """The body that decisions make of the current version's.

    A decision about a path counts for more than one about a path above it.  What a decision
    adds stands after what is there, in the decisions' order; the elements of a list whose
    order was decided stand in that order.  Nothing is added to what is not there, but
    attachments: a version that has none can be given some.
    """
    root = _Node()
    for decision in decisions:
        node = root
        for step in decision.path:
            node = node.beneath.setdefault(step, _Node())
        if decision.aspect == "order":
            node.order = decision.taken
        else:
            node.taken = decision.taken
    if type(current) is dict and MEMBER not in current and MEMBER in root.beneath:
        given = _made({**current, MEMBER: {}}, root)
        if type(given) is dict and given.get(MEMBER) != {}:
            return given
    return _made(current, root)


@dataclass(slots=True)
class _Node:
    """What was decided about a path, and beneath it."""

    taken: Value = _UNDECIDED
    order: list[dict[str, JSON]] | None = None
    beneath: dict[Step, _Node] = field(default_factory=dict)


def _made(value: Value, node: _Node) -> Value:
    if node.taken is not _UNDECIDED:
        value = node.taken
    if type(value) is dict and node.beneath:
        return _members(value, node)
    if type(value) is list and (node.beneath or node.order is not None):
        return _elements(value, node)
    return value


def _members(value: dict[str, JSON], node: _Node) -> dict[str, JSON]:
    made = dict(value)
    for step, child in node.beneath.items():
        if isinstance(step, str):
            member = _made(made.get(step, ABSENT), child)
            if member is not ABSENT:
                made[step] = member
            else:
                made.pop(step, None)
    return made


def _elements(value: list[JSON], node: _Node) -> list[JSON]:
    """The elements by their identities; those without one stand where they do."""
    keys = [step.key for step in node.beneath if isinstance(step, Element)]
    keys += [key for identity in node.order or () for key in identity]
    if not keys:
        return value
    key = keys[0]
    made = {
        element[key] if type(element) is dict and key in element else (place,): element
        for place, element in enumerate(value)
    }
    for step, child in node.beneath.items():
        if isinstance(step, Element):
            element = _made(made.get(step.value, ABSENT), child)
            if element is not ABSENT:
                made[step.value] = element
            else:
                made.pop(step.value, None)
    if node.order is not None:
        rank = {identity[key]: place for place, identity in enumerate(node.order)}
        made = dict(sorted(made.items(), key=lambda item: rank.get(item[0], len(rank))))
    return list(made.values())
