"""A sweep that finds nothing new beside one empty request of the changes feed; and the memory of
a process that sweeps everything."""

from __future__ import annotations

import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from benchmarks.documents import conflicted, documents
from benchmarks.measuring import Kind, Row, hold, in_turns, seconds
from benchmarks.startup import environment
from couchmend.core.document import Doc
from couchmend.engine.engine import Engine
from couchmend.engine.finding.targets import Target
from couchmend.engine.hooks import Hooks
from couchmend.journal.opening import Journal, open_journal
from couchmend.policies import Policies
from couchmend.replica.base import ChangesQuery, Replica, Server
from couchmend.replica.couch import CouchServer
from couchmend.replica.embedded import Folder
from couchmend.replica.http_face.server import BackgroundServer
from couchmend.settings import ReplicaServer, Settings

BESIDE = "one empty _changes request"
AT_ONCE = 20
MEMORY = """
import resource, sys
from couchmend import Engine
from couchmend.settings import Journal, Settings
with Engine(Settings(journal=Journal(url=sys.argv[2]))) as engine:
    (report,) = engine.sweep([sys.argv[1]]).each
print(report.detected, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured; of so many documents one is in conflict."""

    documents: int = 20_000
    every: int = 50
    rounds: int = 15


TINY = Size(documents=200, every=50, rounds=1)


def measure(*, tiny: bool) -> list[Row]:
    """The row of the HTTP face."""
    with tempfile.TemporaryDirectory(prefix="couchmend-bench-") as path:
        folder = Folder(Path(path))
        try:
            with BackgroundServer(folder, ReplicaServer(port=0)) as server:
                return [_idle("HTTP face", server.url, TINY if tiny else Size())]
        finally:
            folder.close()


def measure_couchdb(url: str, *, tiny: bool) -> list[Row]:
    """The row of a CouchDB; `url` has the name and password of an administrator."""
    return [_idle("client of a CouchDB", url, TINY if tiny else Size())]


def _idle(group: str, url: str, size: Size) -> Row:
    expected = -(-size.documents // size.every)
    server = CouchServer(url)
    with (
        closing(server),
        tempfile.TemporaryDirectory(prefix="couchmend-bench-") as path,
        _filled(server, size) as replica,
    ):
        largest = _largest_megabytes(f"{url.rstrip('/')}/{replica.name}", path, expected)
        with (
            open_journal(f"sqlite:///{path}/ours.db") as journal,
            _engine(journal, replica) as engine,
        ):
            hold(engine.sweep([replica.name]).detected, expected)
            last = replica.changes(ChangesQuery(style="all_docs")).last_seq
            query = ChangesQuery(since=last, style="all_docs")

            def ours() -> None:
                for _ in range(AT_ONCE):
                    hold(engine.sweep([replica.name]).each[0].rows, 0)

            def beside() -> None:
                for _ in range(AT_ONCE):
                    hold(len(replica.changes(query).rows), 0)

            ours()
            times = in_turns(size.rounds, lambda: seconds(ours), lambda: seconds(beside))
    return Row(
        group, f"sweep of {size.documents:,} documents, nothing new", Kind.GROWTH, 3.0,
        times[0], BESIDE, times[1], amount=AT_ONCE, unit="sweeps",
        note=f"{AT_ONCE} at a time; the first sweep of all took {largest:.0f} MB resident",
    )  # fmt: skip


def _engine(journal: Journal, replica: Replica) -> Engine:
    target = Target(replica.name, replica.name, replica.url, replica.url)
    return Engine(
        Settings(),
        policies=Policies(),
        journal=journal,
        hooks=Hooks(),
        opened=[(target, replica)],
    )


def _largest_megabytes(address: str, folder: str, expected: int) -> float:
    """The memory of a process that does nothing but sweep everything."""
    journal = f"sqlite:///{folder}/memory.db"
    told = subprocess.run(
        [sys.executable, "-c", MEMORY, address, journal],
        check=True, capture_output=True, text=True, env=environment(),
    ).stdout.split()  # fmt: skip
    hold(int(told[0]), expected)
    unit = 1 if sys.platform == "darwin" else 1024
    return int(told[1]) * unit / 1e6


@contextmanager
def _filled(server: Server, size: Size) -> Iterator[Replica]:
    name = f"couchmend-bench-{secrets.token_hex(4)}"
    replica = server.create(name)
    try:
        rest: Iterator[Doc] = conflicted(documents(size.documents), size.every)
        while part := list(islice(rest, 2000)):
            hold(len(replica.bulk_docs(part, new_edits=False)), 0)
        yield replica
    finally:
        server.delete(name)
