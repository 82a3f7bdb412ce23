"""What a person chooses: for a path a version's value or one of one's own, or a whole body."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from couchmend.core.document import JSON, STORED_MEMBERS, Doc, dumps_checked
from couchmend.core.merging.attachments import MEMBER, content, version_body
from couchmend.core.merging.deciding import arranged_as, taken
from couchmend.core.merging.decisions import Decision
from couchmend.core.merging.merge import CHOSEN
from couchmend.core.merging.reading import wrong
from couchmend.core.merging.three_way import MAX_DEPTH
from couchmend.core.paths import (
    Path,
    covers,
    from_pointer,
    from_readable,
    pointer,
    readable,
    value_at,
)
from couchmend.core.policy.versions import Version
from couchmend.core.values import ABSENT, Value, same
from couchmend.errors import DocumentInvalid, UsageError


@dataclass(frozen=True, slots=True)
class Take:
    """The value that a version has; `version` is its revision or the beginning of it, or
    `current`, or `other` where there is one other."""

    version: str


@dataclass(frozen=True, slots=True)
class Put:
    """A value of one's own; `ABSENT` leaves the member out."""

    value: Value


@dataclass(frozen=True, slots=True)
class Arrange:
    """The elements of a list as a version arranges them."""

    version: str


Choice: TypeAlias = Take | Put | Arrange
Choices: TypeAlias = Mapping[str, Choice]
"""Choices by path: readable, like `subtasks[id="s1"].title`, or a pointer, which begins with /."""


def choices_from_json(given: JSON) -> Choices:
    """Read choices: by path `{"take": version}`, `{"value": …}`, `{"absent": true}` or
    `{"arrange": version}`.

    Raises:
        UsageError: they are none.
    """
    if not isinstance(given, Mapping):
        raise wrong("choices", given, "an object")
    return {path: _choice(f"choices, {path}", choice) for path, choice in given.items()}


def _choice(where: str, given: JSON) -> Choice:
    if isinstance(given, Mapping) and len(given) == 1:
        ((kind, value),) = given.items()
        match kind:
            case "value":
                return Put(value)
            case "absent" if value is True:
                return Put(ABSENT)
            case "take" if isinstance(value, str):
                return Take(value)
            case "arrange" if isinstance(value, str):
                return Arrange(value)
    allowed = '{"take": version}, {"value": …}, {"absent": true} or {"arrange": version}'
    raise wrong(where, given, allowed)


def path_of(text: str) -> Path:
    """The path that a choice is about.

    Raises:
        UsageError: it is none, or names no place of its own.
    """
    path = from_pointer(text) if text.startswith("/") else from_readable(text)
    if any(isinstance(step, int) for step in path):
        raise UsageError(
            f"{text!r} names an element by its place, which is another in every version",
            hint='name it by its identity, like subtasks[id="s1"], or choose the whole list',
        )
    name = path[0] if path else ""
    if isinstance(name, str) and name.startswith("_") and name not in {MEMBER, *STORED_MEMBERS}:
        raise UsageError(f"{name} is not a document's own", hint="names with an underscore are not")
    if name == MEMBER and len(path) > 2:
        raise UsageError(
            f"{text!r} is within an attachment", hint="choose an attachment as a whole"
        )
    return path


def version_named(name: str, versions: Sequence[Version], aliases: bool = True) -> Version:
    """The version of a name.

    Raises:
        UsageError: there is none, or more than one.
    """
    if aliases and name in ("current", "local"):
        return versions[0]
    if aliases and name in ("other", "remote"):
        found = list(versions[1:])
    else:
        found = [one for one in versions if one.name == name]
        found = found or [one for one in versions if "-" in name and one.name.startswith(name)]
    if len(found) == 1:
        return found[0]
    what = f"{name!r} is more than one version" if found else f"there is no version {name!r}"
    raise UsageError(what, hint=f"there are {', '.join(one.name for one in versions)}")


# --- choices as decisions


def choose(
    decisions: Sequence[Decision],
    choices: Choices,
    versions: Sequence[Version],
    left_out: Sequence[Version],
    base: Value,
    made_of: Callable[[Sequence[Decision]], Value],
) -> tuple[Decision, ...]:
    """The decisions with what was chosen.

    versions: those that were merged, the winner first.
    left_out: others, whose values may be chosen all the same.
    base: what they were merged over, for paths about which nothing was decided.
    made_of: the body that decisions make.

    Raises:
        UsageError: a choice is about nothing, or about what is not there.
        DocumentInvalid: a value is not JSON.
    """
    by_path: dict[Path, tuple[str, Choice]] = {}
    for text, choice in choices.items():
        path = path_of(text)
        if path in by_path:
            raise UsageError(f"{text!r} and {by_path[path][0]!r} are the same path")
        by_path[path] = text, choice
    # What is beneath a path that was chosen, too, comes after it.
    ordered = sorted(by_path, key=lambda path: (len(path), pointer(path)))
    made = tuple(decisions)
    known = (*versions, *left_out)
    for path in ordered:
        match by_path[path][1]:
            case Arrange(version=name):
                made = _arranged(made, path, version_named(name, known))
            case Take(version=name):
                found = version_named(name, known)
                value = value_at(found.body, path)
                made = _chosen(made, path, value, f"the value of {found.label}", versions, base)
            case Put(value=value):
                _check(value, path)
                made = _chosen(made, path, value, "a value of one's own", versions, base)
    _hold(made_of(made), made, ordered)
    return made


