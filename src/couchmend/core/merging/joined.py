"""The decisions of several meetings as one list: what became of each path in the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from couchmend.core.document import JSON
from couchmend.core.merging.applying import apply_decisions
from couchmend.core.merging.attachments import MEMBER
from couchmend.core.merging.decisions import Decision, Kind, Place
from couchmend.core.merging.keyed import unarranged
from couchmend.core.merging.sides import Side
from couchmend.core.paths import Element, Path, Step, covers, member, value_at
from couchmend.core.values import ABSENT, Value, same


def joined(side: Side, meetings: Sequence[Sequence[Decision]]) -> tuple[Decision, ...]:
    """One decision for each path, over all versions, in the order of the result.

    They make the result of the winner's body, but perhaps for the order of an object's members.

    side: the result; the first of its versions is the winner.
    meetings: what was decided where branches met, the last one last.
    """
    by_place: dict[Place, list[Decision]] = {}
    last: dict[Place, int] = {}
    keys: dict[Path, tuple[int, str]] = {}
    for number, decisions in enumerate(meetings):
        for decision in decisions:
            by_place.setdefault(decision.place, []).append(decision)
            last[decision.place] = number
            keys |= {path: (number, key) for path, key in _keys_on_the_way(decision)}
    found = {
        place: _in_the_end(side, made)
        for place, made in by_place.items()
        if place in side.open
        or (_matters(side, made[-1]) and not _is_overtaken(made[-1], last, keys))
    }
    for path, (_, key) in keys.items():
        order: Place = (path, "order")
        arranged = None if order in found else _arranged(side, path, key)
        if arranged is not None:
            found[order] = arranged
    positions = _Positions(side.value)
    return _made_good(side, sorted(found.values(), key=positions.of))


def _keys_on_the_way(decision: Decision) -> Iterator[tuple[Path, str]]:
    """The lists on the way to a path, each with the member by which its elements are known."""
    for place, step in enumerate(decision.path):
        if isinstance(step, Element):
            yield decision.path[:place], step.key
    if decision.aspect == "order" and (key := _key(decision)):
        yield decision.path, key


def _is_overtaken(
    decision: Decision, last: Mapping[Place, int], keys: Mapping[Path, tuple[int, str]]
) -> bool:
    """Whether a later meeting took a list on the way as a whole, or knew its elements by
    another member."""
    number = last[decision.place]
    return any(
        last.get((path, "value"), -1) > number or keys[path][1] != key
        for path, key in _keys_on_the_way(decision)
    )


def _made_good(side: Side, decisions: Sequence[Decision]) -> tuple[Decision, ...]:
    """The decisions, if they make the result; else one for each member that they do not make."""
    made = apply_decisions(side.versions[0].body, decisions)
    if same(made, side.value):
        return tuple(decisions)
    names = dict.fromkeys([*side.value, *made]) if _are_objects(side.value, made) else {}
    wrong: list[Path] = [
        (name,) for name in names if not same(member(side.value, name), member(made, name))
    ]
    good = [one for one in decisions if not any(covers(path, one.path) for path in wrong or [()])]
    return (*good, *(_as_a_whole(side, path, decisions) for path in wrong or [()]))


def _as_a_whole(side: Side, path: Path, decisions: Sequence[Decision]) -> Decision:
    parts = [one for one in decisions if covers(path, one.path)]
    names = dict.fromkeys(name for one in parts for name in one.competing)
    opened = side.is_open(path)
    versions = {version.name: value_at(version.body, path) for version in side.versions}
    taken = value_at(side.value, path)
    return Decision(
        path,
        "conflict" if opened else _kind(side, list(names), versions, taken),
        versions,
        ABSENT,
        taken,
        tuple(names),
        "",
        "what was decided about its parts, where one branch after the other came in",
        timed=any(one.timed for one in parts),
        assumed=any(one.assumed for one in parts),
    )


def _are_objects(*values: Value) -> bool:
    return all(type(value) is dict for value in values)


def _matters(side: Side, decision: Decision) -> bool:
    """Whether a later meeting has not gone over the whole of what the path is part of."""
    path = decision.path
    if decision.place in side.open:
        return True
    if decision.unresolved or side.open.cover(path):
        return False
    if not path:
        return True
    if path[:-1] == (MEMBER,) and value_at(side.value, (MEMBER,)) is ABSENT:
        return True  # a document without attachments is one whose last one was removed
    holder = type(value_at(side.value, path[:-1]))
    return holder is (dict if isinstance(path[-1], str) else list)


def _in_the_end(side: Side, made: Sequence[Decision]) -> Decision:
    path, aspect = made[-1].place
    told = next((one for one in reversed(made) if one.contested), made[-1])
    competing = dict.fromkeys(name for one in made for name in one.competing)
    names = [version.name for version in side.versions if version.name in competing]
    if aspect == "order":
        versions = {name: value for one in made for name, value in one.versions.items()}
        taken: Value = _order_of(value_at(side.value, path), _key(made[-1]))
    else:
        versions = {version.name: value_at(version.body, path) for version in side.versions}
        taken = value_at(side.value, path)
        if taken is not ABSENT and all(value is ABSENT for value in versions.values()):
            versions = dict(made[-1].versions)  # it has another name in its version
    kind: Kind = "conflict"
    if (path, aspect) not in side.open:
        kind = _kind(side, names, versions, taken)
    return Decision(
        path,
        kind,
        versions,
        made[-1].base,
        taken,
        tuple(names),
        told.resolver,
        told.reason,
        aspect,
        made[-1].metadata,
        any(one.timed for one in made),
        any(one.assumed for one in made),
    )


def _kind(side: Side, names: Sequence[str], versions: dict[str, Value], taken: Value) -> Kind:
    changes = [versions[name] for name in names if name in versions]
    if len(changes) > 1 and all(same(taken, change) for change in changes):
        return "same"
    winner = side.versions[0].name
    if winner in versions and same(taken, versions[winner]):
        return "current"
    if any(same(taken, value) for value in versions.values()):
        return "other"
    return "combined"


# --- how elements are arranged


def _arranged(side: Side, path: Path, key: str) -> Decision | None:
    """What is to be said of a list whose elements do not stand as in the winner's version."""
    winner = side.versions[0]
    current, taken = value_at(winner.body, path), value_at(side.value, path)
    if type(current) is not list or type(taken) is not list:
        return None
    before, after = _order_of(current, key), _order_of(taken, key)
    ids = [identity[key] for identity in after]
    if ids == unarranged([identity[key] for identity in before], ids):
        return None
    reason = "the elements stand as the versions that have them arranged them"
    return Decision(path, "combined", {winner.name: before}, ABSENT, after, (), "", reason, "order")


