"""A database full of conflicts for processes that are killed, stopped and lied to; and what must
hold of it at every moment.

Each document was edited on two sides, at different places; both edits belong into the merge.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import delete, update

from couchmend import open_replica
from couchmend.core.document import Doc
from couchmend.core.plans.planned import Plan
from couchmend.core.revtree import Rev
from couchmend.core.values import same
from couchmend.journal import archive, databases, resolutions, tables
from couchmend.journal.opening import Journal, open_journal
from couchmend.replica.base import ChangesQuery, Replica
from couchmend.replica.replicate import replicate
from tests.invariants.truth import Lost
from tests.invariants.world import look

NAME = "notes"
WITH_FILE = 10
"""Every tenth document has a file on one side only."""

CONFIG = """
[journal]
url = "sqlite:///journal.db"

[engine]
batch_documents = {batch}
page_rows = {rows}
lease_seconds = {lease}

[[databases]]
url = "{url}"
name = "notes"
mode = "{mode}"
"""


@dataclass
class Grounds:
    """A database in a folder, with its configuration.

    versions: the bodies of each document's leaves, as they were in the beginning.
    """

    folder: Path
    url: str
    versions: dict[str, dict[Rev, Doc]]

    @property
    def command(self) -> tuple[str, ...]:
        """What sweeps it."""
        return ("sweep", "--config", str(self.folder / "couchmend.toml"), "--json")

    @property
    def journal(self) -> Path:
        """Its journal's file."""
        return self.folder / "journal.db"

    @property
    def files(self) -> tuple[Path, Path]:
        """The SQLite files: of the journal and of the database."""
        return self.journal, self.folder / f"{NAME}.couch"

    @contextmanager
    def open(self) -> Iterator[Replica]:
        """The database."""
        with closing(open_replica(f"file:{self.folder / NAME}.couch")) as replica:
            yield replica

    @contextmanager
    def opened_journal(self) -> Iterator[Journal | None]:
        """The journal; None where there is none yet."""
        if not self.journal.exists():
            yield None
            return
        with closing(open_journal(f"sqlite:///{self.journal}")) as journal:
            yield journal

    def forget_leases(self) -> None:
        """As if so much time had passed that leases have run out."""
        with self.opened_journal() as journal:
            if journal is not None:
                with journal.write() as tx:
                    tx.execute(delete(tables.leases))

    def forget_waiting(self) -> None:
        """As if so much time had passed that what failed is due again."""
        with self.opened_journal() as journal:
            if journal is not None:
                with journal.write() as tx:
                    failed = tables.conflicts.c.next_attempt_at.is_not(None)
                    tx.execute(update(tables.conflicts).where(failed).values(next_attempt_at=0))

    def configure(
        self,
        *,
        mode: str = "auto",
        batch: int = 7,
        rows: int = 40,
        lease: float = 30,
        url: str = "",
    ) -> None:
        """Write the configuration."""
        text = CONFIG.format(mode=mode, batch=batch, rows=rows, lease=lease, url=url or self.url)
        (self.folder / "couchmend.toml").write_text(text)

    def judge(self) -> int:
        """Hold that nothing is lost; how many documents are resolved."""
        kept = self._archived()
        resolved = 0
        with self.open() as replica:
            for id, versions in self.versions.items():
                seen = look(replica, id)
                gone = [rev for rev in versions if rev not in seen.live]
                for rev in gone:
                    if rev not in kept.get(id, {}) or not same(kept[id][rev], versions[rev]):
                        raise Lost(f"{id} {rev} is no leaf, and not in the archive")
                if len(seen.live) == 1:
                    resolved += 1
                if gone:
                    self._hold_merged(replica, id, seen.bodies[seen.live[0]])
        return resolved

    def hold_done(self) -> None:
        """Hold that everything is resolved, once, and nothing is under way."""
        assert self.judge() == len(self.versions)
        with self.opened_journal() as journal:
            assert journal is not None
            with journal.read() as tx:
                database = databases.named(tx, NAME)
                assert database is not None
                assert resolutions.unfinished(tx, database.id) == []
                done = [
                    one for one in resolutions.listed(tx, NAME, limit=100_000)
                    if one.state == "done" and one.plan is not None
                ]  # fmt: skip
        with self.open() as replica:
            assert replica.check() == []  # type: ignore[attr-defined]  # it is embedded
            for id, versions in self.versions.items():
                seen = look(replica, id)
                # One merge over the old winner, one tombstone over the old loser.
                newest = max(rev.generation for rev in versions)
                assert seen.live[0].generation == newest + 1, (id, seen.tree)
                assert len(seen.tree.leaves()) == len(versions)
        assert {Plan.from_json(_plan(one.plan)).id for one in done} == set(self.versions)

    def _hold_merged(self, replica: Replica, id: str, body: Doc) -> None:
        number = int(id.removeprefix("note-")) + 1
        if (body.get("a"), body.get("b")) != (number, number):
            raise Lost(f"{id} is {body}")
        if number % WITH_FILE == 0:
            read = replica.attachment(id, "scan.bin").read()
            if read != _content(number):
                raise Lost(f"{id} has another file: {read!r}")

    def _archived(self) -> dict[str, dict[Rev, Doc]]:
        with self.opened_journal() as journal:
            if journal is None:
                return {}
            with journal.read() as tx:
                database = databases.named(tx, NAME)
                if database is None:
                    return {}
                found = archive.kept(tx, database.id, list(self.versions))
        return {
            id: {rev: one.body for rev, one in revs.items() if one.body is not None}
            for id, revs in found.items()
        }


def _plan(plan: Any) -> Any:
    assert plan is not None
    return plan


def _content(number: int) -> bytes:
    return f"what {number} is about ".encode() * 40


def grounds(folder: Path, count: int) -> Grounds:
    """A database of so many documents, each in conflict."""
    path = folder / f"{NAME}.couch"
    versions: dict[str, dict[Rev, Doc]] = {}
    with closing(open_replica(f"file:{path}")) as here, closing(open_replica(":memory:")) as there:
        ids = [f"note-{number}" for number in range(count)]
        here.bulk_docs([{"_id": id, "title": id, "a": 0, "b": 0} for id in ids])
        replicate(here, there)
        for replica, place in ((here, "a"), (there, "b")):
            edited = []
            for row in replica.changes(ChangesQuery(include_docs=True)).rows:
                assert row.doc is not None
                number = int(row.id.removeprefix("note-")) + 1
                doc = {**row.doc, place: number}
                if place == "b" and number % WITH_FILE == 0:
                    data = _content(number)
                    doc["_attachments"] = {"scan.bin": {"content_type": "x/y", "data": data}}
                edited.append(doc)
            replica.bulk_docs(edited)
        replicate(there, here)
        for id in ids:
            seen = look(here, id)
            assert len(seen.live) == 2
            versions[id] = dict(seen.bodies)
    made = Grounds(folder, f"file:{path}", versions)
    made.configure()
    return made