def _chosen(
    decisions: tuple[Decision, ...],
    path: Path,
    value: Value,
    what: str,
    versions: Sequence[Version],
    base: Value,
) -> tuple[Decision, ...]:
    """With a value at a path; what was decided beneath it counts no more."""
    found = next((one for one in decisions if one.place == (path, "value")), None)
    for above in decisions:
        if above.unresolved and above.aspect == "value" and _is_beneath(path, above.path):
            raise UsageError(
                f"{readable(path)} cannot be chosen by itself",
                hint=f"{readable(above.path)} is to be decided as a whole",
            )
    if found is None:
        found = Decision(
            path,
            "same",
            {one.name: value_at(one.body, path) for one in versions},
            value_at(base, path),
            ABSENT,
        )
    chosen = taken(found, value, versions[0].name, CHOSEN, f"chosen: {what}")
    kept = [one for one in decisions if one.place == chosen.place or not covers(path, one.path)]
    if any(one.place == chosen.place for one in kept):
        return tuple(chosen if one.place == chosen.place else one for one in kept)
    return (*kept, chosen)


def _arranged(
    decisions: tuple[Decision, ...], path: Path, version: Version
) -> tuple[Decision, ...]:
    for place, one in enumerate(decisions):
        if one.place == (path, "order"):
            chosen = arranged_as(one, version, CHOSEN, f"chosen: as {version.label} has them")
            return (*decisions[:place], chosen, *decisions[place + 1 :])
    raise UsageError(
        f"the versions do not arrange {readable(path)} in different ways",
        hint="only a list whose elements have identities is arranged",
    )


def _check(value: Value, path: Path) -> None:
    if value is ABSENT:
        return
    try:
        dumps_checked([value], MAX_DEPTH)
    except DocumentInvalid as problem:
        problem.target = readable(path)
        raise


def _hold(body: Value, decisions: Sequence[Decision], chosen: Sequence[Path]) -> None:
    """Hold that what was chosen is there.

    Raises:
        UsageError: it is not: there is nothing that it could be a part of.
    """
    by_path = {one.path: one.taken for one in decisions if one.aspect == "value"}
    for path in chosen:
        if path not in by_path or any(_is_beneath(other, path) for other in chosen):
            continue
        if not same(value_at(body, path), by_path[path]):
            raise UsageError(
                f"there is nothing that {readable(path)} could be put into",
                hint=f"choose a value for {readable(path[:-1])} that has it",
            )


def _is_beneath(path: Path, above: Path) -> bool:
    return path != above and covers(above, path)


# --- a whole body


def whole_body(given: Mapping[str, JSON], merged: Doc) -> Doc:
    """A body of one's own, as a version's.  Without a word about attachments it has those of
    the merge; `{}` leaves them out.

    Raises:
        DocumentInvalid: it is no document.
    """
    body = version_body({key: value for key, value in given.items() if key != MEMBER})
    entries = given.get(MEMBER)
    found = content(entries) if entries is not None else merged.get(MEMBER, {})
    if found:
        body[MEMBER] = found
    dumps_checked(body, MAX_DEPTH)
    return body


def of_body(
    decisions: Iterable[Decision],
    body: Doc,
    versions: Sequence[Version],
    base: Value,
    *,
    attachments: bool,
) -> tuple[Decision, ...]:
    """The decisions that a whole body is, one for each member on which it or a version differs.

    attachments: whether it says which there are; else what was decided about them stays.
    """
    decided: dict[str, list[Decision]] = {}
    for decision in decisions:
        decided.setdefault(str(decision.path[0]) if decision.path else "", []).append(decision)
    current = versions[0].body
    made: list[Decision] = []
    for name in dict.fromkeys([*body, *current, *decided]):
        about = decided.get(name, [])
        if name == MEMBER and not attachments:
            made += about
            continue
        value = body.get(name, ABSENT)
        if not about and same(value, current.get(name, ABSENT)):
            continue
        made += _chosen((), (name,), value, "a body of one's own", versions, base)
    return tuple(made)