def _order_of(elements: Value, key: str) -> list[JSON]:
    return [{key: element[key]} for element in elements if type(element) is dict and key in element]


def _key(decision: Decision) -> str:
    for identities in (decision.taken, *decision.versions.values()):
        for identity in identities or ():
            return str(next(iter(identity)))
    return ""


# --- in which order decisions are told


@dataclass(slots=True)
class _Positions:
    """Where paths stand in a result."""

    value: Value
    _places: dict[Path, dict[Step, int]] = field(default_factory=dict)

    def of(self, decision: Decision) -> tuple[tuple[int, ...], bool]:
        """What decisions are sorted by; what is not in the result comes after what is."""
        position = []
        value = self.value
        for length, step in enumerate(decision.path):
            places = self._places.get(decision.path[:length])
            if places is None:
                places = self._places[decision.path[:length]] = _places(value, step)
            position.append(places.get(step, len(places)))
            value = member(value, step)
        return tuple(position), decision.aspect == "order"


def _places(value: Value, step: Step) -> dict[Step, int]:
    if type(value) is dict:
        return {name: place for place, name in enumerate(value)}
    if type(value) is list and isinstance(step, Element):
        return {
            Element(step.key, element[step.key]): place
            for place, element in enumerate(value)
            if type(element) is dict and step.key in element
        }
    return {}
