"""One pass over a sample of documents: what they are like, type by type."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from couchmend.core.document import Doc, dumps
from couchmend.engine.studying.comparing import compare
from couchmend.engine.studying.fields import Fields
from couchmend.engine.studying.reading import Studied, read
from couchmend.engine.studying.sampling import CONFLICTS, DOCUMENTS, Sample, sample
from couchmend.replica.base import Replica

FIRST: Final = 500
FIRST_BYTES: Final = 16 * 2**20
MAX_TYPES: Final = 16
LEAST_OF_A_TYPE: Final = 3
OTHERS: Final = ""
"""The name of the documents that are of no type."""

_NAMES = (
    "type", "docType", "doc_type", "doctype", "documentType", "document_type", "kind", "$type",
    "_type", "entity", "entityType", "entity_type", "model", "modelName", "table", "tableName",
    "collection", "class", "className", "form", "schema", "category",
)  # fmt: skip
_PLAIN_NAME = re.compile(r"[A-Za-z][\w-]*", re.ASCII)
_PREFIX = re.compile(r"([A-Za-z][A-Za-z0-9]*[:_/.-])(?=.)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Discriminator:
    """What tells the type of a document: a member, or where it is None what the id begins with."""

    member: str | None

    def type_of(self, id: str, body: Doc) -> str:
        """The type of a document, or `OTHERS`."""
        if self.member is not None:
            value = body.get(self.member)
            return value if type(value) is str else OTHERS
        found = _PREFIX.match(id)
        return found[1] if found else OTHERS


@dataclass(slots=True)
class Study:
    """What is known of a database's documents.

    now: when it was made, in microseconds since 1970.
    read: how many documents were read; in_conflict: how many of those are in conflict.
    types: by type, what its documents are like; `OTHERS` are those of no type.
    """

    name: str
    url: str
    now: int
    sample: Sample
    read: int = 0
    in_conflict: int = 0
    discriminator: Discriminator | None = None
    types: dict[str, Fields] = field(default_factory=dict)
    bodies: dict[str, list[tuple[str, Doc]]] = field(default_factory=dict)
    """Of each type the first few documents, for what must be tried out, with their ids."""

    def fields_of(self, type: str) -> Fields:
        """What the documents of a type are like."""
        if type not in self.types and len(self.types) > MAX_TYPES:
            type = OTHERS
        if type not in self.types:
            self.types[type] = Fields(self.now)
        return self.types[type]


def study(
    replica: Replica,
    now: int,
    *,
    documents: int = DOCUMENTS,
    conflicts: int = CONFLICTS,
    on_progress: Callable[[str, int, int | None], None] = lambda what, done, total: None,
) -> Study:
    """Look at a database's documents.

    now: in microseconds since 1970.
    documents, conflicts: of how many documents, and of how many with several leaves, at most.
    on_progress: told what is being done, how far it is, and how much there is.
    """
    drawn = sample(
        replica,
        documents=documents,
        conflicts=conflicts,
        on_progress=lambda done, total: on_progress("changes", done, total),
    )
    made = Study(replica.name, replica.url, now, drawn)
    stream = read(replica, drawn.picked)
    first = list(_first(stream))
    made.discriminator = discriminator([(one.id, one.winner) for one in first])
    for one in chain(first, stream):
        _look(made, one)
        on_progress("documents", made.read, len(drawn.picked))
    return made


def _first(stream: Iterator[Studied]) -> Iterator[Studied]:
    size = 0
    for number, one in enumerate(stream, 1):
        yield one
        size += len(dumps(one.winner))
        if number >= FIRST or size >= FIRST_BYTES:
            return


KEPT_BODIES = 20


def _look(made: Study, one: Studied) -> None:
    type = made.discriminator.type_of(one.id, one.winner) if made.discriminator else OTHERS
    fields = made.fields_of(type)
    made.read += 1
    made.in_conflict += one.in_conflict
    fields.add(one.winner)
    compare(fields, one)
    kept = made.bodies.setdefault(type if made.types.get(type) is fields else OTHERS, [])
    if len(kept) < KEPT_BODIES and len(dumps(one.winner)) < 100_000:
        kept.append((one.id, one.winner))


def discriminator(docs: Sequence[tuple[str, Doc]]) -> Discriminator | None:
    """What tells the type of these documents; None where nothing does.

    A member whose value is one of a few strings in nearly every document, and which has a usual
    name or tells which members a document has; else the beginning of the ids.
    """
    if not docs:
        return None
    counted: dict[str, Counter[str]] = {}
    for _, body in docs:
        for name, value in body.items():
            if type(value) is str and len(value) <= 60 and _PLAIN_NAME.fullmatch(name):
                counted.setdefault(name, Counter())[value] += 1
    few = {
        name: values
        for name, values in counted.items()
        if values.total() >= 0.8 * len(docs) and _are_types(values, len(docs))
    }
    usual = [name for name in _NAMES if name in few]
    if usual:
        return Discriminator(usual[0])
    telling = [name for name in few if len(few[name]) > 1 and _tells_members(name, docs)]
    if telling:
        return Discriminator(telling[0])
    prefixes = Counter(found[1] for id, _ in docs if (found := _PREFIX.match(id)))
    if len(prefixes) > 1 and prefixes.total() >= 0.8 * len(docs):
        return Discriminator(None) if _are_types(prefixes, len(docs)) else None
    return None


def _are_types(values: Counter[str], documents: int) -> bool:
    return len(values) <= MAX_TYPES and len(values) * LEAST_OF_A_TYPE <= max(documents, 3)


def _tells_members(name: str, docs: Sequence[tuple[str, Doc]]) -> bool:
    """Whether documents with one value have the same members, and others other ones."""
    by_value: dict[str, list[frozenset[str]]] = {}
    for _, body in docs:
        value = body.get(name)
        if type(value) is str:
            by_value.setdefault(value, []).append(frozenset(body))
    always = [frozenset.intersection(*shapes) for shapes in by_value.values()]
    ever = [frozenset.union(*shapes) for shapes in by_value.values()]
    return all(
        always[one] - ever[other] for one in range(len(ever)) for other in range(len(ever))
        if one != other
    )  # fmt: skip
