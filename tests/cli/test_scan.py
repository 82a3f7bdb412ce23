"""`couchmend scan` as a person and a program see it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from couchmend.cli.scan_told import Told
from couchmend.replica.embedded import EmbeddedReplica, Folder
from couchmend.replica.http_face.server import BackgroundServer
from couchmend.settings import ReplicaServer
from tests.cli.running import couchmend, couchmend_here
from tests.cli.serving import free_port
from tests.engine.storing import fork
from tests.engine.workload import TYPES, workload
from tests.lying import LyingProxy, Match, failure


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with a database of every kind of conflict, one without, and a system's."""
    with EmbeddedReplica.open(tmp_path / "tasks.couch") as replica:
        assert replica.bulk_docs(workload(1)[0], new_edits=False) == []
    with EmbeddedReplica.open(tmp_path / "notes.couch") as replica:
        replica.put({"_id": "a"})
    with EmbeddedReplica.open(tmp_path / "_users.couch") as replica:
        fork(replica, "u", {"x": 0}, {"x": 1}, {"x": 2})
    return tmp_path


@pytest.fixture
def url(here: Path) -> Iterator[str]:
    folder = Folder(here)
    try:
        with BackgroundServer(folder, ReplicaServer(port=0)) as server:
            yield server.url
    finally:
        folder.close()


CONFLICTS = sum(bool(type) for type in TYPES.values())


def test_what_a_program_reads(here: Path) -> None:
    told = couchmend_here("scan", "file:tasks.couch", "--json", cwd=here)
    assert (told.returncode, told.stderr) == (1, "")
    (line,) = told.stdout.splitlines()
    found = json.loads(line)
    (database,) = found["databases"]
    by_type = dict(Counter(type for type in TYPES.values() if type))
    assert database["name"] == "tasks"
    assert database["documents"] == len(TYPES) - 1  # one is deleted
    for sums in (database, found):
        assert (sums["conflicts"], sums["hidden"], sums["by_type"]) == (CONFLICTS, 1, by_type)
        assert sum(sums["by_severity"].values()) == CONFLICTS
    assert {"devices": ["desk", "phone"], "conflicts": 8} in found["by_devices"]
    assert found["failed"] == []
    assert "sample" not in found


def test_with_list_a_line_each_comes_first(here: Path) -> None:
    told = couchmend_here("scan", "file:tasks.couch", "--json", "--list", cwd=here)
    *lines, last = map(json.loads, told.stdout.splitlines())
    assert last["conflicts"] == len(lines) == CONFLICTS
    by_id = {one["id"]: one for one in lines}
    assert by_id["hidden-0000"]["hidden"] is True
    assert by_id["overlap-0000"]["fields"] == ["estimate"]
    assert {name.partition("-")[0]: one["type"] for name, one in by_id.items()} == {
        kind: type for kind, type in TYPES.items() if type
    }


def test_a_sample_is_the_same_each_time_and_has_what_differs(here: Path) -> None:
    def sample(count: int) -> list[dict[str, object]]:
        told = couchmend_here(
            "scan", "file:tasks.couch", "--json", "--sample", str(count), cwd=here
        )
        found: list[dict[str, object]] = json.loads(told.stdout)["sample"]
        return found

    three = sample(3)
    assert len(three) == 3
    assert sample(3) == three
    every = {str(one["id"]): one for one in sample(100)}
    assert len(every) == CONFLICTS
    assert {one["id"] for one in three} <= set(every)
    differences = every["overlap-0000"]["differences"]
    assert isinstance(differences, list)
    (estimate,) = [one for one in differences if one["field"] == "estimate"]
    assert estimate["base"] == 30
    assert sorted(estimate["versions"].values()) == [45, 60]
    assert estimate["contested"] is True


def test_what_a_person_reads(here: Path) -> None:
    told = couchmend_here("scan", "file:tasks.couch", "--sample", "1", "--list", cwd=here)
    assert told.returncode == 1
    assert f"tasks: {len(TYPES) - 1} documents, {CONFLICTS} conflicts" in told.stdout
    for words in ("hidden", "merge_candidates", "desk ↔ phone", "estimate", "What to do next"):
        assert words in told.stdout
    assert "couchmend sweep file:tasks.couch" in told.stdout
    assert max(map(len, told.stdout.splitlines())) <= 110


def test_nothing_to_do(here: Path) -> None:
    told = couchmend_here("scan", "file:notes.couch", cwd=here)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout == "notes: 1 document, 0 conflicts\n\nNothing to do: no conflicts.\n"


