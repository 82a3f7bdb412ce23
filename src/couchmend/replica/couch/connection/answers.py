"""Answers, and holding them to the protocol: whatever is missing or surplus is an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from couchmend.core.document import JSON, Doc, dumps, loads
from couchmend.errors import BadRequest, ReplicaError, Unavailable
from couchmend.replica.couch.connection import failures

E = TypeVar("E", bound=ReplicaError)


@dataclass(frozen=True)  # without slots: what was parsed is kept
class Answer:
    """A whole answer that is no failure."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    operation: str
    target: str
    uncertain: bool = False
    """Whether it answers what must not be sent again: if it makes no sense, errors say that
    nobody knows what was done."""

    @cached_property
    def json(self) -> JSON:
        """The body, read once; raises `ReplicaError` when it is not JSON."""
        try:
            return loads(self.body)
        except BadRequest as problem:
            raise self.not_json(self.body) from problem

    @property
    def json_object(self) -> Doc:
        """The body, an object."""
        return self.as_object(self.json)

    @property
    def json_list(self) -> list[JSON]:
        """The body, a list."""
        return self.as_list(self.json)

    @property
    def confirmed(self) -> Doc:
        """The body of a request that changes something, which must say `"ok": true`: a sign-in
        page in between answers 200 to anything."""
        value = self.json_object
        if value.get("ok") is not True:
            raise self.bad(f"no word that it was done: {str(value)[:100]}")
        return value

    def rows(self, name: str, wanted: int | None = None) -> list[JSON]:
        """The list under `name` in the body; exactly `wanted` entries when that is given."""
        rows = self.as_list(self.member(self.json, name))
        if wanted is not None and len(rows) != wanted:
            raise self.bad(f"{len(rows)} rows where {wanted} were to be")
        return rows

    def member(self, value: JSON, name: str) -> JSON:
        """A member that must be there."""
        if not isinstance(value, dict) or name not in value:
            raise self.bad(f"`{name}` is missing")
        return value[name]

    def text(self, value: JSON, name: str) -> str:
        """A member that must be a string."""
        text = self.member(value, name)
        if not isinstance(text, str):
            raise self.bad(f"`{name}` is no string")
        return text

    def texts(self, value: JSON) -> tuple[str, ...]:
        """A value that must be a list of strings."""
        texts = self.as_list(value)
        if not all(isinstance(text, str) for text in texts):
            raise self.bad("a list of strings was to be there")
        return tuple(texts)

    def document(self, value: JSON, id: str, rev: str | None = None) -> Doc:
        """A document that must be the one that was asked for."""
        doc = self.as_object(value)
        there = self.text(doc, "_rev")
        same = rev is None or there.lower() == rev.lower()  # as CouchDB compares
        if doc.get("_id") != id or not same:
            raise self.bad(f"another document than {id} {rev or ''}".rstrip())
        return doc

    def as_object(self, value: JSON) -> Doc:
        """A value that must be an object."""
        if not isinstance(value, dict):
            raise self.bad("no object where one was to be")
        return value

    def as_list(self, value: JSON) -> list[JSON]:
        """A value that must be a list."""
        if not isinstance(value, list):
            raise self.bad("no list where one was to be")
        return value

    def count(self, value: JSON, name: str) -> int:
        """A member that is a number of things, where it is there; else 0."""
        number = value.get(name)
        if number is None:
            return 0
        if type(number) is not int:
            raise self.bad(f"`{name}` is no integer")
        return number

    def optional(self, value: Doc, name: str) -> Doc | None:
        """A member that is an object, where it is there."""
        member = value.get(name)
        return None if member is None else self.as_object(member)

    def cut_off(self) -> Unavailable:
        """The error for a body that ends before its end, though the connection did not break."""
        return self._doubted(
            Unavailable(
                "the answer ends in its middle",
                operation=self.operation,
                target=self.target,
                hint="the server, or a proxy on the way, gave up; try again",
                transient=True,
            )
        )

    def not_json(self, body: bytes) -> ReplicaError:
        """The error for a body that should be JSON and is not."""
        return self._doubted(
            failures.not_json(
                self.status,
                body,
                operation=self.operation,
                target=self.target,
                headers=self.headers,
            )
        )

    def bad(self, what: str) -> ReplicaError:
        """The error that says how this answer breaks the protocol."""
        return self._doubted(
            failures.bad_answer(what, operation=self.operation, target=self.target)
        )

    def _doubted(self, error: E) -> E:
        if self.uncertain:
            failures.add_unknown_outcome(error)
        return error


def sequence(answer: Answer, value: JSON) -> str:
    """A sequence as an opaque string, as `since` takes it: servers other than CouchDB count in
    integers, and the first clusters had lists."""
    match value:
        case str() if value:
            return value
        case int() if not isinstance(value, bool):
            return str(value)
        case [int(), *_]:
            return dumps(value).decode()
    raise answer.bad(f"{value!r} is no sequence")
