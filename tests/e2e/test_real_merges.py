"""Conflicts as people's merges have them: found, resolved where they merge, and taken back.

Each case is one file of one merge commit, as a document: its ancestor and, over it, both sides as
concurrent edits.  The cases are other projects' data and not part of this one; `CASES` names
their file.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.merges.cases import VARIABLE, Case, find, read
from couchmend.core.document import JSON, Doc, body_of
from couchmend.core.merging.merge import Merge, merge
from couchmend.core.revtree import Rev
from couchmend.core.values import same
from couchmend.journal import archive, conflicts, databases, resolutions
from couchmend.journal.conflicts import Wanted
from couchmend.journal.opening import open_journal
from couchmend.replica.base import Found, Replica
from couchmend.replica.embedded import Folder
from couchmend.replica.http_face.server import BackgroundServer
from couchmend.replica.opening import open_server
from couchmend.settings import ReplicaServer
from tests.cli.running import COMMAND, environment
from tests.contract.backends import COUCHDB_URL
from tests.docs.a_database import signed_out

FILE = find()
BATCH = 50

pytestmark = [
    pytest.mark.skipif(
        FILE is None or not FILE.exists(),
        reason=f"the merges are not here: {VARIABLE} names their file, one case a line, gzipped",
    ),
    pytest.mark.timeout(600),
]


def document(value: JSON) -> Doc:
    """A file's content as the fields of a document."""
    plain = isinstance(value, dict) and not any(name.startswith("_") for name in value)
    return value if plain else {"content": value}


class Merged:
    """One case as a conflicted document."""

    def __init__(self, number: int, case: Case) -> None:
        self.id = f"case-{number:03d}"
        values = {"base": case.base, "left": case.left, "right": case.right}
        # All three in the same form: their root is no object, or one with a member like _id.
        wrapped = any(document(value) is not value for value in values.values())
        self.bodies: dict[str, Doc] = {
            name: {"content": value} if wrapped else value for name, value in values.items()
        }

    def revisions(self) -> Iterator[Doc]:
        """What is written, the ancestor first."""
        hashes = {
            name: hashlib.md5(f"{self.id} {name}".encode()).hexdigest() for name in self.bodies
        }
        for name, body in self.bodies.items():
            chain = [hashes[name]] if name == "base" else [hashes[name], hashes["base"]]
            yield {
                "_id": self.id, **body, "_rev": f"{len(chain)}-{chain[0]}",
                "_revisions": {"start": len(chain), "ids": chain},
            }  # fmt: skip

    def leaves(self) -> dict[Rev, Doc]:
        """The concurrent versions, the winner first."""
        docs = list(self.revisions())[1:]
        found = {Rev.parse(doc["_rev"]): body_of(doc) for doc in docs}
        return {rev: found[rev] for rev in sorted(found, reverse=True)}

    def base(self) -> Rev:
        """The revision of the ancestor."""
        return Rev.parse(next(self.revisions())["_rev"])

    def merge(self) -> Merge:
        """What the merge makes of them, by the default policy."""
        current, other = self.leaves().values()
        return merge(self.bodies["base"], current, other)


@contextmanager
def database(kind: str, folder: Path) -> Iterator[tuple[str, Replica]]:
    """An empty database behind HTTP, with its address."""
    if kind == "couchdb":
        server = open_server(COUCHDB_URL)
        name = f"couchmend-test-merges-{secrets.token_hex(4)}"
        try:
            with server.create(name) as replica:
                yield f"{signed_out(COUCHDB_URL)[0]}/{name}", replica
        finally:
            server.delete(name)
            server.close()
        return
    databases_ = Folder(folder / "databases")
    try:
        with BackgroundServer(databases_, ReplicaServer(port=0)) as served:
            server = open_server(served.url)
            with server.create("merges") as replica:
                yield f"{served.url}/merges", replica
            server.close()
    finally:
        databases_.close()