@pytest.mark.parametrize("address", ["dir:.", "dir:./*", "{url}", "{url}/*"])
def test_a_whole_server_without_the_system_s(here: Path, url: str, address: str) -> None:
    told = couchmend_here("scan", address.format(url=url), "--json", cwd=here)
    found = json.loads(told.stdout)
    assert [one["name"] for one in found["databases"]] == ["notes", "tasks"]
    assert found["conflicts"] == CONFLICTS
    named = couchmend_here("scan", "file:_users.couch", f"{url}/not*", "--json", cwd=here)
    assert [one["name"] for one in json.loads(named.stdout)["databases"]] == ["_users", "notes"]


def test_scanning_writes_nothing_into_a_folder(here: Path) -> None:
    before = {file.name for file in here.iterdir()}
    couchmend_here("scan", "dir:.", cwd=here)
    after = {file.name for file in here.iterdir()}
    assert {name for name in after - before if not name.endswith(("-wal", "-shm"))} == set()


# --- what fails


def test_one_unreachable_database_does_not_stop_the_others(here: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/db"
    (here / "c.toml").write_text(
        f'[[servers]]\nurl = "{nowhere.rpartition("/")[0]}"\nattempts = 1\n'
    )
    arguments = (nowhere, "file:none.couch", "file:tasks.couch", "--json", "--config", "c.toml")
    told = couchmend_here("scan", *arguments, cwd=here)
    assert told.returncode == 3
    found = json.loads(told.stdout)
    assert found["conflicts"] == CONFLICTS
    assert [one["url"] for one in found["failed"]] == [nowhere, f"file:{here}/none.couch"]
    assert len(told.stderr.splitlines()) == 2


def test_one_that_may_not_be_read(here: Path, url: str) -> None:
    with LyingProxy(url) as proxy:
        proxy.lie(failure(403, "forbidden"), on=Match(path="/notes"))
        told = couchmend_here("scan", proxy.url, "--json", cwd=here)
    assert told.returncode == 4
    found = json.loads(told.stdout)
    assert (found["conflicts"], [one["name"] for one in found["failed"]]) == (CONFLICTS, ["notes"])


@pytest.mark.parametrize("address", ["tasks.couch", ":memory:", "ftp://host/db"])
def test_no_address(here: Path, address: str) -> None:
    told = couchmend_here("scan", address, cwd=here)
    assert told.returncode == 2
    assert len(told.stderr.splitlines()) == 1


def test_credentials_are_never_shown(here: Path) -> None:
    nowhere = f"http://ann:s3cret@127.0.0.1:{free_port()}/db"
    (here / "c.toml").write_text('[[servers]]\nurl = "http://127.0.0.1"\nattempts = 1\n')
    told = couchmend("scan", nowhere, "--json", "--config", "c.toml", cwd=here)
    assert "s3cret" not in told.stdout + told.stderr


def test_credentials_of_a_pattern_that_matches_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    address = "http://ann:s3cret@127.0.0.1:5984/team-*"
    Told([address], listed=False, sample=0, as_json=False).nothing()
    told = capsys.readouterr()
    assert "127.0.0.1:5984/team-*" in told.err
    assert "s3cret" not in told.out + told.err


# --- policies


def test_policies_of_the_configuration(here: Path) -> None:
    (here / "couchmend.toml").write_text(
        '[policies.tasks]\nmatch = { type = "task" }\n[policies.tasks.fields]\nestimate = "max"\n'
    )
    told = couchmend("scan", "file:tasks.couch", "--json", "--list", cwd=here)
    *lines, last = map(json.loads, told.stdout.splitlines())
    assert {one["policy"] for one in lines} == {"tasks"}
    assert "edit_edit" not in last["by_type"]
    told = couchmend("scan", "file:tasks.couch", "--policy", "taks", cwd=here)
    assert told.returncode == 2
    assert "tasks" in told.stderr


def test_what_documents_say_does_not_move_the_cursor(tmp_path: Path) -> None:
    with EmbeddedReplica.open(tmp_path / "x.couch") as replica:
        fork(replica, "a\x1b[2J", {"\x1b[1m": 0}, {"\x1b[1m": "\x1b]0;1"}, {"\x1b[1m": 2})
    told = couchmend_here("scan", "file:x.couch", "--list", "--sample", "1", cwd=tmp_path)
    assert told.returncode == 1
    assert "\x1b" not in told.stdout
