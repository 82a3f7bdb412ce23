"""`couchmend sweep` as a person and a program use it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from couchmend.journal import leases
from couchmend.journal.opening import open_journal
from couchmend.replica.embedded import EmbeddedReplica
from tests.cli.running import couchmend_here
from tests.engine.sites import fork
from tests.engine.swept import at, live, task


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two databases, one in mode auto and one that is observed."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("COUCHMEND_CONFIG", raising=False)
    for name in ("tasks", "notes"):
        with EmbeddedReplica.open(str(tmp_path / f"{name}.couch")) as replica:
            fork(replica, "merges", task(), task(title="read"), task(notes="soon"))
            fork(
                replica,
                "waits",
                task(),
                task(status="done", updatedAt=at(60)),
                task(status="later", updatedAt=at(61)),
            )
    (tmp_path / "couchmend.toml").write_text(
        '[journal]\nurl = "sqlite:///journal.db"\n'
        '[[databases]]\nname = "tasks"\nurl = "file:tasks.couch"\nmode = "auto"\n'
        '[[databases]]\nname = "notes"\nurl = "file:notes.couch"\n'
    )
    return tmp_path


def as_json(folder: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = couchmend_here("sweep", "--json", *arguments, cwd=folder)
    assert done.stdout.count("\n") == 1, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_all_that_is_configured_by_their_modes(folder: Path) -> None:
    code, told = as_json(folder)
    assert code == 1
    by_name = {one["name"]: one for one in told["databases"]}
    assert [one["name"] for one in told["databases"]] == ["tasks", "notes"]
    assert (by_name["tasks"]["resolved"], by_name["notes"]["resolved"]) == (1, 0)
    assert by_name["tasks"]["by_strategy"] == {"merge": 1}
    assert by_name["notes"]["reasons"] == {"mode": 2}
    assert (told["detected"], told["resolved"], told["failed"], told["waiting"]) == (4, 1, 0, 3)
    code, told = as_json(folder, "tasks")
    assert code == 1
    assert [one["changes"] for one in told["databases"]] == [1]
    assert told["waiting"] == 1


def test_for_people_what_was_found_why_it_waits_and_what_to_do(folder: Path) -> None:
    done = couchmend_here("sweep", cwd=folder)
    assert done.returncode == 1
    text = done.stdout
    assert "tasks (auto): 2 changes, 2 conflicts found, 1 resolved, 1 wait" in text
    assert "notes (observe): 2 changes, 2 conflicts found, 2 wait" in text
    assert "1 merge" in text
    assert "the mode of the database does not resolve by itself" in text
    assert "couchmend conflicts list" in text
    assert "couchmend history" in text
    assert max(map(len, text.splitlines())) <= 100


def test_nothing_to_do(folder: Path) -> None:
    with EmbeddedReplica.open(str(folder / "empty.couch")) as replica:
        replica.put({"_id": "a"})
    done = couchmend_here("sweep", "file:empty.couch", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Nothing to do" in done.stdout


def test_a_dry_run_makes_no_journal(folder: Path) -> None:
    code, told = as_json(folder, "--dry-run")
    assert (code, told["would_resolve"], told["resolved"]) == (0, 1, 0)
    assert not (folder / "journal.db").exists()
    with EmbeddedReplica.open(str(folder / "tasks.couch")) as replica:
        assert len(live(replica, "merges")) == 2
        assert replica.local_docs() == []
    assert "1 would be resolved" in couchmend_here("sweep", "--dry-run", cwd=folder).stdout


def test_full_looks_into_everything_again(folder: Path) -> None:
    as_json(folder)
    code, told = as_json(folder, "--full", "notes")
    assert code == 1
    (one,) = told["databases"]
    assert (one["changes"], one["candidates"], one["detected"]) == (2, 2, 0)


def test_a_database_that_is_not_there_does_not_keep_others(folder: Path) -> None:
    (folder / "tasks.couch").unlink()
    done = couchmend_here("sweep", "--json", cwd=folder)
    assert done.returncode == 3
    told = json.loads(done.stdout)
    assert [one["outcome"] for one in told["databases"]] == ["vanished", "done"]
    assert "tasks" in done.stderr
    assert "hint" in told["databases"][0]["error"]


def test_a_lease_that_is_held_elsewhere_is_4(folder: Path) -> None:
    with open_journal(f"sqlite:///{folder / 'journal.db'}") as journal, journal.write() as tx:
        assert leases.acquire(tx, "tasks", "elsewhere:1", 60)
    done = couchmend_here("sweep", cwd=folder)
    assert done.returncode == 4
    assert "elsewhere:1" in done.stderr
    assert "tasks (auto): another process works on it" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["tusks"], 2, "did you mean tasks"),
        (["strange:thing"], 2, "this names no database"),
        (["--config", "none.toml"], 2, "there is no such file"),
        (["file:none.couch"], 3, "none.couch"),
    ],
)
def test_what_is_wrong_is_one_line_with_a_hint(
    folder: Path, arguments: list[str], code: int, words: str
) -> None:
    done = couchmend_here("sweep", *arguments, cwd=folder)
    assert done.returncode == code
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_no_database_at_all(folder: Path) -> None:
    (folder / "couchmend.toml").unlink()
    done = couchmend_here("sweep", cwd=folder)
    assert done.returncode == 2
    assert "couchmend config init" in done.stderr
