"""Members that are about a version and say nothing of its content: when and where it was
written, what is left out of account, and a checksum over the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from couchmend.core.document import IGNORED_MEMBERS, STRUCTURAL_MEMBERS, dumps
from couchmend.core.paths import Path, value_at
from couchmend.core.policy.patterns import Pattern, Wild
from couchmend.core.policy.resolvers import Context, Resolver, Unresolved
from couchmend.core.policy.timestamps import instant
from couchmend.core.values import ABSENT, Value, canonical, same

TIMESTAMP_FIELDS: Final = (
    "updatedAt", "updated_at", "updatedOn", "updated_on", "updatedDate", "updated_date",
    "updatedTime", "updated_time", "updateTime", "update_time", "updated",
    "modifiedAt", "modified_at", "modifiedOn", "modified_on", "modifiedDate", "modified_date",
    "modifiedTime", "modified_time", "modified",
    "lastModified", "last_modified", "lastModifiedAt", "last_modified_at",
    "lastModifiedDate", "last_modified_date", "lastUpdated", "last_updated",
    "lastUpdatedAt", "last_updated_at", "lastUpdate", "last_update",
    "lastEdited", "last_edited", "lastEditedAt", "last_edited_at", "editedAt", "edited_at",
    "changedAt", "changed_at", "lastChanged", "last_changed", "lastChangedAt", "last_changed_at",
    "dateModified", "date_modified", "dateUpdated", "date_updated",
    "modificationDate", "modification_date", "mtime",
)  # fmt: skip
"""Members that usually say when a version was written, in the order in which they count."""

DEVICE_FIELDS: Final = (
    "deviceId", "device_id", "deviceID", "lastDeviceId", "last_device_id",
    "updatedByDevice", "updated_by_device", "modifiedByDevice", "modified_by_device",
    "updatedBy", "updated_by", "modifiedBy", "modified_by",
    "lastModifiedBy", "last_modified_by", "lastUpdatedBy", "last_updated_by",
    "editedBy", "edited_by", "lastEditedBy", "last_edited_by", "changedBy", "changed_by",
)  # fmt: skip
"""Members that usually say which device, or whose, a version was written on."""


# --- resolvers


def _newest_timestamp(
    base: Value, current: Value, other: Value, context: Context
) -> Value | Unresolved:
    mine, theirs = instant(current), instant(other)
    says_something = _is_said(current) and _is_said(other)
    if says_something and mine is None and theirs is None:
        # No times at all, whatever the field is called.
        if same(current, base) or same(other, base):
            return other if same(current, base) else current
        return Unresolved("neither value is a time")
    if theirs is None:
        return other if current is ABSENT else current
    return other if mine is None or theirs > mine else current


def _is_said(value: Value) -> bool:
    return value is not ABSENT and value is not None


def _of_newest_version(base: Value, current: Value, other: Value, context: Context) -> Value:
    mine, theirs = context.current.timestamp, context.other.timestamp
    return other if theirs is not None and (mine is None or theirs > mine) else current


def _ignored(base: Value, current: Value, other: Value, context: Context) -> Value:
    if same(current, base):
        return other
    if same(other, base):
        return current
    return _of_newest_version(base, current, other, context)


def _any_checksum(base: Value, current: Value, other: Value, context: Context) -> Value:
    return other if current is ABSENT else current


TIMESTAMP: Final = Resolver("newest timestamp", _newest_timestamp, timed=True, trusted=True)
DEVICE: Final = Resolver("device of the newest version", _of_newest_version, trusted=True)
IGNORED: Final = Resolver("ignored", _ignored, trusted=True)
CHECKSUM: Final = Resolver("checksum", _any_checksum, trusted=True)
"""Leaves any checksum in its place, for `sealed` to put the right one there at the end."""


# --- checksums

ChecksumForm: TypeAlias = Literal["canonical-json", "json", "concatenated"]


@dataclass(frozen=True, slots=True)
class Checksum:
    """How a document's checksum over itself is made.

    field: where it stands.
    algorithm: a name that hashlib knows.
    over: what it covers; None is the whole body but for the checksum itself.
    form: the bytes that it is over.  `json` is compact, the members in the order of the
        patterns or of the body; `canonical-json` has them sorted and whole numbers without a
        point; `concatenated` is the values one after another, strings as they are.
    """

    field: Path
    algorithm: str = "sha256"
    over: tuple[Pattern, ...] | None = None
    form: ChecksumForm = "canonical-json"


def checksum_of(body: Value, spec: Checksum) -> str:
    """The checksum of a body, in hexadecimal."""
    hasher = hashlib.new(spec.algorithm, usedforsecurity=False)
    hasher.update(_covered(body, spec))
    return hasher.hexdigest()


def verify(body: Value, spec: Checksum) -> bool | None:
    """Whether a body has the checksum that it says it has; None where it says nothing."""
    said = value_at(body, spec.field)
    if said is ABSENT or said is None:
        return None
    return type(said) is str and said.lower() == checksum_of(body, spec)


def sealed(body: Value, spec: Checksum | None) -> Value:
    """The body with the right checksum where it has one."""
    if spec is None or value_at(body, spec.field) is ABSENT:
        return body
    return _with(body, spec.field, checksum_of(body, spec))


def _with(value: Value, path: Path, new: Value) -> Value:
    """A value with another one at a path that it has; `ABSENT` takes it away."""
    if not path:
        return new
    name, *rest = path
    members = {key: _with(member, tuple(rest), new) if key == name else member
               for key, member in value.items()}  # fmt: skip
    return {key: member for key, member in members.items() if member is not ABSENT}


def _covered(body: Value, spec: Checksum) -> bytes:
    if value_at(body, spec.field) is not ABSENT:
        body = _with(body, spec.field, ABSENT)
    if spec.over is None and type(body) is dict:
        beside = STRUCTURAL_MEMBERS | IGNORED_MEMBERS
        body = {key: member for key, member in body.items() if key not in beside}
    if spec.form == "concatenated":
        if spec.over is None:
            parts: Iterable[Value] = body.values() if type(body) is dict else [body]
        else:
            parts = [part for pattern in spec.over for part in _parts(body, pattern.steps)]
        return b"".join(part.encode() if type(part) is str else dumps(part) for part in parts)
    if spec.over is not None:
        picked: Value = {}
        for pattern in spec.over:
            picked = _united(picked, _picked(body, pattern.steps))
        body = picked
    return canonical(body) if spec.form == "canonical-json" else dumps(body)


def _further(value: Value, steps: tuple[str | Wild, ...]) -> Iterator[tuple[str | int, Value]]:
    """The members or elements that the first step of a pattern names."""
    match steps[0]:
        case str(name):
            if type(value) is dict and name in value:
                yield name, value[name]
        case Wild.MEMBER:
            if type(value) is dict:
                yield from value.items()
        case Wild.ELEMENT:
            if type(value) is list:
                yield from enumerate(value)
        case _:
            raise AssertionError("a checksum is not over **")


def _parts(value: Value, steps: tuple[str | Wild, ...]) -> Iterator[Value]:
    """The values that a pattern names, in the order of the body."""
    if not steps:
        yield value
        return
    for _, part in _further(value, steps):
        yield from _parts(part, steps[1:])


def _picked(value: Value, steps: tuple[str | Wild, ...]) -> Value:
    """The value reduced to what a pattern names."""
    if not steps:
        return value
    found = {step: _picked(part, steps[1:]) for step, part in _further(value, steps)}
    if type(value) is list:
        return [{} if part is ABSENT else part for part in found.values()]
    present = {step: part for step, part in found.items() if part is not ABSENT}
    return present or ABSENT


def _united(one: Value, another: Value) -> Value:
    """Two reductions of one value in one."""
    if type(one) is dict and type(another) is dict:
        return {**one, **{key: _united(one[key], part) if key in one else part
                          for key, part in another.items()}}  # fmt: skip
    if type(one) is list and type(another) is list:
        return list(map(_united, one, another))
    return one if another is ABSENT else another


# --- versions


def first_present(body: Value, paths: Iterable[Path]) -> Value:
    """What stands at the first of the paths that has something; null is nothing."""
    if type(body) is dict:
        for path in paths:
            if path[0] in body:
                found = value_at(body, path)
                if found is not ABSENT and found is not None:
                    return found
    return ABSENT


def device_of(value: Value) -> str | None:
    """A device's name or number."""
    if type(value) is str:
        return value or None
    return str(value) if type(value) is int else None
