"""The HTTP face beside express-pouchdb on LevelDB, one client with one kept connection."""

from __future__ import annotations

import http.client
import itertools
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from benchmarks import node
from benchmarks.documents import conflicted, documents
from benchmarks.measuring import Kind, Row, hold, in_turns, seconds
from benchmarks.startup import command, environment
from couchmend.core.document import Doc, dumps

GROUP = "HTTP face"
READ = "/read"
PEERS = {
    "fullCouchDB": ("express-pouchdb on LevelDB", 2.0),
    "minimumForPouchDB": ("the same without users, log and configuration", None),
}
"""What express-pouchdb can be set to: its default, and the least; with the target."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    documents: int = 20_000
    conflicts: int = 1_000
    gets: int = 2_000
    batch: int = 1_000
    rounds: int = 7


TINY = Size(documents=200, conflicts=10, gets=20, batch=50, rounds=1)


def measure(*, tiny: bool) -> list[Row]:
    """Every row of the HTTP face."""
    size = TINY if tiny else Size()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="couchmend-bench-")))
        ours = stack.enter_context(_couchmend(folder / "couchmend", size))
        missing = node.missing() or ""
        beside = {
            mode: None if missing else stack.enter_context(_express(folder / mode, mode, size))
            for mode in PEERS
        }
        some = f"half of the {size.gets:,} are in conflict"
        return [
            _row(what, note, amount, work, size.rounds, ours, peer, mode, missing)
            for what, note, amount, work in (
                ("_bulk_docs", f"batches of {size.batch:,}", size.documents, _Writing(size)),
                ("GET by id with conflicts, in sequence", some, size.gets, _Getting(size)),
                ("_changes", "one answer", size.documents, _Changes(size)),
            )
            for mode, peer in beside.items()
        ]


class Client:
    """As little between the clock and the server as will do: a connection that is kept."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        assert where.hostname is not None
        self._connection = http.client.HTTPConnection(where.hostname, where.port, timeout=600)

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """The answer's body.

        Raises:
            RuntimeError: the answer is a refusal.
        """
        headers = {} if body is None else {"Content-Type": "application/json"}
        self._connection.request(method, path, body, headers)
        with self._connection.getresponse() as response:
            answer = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {answer[:200]!r}")
        return answer

    def anew(self) -> Self:
        """The same with a new connection: servers close those that have been idle."""
        self.close()
        self.ask("GET", "/")
        return self

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


Work = Callable[[Client], float]
"""What is done through a client, and how many seconds it took."""


def _row(
    what: str,
    note: str,
    amount: int,
    work: Work,
    rounds: int,
    ours: Client,
    peer: Client | None,
    mode: str,
    missing: str,
) -> Row:
    beside = None if peer is None else (lambda: work(peer.anew()))
    times = in_turns(rounds, lambda: work(ours.anew()), beside)
    name, target = PEERS[mode]
    return Row(
        GROUP, what, Kind.SPEED, target, times[0], name, times[1],
        amount=amount, unit="documents", note=note, absent=missing,
    )  # fmt: skip


class _Writing:
    """New documents into an empty database."""

    def __init__(self, size: Size) -> None:
        self._bodies = list(_batches(documents(size.documents), size.batch))
        self._expected = size.documents
        self._names = (f"/written-{number}" for number in itertools.count())

    def __call__(self, client: Client) -> float:
        name = next(self._names)
        client.ask("PUT", name)
        path = f"{name}/_bulk_docs"
        answers: list[bytes] = []
        taken = seconds(
            lambda: answers.extend(client.ask("POST", path, body) for body in self._bodies)
        )
        rows = [row for answer in answers for row in json.loads(answer)]
        hold(sum("rev" in row for row in rows), self._expected)
        client.ask("DELETE", name)
        return taken


class _Getting:
    """Documents one after the other; every other one is in conflict."""

    def __init__(self, size: Size) -> None:
        numbers = range(0, size.documents, size.documents // size.conflicts // 2)[: size.gets]
        self._paths = [f"{READ}/task-{number:08d}?conflicts=true" for number in numbers]
        self._expected = size.gets // 2

    def __call__(self, client: Client) -> float:
        answers: list[bytes] = []
        taken = seconds(lambda: answers.extend(client.ask("GET", path) for path in self._paths))
        hold(sum("_conflicts" in json.loads(answer) for answer in answers), self._expected)
        return taken


class _Changes:
    """All changes in one answer."""

    def __init__(self, size: Size) -> None:
        self._expected = size.documents

    def __call__(self, client: Client) -> float:
        answers: list[bytes] = []
        taken = seconds(lambda: answers.append(client.ask("GET", f"{READ}/_changes")))
        hold(len(json.loads(answers[0])["results"]), self._expected)
        return taken


def _batches(docs: Iterator[Doc], batch: int, **options: object) -> Iterator[bytes]:
    while part := list(itertools.islice(docs, batch)):
        yield dumps({"docs": part, **options})


# --- the servers


@contextmanager
def _couchmend(folder: Path, size: Size) -> Iterator[Client]:
    with subprocess.Popen(
        command("replica", "serve", str(folder), "--port", "0", "--json"),
        stdout=subprocess.PIPE,
        env=environment(),
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError("couchmend did not start; see above")
            with _prepared(json.loads(line)["url"], size) as client:
                yield client
        finally:
            process.terminate()


@contextmanager
def _express(folder: Path, mode: str, size: Size) -> Iterator[Client]:
    with node.Peer("express_pouchdb.js", str(folder), mode, cwd=folder.parent) as peer:
        url = f"http://127.0.0.1:{peer.listen()['port']}"
        with _prepared(url, size) as client:
            yield client


@contextmanager
def _prepared(url: str, size: Size) -> Iterator[Client]:
    """A client, and on its server the database that is read: some documents in conflict."""
    client = Client(url)
    client.ask("PUT", READ)
    stream = conflicted(documents(size.documents), size.documents // size.conflicts)
    docs = sorted(stream, key=lambda doc: int(doc["_revisions"]["start"]))
    for body in _batches(iter(docs), size.batch, new_edits=False):
        hold(len(json.loads(client.ask("POST", f"{READ}/_bulk_docs", body))), 0)
    try:
        yield client
    finally:
        client.close()
