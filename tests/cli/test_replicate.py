"""`couchmend replicate`."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from couchmend.errors import NotFound
from couchmend.replica.couch import CouchServer
from couchmend.replica.embedded import EmbeddedReplica
from tests.cli.running import COMMAND, couchmend, couchmend_here, environment
from tests.cli.serving import serving
from tests.lying import LyingProxy, Match, Stall, failure


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[EmbeddedReplica]:
    """The source: three documents, one of them in conflict, one with an attachment."""
    with EmbeddedReplica.open(tmp_path / "notes.couch") as replica:
        replica.bulk_docs([{"_id": "a", "n": 1}, {"_id": "b", "n": 2}])
        replica.put({"_id": "a", "_rev": "1-x", "n": 3}, new_edits=False)
        replica.put_attachment("c", "photo", b"x" * 2000, "image/png")
        yield replica


@pytest.fixture
def server(tmp_path: Path) -> Iterator[CouchServer]:
    with serving(tmp_path) as (_, url), closing(CouchServer(url)) as server:
        yield server


def test_between_files(notes: EmbeddedReplica, tmp_path: Path) -> None:
    first = couchmend_here("replicate", "file:notes.couch", "file:copy.couch", cwd=tmp_path)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == "4 revisions of 3 documents brought, 2.6 kB, 1 attachment\n"
    again = couchmend_here("replicate", "file:notes.couch", "file:copy.couch", cwd=tmp_path)
    assert again.stdout == "nothing was lacking (0 revisions compared)\n"
    with EmbeddedReplica.open(tmp_path / "copy.couch") as copy:
        assert copy.get("a", conflicts=True) == notes.get("a", conflicts=True)
        assert copy.attachment("c", "photo").read() == b"x" * 2000


def test_to_a_server_and_back(notes: EmbeddedReplica, server: CouchServer, tmp_path: Path) -> None:
    url = f"{server.url}/team%2Fnotes"
    missing = couchmend_here("replicate", "file:notes.couch", url, cwd=tmp_path)
    assert missing.returncode == 3
    assert "Database does not exist" in missing.stderr
    assert "--create-target" in missing.stderr
    create = ("--create-target", "--json")
    up = couchmend_here("replicate", "file:notes.couch", url, *create, cwd=tmp_path)
    told = json.loads(up.stdout)
    assert (told["docs_written"], told["doc_write_failures"], told["refused"]) == (4, 0, [])
    assert told["target"] == url
    assert server.names() == ["team/notes"]
    down = couchmend_here("replicate", url, "file:back.couch", cwd=tmp_path)
    assert down.stdout.startswith("4 revisions of 3 documents brought")
    again = couchmend_here("replicate", "file:notes.couch", url, *create, cwd=tmp_path)
    assert json.loads(again.stdout)["missing_checked"] == 0


def test_some_documents(notes: EmbeddedReplica, tmp_path: Path) -> None:
    def brought(*options: str) -> str:
        done = couchmend_here(
            "replicate", "file:notes.couch", "file:some.couch", *options, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert brought("--doc-id", "b", "--doc-id", "none").startswith("1 revision of 1 document")
    assert brought("--selector", '{"n": {"$lt": 2}}').startswith("nothing")
    assert brought("--selector", '{"n": 3}').startswith("2 revisions of 1 document")


def test_refusals_are_told_and_the_rest_is_brought(tmp_path: Path) -> None:
    config = tmp_path / "couchmend.toml"
    config.write_text("[replica]\nmax_document_bytes = 1000\n")
    with EmbeddedReplica.open(tmp_path / "notes.couch") as notes:
        notes.bulk_docs([{"_id": "a"}, {"_id": "large", "text": "x" * 2000}, {"_id": "z"}])
    with serving(tmp_path, "--config", str(config)) as (_, url):
        with closing(CouchServer(url)) as server:
            server.create("notes").close()
        done = couchmend_here("replicate", "file:notes.couch", f"{url}/notes", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.startswith("2 revisions of 3 documents brought")
    assert done.stdout.endswith("1 refused\n")
    (line,) = done.stderr.splitlines()
    assert line.startswith("couchmend: large 1-")
    assert "document_too_large" in line


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["file:none.couch", "file:b.couch"], 3, "none.couch"),
        (["file:notes.couch", "file:notes.couch"], 2, "the same database"),
        (["file:notes.couch", "file:./notes.couch"], 2, "the same database"),
        (["file:notes.couch", "dir:folder"], 2, "not one database"),
        (["file:notes.couch", "notes.couch"], 2, "say file:notes.couch"),
        (["file:notes.couch", "file:b.couch", "--selector", "{"], 2, "is not JSON"),
        (["file:notes.couch", "file:b.couch", "--selector", "[]"], 2, "no JSON object"),
        (["file:notes.couch", "file:b.couch", "--selector", '{"a": {"$no": 1}}'], 2, "$no"),
        (
            ["file:notes.couch", "file:b.couch", "--selector", "{}", "--doc-id", "a"],
            2,
            "do not go together",
        ),
        (["file:notes.couch", "file:b.couch", "--since", "rubbish"], 2, "Malformed sequence"),
        (["file:notes.couch", "http://127.0.0.1:9/b"], 3, "connection refused"),
    ],
)
def test_what_goes_wrong_is_a_line(
    notes: EmbeddedReplica, tmp_path: Path, arguments: list[str], code: int, says: str
) -> None:
    done = couchmend_here("replicate", *arguments, cwd=tmp_path)
    assert done.returncode == code
    (line,) = done.stderr.splitlines()
    assert says in line


class Continuous:
    """`couchmend replicate --continuous` as a process."""

    def __init__(self, cwd: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "replicate", "--continuous", *arguments],
            cwd=cwd,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Commands that a shell starts in the background ignore Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def ends(self, number: signal.Signals) -> tuple[int, str, str]:
        """What it says when it gets this signal."""
        self.process.send_signal(number)
        out, errors = self.process.communicate(timeout=30)
        return self.process.returncode, out, errors

    def __enter__(self) -> Continuous:
        return self

    def __exit__(self, *failure: object) -> None:
        self.process.kill()
        self.process.communicate()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def has(replica: EmbeddedReplica, id: str) -> bool:
    try:
        replica.get(id)
    except NotFound:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_continuous_until_it_is_told_to_end(
    notes: EmbeddedReplica, tmp_path: Path, number: signal.Signals
) -> None:
    sides = ("file:notes.couch", "file:copy.couch")
    with (
        Continuous(tmp_path, *sides) as running,
        EmbeddedReplica.open(tmp_path / "copy.couch") as copy,
    ):
        until(lambda: has(copy, "c"))
        notes.put({"_id": "later"})
        until(lambda: has(copy, "later"))
        code, out, errors = running.ends(number)
    assert (code, errors) == (0, "")
    first, last = out.splitlines()
    assert first.endswith("(Ctrl-C ends it)")
    assert last.startswith("5 revisions of 4 documents brought")
    # The checkpoint was noted on the way out.
    again = couchmend_here("replicate", *sides, cwd=tmp_path)
    assert again.stdout == "nothing was lacking (0 revisions compared)\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_it_is_told_to_while_the_other_side_is_silent(
    notes: EmbeddedReplica, server: CouchServer, tmp_path: Path, number: signal.Signals
) -> None:
    server.create("copy").close()
    with LyingProxy(server.url) as proxy:
        with Continuous(tmp_path, "file:notes.couch", f"{proxy.url}/copy") as running:
            until(lambda: bool(proxy.requests("PUT", "_local")))
            proxy.lie(Stall("start"), on=Match())
            notes.put({"_id": "later"})
            until(lambda: bool(proxy.requests("POST", "_revs_diff")[1:]))
            began = time.monotonic()
            code, out, _ = running.ends(number)
            assert time.monotonic() - began < 15
        assert code == 0
        assert out.splitlines()[-1].startswith("4 revisions of 3 documents brought")


def test_refusals_are_told_as_they_happen_and_when_the_run_fails(tmp_path: Path) -> None:
    config = tmp_path / "couchmend.toml"
    config.write_text("[replica]\nmax_document_bytes = 1000\n")
    with (
        EmbeddedReplica.open(tmp_path / "notes.couch") as notes,
        serving(tmp_path, "--config", str(config)) as (_, url),
        closing(CouchServer(url)) as server,
        LyingProxy(url) as proxy,
    ):
        server.create("notes").close()
        proxy.lie(failure(500), on=Match("PUT", "_local"))
        notes.bulk_docs([{"_id": "a"}, {"_id": "large", "text": "x" * 2000}])
        sides = ("file:notes.couch", f"{proxy.url}/notes")
        done = couchmend_here("replicate", *sides, cwd=tmp_path)
        assert done.returncode == 3
        assert "large 1-" in done.stderr.splitlines()[0]
        assert done.stdout.startswith("1 revision of 2 documents brought")
        assert "failed" in done.stdout
        told = json.loads(couchmend_here("replicate", *sides, "--json", cwd=tmp_path).stdout)
        assert [row["id"] for row in told["refused"]] == ["large"]
        assert told["ended"].startswith("failed")


def test_nothing_is_made_for_a_replication_that_makes_no_sense(
    notes: EmbeddedReplica, tmp_path: Path
) -> None:
    for option in (["--selector", '{"a": {"$no": 1}}'], ["--since", "rubbish"]):
        sides = ("file:notes.couch", "file:new.couch")
        done = couchmend_here("replicate", *sides, *option, cwd=tmp_path)
        assert done.returncode == 2
        assert option[0] in done.stderr
        assert not (tmp_path / "new.couch").exists()


def test_continuous_as_json_tells_what_arrives(notes: EmbeddedReplica, tmp_path: Path) -> None:
    with Continuous(tmp_path, "file:notes.couch", "file:copy.couch", "--json") as running:
        assert running.process.stdout is not None
        assert json.loads(running.process.stdout.readline())["docs_written"] == 4
        notes.put({"_id": "later"})
        assert json.loads(running.process.stdout.readline())["docs_written"] == 5
        code, out, errors = running.ends(signal.SIGINT)
    assert (code, errors) == (0, "")
    assert json.loads(out)["docs_written"] == 5


def test_help_says_what_it_does() -> None:
    told = couchmend("replicate", "--help").stdout
    for word in ("FROM", "TO", "--continuous", "--selector", "checkpoint"):
        assert word in told
