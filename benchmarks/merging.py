"""Three-way merges beside nbdime's generic ones (https://nbdime.readthedocs.io)."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Sequence

from benchmarks.documents import documents
from benchmarks.measuring import Kind, Row, in_turns, seconds
from benchmarks.merges import nbdime
from benchmarks.merges.cases import Triple, find, read
from couchmend import Policy, merge, merge_json
from couchmend.core.document import Doc

ROUNDS = 7
DOCUMENTS = 1_000
SIZE_BYTES = 1_000


def measure(*, tiny: bool) -> list[Row]:
    """Merges of task documents, and of what people merged, where those cases are at hand."""
    policy = Policy()
    tasks = list(edited_twice(20 if tiny else DOCUMENTS))
    rows = [
        _row(
            f"merge two versions of a task over their base ({SIZE_BYTES:,} bytes each)",
            tasks,
            lambda triple: merge(*triple, policy),
            tiny=tiny,
        )
    ]
    file = find()
    if file is not None:
        triples = [case.triple for case in read(file)]
        what = f"merge what people merged ({len(triples)} cases)"
        rows.append(
            _row(what, triples[:10] if tiny else triples, lambda one: merge_json(*one), tiny=tiny)
        )
    return rows


def _row(
    what: str, triples: Sequence[Triple], ours: Callable[[Triple], object], *, tiny: bool
) -> Row:
    def timed(merged: Callable[[Triple], object]) -> Callable[[], float]:
        return lambda: seconds(lambda: [merged(triple) for triple in triples])

    absent = nbdime.missing()
    beside = None if absent else timed(nbdime.merge)
    times = in_turns(1 if tiny else ROUNDS, timed(ours), beside)
    return Row(
        "merge", what, Kind.SPEED, 10, times[0], "nbdime", times[1], len(triples), "merges",
        absent=absent or "",
    )  # fmt: skip


def edited_twice(count: int, seed: int = 7) -> Iterator[Triple]:
    """Tasks, each with two versions: other fields, the same field, tags, subtasks, the text."""
    chance = random.Random(seed).random
    for number, base in enumerate(documents(count, seed, SIZE_BYTES)):
        current, other = copy.deepcopy(base), copy.deepcopy(base)
        fields = [("title", "status"), ("title", "title"), ("tags", "tags"), ("subtasks", "notes"),
                  ("subtasks", "subtasks")][number % 5]  # fmt: skip
        _edit(current, fields[0], "here", 0)
        _edit(other, fields[1], "there", 1)
        current["updatedAt"] += int(chance() * 1e6)
        other["updatedAt"] += int(chance() * 1e6)
        yield base, current, other


def _edit(doc: Doc, field: str, word: str, place: int) -> None:
    match doc[field]:
        case [{}, *_]:
            doc[field][place]["title"] = word
            doc[field].append({"id": word, "title": word, "done": True})
        case [*_]:
            doc[field].append(word)
        case text:
            doc[field] = f"{text} {word}"
