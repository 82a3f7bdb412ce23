"""The embedded replica beside PouchDB on LevelDB."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import node
from benchmarks.documents import conflicted, documents, with_revisions
from benchmarks.measuring import Kind, Row, hold, in_turns, seconds
from couchmend.core.document import Doc, dumps
from couchmend.replica.base import Replica
from couchmend.replica.embedded import EmbeddedReplica
from couchmend.replica.replicate import replicate

GROUP = "embedded replica"
POUCH = "PouchDB on LevelDB"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    documents: int = 20_000
    conflicts: int = 1_000
    many: int = 1_000_000
    batch: int = 1_000
    rounds: int = 7


TINY = Size(documents=200, conflicts=10, many=400, batch=50, rounds=1)


def measure(*, tiny: bool) -> list[Row]:
    """Every row of the embedded replica."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="couchmend-bench-")))
        missing = node.missing()
        peer = None if missing else stack.enter_context(node.pouch(folder))
        bench = _Bench(TINY if tiny else Size(), folder, peer, missing or "")
        return [
            bench.writing("bulk write, normal edits", 0.8, new_edits=True),
            bench.writing("bulk write, new_edits=false", 1.2, new_edits=False),
            *bench.replicating(),
            *bench.finding(),
        ]


class _Bench:
    """The measurements, and the folder where their databases lie."""

    def __init__(self, size: Size, folder: Path, peer: node.Peer | None, missing: str) -> None:
        self.size = size
        self.folder = folder
        self.peer = peer
        self.missing = missing
        self._names = (str(number) for number in itertools.count())

    def writing(self, what: str, target: float, *, new_edits: bool) -> Row:
        """New documents into an empty database, batch by batch."""
        new = documents(self.size.documents)
        docs = list(new if new_edits else with_revisions(new))
        file = self._file(docs)

        def ours() -> float:
            with self._new() as replica:
                taken = seconds(lambda: self._write(replica, docs, new_edits=new_edits))
                hold(replica.info().documents, len(docs))
            return taken

        def beside() -> float:
            folder = self._path()
            taken = self._ask(
                "write", file=file, into=folder, batch=self.size.batch, new_edits=new_edits
            )
            self._hold_and_drop(folder, len(docs))
            return taken

        note = f"in batches of {self.size.batch:,}"
        return self._row(what, target, ours, beside, self.size.documents, note)

    def replicating(self) -> list[Row]:
        """All documents into an empty database."""
        docs = list(with_revisions(documents(self.size.documents)))
        pouch_source = self._pouch_with(docs)
        with self._new() as source:
            self._write(source, docs, new_edits=False)

            def ours() -> float:
                with self._new() as target:
                    taken = seconds(lambda: replicate(source, target))
                    hold(target.info().documents, len(docs))
                return taken

            def beside(batch: int | None) -> float:
                folder = self._path()
                taken = self._ask("replicate", source=pouch_source, target=folder, batch=batch)
                self._hold_and_drop(folder, len(docs))
                return taken

            what, amount = "replicate to another", len(docs)
            batch = self.size.batch
            like_ours = f"PouchDB's batch_size {batch:,}"
            return [
                self._row(what, 4, ours, lambda: beside(None), amount, "PouchDB's defaults"),
                self._row(what, None, ours, lambda: beside(batch), amount, like_ours),
            ]

    def finding(self) -> list[Row]:
        """Which documents are in conflict, among few and among many."""
        size = self.size
        what = _finding(size.conflicts, size.documents)
        stream = conflicted(documents(size.documents), size.documents // size.conflicts)
        docs = sorted(stream, key=lambda doc: int(doc["_revisions"]["start"]))
        pouch = self._pouch_with(docs)
        with self._reopened(docs) as few:

            def ours() -> float:
                return _find(few, size.conflicts)

            def all_docs() -> float:
                return self._ask("conflicted_by_all_docs", database=pouch, expected=size.conflicts)

            def changes() -> float:
                return self._ask("conflicted_by_changes", database=pouch, expected=size.conflicts)

            return [
                self._row(what, 50, ours, all_docs, note="allDocs with conflicts=true"),
                self._row(what, None, ours, changes, note="changes with style=all_docs"),
                self._growth(what, ours, size.conflicts, 1.5),
                self._growth(what, ours, size.conflicts * 10, 15),
            ]

    def _growth(self, beside: str, few: Callable[[], float], conflicts: int, limit: float) -> Row:
        """The same among many documents."""
        size = self.size
        every = size.many // conflicts
        with self._reopened(conflicted(documents(size.many), every)) as many:
            ours, fewer = in_turns(size.rounds, lambda: _find(many, conflicts), few)
        what = _finding(conflicts, size.many)
        times = size.many // size.documents, conflicts // size.conflicts
        note = "couchmend beside itself: {} × the documents, {} × the conflicts".format(*times)
        return Row(GROUP, what, Kind.GROWTH, limit, ours, beside, fewer, note=note)

    # --- both sides' databases

    def _new(self) -> EmbeddedReplica:
        return EmbeddedReplica.open(self._path())

    @contextmanager
    def _reopened(self, docs: Iterable[Doc]) -> Iterator[EmbeddedReplica]:
        """A database with these revisions, with nothing of it in memory yet."""
        path = self._path()
        with EmbeddedReplica.open(path) as replica:
            self._write(replica, docs, new_edits=False)
        with EmbeddedReplica.open(path) as replica:
            yield replica
        path.unlink()  # one of a million documents is large

    def _write(self, replica: Replica, docs: Iterable[Doc], *, new_edits: bool) -> None:
        left = iter(docs)
        while batch := list(itertools.islice(left, self.size.batch)):
            rows = replica.bulk_docs(batch, new_edits=new_edits)
            hold(len(rows), len(batch) if new_edits else 0)

    def _pouch_with(self, docs: Iterable[Doc]) -> Path:
        folder = self._path()
        if self.peer is not None:
            file = self._file(docs)
            self._ask("write", file=file, into=folder, batch=self.size.batch, new_edits=False)
        return folder

    def _hold_and_drop(self, folder: Path, documents: int) -> None:
        self._ask("drop", database=folder, expected=documents)

    def _ask(self, command: str, *, expected: int = 0, **details: object) -> float:
        assert self.peer is not None
        answer = self.peer.ask(command, **details)
        hold(answer["count"], expected)
        return float(answer["seconds"])

    def _file(self, docs: Iterable[Doc]) -> Path:
        path = self._path()
        with path.open("wb") as file:
            file.writelines(dumps(doc) + b"\n" for doc in docs)
        return path

    def _path(self) -> Path:
        return self.folder / next(self._names)

    def _row(
        self,
        what: str,
        target: float | None,
        ours: Callable[[], float],
        beside: Callable[[], float],
        amount: int | None = None,
        note: str = "",
    ) -> Row:
        times = in_turns(self.size.rounds, ours, beside if self.peer is not None else None)
        return Row(
            GROUP, what, Kind.SPEED, target, times[0], POUCH, times[1],
            amount=amount, unit="documents", note=note, absent=self.missing,
        )  # fmt: skip


def _finding(conflicts: int, documents: int) -> str:
    return f"find {conflicts:,} conflicted among {documents:,}"


def _find(replica: EmbeddedReplica, expected: int) -> float:
    def work() -> None:
        found, after = 0, ""
        while page := replica.conflicted(after=after):
            found, after = found + len(page), page[-1].id
        hold(found, expected)

    return seconds(work)