def live(replica: Replica, ids: list[str]) -> dict[str, dict[Rev, Doc]]:
    """The live leaves of documents with their bodies, the winner first."""
    found: dict[str, dict[Rev, Doc]] = {}
    for row in replica.bulk_get([(id, None) for id in ids]):
        docs = [outcome.doc for outcome in row.outcomes if isinstance(outcome, Found)]
        each = {Rev.parse(doc["_rev"]): body_of(doc) for doc in docs if not doc.get("_deleted")}
        found[row.id] = {rev: each[rev] for rev in sorted(each, reverse=True)}
    return found


def run(kind: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command on the folder's configuration."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(**(signed_out(COUCHDB_URL)[1] if kind == "couchdb" else {})),
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


@pytest.mark.parametrize(
    "kind",
    [
        "served",
        pytest.param(
            "couchdb",
            marks=pytest.mark.skipif(
                not COUCHDB_URL, reason="COUCHMEND_TEST_COUCHDB_URL names no CouchDB"
            ),
        ),
    ],
)
def test_merges_that_people_made(kind: str, tmp_path: Path) -> None:
    assert FILE is not None
    cases = [Merged(number, case) for number, case in enumerate(read(FILE))]
    assert len(cases) >= 100
    with database(kind, tmp_path) as (url, replica):
        for start in range(0, len(cases), BATCH):
            docs = [doc for one in cases[start : start + BATCH] for doc in one.revisions()]
            assert replica.bulk_docs(docs, new_edits=False) == []
        file = tmp_path / "couchmend.toml"
        file.write_text(
            '[journal]\nurl = "sqlite:///journal.db"\n'
            f'[[databases]]\nname = "merges"\nurl = {json.dumps(url)}\nmode = "auto"\n'
        )
        swept = run(kind, "sweep", "--json", folder=tmp_path)
        assert swept.stderr == ""
        assert swept.returncode == 1
        automatic = _check_sweep(kind, cases, replica, tmp_path)

        undone = run(
            kind, "undo", "--since", "1h", "--database", "merges", "--reopen", "--yes",
            folder=tmp_path,
        )  # fmt: skip
        assert (undone.returncode, undone.stderr) == (0, "")
        now = live(replica, [one.id for one in cases])
        for one in cases:
            before, after = list(one.leaves().values()), list(now[one.id].values())
            assert len(after) == len(before), one.id
            assert same(after[0], before[0]), one.id
            assert same(after[1], before[1]), one.id
        again = run(kind, "sweep", "--json", folder=tmp_path)
        assert json.loads(again.stdout)["resolved"] == 0  # what was reopened is left to people
        assert automatic


def _check_sweep(kind: str, cases: list[Merged], replica: Replica, folder: Path) -> int:
    """That each was resolved as the merge has it, or waits with a reason; all in the archive."""
    ids = [one.id for one in cases]
    now = live(replica, ids)
    journal = open_journal(f"sqlite:///{folder / 'journal.db'}", create=False)
    with journal.read() as tx:
        known = databases.named(tx, "merges")
        assert known is not None
        done = {one.document: one for one in resolutions.listed(tx, "merges", limit=1000)}
        waiting = {
            one.document: one
            for one in conflicts.listed(tx, Wanted(database="merges"), 1000).conflicts
        }
        kept = archive.kept(tx, known.id, ids)
    journal.close()
    assert done.keys() | waiting.keys() == set(ids)
    assert not done.keys() & waiting.keys()
    for one in cases:
        for rev, body in one.leaves().items():
            archived = kept[one.id][rev].body
            assert archived is not None, one.id
            assert same(archived, body), one.id
        made = one.merge()
        base = kept[one.id].get(one.base())
        if base is None or base.body is None:
            # A CouchDB compacts when it likes: what the ancestor said is not known any more.
            assert kind == "couchdb"
            assert one.id in waiting or same(*one.leaves().values())
        elif one.id in done:
            (result,) = now[one.id].values()
            assert done[one.id].state == "done"
            assert not made.unresolved, one.id
            assert same(result, made.value), one.id
        else:
            assert made.unresolved, f"{one.id}: {waiting[one.id].reason}"
            assert waiting[one.id].state == "pending"
            assert waiting[one.id].reason
            assert list(now[one.id]) == list(one.leaves())
    return len(done)
