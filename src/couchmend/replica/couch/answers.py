"""Answers, and holding them to the protocol: whatever is missing or surplus is an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from couchmend.core.document import JSON, Doc, loads
from couchmend.errors import BadRequest, ReplicaError
from couchmend.replica.couch import failures


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer that is no failure."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    operation: str
    target: str

    @property
    def json(self) -> JSON:
        """The body; raises `ReplicaError` when it is not JSON."""
        try:
            return loads(self.body)
        except BadRequest as problem:
            raise failures.not_json(
                self.status, self.body, operation=self.operation, target=self.target
            ) from problem

    @property
    def json_object(self) -> Doc:
        """The body, an object."""
        return self.as_object(self.json)

    @property
    def json_list(self) -> list[JSON]:
        """The body, a list."""
        return self.as_list(self.json)

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
        same = rev is None or str(doc.get("_rev")).lower() == rev.lower()  # as CouchDB compares
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

    def bad(self, what: str) -> ReplicaError:
        """The error that says how this answer breaks the protocol."""
        return failures.bad_answer(what, operation=self.operation, target=self.target)


def sequence(answer: Answer, value: JSON) -> str:
    """A sequence as an opaque string; servers other than CouchDB count in integers."""
    match value:
        case str():
            return value
        case int() if not isinstance(value, bool):
            return str(value)
    raise answer.bad(f"{value!r} is no sequence")
